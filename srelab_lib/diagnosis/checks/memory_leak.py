"""Memory that only grows: a robust slope of the working set, and the words of runtimes whose heap is full."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    grouped,
    in_window,
    live_containers,
    live_pods,
    metric_fact,
    one_each,
    resource,
    spec_fact,
    status_fact,
)
from srelab_lib.diagnosis.checks._logs import hits
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.diagnosis.checks.database import databases
from srelab_lib.model import Fact, Finding, Snapshot, spoken

Values = np.ndarray[Any, np.dtype[np.float64]]

MIB = 2.0**20
MIN_POINTS = 8
MIN_SECONDS = 120
"""A ramp shorter than this is a program that starts."""
MIN_GROWTH_BYTES = 8 * MIB
MIN_GROWTH_RATIO = 0.25
"""Of what it began with, or of the limit where that is less."""
RISING_STEPS_RATIO = 0.8
LATE_SLOPE_RATIO = 0.35
"""A cache that fills flattens: the last third grows at least at this part of the whole ramp's slope."""
STEADY_RATIO = 0.5
"""A program starts in one step, then creeps: the slope alone has to explain at least this part of the growth."""
FLAT_RATIO = 0.05
HORIZON_SECONDS = 3600
"""What would take longer than this to reach its limit is no incident yet."""
FORESIGHT = 10
"""How many times longer than it was watched a ramp may be thought to go on."""
UNLIMITED_GROWTH_RATIO = 0.5
KILLED_POINTS = 6
KILLED_SECONDS = 60
KILLED_LIMIT_RATIO = 0.75
"""Of a process that the kernel killed: it grew at least so long, and was last seen at this part of its limit."""
LEVEL_RATIO = 0.5
"""What grew to more than twice the most that the pods before it ever used."""
NEAR_FORESIGHT = 2
"""Times as long as it was watched: what would need longer hurts nobody yet, and may hold work that piles up."""
RESET_RATIO = 0.6
"""A drop below this part of the sample before is a new process."""

