"""When a series left its level: change points of one evenly spaced series, by least squares with a robust noise scale.

A level shift is found by circular binary segmentation (Olshen et al. 2004): the statistic is the two-sample t of the
piece that differs most from the rest, so an outage that ended is found as well as one that lasts. A slow ramp is found
by the best "flat, then a slope". Both are held against the noise that the series itself shows at a lag where rates over
overlapping windows have forgotten each other, so neighbours that depend on each other (rates, averages, queues) do not
look like a change. A difference that nobody would care about is none, however significant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

MIN_POINTS = 6
"""Shorter series have no baseline."""
_MIN_SEGMENT = 3
_LAG = 12
"""Steps after which two values are taken as independent: twice a rate window at the finest step."""
_SIGNIFICANCE = 36.0
"""Squared t of a piece that is not chance; chosen so that stationary noise of many kinds stays silent (test_onset)."""
_SPREADS = 2.5
"""A departure is this many times the noise."""
_RELATIVE = 0.25
"""A quarter of the level before is the least sudden change that is worth a person's time."""
_RELATIVE_SLOW = 0.5
"""What creeps is worth it at half: load and caches breathe by less."""
_EXPLAINED = 0.8
"""A ramp explains this share of the variance; noise that wanders explains less."""
_MAD_TO_SIGMA = 1.4826
_TRIMMED_TO_SIGMA = 1.267
"""For the mean square of normal noise without its largest tenth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """A series leaves its level `before` at index `start`; `after` is the level of the departure."""

    start: int
    before: float
    after: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Series:
    """A smoothed series with its own noise."""

    values: Array
    sigma: float
    correlation: float
    """Neighbours that count as one observation: (1 + phi) / (1 - phi)."""
    floor: float

    def least(self, level: float) -> float:
        """The smallest departure from `level` that counts."""
        return max(_SPREADS * self.sigma, self.floor, _RELATIVE * abs(level))


def find_shift(values: Array, *, floor: float, bad: str, drifts: bool, smear: int) -> Shift | None:
    """The earliest of the large departures from what lies before it, in a bad direction; None when there is none.

    Args:
        values: finite, evenly spaced.
        floor: the smallest difference that counts, in the unit of the values.
        bad: `up`, `down` or `both`.
        drifts: the level follows the load over the day; a slow change counts when it at least halves or doubles it.
        smear: steps over which a rate spreads a sudden change; a departure that is not longer was one burst.
    """
    if len(values) < MIN_POINTS or np.ptp(values) < floor:
        return None
    series = _series(values, floor)
    edges = [*sorted(_splits(series, 0, len(values))), len(values)]
    signs = {"up": (1,), "down": (-1,), "both": (1, -1)}[bad]
    found = [shift for sign in signs for shift in _departures(series, edges, sign, smear)]
    sudden = [_refined(series, shift) for shift in found if _sudden(series, shift, smear)]
    if sudden:
        largest = max(abs(shift.after - shift.before) for shift in sudden)
        return min((s for s in sudden if abs(s.after - s.before) >= largest / 2), key=lambda s: s.start)
    ramps = [ramp for sign in signs if (ramp := _ramp(series, sign, 2 * smear)) and (not drifts or _doubled(ramp))]
    return max(ramps, key=lambda ramp: abs(ramp.after - ramp.before), default=None)


def mad(values: Array) -> float:
    """The median absolute deviation, scaled to the standard deviation of normal noise."""
    return float(_MAD_TO_SIGMA * np.median(np.abs(values - np.median(values))))


def _series(values: Array, floor: float) -> _Series:
    """Smoothed; scale and correlation are of differences, which neither a few level shifts nor a trend disturb."""
    lag = max(1, min(_LAG, len(values) // 6))
    far = mad(values[lag:] - values[:-lag]) / np.sqrt(2)
    near = _typical(np.diff(values)) / np.sqrt(2)
    sigma = max(far, near, floor / 4)
    phi = min(max(1 - (near / sigma) ** 2, 0.0), 0.9)
    return _Series(values=_median_of_three(values), sigma=sigma, correlation=(1 + phi) / (1 - phi), floor=floor)


def _typical(differences: Array) -> float:
    """The standard deviation without the largest tenth. Counts are often equal, and then their MAD is 0."""
    smallest = np.sort(np.abs(differences))[: max(1, len(differences) * 9 // 10)]
    return float(_TRIMMED_TO_SIGMA * np.sqrt(np.mean(smallest**2)))


def _median_of_three(values: Array) -> Array:
    """Takes single spikes out; the ends stay."""
    middle = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return np.concatenate([values[:1], middle, values[-1:]])


def _splits(series: _Series, start: int, end: int) -> list[int]:
    """The edges of the piece of [start, end) that stands out most, then of what lies between them."""
    length = end - start
    if length < 2 * _MIN_SEGMENT:
        return []
    sums = np.concatenate([[0.0], np.cumsum(series.values[start:end])])
    sizes, weights = _pieces(length)
    surplus = (sums[None, :] - sums[:, None]) * length - sums[-1] * sizes
    squared_t = surplus**2 * weights / (series.sigma**2 * series.correlation)
    best = int(np.argmax(squared_t))
    if squared_t.flat[best] < _SIGNIFICANCE:
        return []
    first, last = (start + int(edge) for edge in np.unravel_index(best, squared_t.shape))
    edges = [edge for edge in (first, last) if start < edge < end]
    pieces = pairwise([start, *edges, end])
    return [*edges, *(edge for piece in pieces for edge in _splits(series, *piece))]


@lru_cache(maxsize=32)
def _pieces(length: int) -> tuple[Array, Array]:
    """Of the piece from row to column: its size m, and 1 / (m (n - m) n), or 0 where it or a rest is too short.

    With these the squared t of a piece against the rest is the square of (n times its sum - m times the whole sum).
    """
    edges = np.arange(length + 1, dtype="float64")
    sizes = edges[None, :] - edges[:, None]
    usable = (sizes >= _MIN_SEGMENT) & (sizes <= length - _MIN_SEGMENT)
    inner = (edges == 0) | (edges == length) | ((edges >= _MIN_SEGMENT) & (edges <= length - _MIN_SEGMENT))
    usable &= inner[None, :] & inner[:, None]
    weights = np.zeros_like(sizes)
    weights[usable] = 1 / (sizes[usable] * (length - sizes[usable]) * length)
    return sizes, weights


def _departures(series: _Series, edges: list[int], sign: int, smear: int) -> list[Shift]:
    """Runs of segments away from all that lies before them; short ones only where the series ends."""
    found = []
    levels = [float(np.median(series.values[a:b])) for a, b in pairwise(edges)]
    for first, start in enumerate(edges[:-1]):
        before = float(np.median(series.values[:start]))
        away = [sign * (level - before) >= series.least(before) for level in levels[first:]]
        end = edges[first + [*away, False].index(False)]
        if end - start > (smear + 2 if end < edges[-1] else _MIN_SEGMENT - 1):
            found.append(Shift(start=start, before=before, after=float(np.median(series.values[start:end]))))
    return found


def _sudden(series: _Series, shift: Shift, smear: int) -> bool:
    """Whether most of the difference happens at once: a drift over the day differs little from minute to minute."""
    side = smear // 2 + 1
    earlier = series.values[max(0, shift.start - side - 5) : max(1, shift.start - side)]
    later = series.values[shift.start + side : shift.start + side + 5]
    if not len(later):
        later = series.values[-1:]
    return bool(abs(np.median(later) - np.median(earlier)) >= abs(shift.after - shift.before) / 2)


def _refined(series: _Series, shift: Shift) -> Shift:
    """Back to the first value that is on its way: least squares put the split in the middle of a smeared step."""
    least = max(series.sigma * _SPREADS, abs(shift.after - shift.before) / 10)
    start = shift.start
    while start > 0 and (series.values[start - 1] - shift.before) * np.sign(shift.after - shift.before) > least:
        start -= 1
    return replace(shift, start=start)


@lru_cache(maxsize=8)
def _hinges(length: int) -> Array:
    """Row k is `max(0, t - k)`, centred: flat until k, then a slope."""
    time = np.arange(length, dtype="float64")
    rows = np.maximum(0.0, time - time[: length - _MIN_SEGMENT, None])
    centred: Array = rows - rows.mean(axis=1, keepdims=True)
    return centred


def _ramp(series: _Series, sign: int, least_steps: int) -> Shift | None:
    """The best "flat, then a slope" up to the extreme value, when it explains nearly all that there is to explain."""
    extreme = int(np.argmax(sign * series.values)) + 1
    if extreme < 2 * MIN_POINTS:
        return None
    values = series.values[:extreme] - series.values[:extreme].mean()
    hinges = _hinges(extreme)
    products = hinges @ values
    explained = np.where(sign * products > 0, products**2, 0.0) / (hinges**2).sum(axis=1)
    best = int(np.argmax(explained))
    noise = series.sigma**2 * series.correlation
    slope = float(products[best] / (hinges[best] ** 2).sum())
    before = float(np.median(series.values[: best + 1]))
    ramp = Shift(start=best, before=before, after=before + slope * (extreme - 1 - best))
    significant = explained[best] >= max(_SIGNIFICANCE * noise, _EXPLAINED * float(values @ values))
    large = abs(ramp.after - before) >= max(series.least(before), _RELATIVE_SLOW * abs(before))
    return ramp if significant and large and extreme - best > least_steps else None


def _doubled(shift: Shift) -> bool:
    small, large = sorted((abs(shift.before), abs(shift.after)))
    return large >= 2 * small
