"""Programs of the host: bounded in time, their lines shown while they run, nothing left behind."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from srelab_lib.errors import DeadlineError, SrelabError, TooLargeError
from srelab_lib.lab.step import QUIET_SECONDS, Progress
from srelab_lib.redact import redact_text

OUTPUT_BYTES = 64 * 1024 * 1024
"""More than this on stdout is an error, never cut in silence."""
TAIL_LINES = 15
STOP_SECONDS = 5.0


class CommandError(SrelabError):
    """A program ended with an error. `output` holds its last lines, redacted."""

    def __init__(self, message: str, *, code: int, output: str, source: str = "", hint: str = "") -> None:
        super().__init__(message, source=source, hint=hint)
        self.code = code
        self.output = output


def silent(_: str) -> None:
    """Progress for nobody."""


def run(
    *command: str,
    timeout_seconds: float,
    progress: Progress = silent,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    accepted: Sequence[int] = (0,),
    hint: str = "",
    interrupt_seconds: float = 0.0,
) -> str:
    """Runs a program to its end and returns what it wrote to stdout.

    Each line of stdout and stderr is told to `progress` with the seconds that have passed, once two seconds have. When
    the time is up, or on Ctrl-C, the program and its children are stopped.

    Args:
        command: program and arguments; no shell reads them.
        timeout_seconds: wall clock.
        progress: is told each line.
        stdin: what the program reads.
        environment: added to this process's own.
        folder: its working directory.
        accepted: exit codes that are no error.
        hint: for the error, when there is one.
        interrupt_seconds: see `started`.

    Raises:
        CommandError: not on the PATH, or an exit code that is not accepted.
        DeadlineError: it ran too long, and was stopped.
        TooLargeError: it wrote more than OUTPUT_BYTES.
    """
    reader = _Reader(progress)
    with started(
        *command, environment=environment, folder=folder, hint=hint, interrupt_seconds=interrupt_seconds
    ) as process:
        threads = reader.follow(process)
        _feed(process, stdin)
        try:
            code = process.wait(timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            message = f"`{shown(command)}` ran longer than {timeout_seconds:.0f} s and was stopped"
            raise DeadlineError(message, hint=hint or reader.tail()) from error
        for thread in threads:
            thread.join(timeout=STOP_SECONDS)
    if code not in accepted:
        message = f"`{shown(command)}` ended with {code}: {reader.tail()}"
        raise CommandError(message, code=code, output=reader.tail(), hint=hint)
    if reader.size > OUTPUT_BYTES:
        raise TooLargeError(f"`{shown(command)}` wrote {reader.size} bytes, more than {OUTPUT_BYTES}", hint=hint)
    return "\n".join(reader.out) + ("\n" if reader.out else "")


@contextmanager
def started(
    *command: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    hint: str = "",
    interrupt_seconds: float = 0.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a group of its own, which is stopped with all its children when the block ends.

    One that has to put things in order first gets `interrupt_seconds` for it, after the signal that Ctrl-C sends in a
    terminal. Another Ctrl-C ends that wait.

    Raises:
        CommandError: it is not on the PATH.
    """
    program = command[0]
    if shutil.which(program) is None:
        raise CommandError(f"{program} is not on the PATH", code=127, output="", hint=hint or f"install {program}")
    process = subprocess.Popen(  # noqa: S603 (no shell; callers hand in a list)
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _stop(process, interrupt_seconds)


def shown(command: Sequence[str]) -> str:
    """The command as a person would type it, redacted, cut at 300 characters."""
    text = redact_text(shlex.join(command))
    return text if len(text) <= 300 else text[:297] + "..."


class _Reader:
    """Keeps the last lines of a program, and tells them on."""

    def __init__(self, progress: Progress) -> None:
        self.out: list[str] = []
        self.size = 0
        self._all: deque[str] = deque(maxlen=TAIL_LINES)
        self._progress = progress
        self._clock = time.monotonic()

    def follow(self, process: subprocess.Popen[bytes]) -> list[threading.Thread]:
        """Reads both streams until they end."""
        threads = [
            threading.Thread(target=self._read, args=(stream, keep), daemon=True)
            for stream, keep in ((process.stdout, True), (process.stderr, False))
        ]
        for thread in threads:
            thread.start()
        return threads

    def tail(self) -> str:
        """The last lines of both streams, redacted."""
        return redact_text("\n".join(self._all)).strip()

    def _read(self, stream: Iterator[bytes], keep: bool) -> None:
        for raw in stream:
            line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
            if keep:
                self.size += len(raw)
                if self.size <= OUTPUT_BYTES:
                    self.out.append(line)
            if line.strip():
                self._all.append(line)
                seconds = time.monotonic() - self._clock
                if seconds >= QUIET_SECONDS:
                    self._progress(redact_text(f"{seconds:4.0f} s  {line}"))


def _feed(process: subprocess.Popen[bytes], text: str) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(text.encode())
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended without reading; its exit code tells


def _stop(process: subprocess.Popen[bytes], interrupt_seconds: float) -> None:
    polite = [(signal.SIGINT, interrupt_seconds)] if interrupt_seconds else []
    steps = [*polite, (signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)]
    for number, seconds in steps if process.poll() is None else []:
        try:
            os.killpg(process.pid, number)
            if _group_ended(process, seconds):
                break
        except ProcessLookupError:
            break
        except KeyboardInterrupt:
            continue
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None and not stream.closed:
            stream.close()


def _group_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the program and its children end in that time: a child may go on when its parent has ended."""
    until = time.monotonic() + seconds
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    while _alive(process.pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _alive(group: int) -> bool:
    """Whether any process of a group runs; a zombie does not."""
    command = ["ps", "-A", "-o", "pgid=,stat="]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=STOP_SECONDS, check=False)  # noqa: S603
    rows = (line.split() for line in listed.stdout.splitlines())
    return any(row[0] == str(group) and not row[1].startswith("Z") for row in rows if len(row) > 1)
