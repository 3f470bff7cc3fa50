"""A port of a Service in the cluster on a port of this machine: for a block, or supervised until it is closed."""

from __future__ import annotations

import atexit
import queue
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from srelab_lib.errors import UnreachableError
from srelab_lib.lab.process import started
from srelab_lib.redact import redact_text
from srelab_lib.settings import LAB_CONTEXT

OPEN_SECONDS = 20.0
LOOK_SECONDS = 0.2
RETRY_SECONDS = 1.0
LOCALHOST = "127.0.0.1"
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


@contextmanager
def forwarded(namespace: str, service: str, port: int, *, context: str = LAB_CONTEXT) -> Iterator[int]:
    """The local port that leads to `service`; it is closed when the block ends.

    It leads to one pod, so it ends with that pod: open it for each exchange rather than for an hour.

    Raises:
        UnreachableError: there is no such Service, or no pod of it runs.
    """
    with _opened(namespace, service, f":{port}", context) as (_, local):
        yield local


class Supervised:
    """A port-forward that is opened again on the same port when its pod goes; closed by `close`, or when Python ends.

        with Supervised("monitoring", "prometheus", 9090, preferred=9090) as forward:
            print(f"http://127.0.0.1:{forward.local}")

    Args:
        namespace: of the Service.
        service: its name.
        port: its port.
        preferred: the port of this machine to take if nobody has it; else, or when 0, a free one is taken.

    Attributes:
        local: the port of this machine.
        reopened: how often it had to be opened again.

    Raises:
        UnreachableError: there is no such Service, or no pod of it runs.
    """

    def __init__(
        self, namespace: str, service: str, port: int, *, preferred: int = 0, context: str = LAB_CONTEXT
    ) -> None:
        self.local = preferred if preferred and is_free(preferred) else _free_port()
        self.reopened = 0
        self._target = (namespace, service, f"{self.local}:{port}", context)
        self._closing, self._settled = threading.Event(), threading.Event()
        self._refused: UnreachableError | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        atexit.register(self.close)
        self._settled.wait()
        if self._refused is not None:
            self.close()
            raise self._refused

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it; harmless when it has ended."""
        self._closing.set()
        self._thread.join()
        atexit.unregister(self.close)

    def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                with _opened(*self._target) as (process, _):
                    self._settled.set()
                    while process.poll() is None and not self._closing.wait(LOOK_SECONDS):
                        pass
            except UnreachableError as error:
                if not self._settled.is_set():  # it never was open: whoever asked for it is told
                    self._refused = error
                    self._settled.set()
                    return
            if not self._closing.wait(RETRY_SECONDS):
                self.reopened += 1


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _opened(namespace: str, service: str, ports: str, context: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    command = ("kubectl", "--context", context, "--namespace", namespace, "port-forward", "--address", LOCALHOST)
    with started(*command, f"service/{service}", ports) as process:
        yield process, _local_port(process, f"{namespace}/{service}", context)


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
