"""One panel for each signal: a few lines labelled where they end, and the limit that the first must stay under."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from srelab_lib.model import Diagnosis, TimeWindow
from srelab_lib.reports import canvas
from srelab_lib.reports.canvas import INK, RIGHT, SMALL, STYLES
from srelab_lib.reports.series import Series, display_scale, line_of, lines_of, relevance, title_of, unit_of
from srelab_lib.reports.text import clock, object_name, quantity

USER_SIGNALS = ("request_rate", "error_ratio", "latency_p95_seconds")
RESOURCE_SIGNALS = ("memory_working_set_bytes", "cpu_usage_cores")
LIMITS = {"memory_working_set_bytes": "memory_limit_bytes"}
MAX_SERIES = 6
OFF_SCALE = 8.0
"""A limit this many times above what is used would press the line flat; it is named instead of drawn."""
LOW, HIGH = 0.56, 0.85
"""Heights of a panel in inches, without and with a limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One signal of one to three objects; `limit` belongs to the first."""

    signal: str
    lines: tuple[Series, ...]
    limit: Series | None = None

    @property
    def height(self) -> float:
        """Inches of its plot."""
        return HIGH if self.limit is not None or len(self.lines) > 1 else LOW

    @property
    def limit_is_drawn(self) -> bool:
        """False where the limit is far above what is used."""
        return self.limit is not None and self.limit.last <= OFF_SCALE * max(self.peak, 1e-9)

    @property
    def peak(self) -> float:
        """The largest value of its lines."""
        return max(line.peak for line in self.lines)

    @property
    def top(self) -> float:
        """The largest value that the axis must show; a limit that was lowered does not stretch it beyond OFF_SCALE."""
        if self.limit is None or not self.limit_is_drawn:
            return self.peak
        return max(self.peak, min(self.limit.peak, OFF_SCALE * self.peak))

    @property
    def scale(self) -> tuple[float, str]:
        """Factor and unit of its axis."""
        return display_scale(self.signal, self.top)

    @property
    def heading(self) -> str:
        """What is shown, in which unit."""
        return f"{title_of(self.signal)}, {self.scale[1]}".rstrip(", ")


class _Label(NamedTuple):
    """Words at the height of `value`, joined to a line that reaches the edge of the plot."""

    value: float
    text: str
    color: str
    joined: bool


def panels_of(diagnosis: Diagnosis) -> list[Panel]:
    """Users first, then resources, then the strongest other signal; at most MAX_SERIES lines in all."""
    signals = [*USER_SIGNALS, *RESOURCE_SIGNALS]
    signals += _other_signal(diagnosis, signals)
    found = {signal: lines for signal in signals if (lines := lines_of(diagnosis, signal, most=3))}
    room = MAX_SERIES - len(found)
    rank = relevance(diagnosis)
    panels = []
    for signal, lines in found.items():
        more = [line for line in lines[1:] if line.object in rank or not rank] if signal in USER_SIGNALS else []
        more = more[: max(room, 0)]
        room -= len(more)
        limit = _limit(diagnosis, lines[0])
        panels.append(Panel(signal=signal, lines=(lines[0], *more), limit=limit))
    return panels


def _limit(diagnosis: Diagnosis, line: Series) -> Series | None:
    """What the line must stay under, where its signal has a limit."""
    limit = LIMITS.get(line.signal)
    return line_of(diagnosis, limit, line.object, line.container) if limit else None


def _other_signal(diagnosis: Diagnosis, shown: Sequence[str]) -> list[str]:
    """The strongest change point's signal that is not shown anyway, of an object that matters if there is one."""
    matter = {diagnosis.verdict.object, *(ref for item in diagnosis.findings[:1] for ref in item.related)}
    others = [o for o in diagnosis.onsets if o.signal not in (*shown, *LIMITS.values(), "target_up")]
    best = next((o for o in others if o.object in matter), others[0] if others else None)
    return [best.signal] if best else []


def order_of(panels: Sequence[Panel]) -> list[str]:
    """Objects in the order in which they get colour and line style, the same in every panel."""
    return list(dict.fromkeys(line.object for panel in panels for line in panel.lines))


