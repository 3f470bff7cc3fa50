"""What stands behind one that does not answer: whom it waits for in its turn, where that was changed right before."""

from __future__ import annotations

from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks._calls import Failure
from srelab_lib.diagnosis.checks._facts import rows
from srelab_lib.diagnosis.checks._logs import last_episode
from srelab_lib.diagnosis.checks._services import Net, Workload
from srelab_lib.diagnosis.checks._ties import calls_of
from srelab_lib.model import Snapshot, object_ref

_RIGHT_BEFORE = timedelta(seconds=120)
"""How long before the first failed call a change may lie to be taken for its reason at one remove."""


def began_again(call: Failure) -> datetime:
    """When it began this time: programs also give up on each other while they start."""
    began: datetime = last_episode(call.hits.lines, call.hits.holes)[0]["time"]
    return began


def changed_behind(s: Snapshot, view: Net, ref: str, first: datetime) -> str | None:
    """The one that a slow workload waits for in its turn, where that was changed right before and the former was not.

    Goes on while each calls just one other; None where nothing on the way was changed, or the slow one itself.
    """
    seen = [ref]
    while (here := view.workloads.get(seen[-1])) is not None:
        if _changed_before(s, view, here, first):
            return here.ref if here.ref != ref else None
        called = calls_of(s).get(here.ref, set())
        if len(called) != 1 or called & set(seen):
            return None
        seen += called
    return None


def _changed_before(s: Snapshot, view: Net, workload: Workload, first: datetime) -> bool:
    """True when the workload was rolled out, or what it reads was edited, less than _RIGHT_BEFORE before a time."""
    read = {(object_ref("ConfigMap", s.namespace, name), f"data[{key}]") for name, key, _ in view.configured(workload)}
    return any(
        first - _RIGHT_BEFORE <= row["time"] <= first
        for row in rows(s["changes"])
        if row["field"] != "created" and (row["object"] == workload.ref or (row["object"], row["field"]) in read)
    )
