"""The names of changes above the timeline: one row each, beside the line that they name, so that none overlap."""

from __future__ import annotations

from dataclasses import dataclass

from srelab_lib.model import Diagnosis, TimelineMark
from srelab_lib.reports import canvas
from srelab_lib.reports.canvas import LEFT, PLOT, SMALL, WIDTH
from srelab_lib.reports.series import relevance
from srelab_lib.reports.text import clock

LINE = 0.19
MAX_NAMES, MAX_LINES = 4, 4
TOGETHER = 0.12
"""Changes within this many inches are one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A label in its own row.

    Attributes:
        seconds: where its line stands, since the window's start.
        left: inches from the figure's left edge to the side that the text is aligned to.
        top: inches from the top of the first row.
    """

    seconds: float
    lines: tuple[str, ...]
    align: str
    left: float
    top: float
    is_change: bool

    @property
    def height(self) -> float:
        """Inches of its row."""
        return LINE * len(self.lines) + 0.04


def names_of(diagnosis: Diagnosis) -> list[Name]:
    """Changes in order of time, those that matter most by name; then the onset's own row."""
    groups = _groups(diagnosis)
    rank = relevance(diagnosis)
    first = diagnosis.candidates[0].change if diagnosis.candidates else None

    def order(group: list[TimelineMark]) -> tuple[bool, int, float]:
        own = first is not None and any(mark.text == first.text and mark.time == first.time for mark in group)
        return not own, min(rank.get(mark.object, len(rank)) for mark in group), -group[0].time.timestamp()

    named = sorted(groups, key=order)[:MAX_NAMES]
    texts = [(group[0], _words(group)) for group in groups if group in named]
    rest = [group for group in groups if group not in named]
    rows: list[tuple[float, str, bool]] = [(_seconds(diagnosis, mark), words, True) for mark, words in texts]
    if rest:
        count = sum(map(len, rest))
        rows.append(
            (_seconds(diagnosis, rest[0][0]), f"and {count} more changes, from {clock(rest[0][0].time)} on", True)
        )
    return _placed([*rows, *_onset(diagnosis)], diagnosis.snapshot.window.seconds)


def other_lines(diagnosis: Diagnosis, names: list[Name]) -> list[float]:
    """Where changes without a name stand."""
    known = {name.seconds for name in names}
    return [x for group in _groups(diagnosis) if (x := _seconds(diagnosis, group[0])) not in known]


def _groups(diagnosis: Diagnosis) -> list[list[TimelineMark]]:
    """Changes in order of time, those that would share a line together; the most relevant first in each."""
    near = TOGETHER / PLOT * diagnosis.snapshot.window.seconds
    rank = relevance(diagnosis)
    groups: list[list[TimelineMark]] = []
    for mark in (mark for mark in diagnosis.timeline.marks if mark.kind == "change"):
        if groups and (mark.time - groups[-1][0].time).total_seconds() <= near:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    first = diagnosis.candidates[0].change if diagnosis.candidates else None
    return [
        sorted(g, key=lambda m: (first is None or m.text != first.text, rank.get(m.object, len(rank)), m.time))
        for g in groups
    ]


def _words(group: list[TimelineMark]) -> str:
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    return f"{clock(group[0].time)} {group[0].text}{more}"


def _onset(diagnosis: Diagnosis) -> list[tuple[float, str, bool]]:
    onset, window = diagnosis.timeline.onset, diagnosis.snapshot.window
    if onset is None or onset >= window.end:
        return []
    if onset <= window.start:
        return [(0.0, f"the trouble began before {clock(window.start)}", False)]
    return [((onset - window.start).total_seconds(), f"trouble since {clock(onset)}", False)]


def _placed(rows: list[tuple[float, str, bool]], window_seconds: float) -> list[Name]:
    """Each in a row of its own, on the side of its line where there is more room."""
    names: list[Name] = []
    top = 0.0
    for seconds, text, is_change in rows:
        x = LEFT + PLOT * seconds / window_seconds
        to_right = x <= WIDTH * 0.55 or canvas.text_width(text, SMALL, "bold") <= WIDTH - x - 0.2
        room = (WIDTH - x if to_right else x) - 0.2
        lines = tuple(canvas.wrap(text, room, SMALL, MAX_LINES, weight="bold"))
        edge = x + 0.09 if to_right else x - 0.09
        align = "left" if to_right else "right"
        names.append(Name(seconds=seconds, lines=lines, align=align, left=edge, top=top, is_change=is_change))
        top += names[-1].height
    return names


def _seconds(diagnosis: Diagnosis, mark: TimelineMark) -> float:
    return (mark.time - diagnosis.snapshot.window.start).total_seconds()
