"""Figures show what matters, in text that does not collide, whatever is absent, dense, long or hostile."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import diagnosis_samples as samples
import matplotlib as mpl
import numpy as np
import pytest
import telemetry_samples as telemetry
from hostile_samples import ATTACKS, hostile
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from srelab_lib.model import Diagnosis, Missing, TimelineMark, TimeWindow
from srelab_lib.reports import canvas, charts
from srelab_lib.reports.canvas import Chart
from srelab_lib.reports.lanes import clusters, lanes_of
from srelab_lib.reports.panels import MAX_SERIES, panels_of
from srelab_lib.reports.series import lines_of
from srelab_lib.reports.text import visible

LONG = "a-very-long-name-that-nobody-would-read-to-its-end-{}-checkout-service-primary-canary"
EMPTY = samples.with_marks(samples.no_fault({}), ())


def changes(count: int, gap: float, words: str = "image of container app went from web:{0} to web:{1}") -> Diagnosis:
    marks = [
        TimelineMark(time=telemetry.at(n * gap - 300), kind="change", object=telemetry.WEB, text=words.format(n, n + 1))
        for n in range(count)
    ]
    return samples.with_marks(samples.oom(), marks)


def dense(count: int = 400) -> Diagnosis:
    kinds: Iterator[Literal["event", "restart", "log"]] = itertools.cycle(("event", "restart", "log"))
    marks = [
        TimelineMark(
            time=telemetry.at(n), kind=kind, object=f"Pod/default/p{n % 9}", text=f"Reason{n % 12}: text {n % 30}"
        )
        for n, kind in zip(range(count), kinds, strict=False)
    ]
    return samples.with_marks(samples.oom(), sorted(marks, key=lambda mark: mark.time))


CASES = {
    "oom": samples.oom(),
    "live": samples.oom("live"),
    "healthy": samples.no_fault(),
    "inconclusive": samples.inconclusive(),
    "empty": EMPTY,
    "no metrics": replace(samples.oom(), snapshot=telemetry.snapshot()),
    "no events": samples.with_marks(samples.oom(), ()),
    "one series": samples.no_fault({"metrics": telemetry.samples("request_rate", lambda t: 5.0)}),
    "one sample": samples.no_fault({"metrics": telemetry.samples("request_rate", lambda t: 5.0)[:1]}),
    "many series": samples.many_series(200),
    "long names": samples.many_series(4, name=LONG),
    "many changes": changes(12, 40),
    "changes at once": changes(5, 0.5),
    "long changes": changes(3, 100, "x" * 300 + "{}{}"),
    "dense": dense(),
}
HOSTILE = {f"attack {n}": hostile(ATTACKS[n]) for n in (0, 3, 6, 7, 9)}


def texts(chart: Chart) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, with the box it takes in pixels, without the arrow of an annotation."""
    renderer: RendererAgg = FigureCanvasAgg(chart).get_renderer()  # type: ignore[no-untyped-call]
    chart.draw(renderer)
    found = [text for text in chart.findobj(Text) if isinstance(text, Text) and text.get_text() and text.get_visible()]
    return [(text.get_text(), Text.get_window_extent(text, renderer)) for text in found]


def overlaps(drawn: list[tuple[str, Bbox]]) -> Iterator[tuple[str, str]]:
    for (first, one), (second, two) in itertools.combinations(drawn, 2):
        shared = Bbox.intersection(one, two)
        if shared is not None and shared.width > 2 and shared.height > 3:
            yield first, second


def drawn_lines(chart: Chart) -> int:
    """Data lines: those with more points than the helper lines have."""
    return sum(
        np.size(line.get_xdata()) > 10 for axes in chart.axes for line in axes.lines if line.get_linestyle() != "None"
    )


@pytest.mark.parametrize("case", [*CASES, *HOSTILE])
def test_timeline_draws_and_no_text_touches_another(case: str) -> None:
    chart = charts.timeline((CASES | HOSTILE)[case])
    drawn = texts(chart)
    assert list(overlaps(drawn)) == []
    width, height = chart.get_size_inches() * chart.dpi
    for text, box in drawn:
        assert box.x0 >= 0, text
        assert box.x1 <= width + 2, text
        assert box.y0 >= 0, text
        assert box.y1 <= height, text


@pytest.mark.parametrize("name", charts.CHARTS)
@pytest.mark.parametrize("case", ["oom", "many series", "long names", "one sample"])
def test_every_chart_stands_every_case(name: str, case: str) -> None:
    chart = charts.CHARTS[name](CASES[case])
    assert list(overlaps(texts(chart))) == []
    assert chart.alt
    assert drawn_lines(chart) <= 2 * MAX_SERIES


