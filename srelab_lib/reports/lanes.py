"""What happened, as marks in lanes: restarts, events by reason, new log lines. Dense marks become one with a count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from srelab_lib.model import Diagnosis, TimelineMark
from srelab_lib.reports import canvas
from srelab_lib.reports.canvas import BLUE, GREEN, PLOT, SMALL, VERMILLION
from srelab_lib.reports.series import relevance

HEIGHT = 0.24
TOUCH, COUNT = 0.13, 0.34
"""Inches between marks that would touch, and what a count needs beside its marks."""
MAX_EVENT_LANES, MAX_LOG_LANES = 4, 2
_COUNTED = re.compile(r" \((\d{1,9}) times\)$")
"""How the timeline writes a count that a server kept of an event: it has a first and a last time."""
_MARKERS = {"restart": ("v", VERMILLION), "event": ("|", BLUE), "log": ("D", GREEN), "onset": ("|", VERMILLION)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One row of marks, in seconds since the window's start.

    Attributes:
        kind: of the marks.
        heading: what they say, and how often.
        x: marks that each stand for one time, sorted.
        spans: first and last time of what a server counted and did not list.
    """

    kind: str
    heading: str
    x: tuple[float, ...]
    spans: tuple[tuple[float, float], ...] = ()


def lanes_of(diagnosis: Diagnosis) -> list[Lane]:
    """Restarts, then events of the reasons that matter most, then new log lines; what is left over shares a lane."""
    marks = diagnosis.timeline.marks
    restarts = [mark for mark in marks if mark.kind == "restart"]
    lanes = [_lane(diagnosis, "restart", _restart_heading(restarts), restarts)] if restarts else []
    events = [mark for mark in marks if mark.kind == "event"]
    logs = [mark for mark in marks if mark.kind == "log"]
    lanes += _grouped(diagnosis, "event", events, MAX_EVENT_LANES)
    return lanes + _grouped(diagnosis, "log", logs, MAX_LOG_LANES)


def _grouped(diagnosis: Diagnosis, kind: str, marks: Sequence[TimelineMark], most: int) -> list[Lane]:
    groups: dict[str, list[TimelineMark]] = {}
    for mark in marks:
        groups.setdefault(_group(mark), []).append(mark)
    rank = relevance(diagnosis)

    def order(name: str) -> tuple[int, int, str]:
        return min(rank.get(mark.object, len(rank)) for mark in groups[name]), -_times(groups[name]), name

    names = sorted(groups, key=order)
    shown, rest = (names, []) if len(names) <= most else (names[: most - 1], names[most - 1 :])
    lanes = [_lane(diagnosis, kind, _heading(kind, groups[name]), groups[name]) for name in shown]
    if rest:
        others = [mark for name in rest for mark in groups[name]]
        what = "event reasons" if kind == "event" else "new log lines"
        lanes.append(_lane(diagnosis, kind, f"{len(rest)} other {what} · {_times(others)} times", others))
    return lanes


def _group(mark: TimelineMark) -> str:
    """An event's reason, a log line's template."""
    return mark.text.split(":", 1)[0] if mark.kind == "event" else mark.text


def _heading(kind: str, marks: Sequence[TimelineMark]) -> str:
    words = _COUNTED.sub("", Counter(mark.text for mark in marks).most_common(1)[0][0])
    if kind != "event":
        return f"New log line: {words}"
    reason, _, message = words.partition(": ")
    times = _times(marks)
    return f"Event {reason} · {times} times · {message}" if times > 1 else f"Event {reason} · {message}"


def _times(marks: Iterable[TimelineMark]) -> int:
    """How often it happened: a server's own count once for each object and text, other marks one by one."""
    counted = {(mark.object, mark.text) for mark in marks if _COUNTED.search(mark.text)}
    listed = sum(not _COUNTED.search(mark.text) for mark in marks)
    return listed + sum(int(_COUNTED.findall(text)[0]) for _, text in counted)


def _restart_heading(marks: Sequence[TimelineMark]) -> str:
    if not marks:
        return ""
    how, times = Counter(mark.text.rsplit(": ", 1)[-1] for mark in marks).most_common(1)[0]
    return (
        f"Restarts · {len(marks)} · {how}"
        if times == len(marks)
        else f"Restarts · {len(marks)} · {times} of them {how}"
    )


def _lane(diagnosis: Diagnosis, kind: str, heading: str, marks: Iterable[TimelineMark]) -> Lane:
    start = diagnosis.snapshot.window.start
    counted: dict[tuple[str, str], list[float]] = {}
    x = []
    for mark in marks:
        seconds = (mark.time - start).total_seconds()
        if _COUNTED.search(mark.text):
            counted.setdefault((mark.object, mark.text), []).append(seconds)
        else:
            x.append(seconds)
    spans = tuple(sorted((min(times), max(times)) for times in counted.values()))
    return Lane(kind=kind, heading=heading, x=tuple(sorted(x)), spans=spans)


def clusters(x: Sequence[float], inches_per_second: float) -> list[list[float]]:
    """Sorted positions in runs: those that would touch, and those that would touch the count of the run before."""
    runs: list[list[float]] = []
    for value in x:
        needed = 0.0 if not runs else TOUCH if len(runs[-1]) == 1 else COUNT
        if runs and (value - runs[-1][-1]) * inches_per_second < needed:
            runs[-1].append(value)
        else:
            runs.append([value])
    return runs


def draw_lane(axes: Axes, lane: Lane, seconds: float) -> None:
    """Marks where things happened, with a count where several would touch."""
    axes.set_xlim(0, seconds)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    axes.axhline(0.5, color=canvas.GRID, linewidth=0.8)
    marker, color = _MARKERS[lane.kind]
    size = 11 if marker == "|" else 7
    width = 2 if marker == "|" else 0.8
    for span in lane.spans:
        axes.plot(span, [0.5, 0.5], color=color, linewidth=1.6, marker=marker, markersize=size, markeredgewidth=width)
    for run in clusters(lane.x, PLOT / seconds):
        ends = [run[0], run[-1]] if len(run) > 1 else run
        axes.plot(ends, [0.5] * len(ends), color=color, linewidth=4, solid_capstyle="butt")
        axes.plot(ends, [0.5] * len(ends), color=color, linestyle="none", marker=marker, markersize=size,
                  markeredgewidth=width, clip_on=False)  # fmt: skip
        if len(run) > 1:
            axes.annotate(
                f"{len(run)}", (run[-1], 0.5), (7, 0), textcoords="offset points", va="center", fontsize=SMALL,
                fontweight="bold", path_effects=canvas.HALO, annotation_clip=False, zorder=5,
            )  # fmt: skip
