"""How many log lines there were in each minute, by level."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from srelab_lib.model import Diagnosis
from srelab_lib.reports import canvas
from srelab_lib.reports.canvas import BLUE, LEFT, ORANGE, SMALL, VERMILLION, WIDTH, Chart
from srelab_lib.reports.series import Numbers
from srelab_lib.reports.text import clock
from srelab_lib.reports.timeline import where

GROUPS = {
    "errors": (frozenset({"error", "critical"}), VERMILLION, "////"),
    "warnings": (frozenset({"warning"}), ORANGE, "...."),
    "other lines": (frozenset({"debug", "info", ""}), BLUE, ""),
}
"""Each group's levels, colour and hatch; a line without a level is an other line."""
HEADING, PANEL, FOOT = 0.27, 0.7, 0.55


def log_levels_chart(diagnosis: Diagnosis) -> Chart:
    """Log lines a minute by level, one panel each: errors are never hidden by the mass of other lines."""
    window = diagnosis.snapshot.window
    logs = diagnosis.snapshot["logs"]
    inside = logs[(logs["time"] >= window.start) & (logs["time"] <= window.end)]
    with canvas.style():
        if inside.empty:
            return canvas.message("There are no log lines to count", where(diagnosis.snapshot), _why_empty(logs))
        counts = _counts(inside, diagnosis)
        title = canvas.title_lines(_sentence(counts, diagnosis))
        used = canvas.title_height(title) + 0.05
        chart = canvas.sheet(used + len(counts) * (HEADING + PANEL) + FOOT)
        canvas.write_title(chart, title, where(diagnosis.snapshot))
        for number, (name, values) in enumerate(counts.items()):
            heading = f"{name[:1].upper()}{name[1:]}, lines a minute"
            canvas.write(chart, canvas.fit(heading, WIDTH - LEFT), left=LEFT, top=used + 0.05)
            axes = canvas.place(chart, used + HEADING, PANEL)
            _draw(axes, diagnosis, name, values)
            canvas.utc_axis(axes, window, labels=number == len(counts) - 1)
            used += HEADING + PANEL
        chart.alt = _sentence(counts, diagnosis) + " " + _totals(counts)
    return chart


def _bin_seconds(diagnosis: Diagnosis) -> float:
    """One minute, more in a long window so that a bar can still be seen."""
    return max(60.0, -(-diagnosis.snapshot.window.seconds // 3600) * 60.0)


def _counts(logs: pd.DataFrame, diagnosis: Diagnosis) -> dict[str, Numbers]:
    """Lines a minute in each bin, for the groups that occur; errors always."""
    window, width = diagnosis.snapshot.window, _bin_seconds(diagnosis)
    edges = np.arange(0.0, window.seconds + width, width)
    at = (logs["time"] - pd.Timestamp(window.start)).dt.total_seconds().to_numpy(dtype="float64")
    levels = logs["level"].fillna("").astype("str").str.lower()
    known = frozenset().union(*(group[0] for group in GROUPS.values()))
    levels = levels.where(levels.isin(list(known)), "")
    found = {}
    for name, (wanted, _, _) in GROUPS.items():
        values = np.histogram(at[levels.isin(list(wanted)).to_numpy()], bins=edges)[0] * (60.0 / width)
        if values.any() or name == "errors":
            found[name] = values
    return found


def _sentence(counts: dict[str, Numbers], diagnosis: Diagnosis) -> str:
    """What the errors did when the trouble began, or how many there were."""
    errors, onset = counts["errors"], diagnosis.timeline.onset
    total = round(float(errors.sum()) * _bin_seconds(diagnosis) / 60)
    if not total:
        return "No program logged an error in this window."
    split = (
        0
        if onset is None
        else int((onset - diagnosis.snapshot.window.start).total_seconds() // _bin_seconds(diagnosis))
    )
    if onset is None or not 0 < split < len(errors):
        return f"The programs logged {total} errors in this window."
    before, after = float(errors[:split].mean()), float(errors[split:].mean())
    if after <= before * 1.5:
        return f"The logs hold {total} errors, no more since {clock(onset)} than before."
    return f"Errors in the logs rose from {_rounded(before)} to {_rounded(after)} a minute at {clock(onset)}."


def _rounded(value: float) -> str:
    """Two digits of what is small, whole lines of what is not."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004


def _draw(axes: Axes, diagnosis: Diagnosis, name: str, values: Numbers) -> None:
    window, width = diagnosis.snapshot.window, _bin_seconds(diagnosis)
    _, color, hatch = GROUPS[name]
    canvas.y_axis(axes, float(values.max()), whole=True)
    starts = np.arange(len(values)) * width
    widths = np.minimum(width * 0.86, np.maximum(window.seconds - starts, 0))
    axes.bar(
        starts + width * 0.07, values, widths, align="edge", color=color, edgecolor="white", hatch=hatch, linewidth=0
    )
    onset = diagnosis.timeline.onset
    if onset is not None and onset < window.end:
        start = max(0.0, (onset - window.start).total_seconds())
        axes.axvspan(start, window.seconds, facecolor=canvas.SHADE, linewidth=0, zorder=0)
    total = round(float(values.sum()) * width / 60)
    axes.annotate(
        f"{total} in all", (window.seconds, axes.get_ylim()[1] / 2), (6, 0), textcoords="offset points", va="center",
        fontsize=SMALL, annotation_clip=False,
    )  # fmt: skip


def _totals(counts: dict[str, Numbers]) -> str:
    return " ".join(f"{name.capitalize()}: at most {values.max():.0f} a minute." for name, values in counts.items())


def _why_empty(logs: pd.DataFrame) -> str:
    return "No log was read." if logs.empty else "All log lines that were read lie outside this window."
