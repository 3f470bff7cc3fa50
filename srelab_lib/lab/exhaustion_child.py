"""Reaches three limits, each of them its own, and writes what happened to stdout as JSON.

A program by itself, of the standard library alone: a user namespace can be made only by a process with one thread, and
NumPy starts threads. Usage: `python -I exhaustion_child.py EMPTY_FOLDER`
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

CLONE_NEWUSER = 0x10000000
IN_MODIFY = 0x2
ALLOWED_INSTANCES, ALLOWED_WATCHES, ALLOWED_FILES = 4, 8, 32


def main(folder: Path) -> None:
    """Everything, in an order in which no trial spoils the next."""
    files = [folder / f"file{number}" for number in range(ALLOWED_WATCHES + 4)]
    for file in files:
        file.touch()
    results = [*_inotify(files), _descriptors(files[0])]
    sys.stdout.write(json.dumps(results))


def _inotify(files: list[Path]) -> list[dict[str, Any]]:
    calls = (
        ("inotify instances", "inotify_init1", ALLOWED_INSTANCES),
        ("inotify watches", "inotify_add_watch", ALLOWED_WATCHES),
    )
    try:
        _own_limits()
    except (OSError, AttributeError) as error:
        reason = f"no user namespace with limits of its own here: {error}"
        return [
            {"limit": limit, "call": call, "allowed": allowed, "succeeded": -1, "error": "", "message": reason}
            | {"open_files": 0}
            for limit, call, allowed in calls
        ]
    instances: list[int] = []
    tries: list[Callable[[], None]] = [lambda: instances.append(_call("inotify_init1", os.O_CLOEXEC))] * 12
    first = _until_error(*calls[0], tries)
    for extra in instances[1:]:
        os.close(extra)
    watch = [partial(_call, "inotify_add_watch", instances[0], bytes(file), IN_MODIFY) for file in files]
    second = _until_error(*calls[1], watch)
    os.close(instances[0])
    return [first, second]


def _own_limits() -> None:
    """A user namespace for this process alone, with limits that hold in it alone."""
    _call("unshare", CLONE_NEWUSER)
    for name, allowed in (("max_inotify_instances", ALLOWED_INSTANCES), ("max_inotify_watches", ALLOWED_WATCHES)):
        Path(f"/proc/sys/user/{name}").write_text(str(allowed))


def _descriptors(file: Path) -> dict[str, Any]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (ALLOWED_FILES, hard))
    opened: list[int] = []
    tries: list[Callable[[], None]] = [lambda: opened.append(os.open(file, os.O_RDONLY))] * (ALLOWED_FILES + 4)
    result = _until_error("open files of one process", "open", ALLOWED_FILES, tries)
    for number in opened:
        os.close(number)
    return result


def _until_error(limit: str, call: str, allowed: int, tries: Sequence[Callable[[], Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {"limit": limit, "call": call, "allowed": allowed, "error": "", "message": "no error"}
    succeeded = 0
    for attempt in tries:
        try:
            attempt()
        except OSError as error:
            code = error.errno or 0
            result |= {"error": errno.errorcode.get(code, str(code)), "message": f"{call}: {os.strerror(code)}"}
            break
        succeeded += 1
    return result | {"succeeded": succeeded, "open_files": _open_files()}


def _open_files(most: int = 4096) -> int:
    # Listing /proc/self/fd would need one more descriptor, and there is none left.
    count = 0
    for number in range(most):
        try:
            os.fstat(number)
        except OSError:
            continue
        count += 1
    return count


def _call(name: str, *arguments: Any) -> int:
    """A function of the C library; what it refuses is an OSError."""
    answer: int = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
