"""Is a workload unwell, by what servers state and meters measure? The test that separates errors from noise."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from srelab_lib.diagnosis.checks._facts import (
    Row,
    ended_while_new,
    in_window,
    live_containers,
    metric_fact,
    rows,
    status_fact,
)
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.model import Fact, Snapshot

USER_SIGNALS = ("error_ratio", "latency_p95_seconds", "errors_per_second", "in_flight_requests")
DEPENDENCY_SIGNALS = ("dependency_error_ratio", "dependency_latency_p95_seconds", "waiting_requests")
FINE_ERROR_RATIO = 0.01
FAILED_RATIO = 0.05
FAILING_RATIO = 0.5
"""From this share of failed requests on, something is wrong even where it was never otherwise."""
FEW_SAMPLES, FEW_ANSWERS = 3, 10
RECOVERED, TIMES_LONGER = timedelta(minutes=5), 3
"""A container that has run so long, and so many times longer than before it ended, has recovered."""
STARTING = timedelta(seconds=60)
"""A pod younger than this may still be starting."""

RUNS_WELL = timedelta(seconds=90)

STATUS = re.compile(r'HTTP/\d(?:\.\d)?" ([1-5]\d\d)\b|\bstatus(?:_code)?["\']?[=:] ?"?([1-5]\d\d)\b')


@once
def symptoms(s: Snapshot, ref: str) -> tuple[Fact, ...]:
    """Facts that a workload is unwell: not ready, restarted, failing its users. Empty when nothing says so."""
    return (
        *_status_symptoms(s, ref),
        *risen_signals(s, ref, *USER_SIGNALS, *DEPENDENCY_SIGNALS),
        *failing_throughout(s, ref),
        *failed_answers(s, ref),
    )


def _status_symptoms(s: Snapshot, ref: str) -> list[Fact]:
    facts = []
    for row in live_containers(s, "app", "sidecar"):
        if row["object"] != ref:
            continue
        ended = row["restart_count"] and in_window(s, row["last_finished_at"])
        if ended and not _started_up(s, row) and not has_recovered(s, row):
            facts.append(status_fact(row, restart_count=row["restart_count"], last_reason=row["last_reason"],
                                     exit_code=row["last_exit_code"], time=row["last_finished_at"]))  # fmt: skip
        elif row["ready"] is False and _has_started(s, row["started_at"]):
            facts.append(status_fact(row, ready=False, state=row["state"], waiting_reason=row["waiting_reason"]))
    return facts


def _started_up(s: Snapshot, row: Row) -> bool:
    """It ended while its pod was new, and has run well for long since."""
    settled = row["started_at"] is not None and s.window.end - row["started_at"] >= RUNS_WELL
    return settled and ended_while_new(s, row, row["last_finished_at"])


def has_recovered(s: Snapshot, row: Row) -> bool:
    """It has run for long since it last ended, and for much longer than between two endings."""
    if row["state"] != "running" or not row["ready"] or row["started_at"] is None:
        return False
    runs, finished, began = s.window.end - row["started_at"], row["last_finished_at"], row["last_started_at"]
    ran = finished - began if finished is not None and began is not None else None
    lasts = row["restart_count"] == 1 or (ran is not None and runs >= TIMES_LONGER * ran)
    return bool(lasts) and bool(runs >= RECOVERED)


def _has_started(s: Snapshot, started_at: datetime | None) -> bool:
    return started_at is None or s.window.end - started_at > STARTING


@once
def onsets_of(s: Snapshot, ref: str, *signals: str, rising: bool = True) -> list[dict[str, Any]]:
    """Change points of a workload's signals in one direction, earliest first."""
    df = s["onsets"]
    df = df[(df["object"] == ref) & df["signal"].isin(signals)]
    found = [dict(row) for row in rows(df.sort_values("time", kind="stable"))]
    # Where it began before the window nobody knows the value before, and so no direction.
    return [row for row in found if row["before"] is not None and (row["after"] > row["before"]) is rising]


def is_over(s: Snapshot, ref: str, signal: str, before: float | None, after: float) -> bool:
    """True for a rise of which the last minute and a half has nothing left."""
    late = samples(s, ref, signal)
    late = late[late["time"] >= pd.Timestamp(s.window.end - RUNS_WELL)]
    calm = max(before or 0.0, after / 10)
    return len(late) >= FEW_SAMPLES and after > (before or 0.0) and bool(late["value"].max() <= calm)


