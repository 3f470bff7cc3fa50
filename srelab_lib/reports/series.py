"""Which series are drawn, out of any number: one line for each signal and object, the verdict's object first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from srelab_lib.model import Diagnosis, TimeWindow
from srelab_lib.reports.text import object_name, scale
from srelab_lib.signals.promql import QUERIES

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One line: `x` in seconds since the window's start, `y` in the signal's unit, NaN where there is a gap."""

    signal: str
    object: str
    container: str
    x: Numbers
    y: Numbers

    @property
    def name(self) -> str:
        """What a person calls it."""
        return object_name(self.object)

    @property
    def peak(self) -> float:
        """The largest value."""
        return float(np.nanmax(self.y))

    @property
    def last(self) -> float:
        """The last value that was measured."""
        return float(self.y[np.isfinite(self.y)][-1])

    @property
    def end(self) -> float:
        """When that was, in seconds since the window's start."""
        return float(self.x[np.isfinite(self.y)][-1])

    def ended(self, window: TimeWindow) -> datetime:
        """When that was."""
        return window.start + timedelta(seconds=self.end)

    def ends_early(self, window: TimeWindow) -> bool:
        """True when samples stop well before the window does: what was measured is gone."""
        return window.seconds - self.end > max(3 * window.step_seconds, window.seconds / 25)


def title_of(signal: str) -> str:
    """The catalogue's words for a signal."""
    query = QUERIES.get(signal)
    words = query.title if query else signal.replace("_", " ")
    return words[:1].upper() + words[1:]


def unit_of(signal: str) -> str:
    """The unit of a signal's values; by its name where the catalogue does not know it."""
    query = QUERIES.get(signal)
    if query:
        return query.unit
    return next((u for u in ("bytes", "seconds", "cores", "ratio") if signal.endswith(f"_{u}")), "")


def display_scale(signal: str, largest: float) -> tuple[float, str]:
    """Factor and unit for an axis that reaches `largest`."""
    return scale(unit_of(signal), largest)


def relevance(diagnosis: Diagnosis) -> dict[str, int]:
    """Objects in the order in which they matter to the verdict; what is not in it does not."""
    findings = diagnosis.findings
    order = [diagnosis.verdict.object or ""]
    order += [ref for item in findings[:1] for ref in item.related]
    order += [item.object for item in diagnosis.candidates]
    order += [ref for item in findings for ref in (item.object, *item.related)]
    order += [item.object for item in diagnosis.evidence.items]
    order += [item.object for item in diagnosis.onsets]
    return {ref: place for place, ref in enumerate(dict.fromkeys(filter(None, order)))}


def lines_of(diagnosis: Diagnosis, signal: str, *, most: int | None = None) -> list[Series]:
    """Every object's line of one signal, or the `most` relevant ones; the most relevant first."""
    rows = _rows(diagnosis, signal)
    rank = relevance(diagnosis)
    peaks = rows.groupby("object")["value"].max()
    order = sorted(peaks.index, key=lambda ref: (rank.get(ref, len(rank)), -peaks[ref], ref))
    return [line for ref in order[:most] if (line := line_of(diagnosis, signal, ref)) is not None]


def line_of(diagnosis: Diagnosis, signal: str, ref: str, container: str = "") -> Series | None:
    """The line of one object, of its container where one is given, or None when there are no samples.

    Where containers differ in it, memory is that of the container which comes nearest to its limit.
    """
    rows = _rows(diagnosis, signal)
    rows = rows[rows["object"] == ref]
    container = container or _container(diagnosis, rows, ref)
    if container:
        rows = rows[rows["container"].fillna("") == container]
    return None if rows.empty else _line(signal, ref, container, rows, diagnosis.snapshot.window)


def _rows(diagnosis: Diagnosis, signal: str) -> pd.DataFrame:
    """Finite samples of a signal within the window; what belongs to no object goes by its labels."""
    metrics, window = diagnosis.snapshot["metrics"], diagnosis.snapshot.window
    rows = metrics[(metrics["signal"] == signal) & (metrics["time"] >= window.start) & (metrics["time"] <= window.end)]
    rows = rows[np.isfinite(rows["value"].to_numpy(dtype="float64"))]
    named: pd.DataFrame = rows.assign(object=rows["object"].fillna(rows["series"]).replace("", None).fillna("?"))
    return named


def nearest_to_limit(diagnosis: Diagnosis) -> list[str]:
    """Objects with a memory limit, by the share of it that they use at most; the nearest to it first."""
    keys = ["object", "container"]
    used = _rows(diagnosis, "memory_working_set_bytes").fillna({"container": ""}).groupby(keys)["value"].max()
    limits = _rows(diagnosis, "memory_limit_bytes").fillna({"container": ""}).sort_values("time", kind="stable")
    share = (used / limits.groupby(keys)["value"].last()).dropna().groupby("object").max()
    return [str(ref) for ref in sorted(share.index, key=lambda ref: (-share[ref], ref))]


def _container(diagnosis: Diagnosis, rows: pd.DataFrame, ref: str) -> str:
    """The container that a line of memory is drawn for; nothing for what is not measured by container."""
    used = rows.groupby("container")["value"].max()
    if used.empty or not rows["signal"].iloc[0].startswith("memory_"):
        return ""
    limits = _rows(diagnosis, "memory_limit_bytes").sort_values("time", kind="stable")
    share = (used / limits[limits["object"] == ref].groupby("container")["value"].last()).dropna()
    return str((used if share.empty else share).idxmax())


def _line(signal: str, ref: str, container: str, rows: pd.DataFrame, window: TimeWindow) -> Series:
    """Pods of one object as one line, the way the catalogue combines them."""
    query = QUERIES.get(signal)
    by_time = rows.groupby("time", sort=True)["value"].agg(query.combine if query else "max")
    since_start = by_time.index.to_series() - pd.Timestamp(window.start)
    x: Numbers = since_start.dt.total_seconds().to_numpy(dtype=np.float64).astype(np.float64)
    y: Numbers = by_time.to_numpy(dtype=np.float64).astype(np.float64)
    return Series(signal=signal, object=ref, container=container, **_with_gaps(x, y, window))


def _with_gaps(x: Numbers, y: Numbers, window: TimeWindow) -> dict[str, Numbers]:
    """A NaN where samples are missing, so that a gap stays a gap."""
    steps = np.diff(x)
    usual = max(float(window.step_seconds), float(np.median(steps)) if steps.size else 0.0)
    holes = np.flatnonzero(steps > 1.6 * usual) + 1
    return {"x": np.insert(x, holes, x[holes - 1] + usual / 2), "y": np.insert(y, holes, np.nan)}
