"""What moved most: the strongest change points, each with its level before and after."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from srelab_lib.model import Diagnosis, Onset, TimeWindow, spoken
from srelab_lib.reports import canvas
from srelab_lib.reports.canvas import BLUE, INK, LEFT, RIGHT, SMALL, WIDTH, Chart
from srelab_lib.reports.series import Series, display_scale, line_of, relevance, title_of, unit_of
from srelab_lib.reports.text import clock, quantity
from srelab_lib.reports.timeline import where

MAX_PANELS = 6
HEADING, PANEL, FOOT = 0.27, 0.62, 0.55
_CONSTANT = frozenset({"memory_limit_bytes", "target_up"})
"""What is set and not measured: a step in it is a change, told elsewhere."""


def signals_chart(diagnosis: Diagnosis) -> Chart:
    """Small multiples of the strongest change points, with the median before and after and the time between."""
    with canvas.style():
        shown = _strongest(diagnosis)
        if not shown:
            return canvas.message("No signal changed its level", where(diagnosis.snapshot), _why_empty(diagnosis))
        title = canvas.title_lines(_sentence(shown[0][0]))
        used = canvas.title_height(title) + 0.05
        chart = canvas.sheet(used + len(shown) * (HEADING + PANEL) + FOOT)
        canvas.write_title(chart, title, where(diagnosis.snapshot))
        for number, (onset, line) in enumerate(shown):
            factor, unit = display_scale(onset.signal, max(line.peak, 0.0))
            heading = f"{title_of(onset.signal)}, {unit} · {line.name}"
            canvas.write(chart, canvas.fit(heading, WIDTH - LEFT - 0.1), left=LEFT, top=used + 0.05)
            axes = canvas.place(chart, used + HEADING, PANEL)
            _draw(axes, diagnosis.snapshot.window, onset, line, factor)
            canvas.utc_axis(axes, diagnosis.snapshot.window, labels=number == len(shown) - 1)
            used += HEADING + PANEL
        chart.alt = " ".join([f"{_sentence(onset)}" for onset, _ in shown])
    return chart


def _strongest(diagnosis: Diagnosis) -> list[tuple[Onset, Series]]:
    """Change points that can be drawn, one for each signal: of objects that matter first, then by strength."""
    rank = relevance(diagnosis)
    own = diagnosis.verdict.object
    drawable = [
        o for o in diagnosis.onsets if o.signal not in _CONSTANT and math.isfinite(o.before) and math.isfinite(o.after)
    ]
    order = sorted(drawable, key=lambda o: (o.object != own, -abs(o.score), rank.get(o.object, len(rank)), o.signal))
    found: dict[str, tuple[Onset, Series]] = {}
    for onset in order:
        if onset.signal in found or len(found) == MAX_PANELS:
            continue
        line = line_of(diagnosis, onset.signal, onset.object)
        if line is not None:
            found[onset.signal] = (onset, line)
    return list(found.values())


def _sentence(onset: Onset) -> str:
    """`Share of requests that fail rose from 0 % to 38 % at 12:03:21: Deployment default/web.`"""
    verb = "rose" if onset.after > onset.before else "fell"
    unit = onset.unit or unit_of(onset.signal)
    when = f" at {clock(onset.time)}" if onset.time and not onset.began_before_window else " before this window"
    levels = f"{verb} from {quantity(onset.before, unit)} to {quantity(onset.after, unit)}{when}"
    return f"{title_of(onset.signal)} {levels}: {spoken(onset.object)}."


def _draw(axes: Axes, window: TimeWindow, onset: Onset, line: Series, factor: float) -> None:
    """The measured line in grey-blue, its two levels in black with their values."""
    canvas.y_axis(axes, max(line.peak, onset.before, onset.after, 0.0) * factor)
    axes.plot(line.x, line.y * factor, color=BLUE, linewidth=1.2)
    turn = (onset.time - window.start).total_seconds() if onset.time else 0.0
    turn = min(max(turn, 0.0), window.seconds)
    axes.axvspan(turn, window.seconds, facecolor=canvas.SHADE, linewidth=0, zorder=0)
    unit = onset.unit or unit_of(onset.signal)
    for start, end, level, words in ((0.0, turn, onset.before, "before"), (turn, window.seconds, onset.after, "after")):
        axes.plot([start, end], [level * factor] * 2, color=INK, linewidth=1.4, linestyle=(0, (4, 2)))
        if words == "before" and turn > 0.12 * window.seconds:
            _label(axes, 3, (0, level * factor), f"{quantity(level, unit)} before")
    text = canvas.fit_quantity(onset.after, unit, RIGHT - 0.15)
    axes.annotate(
        f"{text}\nafter", (window.seconds, onset.after * factor), (6, 0), textcoords="offset points", va="center",
        fontsize=SMALL, annotation_clip=False, linespacing=1.05,
    )  # fmt: skip


def _label(axes: Axes, right: float, at: tuple[float, float], words: str) -> None:
    """Above its level where there is room, else below."""
    low, high = axes.get_ylim()
    above = at[1] < low + 0.6 * (high - low)
    axes.annotate(
        words, at, (right, 4 if above else -4), textcoords="offset points", va="bottom" if above else "top",
        fontsize=SMALL, path_effects=canvas.HALO,
    )  # fmt: skip


def _why_empty(diagnosis: Diagnosis) -> str:
    if diagnosis.snapshot["metrics"].empty:
        return "There are no metrics in this window."
    return "No series left its usual range in this window."
