"""Switches that break the app on purpose: `FAULT_ERROR_RATE=0.5` in the environment, or `POST /faults/error_rate`.

What HTTP sets is kept in a file that all workers read. Like the bug it plays, it survives a restart of the container;
a new pod is healthy. Switching is not logged: the cause has to be found by what it does.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

SWITCHES = {
    "memory_leak_mib_per_second": "memory that the main process takes and never gives back",
    "cpu_burn": "cores kept busy, spread over the workers, at most one core each",
    "slow_dependency_seconds": "added to each answer of inventory, or to each call of it when set on the shop",
    "error_rate": "share of the API requests that fail with an exception, 0 to 1",
    "exit_after_seconds": "the program ends this long after its start, or after the switch was set",
    "deadlock_pool": "connections to the dependency are taken and never given back",
    "db_lock": "a transaction holds the database locked",
    "slow_query_seconds": "added to each query",
    "schema_mismatch": "queries name a column that the database does not have",
}
_CHUNK = 1 << 20


class Faults:
    """The switches of one pod, the same in every worker.

    Args:
        environment: initial values, as `FAULT_<NAME>`: a number, `true` or `false`.
        file: where what HTTP sets is kept.

    Raises:
        ValueError: a value that is neither.
    """

    def __init__(self, environment: Mapping[str, str], file: Path) -> None:
        self._file = file
        self._initial = {name: _number(json.loads(environment.get(f"FAULT_{name.upper()}", "0"))) for name in SWITCHES}

    def value(self, name: str) -> float:
        """The switch's value; 0 is off."""
        return self.values()[name]

    def values(self) -> dict[str, float]:
        """All switches."""
        try:
            switched: dict[str, float] = json.loads(self._file.read_text())
        except FileNotFoundError:
            switched = {}
        return self._initial | switched

    def set(self, name: str, value: object) -> None:
        """Sets a switch in every worker.

        Raises:
            KeyError: no such switch.
            ValueError: neither a number from 0 up nor a boolean.
        """
        SWITCHES[name]
        number = _number(value)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps(self.values() | {name: number}))
            draft.replace(self._file)  # readers see the old file or the new one, never half of it

    def clear(self, name: str) -> None:
        """Switches off, also what the environment had switched on."""
        self.set(name, 0)


def haunt_main_process(faults: Faults) -> None:
    """Starts what has to happen in the main process.

    A leak in a worker would end the worker only, and its successor would hide it: the container is killed for good
    when the process with the leak is the container's first.
    """
    Thread(target=_leak, args=(faults,), daemon=True).start()
    Thread(target=_exit, args=(faults,), daemon=True).start()


def haunt_worker(faults: Faults, workers: int) -> None:
    """Starts what has to happen in each of the workers."""
    Thread(target=_burn, args=(faults, workers), daemon=True).start()


def _leak(faults: Faults) -> None:
    leaked: list[bytes] = []
    while True:
        mib = faults.value("memory_leak_mib_per_second") / 4
        if mib:
            leaked.append(b"\xff" * int(mib * 1024 * 1024))  # not zeros: those take no memory until they are touched
        else:
            leaked.clear()
        time.sleep(0.25)


def _exit(faults: Faults) -> None:
    armed = 0.0
    while True:
        seconds = faults.value("exit_after_seconds")
        armed = (armed or time.monotonic()) if seconds else 0.0
        if seconds and time.monotonic() - armed >= seconds:
            logging.getLogger("shop").critical("lost the lease on partition 0, another instance owns it: exiting")
            os._exit(1)  # from a thread, sys.exit would end the thread only
        time.sleep(0.25)


def _burn(faults: Faults, workers: int) -> None:
    chunk = bytes(_CHUNK)
    while True:
        share = min(faults.value("cpu_burn") / workers, 1.0)
        until = time.monotonic() + 0.1 * share
        while time.monotonic() < until:
            hashlib.sha256(chunk)  # computes outside the interpreter's lock: the machine is busy, requests still run
        time.sleep(0.1 * (1 - share) if share else 0.25)


def _number(value: object) -> float:
    if not isinstance(value, bool | int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"a switch is a number from 0 up, or true or false, and not {value!r}")
    return float(value)
