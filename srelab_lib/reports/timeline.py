"""The one figure: what users saw, what the resource did, what happened and what was changed, on one UTC axis."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes

from srelab_lib.model import Diagnosis, Snapshot, TimeWindow, spoken
from srelab_lib.reports import canvas, lanes, names, panels
from srelab_lib.reports.canvas import INK, LEFT, ORANGE, SHADE, SMALL, SOFT, WIDTH, Chart
from srelab_lib.reports.lanes import Lane
from srelab_lib.reports.names import Name
from srelab_lib.reports.panels import Panel
from srelab_lib.reports.series import unit_of
from srelab_lib.reports.text import clock, quantity, sentences

HEADING, NOTE, FOOT = 0.28, 0.28, 0.52
"""Heights in inches: a heading, a line that says what is absent, the axis below everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    panels: list[Panel]
    lanes: list[Lane]
    names: list[Name]
    notes: list[str]

    @property
    def names_height(self) -> float:
        return sum(name.height for name in self.names) + 0.08

    @property
    def height(self) -> float:
        rows = sum(HEADING + panel.height for panel in self.panels) + len(self.lanes) * (HEADING + lanes.HEIGHT)
        return self.names_height + rows + NOTE * len(self.notes) + 0.1


def timeline(diagnosis: Diagnosis) -> Chart:
    """Signals, restarts, events, new log lines and changes on one axis, the time since the onset shaded.

    Works with any of them absent, and then says why.
    """
    with canvas.style():
        parts = _parts(diagnosis)
        title = canvas.title_lines(sentence(diagnosis))
        top = canvas.title_height(title)
        chart = canvas.sheet(top + parts.height + FOOT)
        canvas.write_title(chart, title, where(diagnosis.snapshot))
        back = canvas.place(chart, top, parts.height)
        _draw_back(back, diagnosis)
        _draw_names(chart, back, diagnosis, parts, top)
        used = _draw_rows(chart, diagnosis, parts, top + parts.names_height)
        for number, note in enumerate(parts.notes):
            words = canvas.fit(note, WIDTH - LEFT, SMALL)
            at = used + 0.06 + NOTE * number
            canvas.write(chart, words, left=LEFT, top=at, fontsize=SMALL, color=SOFT, fontstyle="italic")
        chart.alt = _alt(diagnosis, parts)
        chart.is_empty = not (parts.panels or parts.lanes or parts.names)
    return chart


def sentence(diagnosis: Diagnosis) -> str:
    """The verdict's first sentence: what the figure proves."""
    return (sentences(diagnosis.verdict.summary) or ["What happened"])[0]


def where(snapshot: Snapshot) -> str:
    """`RECORDED incident oom · 11:55 to 12:10 UTC · namespace default`: what comes last is cut first."""
    window = snapshot.window
    source = f"RECORDED incident {snapshot.source.name}" if snapshot.source.kind == "incident" else snapshot.source.name
    return f"{source} · {clock(window.start)[:5]} to {clock(window.end)[:5]} UTC · namespace {snapshot.namespace}"


def _parts(diagnosis: Diagnosis) -> _Parts:
    shown, rows = panels.panels_of(diagnosis), lanes.lanes_of(diagnosis)
    notes = [] if shown else [_without_metrics(diagnosis)]
    notes += [] if rows else ["No restart, no warning and no new log line in this window."]
    return _Parts(panels=shown, lanes=rows, names=names.names_of(diagnosis), notes=notes)


def _without_metrics(diagnosis: Diagnosis) -> str:
    why = [
        m
        for m in diagnosis.snapshot.missing
        if {"prometheus", "metrics"} & set(m.source.lower().replace(":", " ").split())
    ]
    return f"No metrics. {why[0].source}: {why[0].reason}" if why else "No metrics in this window."


def _draw_back(back: Axes, diagnosis: Diagnosis) -> None:
    """The axis below everything, and the shade from the onset on."""
    window, onset = diagnosis.snapshot.window, diagnosis.timeline.onset
    canvas.utc_axis(back, window, labels=True)
    back.set_ylim(0, 1)
    back.set_yticks([])
    back.spines["left"].set_visible(False)
    back.set_zorder(-1)
    if onset is not None and onset < window.end:
        start = max(0.0, (onset - window.start).total_seconds())
        back.axvspan(start, window.seconds, facecolor=SHADE, linewidth=0)


def _draw_names(chart: Chart, back: Axes, diagnosis: Diagnosis, parts: _Parts, top: float) -> None:
    """Each change's line from the axis up to its own row, its name beside it."""
    for x in names.other_lines(diagnosis, parts.names):
        back.plot([x, x], [0, 1 - parts.names_height / parts.height], color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    for name in parts.names:
        head = 1 - (name.top + 0.09) / parts.height
        if name.is_change:
            back.plot([name.seconds] * 2, [0, head], color=INK, linewidth=1.3, clip_on=False)
            back.plot([name.seconds], [head], marker="D", markersize=5, color=INK, clip_on=False)
        else:
            back.plot(
                [name.seconds] * 2, [0, head], color=ORANGE, linewidth=1.3, linestyle=(0, (2, 1.5)), clip_on=False
            )
        for number, line in enumerate(name.lines):
            canvas.write(
                chart, line, left=name.left, top=top + name.top + number * names.LINE, ha=name.align, fontsize=SMALL,
                fontweight="bold" if name.is_change else "normal",
            )  # fmt: skip


def _draw_rows(chart: Chart, diagnosis: Diagnosis, parts: _Parts, used: float) -> float:
    """Panels and lanes from top to bottom, each under its heading; returns where they end."""
    window = diagnosis.snapshot.window
    order = panels.order_of(parts.panels)
    for panel in parts.panels:
        canvas.write(chart, canvas.fit(panel.heading, WIDTH - LEFT), left=LEFT, top=used + 0.08)
        panels.draw_panel(canvas.place(chart, used + HEADING, panel.height), window, panel, order)
        used += HEADING + panel.height
    for lane in parts.lanes:
        canvas.write(chart, canvas.fit(lane.heading, WIDTH - LEFT - 0.1), left=LEFT, top=used + 0.08)
        lanes.draw_lane(canvas.place(chart, used + HEADING, lanes.HEIGHT), lane, window.seconds)
        used += HEADING + lanes.HEIGHT
    return used


def _alt(diagnosis: Diagnosis, parts: _Parts) -> str:
    """What the figure shows, in the order in which the eye finds it."""
    window = diagnosis.snapshot.window
    words = [f"Timeline from {clock(window.start)} to {clock(window.end)} UTC.", sentence(diagnosis)]
    words += [f"{' '.join(name.lines)}." for name in parts.names]
    words += [_panel_words(panel, window) for panel in parts.panels]
    words += [f"{lane.heading}: {len(lane.x) + len(lane.spans)} marks." for lane in parts.lanes]
    return " ".join([*words, *parts.notes])


def _panel_words(panel: Panel, window: TimeWindow) -> str:
    line = panel.lines[0]
    peak, last = (quantity(value, unit_of(line.signal)) for value in (line.peak, line.last))
    end = f"no samples after {clock(line.ended(window))}" if line.ends_early(window) else f"{last} at the end"
    return f"{panel.heading}, {spoken(line.object)}: at most {peak}, {end}."
