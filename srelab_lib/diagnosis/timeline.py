"""Everything with a time on one axis: changes, events, restarts, new log lines and the onset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from srelab_lib.diagnosis.rank import Ranked
from srelab_lib.model import Change, Onset, Snapshot, Timeline, TimelineMark

_TOLD_EVENTS = frozenset({"Killing", "ScalingReplicaSet", "SuccessfulRescale", "Preempted", "NodeNotReady", "Evicted"})
"""Normal events that belong to the story; Warnings always do."""


def build_timeline(
    snapshot: Snapshot, ranked: Sequence[Ranked], changes: Iterable[Change], onset: datetime | None
) -> Timeline:
    """Marks inside the window, sorted; the onset is the given one, or when the first candidate began."""
    marks = [*_change_marks(changes), *_event_marks(snapshot), *_restart_marks(snapshot), *_log_marks(snapshot)]
    began = onset if onset is not None else (ranked[0].finding.since if ranked else None)
    inside = [mark for mark in marks if snapshot.window.start <= mark.time <= snapshot.window.end]
    order = sorted(set(inside), key=lambda mark: (mark.time, mark.kind, mark.object, mark.text))
    return Timeline(marks=tuple(order), onset=began)


def user_onsets(onsets: Iterable[Onset]) -> list[Onset]:
    """Change points that users feel: more errors, more latency, less traffic than before in the window."""
    return [onset for onset in onsets if not onset.began_before_window and _is_felt(onset)]


def _is_felt(onset: Onset) -> bool:
    """A twentieth of the requests fails, the slowest take half a second and twice as long, or half the traffic is gone.

    Less than that moves by itself, and woke nobody.
    """
    before, after = onset.before, onset.after
    if onset.signal == "error_ratio":
        return after >= 0.05 and after >= 2 * before
    if onset.signal == "latency_p95_seconds":
        return after >= 0.5 and after >= 2 * before
    return onset.signal == "request_rate" and after <= before / 2


def onsets_of(snapshot: Snapshot) -> tuple[Onset, ...]:
    """The table of change points as nouns, strongest first."""
    return tuple(
        Onset(
            signal=row["signal"],
            object=row["object"],
            time=None if pd.isna(row["time"]) else _time(row["time"]),
            before=row["before"],
            after=row["after"],
            score=row["score"],
            unit=row["unit"],
            began_before_window=bool(row["began_before_window"]),
        )
        for row in snapshot["onsets"].to_dict("records")
    )


def changes_of(snapshot: Snapshot) -> tuple[Change, ...]:
    """The table of changes as nouns, in order of time."""
    rows = snapshot["changes"].dropna(subset=["time"]).sort_values(["time", "object", "field"], kind="stable")
    return tuple(
        Change(
            time=_time(row["time"]),
            object=row["object"],
            field=row["field"] or "",
            old=_text(row["old"]),
            new=_text(row["new"]),
            text=row["text"],
            revision=_text(row["revision"]) or "",
            rolled_back_to=_text(row["rolled_back_to"]) or "",
            revision_before=_text(row["revision_before"]) or "",
            commit=_text(row["commit"]) or "",
            diff=_text(row["diff"]) or "",
        )
        for row in rows.to_dict("records")
    )


def _change_marks(changes: Iterable[Change]) -> Iterable[TimelineMark]:
    for change in changes:
        yield TimelineMark(time=change.time, kind="change", object=change.object, text=change.text)


def _event_marks(snapshot: Snapshot) -> Iterable[TimelineMark]:
    events = snapshot["events"]
    told = events[(events["type"] == "Warning") | events["reason"].isin(_TOLD_EVENTS)]
    for row in told.dropna(subset=["first_seen"]).to_dict("records"):
        times = f" ({row['count']} times)" if pd.notna(row["count"]) and row["count"] > 1 else ""
        text = f"{row['reason']}: {row['message']}{times}"
        for time in dict.fromkeys(row[column] for column in ("first_seen", "last_seen") if pd.notna(row[column])):
            yield TimelineMark(time=_time(time), kind="event", object=row["object"] or row["involved"], text=text)


def _restart_marks(snapshot: Snapshot) -> Iterable[TimelineMark]:
    for row in snapshot["containers"].dropna(subset=["last_finished_at"]).to_dict("records"):
        code = f" (exit {row['last_exit_code']})" if pd.notna(row["last_exit_code"]) else ""
        text = f"{row['pod']}/{row['container']} ended: {row['last_reason'] or 'unknown reason'}{code}"
        yield TimelineMark(time=_time(row["last_finished_at"]), kind="restart", object=row["object"], text=text)


def _log_marks(snapshot: Snapshot) -> Iterable[TimelineMark]:
    templates = snapshot["log_templates"]
    new = templates[templates["is_new"].fillna(value=False) & templates["level"].isin(["warning", "error", "critical"])]
    for row in new.dropna(subset=["first_seen"]).to_dict("records"):
        yield TimelineMark(time=_time(row["first_seen"]), kind="log", object=row["object"], text=row["template"])


def _time(value: pd.Timestamp) -> datetime:
    return value.floor("us").to_pydatetime()


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)
