"""What all figures share: paper, palette, type, text that fits, the UTC axis. No global state of matplotlib is touched.

Figures are 6.4 inches wide: on a phone of 390 px their 11 pt text is as large as a caption, on A4 it is 11 pt.
Colours are Okabe and Ito's, safe for every kind of colour vision, and each comes with a line style, for grey paper.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextToPath
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from srelab_lib.model import TimeWindow
from srelab_lib.reports.text import day, quantity, visible

WIDTH = 6.4
LEFT, RIGHT = 0.5, 1.14
"""Inches beside the plots: tick labels, and labels at the ends of lines."""
PLOT = WIDTH - LEFT - RIGHT
DPI = 180
_COLORS = 256
"""A palette: a third of the bytes of true colour, and nothing that an eye could tell."""

INK, SOFT, GRID = "#1b1d21", "#555b63", "#d5d8dd"
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
STYLES: tuple[tuple[str, Any], ...] = (
    (BLUE, "solid"),
    (VERMILLION, (0, (5, 1.5))),
    (GREEN, (0, (1.5, 1.2))),
    (PURPLE, (0, (6, 1.5, 1.5, 1.5))),
    (ORANGE, (0, (3, 1))),
    (SKY, (0, (8, 2, 1, 2, 1, 2))),
)
"""Colour and line style of the first to the sixth object."""

SHADE, HALO_COLOR = "#fdf3e0", "#fffaf2"
"""The time since the onset, and what keeps text apart from lines on it and beside it."""

BODY, SMALL, TITLE = 11.0, 10.0, 12.5
CONTENT_KEY = "Comment"
ALT_KEY = "Description"

_RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": BODY,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "svg.hashsalt": "srelab",
}
HALO = [withStroke(linewidth=3, foreground=HALO_COLOR)]
_TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


class Chart(Figure):
    """A figure with the words for someone who cannot see it; a notebook shows it as the value of a cell."""

    alt: str = ""
    is_empty: bool = False

    def png(self, content: str = "") -> bytes:
        """The same bytes for the same chart. `content` is kept in the file, to know it again."""
        drawn, buffer = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 1})
        words = PngInfo()
        words.add_itxt(ALT_KEY, visible(self.alt))
        words.add_itxt(CONTENT_KEY, content)
        with Image.open(drawn) as image:
            few = image.convert("RGB").quantize(_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(buffer, format="png", optimize=True, pnginfo=words)
        return buffer.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()


@contextmanager
def style() -> Iterator[None]:
    """Our type and ink inside, everyone's own settings outside."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def sheet(height: float) -> Chart:
    """An empty figure of the common width; `height` in inches."""
    return Chart(figsize=(WIDTH, height), dpi=100, facecolor="white")


def place(chart: Chart, top: float, height: float, *, left: float = LEFT, right: float = RIGHT) -> Axes:
    """Axes by inches from the figure's top and sides."""
    width_in, height_in = chart.get_size_inches()
    box = (left / width_in, 1 - (top + height) / height_in, (width_in - left - right) / width_in, height / height_in)
    axes = chart.add_axes(box)
    axes.patch.set_visible(False)
    return axes


def write(chart: Chart, text: str, *, left: float, top: float, **options: Any) -> None:
    """Text by inches from the figure's left and top edge; `top` is where its line begins."""
    width_in, height_in = chart.get_size_inches()
    how: dict[str, Any] = {"va": "top", "ha": "left", "fontsize": BODY, "path_effects": HALO, "zorder": 10} | options
    chart.text(left / width_in, 1 - top / height_in, printable(text), **how)


def write_title(chart: Chart, lines: list[str], subtitle: str) -> float:
    """The sentence that the chart proves and, below it, where and when; returns the inches used."""
    for number, line in enumerate(lines):
        write(chart, line, left=0.08, top=0.1 + number * 0.23, fontsize=TITLE, fontweight="bold")
    write(
        chart, fit(subtitle, WIDTH - 0.16, SMALL), left=0.08, top=0.14 + len(lines) * 0.23, fontsize=SMALL, color=SOFT
    )
    return title_height(lines)


def title_height(lines: list[str]) -> float:
    """Inches that a title of so many lines and its subtitle take."""
    return 0.42 + len(lines) * 0.23


def title_lines(sentence: str, most: int = 3) -> list[str]:
    """A title wrapped to the figure's width."""
    return wrap(sentence, WIDTH - 0.2, TITLE, most, weight="bold")


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def printable(text: str) -> str:
    """The text in characters that the figures' font has; others become a box."""
    shown = visible(text).replace("\t", " ")
    return "".join(char if char == "\n" or ord(char) in _glyphs() else "\u25a1" for char in shown)


@cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width in inches of one line of text."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return float(TextToPath().get_text_width_height_descent(printable(text), font, ismath=False)[0]) / 72


def fit(text: str, inches: float, size: float = BODY, weight: str = "normal") -> str:
    """One line of at most that width, with an ellipsis where something is gone."""
    line = " ".join(printable(text[:400]).split())
    if text_width(line, size, weight) <= inches:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width(line[:middle] + "…", size, weight) <= inches
        low, high = (middle, high) if fits else (low, middle - 1)
    return line[:low].rstrip() + "…"


def fit_quantity(value: float, unit: str, inches: float, size: float = SMALL) -> str:
    """A value with its unit; without it where that does not fit, since a heading has it."""
    words = quantity(value, unit)
    return words if text_width(words, size) <= inches else words.split(" ")[0]


def wrap(text: str, inches: float, size: float = BODY, most: int = 2, *, weight: str = "normal") -> list[str]:
    """At most `most` lines of at most that width, broken at blanks; the last ends in an ellipsis where it is cut."""
    words = printable(text[:800]).split()
    lines: list[str] = []
    while words and len(lines) < most - 1:
        taken = 1
        while taken < len(words) and text_width(" ".join(words[: taken + 1]), size, weight) <= inches:
            taken += 1
        lines.append(fit(" ".join(words[:taken]), inches, size, weight))
        words = words[taken:]
    return [*lines, fit(" ".join(words), inches, size, weight)] if words else lines


def utc_axis(axes: Axes, window: TimeWindow, *, labels: bool) -> None:
    """Seconds since the window's start on x; with `labels`, ticks on round UTC times and the date once."""
    axes.set_xlim(0, window.seconds)
    axes.xaxis.set_visible(labels)
    if labels:
        ticks, form = utc_ticks(window)
        at = [(tick - window.start).total_seconds() for tick in ticks]
        axes.set_xticks(at, labels=[tick.strftime(form) for tick in ticks])
        axes.set_xlabel(f"UTC, {day(window.start, window.end)}", fontsize=SMALL, labelpad=3)


def utc_ticks(window: TimeWindow) -> tuple[list[datetime], str]:
    """At most seven round times, and how to write them."""
    step = next((s for s in _TICK_SECONDS if window.seconds / s <= 7), _TICK_SECONDS[-1])
    start = window.start.astimezone(UTC)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = -(-int((start - midnight).total_seconds()) // step)
    count = int(((window.end - midnight).total_seconds()) // step)
    ticks = [midnight + timedelta(seconds=step * n) for n in range(first, count + 1)]
    return ticks, "%H:%M" if step >= 60 else "%H:%M:%S"


def y_axis(axes: Axes, top: float, *, whole: bool = False) -> None:
    """From zero, which is not cut, to a round value above `top`; `whole` for what is counted."""
    high = _round_up(top) if top > 0 else 1.0
    axes.set_ylim(-0.05 * high, 1.06 * high)
    ticks = [0, high] if whole and high % 2 else [0, high / 2, high]
    axes.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.tick_params(axis="y", length=0, pad=4)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["left", "bottom"]].set_visible(False)


def _round_up(value: float) -> float:
    magnitude = 10.0 ** (len(f"{value:.0f}") - 1) if value >= 1 else 10.0 ** -len(f"{1 / value:.0f}")
    steps = (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10, 20, 100)
    return next(step * magnitude for step in steps if step * magnitude >= value)


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, at least `gap` apart and within bounds as far as there is room."""
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    placed: dict[int, float] = {}
    floor = low
    for n in order:
        placed[n] = max(wanted[n], floor)
        floor = placed[n] + gap
    ceiling = high
    for n in reversed(order):
        placed[n] = min(placed[n], ceiling)
        ceiling = placed[n] - gap
    return [placed[n] for n in range(len(wanted))]


def message(title: str, subtitle: str, reason: str) -> Chart:
    """A chart without data, which says why it is empty."""
    lines = title_lines(title)
    chart = sheet(title_height(lines) + 0.9)
    used = write_title(chart, lines, subtitle)
    for number, line in enumerate(wrap(reason, WIDTH - 0.3, BODY, 2)):
        write(chart, line, left=0.08, top=used + 0.2 + number * 0.22, color=SOFT, fontstyle="italic")
    chart.alt = f"{title} {reason}"
    chart.is_empty = True
    return chart
