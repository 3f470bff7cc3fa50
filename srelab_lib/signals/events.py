"""Events as a table: both API forms read, repetitions joined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from srelab_lib.model import object_ref
from srelab_lib.signals.frames import frame
from srelab_lib.signals.ownership import Owners, Raw

# What differs between repetitions of one message: hexadecimal ids, addresses, numbers.
_VARIABLE = re.compile(r"[0-9a-f]{12,}|\d+")


def events_table(events: Sequence[Raw], owned: Owners) -> pd.DataFrame:
    """One row for each (involved, its uid, reason, kind of message), oldest first.

    Repetitions are joined: the count is their sum, the times span them all, and the words are the latest. The last of
    several events is not the story.
    """
    joined: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in sorted(
        (_event(event, owned) for event in events), key=lambda row: (row["last_seen"] or "", row["reason"])
    ):
        about = row["involved"], row["involved_uid"] or ""
        key = (*about, row["type"], row["reason"], _kind(row))
        joined[key] = _join(joined[key], row) if key in joined else row
    return frame("events", sorted(joined.values(), key=lambda row: (row["first_seen"] or "", row["involved"])))


def _kind(row: dict[str, Any]) -> str:
    """The message without what differs between repetitions; what went well tells steps: `from 1 to 5`."""
    message = str(row["message"])
    return message if row["type"] == "Normal" else _VARIABLE.sub("#", message)


def _join(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    return later | {
        "first_seen": _earliest((earlier["first_seen"], later["first_seen"])),
        "last_seen": max(earlier["last_seen"] or "", later["last_seen"] or "") or None,
        "count": earlier["count"] + later["count"],
    }


def _event(event: Raw, owned: Owners) -> dict[str, Any]:
    """One event of core/v1 (`involvedObject`, `message`) or events.k8s.io/v1 (`regarding`, `note`)."""
    meta, series = event.get("metadata") or {}, event.get("series") or {}
    about = event.get("involvedObject") or event.get("regarding") or {}
    source = event.get("source") or event.get("deprecatedSource") or {}
    involved = object_ref(about.get("kind") or "", about.get("namespace") or "", about.get("name") or "")
    firsts = (event.get("firstTimestamp"), event.get("deprecatedFirstTimestamp"), event.get("eventTime"))
    lasts = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("deprecatedLastTimestamp"), *firsts)
    created = meta.get("creationTimestamp")
    return {
        "first_seen": _earliest(firsts) or created,
        "last_seen": next((time for time in lasts if time), created),
        "type": event.get("type") or "",
        "reason": event.get("reason") or "",
        "message": event.get("message") or event.get("note") or "",
        "namespace": about.get("namespace") or meta.get("namespace"),
        "involved_kind": about.get("kind"),
        "involved_name": about.get("name"),
        "involved": involved,
        "involved_uid": about.get("uid"),
        "object": owned.top(involved),
        "count": series.get("count") or event.get("count") or event.get("deprecatedCount") or 1,
        "component": event.get("reportingComponent") or event.get("reportingController") or source.get("component"),
        "host": source.get("host") or event.get("reportingInstance") or None,
    }


def _earliest(times: Iterable[str | None]) -> str | None:
    """The earliest of RFC 3339 times in UTC, which sort as text."""
    return min((time for time in times if time), default=None)
