"""When each signal of each object began to be bad, strongest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from srelab_lib.model import TimeWindow
from srelab_lib.signals.changepoint import MIN_POINTS, Array, Shift, find_shift, mad
from srelab_lib.signals.frames import frame
from srelab_lib.signals.promql import DEFAULT_RATE_SECONDS, QUERIES, Query

Index = np.ndarray[Any, np.dtype[np.intp]]

_RELATIVE_NOISE = 0.05
"""Noise is taken to be at least this share of the level, so that a flat series does not outrank every other."""
_MIN_BASELINE = 4
"""Fewer values before an onset are no baseline: it lies at the left edge."""
_COMBINE = {"sum": np.add, "max": np.fmax, "min": np.fmin}


def onsets_table(metrics: pd.DataFrame, window: TimeWindow) -> pd.DataFrame:
    """One row for each series that left its level in a bad direction, strongest first.

    The series of an object's pods and containers become one before they are judged, so that a replaced pod is no
    change. `score` is the difference in units of the noise before it (MAD, but never less than what a person would call
    a difference). `began_before_window`: it was bad from the left edge on, and its baseline is not in the window.
    """
    known = metrics[metrics["signal"].isin(list(QUERIES)) & metrics["object"].notna()]
    grid = _Grid.of(known["time"], window)
    scraped = np.zeros(grid.length, dtype="bool")
    scraped[grid.index(known["time"])] = True
    rows: list[dict[str, Any]] = []
    for (signal, ref, series), group in known.groupby(["signal", "object", "series"], sort=True):
        query = QUERIES[str(signal)]
        values = _absent_as_zero(grid.combined(group, query), scraped, query)
        rows += [
            {"signal": signal, "object": ref, "series": series, "unit": query.unit, **onset}
            for onset in _onsets(values, query, grid)
        ]
    return frame("onsets", sorted(rows, key=lambda row: (-row["score"], row["signal"], row["object"], row["series"])))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grid:
    """The steps of the window's range queries."""

    start: pd.Timestamp
    step_seconds: float
    length: int

    @classmethod
    def of(cls, times: pd.Series[pd.Timestamp], window: TimeWindow) -> _Grid:
        """The step is that of the samples: a recording may have been asked for at another one."""
        gaps = np.diff(np.unique(times.to_numpy(dtype="datetime64[ms]"))).astype("float64") / 1000
        step = float(gaps.min()) if len(gaps) else float(window.step_seconds)
        start = pd.Timestamp(window.start)
        return cls(start=start, step_seconds=step, length=int(window.seconds // step) + 1)

    def index(self, times: pd.Series[pd.Timestamp]) -> Index:
        """The nearest step of each time; times outside the window go to its edges."""
        seconds = (times - self.start).dt.total_seconds().to_numpy()
        index: Index = np.clip(np.rint(seconds / self.step_seconds), 0, self.length - 1).astype(np.intp)
        return index

    def combined(self, group: pd.DataFrame, query: Query) -> Array:
        """One value for each step from all series of the group; NaN where none has a sample."""
        values = np.full(self.length, np.nan)
        index, samples = self.index(group["time"]), group["value"].to_numpy()
        values[index] = 0.0 if query.combine == "sum" else np.nan
        _COMBINE[query.combine].at(values, index, samples)
        return values

    def time(self, index: int) -> pd.Timestamp:
        return self.start + pd.Timedelta(seconds=self.step_seconds * index)

    @property
    def smear(self) -> int:
        """Steps over which a rate spreads a sudden change."""
        return round(DEFAULT_RATE_SECONDS / self.step_seconds)


def _absent_as_zero(values: Array, scraped: np.ndarray[Any, np.dtype[np.bool_]], query: Query) -> Array:
    """Zero where a signal is absent that is absent when there is nothing, and Prometheus had other samples.

    What was not yet there is no baseline for a fall; what is gone is no end of a rise.
    """
    if not query.absent_is_zero:
        return values
    there = np.flatnonzero(~np.isnan(values))
    absent = np.isnan(values) & scraped
    if query.bad != "up":
        absent[: there[0]] = False
    return np.where(absent, 0.0, values)


def _onsets(values: Array, query: Query, grid: _Grid) -> list[dict[str, Any]]:
    """At most one row: a departure from a baseline, or trouble from the left edge on."""
    there = np.flatnonzero(~np.isnan(values))
    dense = values[there]
    if len(dense) < MIN_POINTS:
        return []
    shift = find_shift(dense, floor=query.floor, bad=query.bad, drifts=query.bad == "both", smear=grid.smear)
    if shift is None:
        shift = _alarming(dense, query)
    if shift is None:
        return []
    early = shift.start < _MIN_BASELINE
    noise = max(mad(dense[: shift.start + 1]), query.floor, _RELATIVE_NOISE * abs(shift.before))
    return [{
        "time": grid.time(int(there[0 if early else shift.start])),
        "before": None if early else shift.before,
        "after": shift.after,
        "score": abs(shift.after - shift.before) / noise,
        "began_before_window": early,
    }]  # fmt: skip


def _alarming(values: Array, query: Query) -> Shift | None:
    """Trouble from the first value on, at a level that is bad whatever was before."""
    if query.alarm is None:
        return None
    level = float(np.median(values[:_MIN_BASELINE]))
    bad = level <= query.alarm if query.bad == "down" else level >= query.alarm
    return Shift(start=0, before=query.alarm, after=level) if bad else None
