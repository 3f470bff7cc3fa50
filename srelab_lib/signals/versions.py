"""When an object was last written, from its resource version.

A write that only removes a field leaves no entry in managedFields. Its time shows in the resource version: versions are
one sequence for all objects of a cluster (etcd's revision), so an object with a higher version than another one was
written after that one.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime

from srelab_lib.signals.edits import time_of
from srelab_lib.signals.ownership import Raw, RawByKind


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionClock:
    """Versions in order, and the latest time that a write of this or a lower version is known to have had."""

    versions: tuple[int, ...]
    times: tuple[datetime, ...]

    @classmethod
    def of(cls, raw: RawByKind) -> VersionClock:
        """From every object whose last write has a time."""
        known = sorted(
            (version, time)
            for items in raw.values()
            for item in items
            if (version := _version(item)) is not None and (time := last_known_write(item)) is not None
        )
        times: list[datetime] = []
        for _, time in known:
            times.append(max(time, times[-1]) if times else time)
        return cls(versions=tuple(version for version, _ in known), times=tuple(times))

    def written_after(self, item: Raw) -> datetime | None:
        """A time that the object's last write was not before; None when nothing is known."""
        version = _version(item)
        position = bisect_right(self.versions, version) if version is not None else 0
        return self.times[position - 1] if position else None


def last_known_write(item: Raw) -> datetime | None:
    """The latest time that the object itself names: its creation, its managers' writes, an event's last occurrence."""
    meta = item.get("metadata") or {}
    texts = [meta.get("creationTimestamp"), *(entry.get("time") for entry in meta.get("managedFields") or ())]
    texts += [item.get("lastTimestamp"), item.get("deprecatedLastTimestamp"), item.get("eventTime")]
    return max((time for text in texts if (time := time_of(text)) is not None), default=None)


def _version(item: Raw) -> int | None:
    version = (item.get("metadata") or {}).get("resourceVersion") or ""
    return int(version) if version.isdecimal() else None