_HEAP_FULL = re.compile(
    r"OutOfMemoryError: (?:Java heap space|GC overhead|Metaspace)|JavaScript heap out of memory|^MemoryError\b"
    r"|runtime: out of memory|Allowed memory size of \d+ bytes exhausted|NoMemoryError|System\.OutOfMemoryException",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ramp:
    """One process's memory from its start (or the window's) to its end (or the window's)."""

    start: datetime
    end: datetime
    first_bytes: float
    last_bytes: float
    bytes_per_second: float
    limit_bytes: float | None
    """Of that process: a pod that was replaced may have had another one than its successor has."""


def check_memory_leak(s: Snapshot) -> Iterator[Finding]:
    """memory_working_set_bytes: a robust slope that is still rising at the end, against that pod's own limit.

    Pods that are gone tell of a leak, too, but not why the pods of now die: only suspected, where no pod of now leaks,
    or none comes near its limit soon.
    """
    containers = {(row["object"], row["container"]): row for row in live_containers(s)}
    storing = _storing(s)
    here, limits = {pod["pod"] for pod in live_pods(s)}, _limits(s)
    used = s["metrics"][(s["metrics"]["signal"] == "memory_working_set_bytes") & s["metrics"]["container"].notna()]
    for (ref, container), group in used.groupby(["object", "container"], sort=True):
        row = containers.get((ref, container))
        if row is None or row["restart_count"] is None:
            continue
        if ref in storing and row["last_reason"] != "OOMKilled":
            continue
        by_pod = {
            str(pod): leaking(memory, limits.get((str(pod), str(container))))
            or (_to_the_kill(row, memory, group, limits) if pod == row["pod"] else [])
            for pod, memory in group.groupby("pod")
        }
        gone = [ramp for pod, ramps in by_pod.items() if pod not in here for ramp in ramps]
        present = [ramp for pod, ramps in by_pod.items() if pod in here for ramp in ramps]
        if gone or present:
            near = any(_is_near(ramp) for ramp in present)
            yield _finding(str(ref), row, [*_by_end(gone), *_by_end(present)], strength=2 if near else 1)


def _storing(s: Snapshot) -> set[str]:
    """Databases and what has a claim: the cache of their files counts as their memory, and goes when it is needed."""
    claims = {
        str(pod["object"])
        for pod in live_pods(s)
        if any("persistentVolumeClaim" in volume for volume in (pod["spec"] or {}).get("volumes") or [])
    }
    return claims | databases(net(s))


def _is_near(ramp: Ramp) -> bool:
    watched = (ramp.end - ramp.start).total_seconds()
    limit = ramp.limit_bytes
    return limit is None or limit - ramp.last_bytes <= NEAR_FORESIGHT * watched * ramp.bytes_per_second


def _to_the_kill(
    row: Row, memory: pd.DataFrame, group: pd.DataFrame, limits: Mapping[tuple[str, str], float]
) -> list[Ramp]:
    """The ramp of a process that ended at its limit, where the pods before ran level, as long, and with no more limit.

    After its end the meter may repeat its last value for a while: that part does not count.
    """
    ended, limit = row["last_finished_at"], limits.get((str(row["pod"]), str(row["container"])))
    if row["last_reason"] != "OOMKilled" or ended is None or limit is None:
        return []
    grown = [
        ramp
        for ramp in leaking(memory[memory["time"] <= ended], limit, least=(KILLED_POINTS, KILLED_SECONDS))
        if ramp.last_bytes >= KILLED_LIMIT_RATIO * limit
    ]
    before = [(pod, one) for pod, one in group.groupby("pod") if one["time"].min() < memory["time"].min()]
    level = [
        one
        for pod, one in before
        if limits.get((str(pod), str(row["container"])), np.inf) <= limit
        and (one["time"].max() - one["time"].min()).total_seconds() >= KILLED_SECONDS
    ]
    flat = bool(level) and max(one["value"].max() for one in level) <= LEVEL_RATIO * KILLED_LIMIT_RATIO * limit
    return grown if flat and len(level) == len(before) else []


def _by_end(ramps: list[Ramp]) -> list[Ramp]:
    return sorted(ramps, key=lambda ramp: ramp.end)


def _limits(s: Snapshot) -> dict[tuple[str, str], float]:
    """The memory limit of each pod's container, in bytes: as its spec has it, or as it was measured before it went."""
    df = s["metrics"]
    df = df[(df["signal"] == "memory_limit_bytes") & df["container"].notna() & (df["value"] > 0)]
    measured = {
        (str(pod), str(name)): float(rows["value"].max()) for (pod, name), rows in df.groupby(["pod", "container"])
    }
    stated = {(row["pod"], row["container"]): row["memory_limit_bytes"] for row in live_containers(s)}
    return {**measured, **{key: limit for key, limit in stated.items() if limit}}


def leaking(
    samples: pd.DataFrame, limit_bytes: float | None, *, least: tuple[int, float] = (MIN_POINTS, MIN_SECONDS)
) -> list[Ramp]:
    """The ramps of one pod that grow without end, oldest first; a drop starts a new one.

    Args:
        samples: of one container of one pod.
        limit_bytes: its memory limit, where it has one.
        least: samples and seconds that a ramp has at least.
    """
    ordered = samples.dropna(subset=["value"]).sort_values("time")
    values = ordered["value"].to_numpy(dtype=float)
    if len(values) < least[0]:
        return []
    breaks = np.flatnonzero(values[1:] < RESET_RATIO * values[:-1]) + 1
    parts = np.split(np.arange(len(values)), breaks)
    return [ramp for part in parts if (ramp := _ramp(ordered.iloc[part], limit_bytes, least))]


def _ramp(part: pd.DataFrame, limit_bytes: float | None, least: tuple[int, float]) -> Ramp | None:
    """The part as a ramp when it grows far enough, for long enough, steadily, and has not flattened."""
    times, values = part["time"], part["value"].to_numpy(dtype=float)
    if len(values) < least[0] or (times.iloc[-1] - times.iloc[0]).total_seconds() < least[1]:
        return None
    seconds = (times - times.iloc[0]).dt.total_seconds().to_numpy(dtype=float)
    growth = float(np.median(values[-3:]) - np.median(values[:3]))
    floor = max(MIN_GROWTH_BYTES, MIN_GROWTH_RATIO * min(float(np.median(values[:3])), limit_bytes or np.inf))
    rising = float(np.mean(np.diff(values) >= -0.01 * values[:-1]))
    slope, late = _slope(seconds, values), _slope(seconds[-len(values) // 3 :], values[-len(values) // 3 :])
    if growth < floor or rising < RISING_STEPS_RATIO or slope <= 0 or late < LATE_SLOPE_RATIO * slope:
        return None
    if limit_bytes is None and growth < UNLIMITED_GROWTH_RATIO * float(np.median(values[:3])):
        return None
    if limit_bytes is not None and (limit_bytes - values[-1]) / slope > min(HORIZON_SECONDS, FORESIGHT * seconds[-1]):
        return None
    foot = _foot(values, growth)
    steady = _slope(seconds[foot:], values[foot:])
    if steady * (seconds[-1] - seconds[foot]) < STEADY_RATIO * growth:
        return None
    return Ramp(start=times.iloc[foot].to_pydatetime(warn=False), end=times.iloc[-1].to_pydatetime(warn=False),
                first_bytes=float(values[foot]), last_bytes=float(values[-1]),
                bytes_per_second=steady, limit_bytes=limit_bytes)  # fmt: skip


def _foot(values: Values, growth: float) -> int:
    """Where the growth began: the last sample on the level of before, FLAT_RATIO of the growth above it at most."""
    level = float(np.median(values[:3])) + FLAT_RATIO * growth
    return int(np.flatnonzero(values[: -len(values) // 3] <= level)[-1]) if values[0] <= level else 0


def _slope(seconds: Values, values: Values) -> float:
    """Theil and Sen: the median slope of all pairs, which single outliers do not move."""
    i, j = np.triu_indices(len(values), k=1)
    return float(np.median((values[j] - values[i]) / (seconds[j] - seconds[i]))) if len(values) > 1 else 0.0


def _finding(ref: str, row: Row, ramps: list[Ramp], strength: Literal[1, 2]) -> Finding:
    last = ramps[-1]
    words = f"from {last.first_bytes / MIB:.1f} MiB to {last.last_bytes / MIB:.1f} MiB"
    rate = f"{last.bytes_per_second * 60 / MIB:.2f} MiB per minute"
    facts = [
        metric_fact(
            ref,
            "memory_working_set_bytes",
            f"grew from {r.first_bytes / MIB:.1f} MiB to {r.last_bytes / MIB:.1f} MiB in "
            f"{(r.end - r.start).total_seconds():.0f} s, {r.bytes_per_second * 60 / MIB:.2f} MiB per minute "
            f"(container={row['container']})",
            r.end,
        )  # fmt: skip
        for r in ramps[-3:]
    ]
    bound = f", its limit is {last.limit_bytes / MIB:.0f} MiB" if last.limit_bytes else ""
    return Finding(
        fault="memory_leak",
        object=ref,
        summary=f"container {row['container']} of {spoken(ref)} uses more and more memory, {words}",
        cause=f"its memory grows by {rate} and does not come back{bound}",
        facts=one_each([*facts, *_ended(ref, row)]),
        since=ramps[0].start,
        strength=strength,
    )


def _ended(ref: str, row: Row) -> list[Fact]:
    limit = spec_fact(ref, container=row["container"], memory_limit=resource(row, "limits", "memory"))
    died = status_fact(row, restart_count=row["restart_count"], last_reason=row["last_reason"],
                       exit_code=row["last_exit_code"], time=row["last_finished_at"])  # fmt: skip
    return [*([died] if row["last_reason"] else []), *([limit] if row["memory_limit_bytes"] else [])]


def check_heap_full(s: Snapshot) -> Iterator[Finding]:
    """Log lines of a runtime whose heap is full, after it ran well for a while."""
    lived = grouped(live_containers(s, "app"))
    for hit in hits(s, _HEAP_FULL):
        row = lived[hit.object][0] if hit.object in lived else None
        recent = in_window(s, hit.last) and row is not None
        if row is None or not recent or (hit.first - hit.log_start).total_seconds() < MIN_SECONDS:
            continue
        yield Finding(
            fault="memory_leak",
            object=hit.object,
            summary=f"the heap of {spoken(hit.object)} is full",
            cause=f"after {(hit.first - hit.log_start).total_seconds():.0f} s its runtime finds no more memory",
            facts=one_each([*hit.facts(), *_ended(hit.object, row)]),
            since=hit.first,
        )


CHECKS: tuple[Check, ...] = (check_memory_leak, check_heap_full)