@pytest.mark.parametrize("name", charts.CHARTS)
def test_text_is_large_enough_for_a_phone(name: str) -> None:
    chart = charts.CHARTS[name](samples.oom())
    assert all(
        float(text.get_fontsize()) >= 10 for text in chart.findobj(Text) if isinstance(text, Text) and text.get_text()
    )
    assert chart.get_size_inches()[0] <= 6.5


@pytest.mark.parametrize("name", charts.CHARTS)
def test_the_same_diagnosis_gives_the_same_bytes(name: str) -> None:
    first, second = (charts.CHARTS[name](samples.oom()).png("content") for _ in range(2))
    assert first == second
    with Image.open(io.BytesIO(first)) as image:
        assert "Software" not in image.info
        assert image.info["Comment"] == "content"


def test_drawing_leaves_global_settings_alone() -> None:
    before = dict(mpl.rcParams)
    charts.timeline(samples.oom()).png()
    assert dict(mpl.rcParams) == before


def test_the_users_own_settings_do_not_change_a_figure() -> None:
    usual = charts.timeline(samples.oom()).png()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 9, "text.color": "red"}):
        assert charts.timeline(samples.oom()).png() == usual


def test_a_chart_shows_itself_in_a_notebook() -> None:
    assert charts.timeline(samples.no_fault())._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_hostile_text_can_be_kept_in_the_file(attack: str) -> None:
    chart = canvas.message("Nothing", "nowhere", attack)
    with Image.open(io.BytesIO(chart.png())) as image:
        assert image.info["Description"] == visible(chart.alt)


# the timeline


def test_the_title_is_the_verdict() -> None:
    words = " ".join(text for text, _ in texts(charts.timeline(samples.oom())))
    assert "cannot stay up" in words
    assert "RECORDED incident oom-memory-limit" in words
    assert "RECORDED" not in " ".join(text for text, _ in texts(charts.timeline(samples.oom("live"))))


def test_users_stand_above_resources_above_what_happened() -> None:
    wanted = (
        "Requests from users",
        "Share of requests",
        "95th",
        "Memory in use",
        "CPU",
        "Restarts",
        "Event",
        "New log",
    )
    boxes = {text: box.y0 for text, box in texts(charts.timeline(samples.oom()))}
    heights = [next(y for text, y in boxes.items() if text.startswith(words)) for words in wanted]
    assert heights == sorted(heights, reverse=True)


def test_the_change_is_a_line_through_all_panels_left_of_the_shade() -> None:
    chart = charts.timeline(samples.oom())
    back = min(chart.axes, key=lambda axes: axes.get_zorder())
    change = (telemetry.CHANGED - telemetry.WINDOW.start).total_seconds()
    line = next(line for line in back.lines if np.asarray(line.get_xdata()).tolist() == [change, change])
    bottom, top = np.asarray(line.get_ydata()).tolist()
    assert bottom == 0
    assert top > 0.95
    shade = back.patches[0].get_extents().transformed(back.transData.inverted())
    assert shade.x0 == pytest.approx((telemetry.KILLED - telemetry.WINDOW.start).total_seconds())
    assert shade.x1 == pytest.approx(telemetry.WINDOW.seconds)


def test_a_trouble_that_began_before_the_window_says_so() -> None:
    early = telemetry.WINDOW.start - timedelta(minutes=5)
    diagnosis = samples.oom()
    chart = charts.timeline(replace(diagnosis, timeline=replace(diagnosis.timeline, onset=early)))
    assert any("began before 11:55:00" in text for text, _ in texts(chart))


def test_at_most_six_series_and_the_verdicts_object_among_them() -> None:
    many = samples.many_series(200)
    target = "Deployment/default/service-3"
    named = replace(many, verdict=replace(samples.OOM_VERDICT, object=target))
    for diagnosis in (many, named):
        assert sum(len(panel.lines) for panel in panels_of(diagnosis)) <= MAX_SERIES
    assert {panel.lines[0].object for panel in panels_of(named)} == {target}


def test_a_signal_that_moved_gets_a_panel_of_its_own() -> None:
    slow = telemetry.samples("dependency_latency_p95_seconds", lambda t: 0.01 if t < 0 else 2.0)
    onset = replace(samples.ONSETS[0], signal="dependency_latency_p95_seconds", before=0.01, after=2.0, unit="seconds")
    assert [p.signal for p in panels_of(replace(samples.no_fault({"metrics": slow}), onsets=(onset,)))] == [
        onset.signal
    ]


