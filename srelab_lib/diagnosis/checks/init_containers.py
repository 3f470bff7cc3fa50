"""Init containers: the one that fails, and the one that never ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from srelab_lib.diagnosis.checks._endings import (
    Ending,
    began,
    ending_facts,
    endings,
    grouped_endings,
    last_lines,
    telling,
)
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    clipped,
    earliest,
    grouped,
    live_containers,
    log_fact,
    one_each,
    spec_fact,
    status_fact,
)
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_LONG = timedelta(seconds=60)
"""Shorter than that, an init container is at work."""


def check_init_container_failed(s: Snapshot) -> Iterator[Finding]:
    """Init containers' exit code and last log lines, while their pod is not initialized."""
    blocked = [e for e in endings(s, "init") if e.reason != "OOMKilled" and not _is_done(e.row)]
    for ref, found in grouped_endings((e, telling(last_lines(s, e))) for e in blocked).items():
        ending, line = found[0]
        said = f': its log says "{clipped(line["message"])}"' if line else f": {clipped(ending.message)}"
        yield Finding(
            fault="init_container_failed",
            object=ref,
            summary=f"{spoken(ref)} cannot start: its init container {ending.container} fails",
            cause=f"init container {ending.container} ends with exit code {ending.exit_code}{said}".rstrip(": "),
            facts=one_each([*ending_facts(found), _asked(ref, ending.row)]),
            since=began(s, [item for item, _ in found]),
            strength=3,
        )


def check_init_container_stuck(s: Snapshot) -> Iterator[Finding]:
    """Init containers' state running since long, while the pod's other containers wait for it."""
    waiting = [row for row in live_containers(s, "init") if _is_stuck(s, row)]
    for ref, items in grouped(waiting).items():
        row = items[0]
        lines = last_lines(s, _alive(row))
        said = f'; it says "{clipped(lines[-1]["message"])}"' if lines else ""
        seconds = int((s.window.end - row["started_at"]).total_seconds())
        state = status_fact(row, time=row["started_at"], state="running", started_at=row["started_at"], ready=False)
        yield Finding(
            fault="init_container_stuck",
            object=ref,
            summary=f"{spoken(ref)} cannot start: its init container {row['container']} does not end",
            cause=f"init container {row['container']} has been running for {seconds} s{said}",
            facts=one_each([state, *map(log_fact, lines[-2:]), _asked(ref, row)]),
            since=earliest(*(item["started_at"] for item in items)),
            strength=2,
        )


def _is_done(row: Row) -> bool:
    return bool(row["state"] == "terminated" and row["exit_code"] == 0)


def _is_stuck(s: Snapshot, row: Row) -> bool:
    since = row["started_at"]
    return bool(row["state"] == "running" and not row["ready"] and since and s.window.end - since >= _LONG)


def _alive(row: Row) -> Ending:
    """The container as it runs now, for the lines that it writes."""
    return Ending(row=dict(row) | {"state": "waiting"}, reason="", message="", exit_code=None, finished_at=None)


def _asked(ref: str, row: Row) -> Fact:
    return spec_fact(ref, container=row["container"], image=row["image"], command=clipped(row["command"] or "") or None)


CHECKS: tuple[Check, ...] = (check_init_container_failed, check_init_container_stuck)
