"""Fewer workers, threads or connections than the calls need: a count that was lowered, and who waits since."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from srelab_lib.diagnosis.checks._facts import CLOCKS, Check, Row, change_fact, one_each, rows
from srelab_lib.diagnosis.checks._ties import settings_read
from srelab_lib.diagnosis.checks.dependencies import check_slow_dependency
from srelab_lib.model import Finding, Snapshot, spoken
from srelab_lib.signals.quantity import quantity

_COUNT = re.compile(
    r"\[[^\]]*(?:worker|thread|pool|concurren|connection|parallel|process)[^\]]*\]\Z|spec\.replicas", re.IGNORECASE
)
"""A variable, a key or a number of replicas that says how much is done at once."""
_RIGHT_BEFORE = timedelta(seconds=120)


def check_fewer_workers(s: Snapshot) -> Iterator[Finding]:
    """Calls that time out right after the called one was left with fewer workers than it had."""
    lowered = [row for row in rows(s["changes"]) if _COUNT.search(row["field"]) and _is_lowered(row)]
    for slow in check_slow_dependency(s) if lowered else ():
        own = {slow.object, *settings_read(s).get(slow.object, ())}
        before = [row for row in lowered if row["object"] in own and _is_right_before(row, slow)]
        if before:
            yield replace(
                slow,
                fault="pool_exhausted",
                summary=f"{spoken(slow.object)} has too few workers for the calls that it gets",
                cause=f"it was left with {before[-1]['new']} instead of {before[-1]['old']}, and {slow.cause}",
                facts=one_each([change_fact(before[-1]), *slow.facts]),
            )


def _is_lowered(row: Row) -> bool:
    """True for a number that became a smaller one, and not none at all."""
    before, after = quantity(row["old"]), quantity(row["new"])
    return before is not None and after is not None and 0 < after < before


def _is_right_before(row: Row, slow: Finding) -> bool:
    return slow.since is None or slow.since - _RIGHT_BEFORE <= row["time"] <= slow.since + CLOCKS


CHECKS: tuple[Check, ...] = (check_fewer_workers,)