def _labels(order: Sequence[str]) -> dict[str, str]:
    """Each object's name as it fits beside a plot; where only its middle tells it from others, that."""
    names = {ref: object_name(ref) for ref in order}
    fitted = {ref: canvas.fit(name, RIGHT - 0.2, SMALL) for ref, name in names.items()}
    if len(set(fitted.values())) == len(fitted):
        return fitted
    same = len(os.path.commonprefix(list(names.values())))
    cut = {ref: f"…{name[same:]}" for ref, name in names.items()}
    return {ref: canvas.fit(name, RIGHT - 0.2, SMALL) for ref, name in cut.items()}


def draw_panel(axes: Axes, window: TimeWindow, panel: Panel, order: Sequence[str]) -> None:
    """Lines with gaps as gaps, the limit as a dashed line, labels at the right end."""
    factor, _ = panel.scale
    canvas.utc_axis(axes, window, labels=False)
    canvas.y_axis(axes, panel.top * factor)
    labels = [_draw_line(axes, window, panel, line, order) for line in panel.lines]
    if panel.limit is not None:
        labels.append(_draw_limit(axes, panel, panel.limit, window))
    _draw_labels(axes, window, panel.height, labels)


def _draw_line(axes: Axes, window: TimeWindow, panel: Panel, line: Series, order: Sequence[str]) -> _Label:
    factor, _ = panel.scale
    color, dashes = STYLES[order.index(line.object) % len(STYLES)]
    axes.plot(line.x, line.y * factor, color=color, linestyle=dashes)
    alone = np.isfinite(line.y) & ~_has_neighbour(line.y)
    axes.plot(line.x[alone], line.y[alone] * factor, color=color, linestyle="none", marker="o", markersize=3)
    early = line.ends_early(window)
    value = canvas.fit_quantity(line.last, unit_of(line.signal), RIGHT - 0.2)
    last = f"ends {clock(line.ended(window))[:5]}" if early else value
    name = _labels(order)[line.object]
    return _Label(line.last * factor, f"{name}\n{last}" if len(panel.lines) == 1 else name, color, not early)


def _has_neighbour(y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which samples have a line to one beside them; the others need a dot to be seen."""
    known = np.isfinite(y)
    return np.concatenate(([False], known[:-1])) | np.concatenate((known[1:], [False]))


def _draw_limit(axes: Axes, panel: Panel, limit: Series, window: TimeWindow) -> _Label:
    factor, _ = panel.scale
    words = f"limit {quantity(limit.last, unit_of(limit.signal))}"
    if not panel.limit_is_drawn:
        return _Label(panel.top * factor, f"{words}\n(off scale)", INK, False)
    y = np.minimum(limit.y, panel.top * 1.06) * factor
    x = np.append(limit.x, window.seconds)
    axes.plot(x, np.append(y, y[-1]), color=INK, linewidth=1.4, linestyle=(0, (4, 2)), drawstyle="steps-post")
    first = limit.y[np.isfinite(limit.y)][0]
    if abs(first - limit.last) > 1e-6 * max(first, limit.last):
        was = f"limit {quantity(float(first), unit_of(limit.signal))}"
        axes.annotate(
            was, (0, min(first, panel.top) * factor), (3, -3), textcoords="offset points", va="top", fontsize=SMALL
        )
    return _Label(limit.last * factor, words, INK, True)


def _draw_labels(axes: Axes, window: TimeWindow, height: float, labels: Sequence[_Label]) -> None:
    """Labels right of the plot at the height of their lines, moved apart where they would touch."""
    low, high = axes.get_ylim()
    inch = (high - low) / height
    tall = [0.17 * (1 + label.text.count("\n")) for label in labels]
    gap = max(tall, default=0.0) if len(labels) > 1 else 0.0
    at = canvas.spread([label.value / inch for label in labels], gap, min(0.08, height / 4), height)
    for label, y in zip(labels, at, strict=True):
        arrow = {
            "arrowstyle": "-",
            "color": label.color,
            "linewidth": 1.4,
            "shrinkA": 1,
            "shrinkB": 0,
            "relpos": (0, 0.5),
        }
        axes.annotate(
            label.text,
            xy=(window.seconds, label.value),
            xytext=(window.seconds * 1.035, y * inch),
            va="center",
            fontsize=SMALL,
            linespacing=1.05,
            annotation_clip=False,
            arrowprops=arrow if label.joined else None,
        )
