"""A port of a Service in the cluster on a free port of this machine, for as long as a block runs."""

from __future__ import annotations

import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from srelab_lib.errors import UnreachableError
from srelab_lib.lab.process import started
from srelab_lib.redact import redact_text
from srelab_lib.settings import LAB_CONTEXT

OPEN_SECONDS = 20.0
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


@contextmanager
def forwarded(namespace: str, service: str, port: int, *, context: str = LAB_CONTEXT) -> Iterator[int]:
    """The local port that leads to `service`; it is closed when the block ends.

    It leads to one pod, so it ends with that pod: open it for each exchange rather than for an hour.

    Raises:
        UnreachableError: there is no such Service, or no pod of it runs.
    """
    command = ("kubectl", "--context", context, "--namespace", namespace, "port-forward", "--address", "127.0.0.1")
    with started(*command, f"service/{service}", f":{port}") as process:
        yield _local_port(process, f"{namespace}/{service}", context)


def _local_port(process: subprocess.Popen[bytes], service: str, context: str) -> int:
    lines: queue.Queue[str] = queue.Queue()
    for stream in (process.stdout, process.stderr):
        # Read to the end: kubectl tells each connection, and would stop at a full pipe.
        threading.Thread(target=_read, args=(stream, lines), daemon=True).start()
    said = ""
    while True:
        try:
            line = lines.get(timeout=OPEN_SECONDS)
        except queue.Empty:
            line = ""
        if match := _FORWARDING.search(line):
            return int(match[1])
        if not line:
            raise UnreachableError(
                f"no port-forward: {redact_text(said.strip()) or 'kubectl said nothing'}",
                source=service,
                hint=f"kubectl --context {context} get pods --all-namespaces: is its pod Running?",
            )
        said += line


def _read(stream: Iterator[bytes], lines: queue.Queue[str]) -> None:
    for raw in stream:
        lines.put(raw.decode("utf-8", errors="replace"))
    lines.put("")
