"""Programs of the host, with real ones: bounded, told, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srelab_lib.errors import DeadlineError, TooLargeError
from srelab_lib.lab.process import CommandError, run, started


def test_stdout_is_returned_and_stdin_is_read() -> None:
    assert run("cat", stdin="a\nb\n", timeout_seconds=10) == "a\nb\n"


def test_an_error_tells_code_and_last_lines() -> None:
    with pytest.raises(CommandError, match="ended with 3: no such thing") as caught:
        run("sh", "-c", "echo no such thing >&2; exit 3", timeout_seconds=10, hint="make the thing")
    assert (caught.value.code, caught.value.hint) == (3, "make the thing")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="no-such-program is not on the PATH"):
        run("no-such-program", timeout_seconds=1)


def test_when_the_time_is_up_the_children_are_stopped_too(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(DeadlineError, match="longer than 1 s"):
        run("sh", "-c", f"sleep 300 & echo $! > {child}; wait", timeout_seconds=1)
    assert gone(int(child.read_text()))


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where a shell has started the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_stops_the_program(tmp_path: Path) -> None:
    child = tmp_path / "child"
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run("sh", "-c", f"echo $$ > {child}; sleep 300", timeout_seconds=60)
    assert gone(int(child.read_text()))


def test_lines_are_told_with_the_seconds_and_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srelab_lib.lab.process.QUIET_SECONDS", 0.0)
    told: list[str] = []
    run("sh", "-c", "echo loading; echo token=abcdef0123456789abcdef >&2", timeout_seconds=10, progress=told.append)
    assert any(line.endswith("s  loading") for line in told)
    assert len(told) == 2
    assert not any("abcdef0123456789" in line for line in told)


def test_too_much_output_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srelab_lib.lab.process.OUTPUT_BYTES", 100)
    with pytest.raises(TooLargeError):
        run(sys.executable, "-c", "print('x' * 50 + '\\n' + 'y' * 80)", timeout_seconds=10)


def test_a_started_program_ends_with_its_block() -> None:
    with started("sleep", "300") as process:
        assert process.poll() is None
    assert process.poll() is not None


def gone(pid: int) -> bool:
    """Whether the process ends within some seconds; a zombie nobody waited for has ended."""
    for _ in range(50):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False