def test_gaps_stay_gaps() -> None:
    rows = telemetry.samples("request_rate", lambda t: None if 0 < t < 120 else 5.0)
    (line,) = lines_of(samples.no_fault({"metrics": rows}), "request_rate")
    assert np.isnan(line.y).sum() == 1
    assert 0 < line.x[np.isnan(line.y)][0] - (telemetry.CHANGED - telemetry.WINDOW.start).total_seconds() < 120


def test_a_line_that_stops_is_not_drawn_on() -> None:
    rows = telemetry.samples("request_rate", lambda t: None if t > 60 else 5.0)
    chart = charts.timeline(samples.no_fault({"metrics": rows}))
    assert any(text.endswith("ends 12:04") for text, _ in texts(chart))
    assert "no samples after 12:04:10" in chart.alt


def test_pods_of_one_object_are_one_line() -> None:
    rows = [r for pod in "ab" for r in telemetry.samples("request_rate", lambda t: 5.0, pod=pod)]
    rows += [r for pod in "ab" for r in telemetry.samples("error_ratio", lambda t: 0.5, pod=pod)]
    diagnosis = samples.no_fault({"metrics": rows})
    assert lines_of(diagnosis, "request_rate")[0].peak == 10
    assert lines_of(diagnosis, "error_ratio")[0].peak == 0.5


def test_long_names_can_be_told_apart() -> None:
    labels = {text.split("\n")[0] for text, _ in texts(charts.timeline(CASES["long names"])) if text.startswith("…")}
    assert len(labels) == 3


def test_memory_is_drawn_against_its_limit_old_and_new() -> None:
    words = [text for text, _ in texts(charts.timeline(samples.oom()))]
    assert "limit 256 MiB" in words
    assert "limit 10 MiB" in words


def test_a_limit_far_above_does_not_flatten_the_line() -> None:
    rows = [
        *telemetry.samples("memory_working_set_bytes", lambda t: 40 * telemetry.MIB),
        *telemetry.samples("memory_limit_bytes", lambda t: 8192 * telemetry.MIB),
    ]
    chart = charts.timeline(samples.no_fault({"metrics": rows}))
    assert any("limit 8 GiB" in text and "off scale" in text for text, _ in texts(chart))
    assert max(axes.get_ylim()[1] for axes in chart.axes) < 100


@pytest.mark.parametrize(
    ("case", "words"), [("no metrics", "No metrics"), ("no events", "No restart"), ("empty", "No metrics")]
)
def test_what_is_empty_says_why(case: str, words: str) -> None:
    assert any(text.startswith(words) for text, _ in texts(charts.timeline(CASES[case])))


def test_a_prometheus_that_failed_is_named() -> None:
    absent = Missing(source="prometheus", reason="connection refused")
    chart = charts.timeline(replace(EMPTY, snapshot=telemetry.snapshot(missing=(absent,))))
    assert any("prometheus: connection refused" in text for text, _ in texts(chart))


def test_what_a_server_counted_is_told_once_as_a_span() -> None:
    back_off = "BackOff: Back-off restarting failed container app"
    marks = [
        TimelineMark(time=telemetry.at(t), kind="event", object=f"Pod/default/{pod}", text=f"{back_off} ({n} times)")
        for pod, n in (("a", 20), ("b", 22))
        for t in (10, 200)
    ]
    (lane,) = lanes_of(samples.with_marks(samples.oom(), marks))
    assert lane.heading == "Event BackOff · 42 times · Back-off restarting failed container app"
    assert lane.spans == ((501, 691), (501, 691))
    assert lane.x == ()


def test_dense_marks_become_one_with_a_count() -> None:
    counts = [int(text) for text, _ in texts(charts.timeline(dense())) if re.fullmatch(r"\d+", text) and int(text) > 20]
    assert sum(counts) > 300
    assert clusters([0, 1, 2, 50, 52], 0.1) == [[0, 1, 2], [50], [52]]
    assert clusters([0, 1, 3, 90], 0.1) == [[0, 1, 3], [90]]


def test_changes_at_once_share_a_line_and_many_are_counted() -> None:
    assert any("(and 4 more)" in text for text, _ in texts(charts.timeline(CASES["changes at once"])))
    assert any("more changes" in text for text, _ in texts(charts.timeline(CASES["many changes"])))


def test_the_alt_text_tells_what_the_eye_finds() -> None:
    alt = charts.timeline(samples.oom()).alt
    for words in ("11:55:00 to 12:10:00 UTC", "cannot stay up", "256Mi to 10Mi", "Share of requests", "OOMKilled"):
        assert words in alt


