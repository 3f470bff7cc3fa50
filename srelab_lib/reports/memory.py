"""How near each program came to its memory limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from srelab_lib.model import Diagnosis
from srelab_lib.reports import canvas
from srelab_lib.reports.canvas import BLUE, INK, SMALL, WIDTH, Chart
from srelab_lib.reports.series import Series, line_of, nearest_to_limit
from srelab_lib.reports.text import quantity
from srelab_lib.reports.timeline import where

MAX_ROWS = 6
ACCOUNTING = 1.02
"""The kernel counts in pages, and not at one moment with the limit."""
ROW, FOOT = 0.46, 0.55
LEFT, RIGHT = 0.1, 1.75


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    name: str
    peak: float
    limit: float

    @property
    def share(self) -> float:
        return self.peak / self.limit

    @property
    def words(self) -> str:
        return f"{quantity(self.peak, 'bytes')} of {quantity(self.limit, 'bytes')}"


def memory_against_limit(diagnosis: Diagnosis) -> Chart:
    """The largest share of its limit that each program used while that limit held, the six nearest to it."""
    with canvas.style():
        objects = nearest_to_limit(diagnosis)
        rows = _rows(diagnosis, objects[: 2 * MAX_ROWS])[:MAX_ROWS]
        if not rows:
            return canvas.message("No memory limit can be compared", where(diagnosis.snapshot), _why_empty(diagnosis))
        title = canvas.title_lines(_sentence(rows))
        used = canvas.title_height(title) + 0.1
        chart = canvas.sheet(used + len(rows) * ROW + FOOT)
        canvas.write_title(chart, title, where(diagnosis.snapshot))
        axes = canvas.place(chart, used, len(rows) * ROW, left=LEFT, right=RIGHT)
        _draw(axes, rows, len(objects) - len(rows))
        chart.alt = " ".join([_sentence(rows), *(f"{row.name}: {row.words}." for row in rows[1:])])
    return chart


def _rows(diagnosis: Diagnosis, objects: list[str]) -> list[_Row]:
    """What each used at most while its present limit held, the nearest to it first."""
    rows = []
    for ref in objects:
        line = line_of(diagnosis, "memory_working_set_bytes", ref)
        limit = line_of(diagnosis, "memory_limit_bytes", ref, line.container) if line else None
        own = _containers(diagnosis, ref)
        peak = _peak_under(line, limit) if line and limit and limit.last > 0 else None
        if line and limit and peak is not None and _holds(limit.last, own.get(line.container)):
            name = f"{line.name}/{line.container}" if len(own) > 1 else line.name
            rows.append(_Row(name=name, peak=peak, limit=limit.last))
    return sorted(rows, key=lambda row: (-row.share, row.name))


def _containers(diagnosis: Diagnosis, ref: str) -> dict[str, float]:
    """The memory limit that each container of an object has by its spec, in bytes; NaN for none."""
    rows = diagnosis.snapshot["containers"]
    own = rows[rows["object"] == ref].drop_duplicates("container")
    return {str(name): float(limit) for name, limit in zip(own["container"], own["memory_limit_bytes"], strict=True)}


def _holds(measured: float, declared: float | None) -> bool:
    """False for a limit that was measured last on pods that are gone, and is another one now."""
    return declared is None or not np.isfinite(declared) or abs(measured - declared) <= 1


def _peak_under(line: Series, limit: Series) -> float | None:
    """The most that was used since the limit has its present value.

    What is above the limit is left out: it was measured on a container that lived under another one.
    """
    differs = np.flatnonzero(np.isfinite(limit.y) & (np.abs(limit.y - limit.last) > 1))
    since = limit.x[differs[-1]] if differs.size else -1.0
    used = line.y[(line.x > since) & np.isfinite(line.y)]
    used = used[used <= limit.last * ACCOUNTING]
    return float(used.max()) if used.size else None


def _sentence(rows: list[_Row]) -> str:
    top = rows[0]
    return f"{top.name} used up to {top.share:.0%} of its memory limit, {top.words}.".replace("%", " %", 1)


def _draw(axes: Axes, rows: list[_Row], more: int) -> None:
    """One bar each against the common line at 100 %."""
    high = max(1.0, *(row.share for row in rows))
    axes.set_xlim(0, high * 100)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for place, row in enumerate(rows):
        axes.barh(place + 0.14, row.share * 100, 0.34, color=BLUE)
        name = canvas.fit(row.name, WIDTH - LEFT - RIGHT, SMALL)
        axes.annotate(name, (0, place - 0.07), (0, 0), textcoords="offset points", va="bottom", fontsize=SMALL)
        axes.annotate(
            row.words, (high * 100, place + 0.14), (8, 0), textcoords="offset points", va="center", fontsize=SMALL,
            annotation_clip=False,
        )  # fmt: skip
    axes.axvline(100, color=INK, linewidth=1.4, linestyle=(0, (4, 2)), clip_on=False)
    axes.set_xticks([0, 25, 50, 75, 100])
    rest = f" ({more} more programs are farther from theirs)" if more else ""
    axes.set_xlabel(f"largest use, % of the limit{rest}", fontsize=SMALL)


def _why_empty(diagnosis: Diagnosis) -> str:
    if diagnosis.snapshot["metrics"].empty:
        return "There are no metrics in this window."
    return "No program has both a memory limit and a measured use."
