"""Edits of ConfigMaps, and those of them that nobody has read since: an environment is read when a container starts."""

from __future__ import annotations

from datetime import datetime

from srelab_lib.diagnosis.checks._facts import CLOCKS, Row, live_containers, rows
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._services import Workload, config_keys, net
from srelab_lib.model import Snapshot, split_ref


def edits(s: Snapshot) -> list[Row]:
    """Changes of ConfigMaps in the window that somebody can have read since."""
    unread = unread_edits(s)
    return [row for row in _edits(s) if (row["object"], row["time"]) not in unread]


@once
def unread_edits(s: Snapshot) -> frozenset[tuple[str, datetime]]:
    """(ConfigMap, time) of edits whose readers all have the values in their environment, and started before."""
    edited = {(str(row["object"]), row["time"]) for row in _edits(s)}
    return frozenset((ref, time) for ref, time in edited if not read_since(s, split_ref(ref)[2], time))


def read_since(s: Snapshot, name: str, edited: datetime) -> bool:
    """True where somebody can have read a ConfigMap since a time, or nothing tells who reads it."""
    readers = [one for one in net(s).workloads.values() if name in {read for read, _ in config_keys(one.spec)}]
    return not readers or any(_has_read(s, reader, name, edited) for reader in readers)


def _edits(s: Snapshot) -> list[Row]:
    df = s["changes"]
    return rows(df[df["object"].astype(str).str.startswith("ConfigMap/") & (df["field"] != "created")])


def _has_read(s: Snapshot, reader: Workload, name: str, edited: datetime) -> bool:
    """True where it has the ConfigMap as files, which follow an edit, or has started a container since."""
    files = {read for read, _ in config_keys({"volumes": reader.spec.get("volumes")})}
    started = [row["started_at"] for row in live_containers(s) if row["object"] == reader.ref]
    return name in files or not started or any(time is None or time >= edited - CLOCKS for time in started)