# the other charts


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("signals", "Share of requests that fail rose from 0 % to 38 % at 12:03:21: Deployment default/broken-app."),
        ("log_levels", "Errors in the logs rose from 0 to 3.7 a minute at 12:03:20."),
        ("memory", "broken-app used up to 99 % of its memory limit, 9.9 MiB of 10 MiB."),
    ],
)
def test_the_title_is_the_sentence_that_the_chart_proves(name: str, sentence: str) -> None:
    assert charts.CHARTS[name](samples.oom()).alt.startswith(sentence)


@pytest.mark.parametrize("name", ["signals", "log_levels", "memory"])
def test_an_empty_chart_says_why(name: str) -> None:
    chart = charts.CHARTS[name](EMPTY)
    assert chart.is_empty
    assert "There are no metrics" in chart.alt or "No log was read" in chart.alt


def test_no_errors_are_said_to_be_none() -> None:
    quiet = samples.no_fault({"logs": [row for row in telemetry.oom_logs() if row["level"] == "info"]})
    assert charts.log_levels_chart(quiet).alt.startswith("No program logged an error in this window.")


def test_what_an_earlier_container_used_is_not_held_against_a_lower_limit() -> None:
    late = [row for row in telemetry.oom_metrics() if row["signal"] != "memory_working_set_bytes"]
    late += telemetry.samples("memory_working_set_bytes", lambda t: (61 if t < 60 else 9) * telemetry.MIB)
    assert "9 MiB of 10 MiB" in charts.memory_against_limit(samples.no_fault({"metrics": late})).alt


# the axis


@pytest.mark.parametrize("minutes", [1, 3, 15, 30, 60, 240, 1440])
def test_ticks_are_few_and_round(minutes: int) -> None:
    window = TimeWindow.last(minutes=minutes, now=telemetry.END + timedelta(seconds=17))
    ticks, form = canvas.utc_ticks(window)
    assert 2 <= len(ticks) <= 8
    assert all(window.start <= tick <= window.end for tick in ticks)
    assert all(tick.second == 0 for tick in ticks) or form.endswith("%S")


def test_spread_keeps_a_gap_and_the_order() -> None:
    placed = canvas.spread([0.5, 0.1, 0.12], 0.2, 0.0, 0.6)
    assert placed[1] < placed[2] < placed[0]
    assert min(abs(a - b) for a, b in itertools.combinations(placed, 2)) >= 0.2 - 1e-9


def test_text_is_cut_to_its_width() -> None:
    cut = canvas.fit("w" * 500, 1.0)
    assert cut.endswith("…")
    assert canvas.text_width(cut, canvas.BODY) <= 1.0
    assert all(
        canvas.text_width(line, canvas.BODY) <= 1.0 for line in canvas.wrap("word " * 50 + "y" * 90, 1.0, most=3)
    )


def test_axes_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second y-axis."""

    def refuse(self: Axes) -> Axes:
        raise AssertionError("a second axis")

    monkeypatch.setattr(Axes, "twinx", refuse)
    for draw in charts.CHARTS.values():
        draw(samples.oom())


def memory_of(containers: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """Samples of what each container uses, and of its limit, in MiB."""
    return [
        row | {"container": name}
        for name, values in containers.items()
        for signal, value in zip(("memory_working_set_bytes", "memory_limit_bytes"), values, strict=True)
        for row in telemetry.samples(signal, lambda t, value=value: value * telemetry.MIB)
    ]


def test_memory_is_that_of_the_container_nearest_to_its_limit() -> None:
    (panel,) = panels_of(samples.no_fault({"metrics": memory_of({"app": (200, 1024), "proxy": (60, 64)})}))
    assert panel.lines[0].container == "proxy"
    assert panel.limit is not None
    assert panel.limit.last == 64 * telemetry.MIB


def test_memory_is_named_by_its_container_and_kept_from_a_limit_that_is_gone() -> None:
    rows = memory_of({"app": (48, 64), "proxy": (48, 64)})

    def told(declared_mib: float) -> str:
        spec = {"object": telemetry.WEB, "memory_limit_bytes": declared_mib * telemetry.MIB}
        containers = [{**spec, "container": name} for name in ("app", "proxy")]
        return charts.CHARTS["memory"](samples.no_fault({"metrics": rows, "containers": containers})).alt

    assert "broken-app/app used up to 75 %" in told(64)
    assert "75 %" not in told(32)