def risen_signals(s: Snapshot, ref: str, *signals: str, rising: bool = True) -> list[Fact]:
    """The change points that last as facts: `error_ratio went from 0.002 to 0.41 ratio`."""
    return [
        metric_fact(
            ref, row["signal"], f"went from {row['before']:.3g} to {row['after']:.3g} {row['unit']}", row["time"]
        )
        for row in onsets_of(s, ref, *signals, rising=rising)
        if not is_over(s, ref, row["signal"], row["before"], row["after"])
    ]


def failing_throughout(s: Snapshot, ref: str) -> list[Fact]:
    """The share of failed requests where it was high from the first sample to the last: no change point tells of it."""
    errors = samples(s, ref, "error_ratio")
    if len(errors) < FEW_SAMPLES or errors["value"].min() < FAILING_RATIO:
        return []
    return [metric_fact(ref, "error_ratio", f"was {errors['value'].min():.3g} ratio or more in the whole window")]


ANSWERS_5XX = re.compile(r"(\d+) of (\d+) answers that its log tells of have a 5xx status")
"""The fact of `failed_answers`, with its two numbers."""


def failed_answers(s: Snapshot, ref: str) -> list[Fact]:
    """Answers of the 5xx class in an access log, where they are more than FAILED_RATIO of the latest third."""
    statuses = access_statuses(s, ref)
    late = statuses[statuses.index >= _last_third(s)]
    failed = int((late >= 500).sum())
    if len(late) < FEW_ANSWERS or failed < FAILED_RATIO * len(late):
        return []
    return [
        Fact(kind="log", object=ref, text=f"{failed} of {len(late)} answers that its log tells of have a 5xx status")
    ]


@once
def access_statuses(s: Snapshot, ref: str) -> pd.Series[int]:
    """HTTP statuses in the access log of a workload, indexed by time."""
    df = s["logs"]
    df = df[(df["object"] == ref) & df["time"].notna()]
    found = [STATUS.search(str(message)) for message in df["message"]]
    values = [int(match.group(1) or match.group(2)) if match else 0 for match in found]
    statuses = pd.Series(values, index=pd.DatetimeIndex(df["time"]), dtype="int64")
    return statuses[statuses > 0]


@once
def samples(s: Snapshot, ref: str, signal: str) -> pd.DataFrame:
    """Samples of one signal of one workload, oldest first."""
    df = s["metrics"]
    return df[(df["object"] == ref) & (df["signal"] == signal) & df["value"].notna()].sort_values("time", kind="stable")


@once
def users_are_fine(s: Snapshot, ref: str) -> bool:
    """True when metrics show that the workload has served its users well up to the window's end."""
    third = _last_third(s)
    errors, requests = samples(s, ref, "error_ratio"), samples(s, ref, "request_rate")
    errors, requests = errors[errors["time"] >= third], requests[requests["time"] >= third]
    if len(errors) < FEW_SAMPLES or len(requests) < FEW_SAMPLES or not requests["value"].gt(0).any():
        return False
    return bool(errors["value"].max() < FINE_ERROR_RATIO) and not risen_signals(s, ref, *USER_SIGNALS)


def answers_are_fine(s: Snapshot, ref: str) -> bool:
    """True when its access log tells of enough answers in the latest third, and of next to none that failed.

    An answer of 4xx is its caller's doing, unless most answers are of one such kind, and were not before.
    """
    statuses, border = access_statuses(s, ref), _last_third(s)
    late, before = statuses[statuses.index >= border], statuses[statuses.index < border]
    refused = late[(late >= 400) & (late < 500)].mode()[:1]
    mostly = bool(len(refused)) and _share(late, refused) >= FAILING_RATIO > 2 * _share(before, refused)
    return len(late) >= FEW_ANSWERS and float((late >= 500).mean()) < FINE_ERROR_RATIO and not mostly


def _share(statuses: pd.Series[int], wanted: pd.Series[int]) -> float:
    return float(statuses.isin(wanted).mean()) if len(statuses) else 0.0


def _last_third(s: Snapshot) -> pd.Timestamp:
    return pd.Timestamp(s.window.end - timedelta(seconds=s.window.seconds / 3))
