"""Containers that the kernel holds back at their CPU limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd

from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    live_containers,
    metric_fact,
    one_each,
    resource,
    spec_fact,
)
from srelab_lib.diagnosis.checks._symptoms import FEW_SAMPLES, USER_SIGNALS, onsets_of, risen_signals, samples
from srelab_lib.model import Finding, Snapshot, spoken

THROTTLED_RATIO = 0.25
"""From a quarter of its periods on, a container's answers are noticeably late."""
HARD_RATIO = 0.6
CALM_RATIO = 0.05
NEAR_LIMIT = 0.75


def check_cpu_throttled(s: Snapshot) -> Iterator[Finding]:
    """cpu_throttled_ratio over the window's last third, and cpu_usage_cores against the limit."""
    seen = set()
    for row in live_containers(s, "app", "sidecar"):
        ref, limit = row["object"], row["cpu_limit_cores"]
        throttled, used = _late(s, row, "cpu_throttled_ratio"), _late(s, row, "cpu_usage_cores")
        if not limit or (ref, row["container"]) in seen or throttled is None or throttled < THROTTLED_RATIO:
            continue
        felt = risen_signals(s, ref, "latency_p95_seconds", "in_flight_requests", "waiting_requests", "error_ratio")
        began = onsets_of(s, ref, "cpu_throttled_ratio", "cpu_usage_cores")
        if throttled < HARD_RATIO and ((used or 0) < NEAR_LIMIT * limit or not (felt or began)):
            continue
        seen.add((ref, row["container"]))
        at = s.window.end
        yield Finding(
            fault="cpu_throttled",
            object=ref,
            summary=f"container {row['container']} of {spoken(ref)} is throttled in {throttled:.0%} of its CPU periods",
            cause=f"its CPU limit is {limit:g} cores" + (f" and its median use {used:.3g}" if used is not None else ""),
            facts=one_each(
                [
                    metric_fact(ref, "cpu_throttled_ratio", f"{throttled:.2f} (container={row['container']})", at),
                    metric_fact(ref, "cpu_usage_cores", f"{used:.3g} of a limit of {limit:g} cores", at)
                    if used is not None
                    else None,
                    spec_fact(ref, container=row["container"], cpu_limit=resource(row, "limits", "cpu")),
                    *risen_signals(s, ref, "cpu_throttled_ratio", *USER_SIGNALS),
                ]
            ),  # fmt: skip
            since=began[0]["time"] if began else _since_rollout(s, ref),
        )


def _since_rollout(s: Snapshot, ref: str) -> datetime | None:
    """When it began where no pod shows it: those before were not throttled, those since are from their start."""
    df = samples(s, ref, "cpu_throttled_ratio")
    early = df[df["time"] < s.window.start + timedelta(seconds=s.window.seconds / 4)]["value"]
    if len(early) < FEW_SAMPLES or early.median() >= CALM_RATIO:
        return None
    throttled = df[df["value"] >= THROTTLED_RATIO]["time"]
    return throttled.iloc[0].to_pydatetime(warn=False) if len(throttled) else None


def _late(s: Snapshot, row: Row, signal: str) -> float | None:
    """The median of a signal of one pod's container over the window's last third; a pod before it tells nothing."""
    df = samples(s, row["object"], signal)
    late = df["time"] >= pd.Timestamp(s.window.end - timedelta(seconds=s.window.seconds / 3))
    own = df["container"].isin([row["container"], None, ""]) & df["pod"].isin([row["pod"], None, ""])
    values = df.loc[late & own, "value"]
    return float(values.median()) if len(values) else None


CHECKS: tuple[Check, ...] = (check_cpu_throttled,)
