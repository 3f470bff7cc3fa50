"""Changes of the number of replicas that are no part of a rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from srelab_lib.model import TimeWindow, object_ref
from srelab_lib.signals.edits import Row, drift, edits_of, time_of, within
from srelab_lib.signals.ownership import Owners, Raw, RawByKind, ref_of
from srelab_lib.signals.rollouts import Scaling, latest_revision, scaling_events
from srelab_lib.signals.spec_diff import difference

_ORDINAL = re.compile(r"(create|delete) Pod \S+-(\d+) in StatefulSet (\S+) successful")
_FOLLOWS = timedelta(seconds=60)
"""From a write to the pods that it brings, one after the other."""
_ROLLING = timedelta(seconds=60)
"""Another ReplicaSet that is scaled this near in time means that a rollout was going on."""


def scalings(raw: RawByKind, owned: Owners, window: TimeWindow) -> Iterator[Row]:
    """Rows of `changes`: a Deployment or StatefulSet that was scaled by a person or an autoscaler.

    A write through the scale subresource has no time in managedFields, so events say when, and from how many.
    """
    events = raw.get("Event") or ()
    told = list(scaling_events(events))
    for item in raw.get("Deployment") or ():
        yield from _deployment(
            item, raw, owned, [event for event in told if event.deployment == ref_of("Deployment", item)], window
        )
    for item in raw.get("StatefulSet") or ():
        yield from _statefulset(item, events, window)
    for event in events:
        yield from _autoscaled(event, raw.get("HorizontalPodAutoscaler") or (), window)


def _deployment(item: Raw, raw: RawByKind, owned: Owners, told: Sequence[Scaling], window: TimeWindow) -> Iterator[Row]:
    """Only a change of the Deployment's own number scales its newest ReplicaSet once that has been rolled out."""
    latest = latest_revision(item, raw, owned)
    if latest is None or latest.time is None:
        return
    own = [event for event in told if event.replicaset == latest.name and event.time > latest.time]
    steps = sorted((event for event in own if not _rolling(event, told)), key=lambda event: event.time)
    new = str((item.get("spec") or {}).get("replicas", 1))
    old = steps[0].old if steps else None
    if own and _was_scaled(item):
        old = drift(item).get("spec.replicas", (old,))[0]
    time = (steps or sorted(own, key=lambda event: event.time))[0].time if own else None
    if old is not None and old != new and time is not None and within(time, window):
        yield _row(time, ref_of("Deployment", item), old, new)


def _rolling(event: Scaling, told: Sequence[Scaling]) -> bool:
    """Up is what a rollout does too, as long as it scales others down."""
    others = [other for other in told if other.replicaset != event.replicaset]
    return event.up and (event.old == "0" or any(abs(other.time - event.time) <= _ROLLING for other in others))


def _was_scaled(item: Raw) -> bool:
    return any(entry.get("subresource") == "scale" for entry in item["metadata"].get("managedFields") or ())


def _statefulset(item: Raw, events: Sequence[Raw], window: TimeWindow) -> Iterator[Row]:
    """Pods with an ordinal that is no longer wanted were deleted, or the highest ones came after a write."""
    name, now = item["metadata"]["name"], int((item.get("spec") or {}).get("replicas", 1))
    told: dict[str, list[tuple[int, datetime]]] = {"create": [], "delete": []}
    for event in events:
        match = _ORDINAL.search(event.get("message") or event.get("note") or "")
        time = time_of(event.get("lastTimestamp") or event.get("eventTime"))
        if match and match[3] == name and time and within(time, window):
            told[match[1]].append((int(match[2]), time))
    ref, gone = ref_of("StatefulSet", item), [one for one in told["delete"] if one[0] >= now]
    if gone:
        yield _row(min(time for _, time in gone), ref, str(max(gone)[0] + 1), str(now))
    elif not told["delete"]:
        # The scale subresource leaves no time: then it is not told.
        writes = [edit.time for edit in edits_of(item)]
        came = [one for one in told["create"] if any(at <= one[1] <= at + _FOLLOWS for at in writes)]
        lowest = min((ordinal for ordinal, _ in came), default=0)
        if lowest and {ordinal for ordinal, _ in came} == set(range(lowest, now)):
            yield _row(min(time for _, time in came), ref, str(lowest), str(now))


def _autoscaled(event: Raw, autoscalers: Sequence[Raw], window: TimeWindow) -> Iterator[Row]:
    about, time = event.get("involvedObject") or {}, time_of(event.get("lastTimestamp") or event.get("eventTime"))
    if event.get("reason") != "SuccessfulRescale" or time is None or not within(time, window):
        return
    for item in autoscalers:
        target = (item.get("spec") or {}).get("scaleTargetRef") or {}
        if item["metadata"]["name"] == about.get("name") and target:
            ref = object_ref(target.get("kind", ""), about.get("namespace") or "", target.get("name", ""))
            message = str(event.get("message") or "")
            new = (re.findall(r"New size: (\d+)", message) or [None])[0]
            text = f"scaled by HorizontalPodAutoscaler {about.get('name')}: {message}"
            yield _row(time, ref, None, new, text)


def _row(time: datetime, ref: str, old: str | None, new: str | None, text: str = "") -> Row:
    kind, _, name = ref.split("/", 2)
    text = text or difference("spec.replicas", old, new, of=f"{kind} {name}").text
    return {
        "time": time, "kind": "scale", "object": ref, "field": "spec.replicas", "old": old, "new": new, "text": text,
    }  # fmt: skip
