"""Onsets: found where a series changes, and not in noise, by seeded simulations of many kinds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from signals_data import payload

from srelab_lib.model import TimeWindow
from srelab_lib.signals.changepoint import Array, find_shift
from srelab_lib.signals.frames import check, frame
from srelab_lib.signals.metrics import metrics_table
from srelab_lib.signals.onset import onsets_table
from srelab_lib.signals.ownership import Owners
from srelab_lib.signals.promql import QUERIES

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = 10
Maker = Callable[[np.random.Generator, int], Array]


def window(length: int) -> TimeWindow:
    return TimeWindow(start=START, end=START + timedelta(seconds=STEP * (length - 1)))


def metrics(*parts: tuple[str, Any], pod: str = "p", ref: str = "Deployment/n/web", series: str = "") -> pd.DataFrame:
    """A table of signals; NaN is a gap."""
    rows = [
        {"signal": signal, "object": ref, "pod": pod, "container": "c", "series": series,
         "time": START + timedelta(seconds=STEP * i), "value": float(value)}
        for signal, values in parts for i, value in enumerate(values) if not np.isnan(value)
    ]  # fmt: skip
    return frame("metrics", rows)


def onsets(*parts: tuple[str, Any]) -> pd.DataFrame:
    """Onsets of signals of one object."""
    return check("onsets", onsets_table(metrics(*parts), window(max(len(values) for _, values in parts))))


def only(signal: str, values: Any) -> dict[str, Any]:
    rows = onsets((signal, values)).to_dict("records")
    assert len(rows) == 1, rows
    row: dict[str, Any] = {str(column): value for column, value in rows[0].items()}
    return row | {"index": round((row["time"] - pd.Timestamp(START)).total_seconds() / STEP)}


def smeared(counts: Any, width: int = 6) -> Array:
    """What `rate()` over a minute makes of counts per 10 s: neighbours share five of six scrapes."""
    return np.convolve(counts, np.ones(width) / (width * STEP), "valid")


def autoregressive(rng: np.random.Generator, length: int, phi: float) -> Array:
    noise, values = rng.normal(0, 1, length + 100), np.zeros(length + 100)
    for i in range(1, len(values)):
        values[i] = phi * values[i - 1] + noise[i]
    return values[100:]


STATIONARY: dict[str, Maker] = {
    "white noise": lambda rng, n: 10 + rng.normal(0, 1, n),
    "wide white noise": lambda rng, n: 10 + rng.normal(0, 4, n),
    "log-normal": lambda rng, n: rng.lognormal(0, 0.5, n),
    "heavy tails": lambda rng, n: 10 + rng.standard_t(2, n),
    "rate of many": lambda rng, n: smeared(rng.poisson(50, n + 5)),
    "rate of few": lambda rng, n: smeared(rng.poisson(3, n + 5)),
    "rate of rare events": lambda rng, n: smeared(rng.poisson(0.1, n + 5)),
    "ratio of errors": lambda rng, n: smeared(rng.poisson(0.5, n + 5)) / smeared(rng.poisson(50, n + 5)),
    "AR(1) 0.5": lambda rng, n: 10 + autoregressive(rng, n, 0.5),
    "AR(1) 0.8": lambda rng, n: 10 + autoregressive(rng, n, 0.8),
    "AR(1) 0.9": lambda rng, n: 10 + autoregressive(rng, n, 0.9),
    "single spikes": lambda rng, n: 10 + rng.normal(0, 0.3, n) + 20 * (rng.random(n) < 0.03),
    "whole numbers": lambda rng, n: rng.binomial(3, 0.3, n).astype("float64"),
    "garbage collection": lambda rng, n: (
        100 + 3.0 * ((np.arange(n) + rng.integers(9)) % rng.integers(4, 10)) + rng.normal(0, 2, n)
    ),
    "the time of day": lambda rng, n: (
        10 + 1.5 * np.sin(np.linspace(0, rng.uniform(0.3, 2) * np.pi, n) + rng.uniform(0, 6)) + rng.normal(0, 0.5, n)
    ),
    "constant": lambda rng, n: np.full(n, 5.0),
}  # fmt: skip
RUNS = 100
ALLOWED = 0.04
"""Of the runs of one kind; a namespace has some thirty series that can look like anything."""


@pytest.mark.parametrize("length", [90, 180])
@pytest.mark.parametrize("kind", STATIONARY)
def test_noise_is_no_onset(kind: str, length: int) -> None:
    rng = np.random.default_rng(20260101)
    alarms = 0
    for _ in range(RUNS):
        values = STATIONARY[kind](rng, length)
        floor = 0.01 if kind == "ratio of errors" else 0.1
        alarms += find_shift(values, floor=floor, bad="up", drifts=False, smear=6) is not None
        alarms += find_shift(values, floor=floor, bad="both", drifts=True, smear=6) is not None
    assert alarms <= 2 * RUNS * ALLOWED


def step_at(size: float) -> Callable[[np.random.Generator, int, int], Array]:
    def make(rng: np.random.Generator, n: int, k: int) -> Array:
        values = 10 + rng.normal(0, 1, n)
        values[k:] += size
        return values

    return make


def rate_at(after: float) -> Callable[[np.random.Generator, int, int], Array]:
    def make(rng: np.random.Generator, n: int, k: int) -> Array:
        return smeared(np.concatenate([rng.poisson(50, k + 5), rng.poisson(after, n - k)]).astype("float64"))

    return make


def errors_at(rng: np.random.Generator, n: int, k: int) -> Array:
    return np.concatenate([np.zeros(k), 0.5 + rng.normal(0, 0.05, n - k)])


def leak_at(rng: np.random.Generator, n: int, k: int) -> Array:
    return 40 + rng.normal(0, 0.5, n) + 0.5 * np.maximum(0, np.arange(n) - k)


def outage_at(rng: np.random.Generator, n: int, k: int) -> Array:
    values = 10 + rng.normal(0, 1, n)
    values[k : k + 20] += 10
    return values


CHANGES: dict[str, tuple[Callable[[np.random.Generator, int, int], Array], str, list[tuple[int, int]]]] = {
    "a step": (step_at(10), "up", [(180, 90), (180, 20), (180, 160), (90, 60), (40, 25)]),
    "a small step": (step_at(5), "up", [(180, 90), (180, 20), (180, 160)]),
    "a fall by half": (step_at(-5), "both", [(180, 90), (180, 20), (180, 160)]),
    "three times the requests": (rate_at(150), "both", [(180, 90), (180, 160), (90, 60)]),
    "no request any more": (rate_at(0), "both", [(180, 90), (180, 20), (180, 160), (90, 60)]),
    "errors out of nothing": (errors_at, "up", [(180, 90), (180, 20), (180, 170), (40, 25)]),
    "a leak": (leak_at, "up", [(180, 90), (180, 20)]),
    "an outage that ended": (outage_at, "up", [(180, 90), (180, 20), (180, 140), (90, 50)]),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_found_within_two_steps(kind: str) -> None:
    make, bad, places = CHANGES[kind]
    rng = np.random.default_rng(7)
    for length, at in places:
        found = [
            find_shift(make(rng, length, at), floor=0.01, bad=bad, drifts=bad == "both", smear=6) for _ in range(50)
        ]
        starts = np.array([shift.start for shift in found if shift is not None])
        assert len(starts) >= 48, f"{kind}: {len(starts)} of 50 found at {at} of {length}"
        assert np.mean(np.abs(starts - at) <= 2) >= 0.95, f"{kind} at {at} of {length}: {starts}"


def test_levels_before_and_after_and_the_unit() -> None:
    found = only("error_ratio", [0.0] * 60 + [0.5] * 60)
    assert (found["before"], found["after"], found["unit"], found["index"]) == (0, 0.5, "ratio", 60)
    assert found["score"] == pytest.approx(0.5 / QUERIES["error_ratio"].floor)
    assert not found["began_before_window"]


@pytest.mark.parametrize(("signal", "values"), [
    ("error_ratio", [0.5] * 60 + [0.0] * 60),  # errors that end
    ("latency_p95_seconds", [1.0] * 60 + [0.1] * 60),
    ("node_memory_available_ratio", [0.2] * 60 + [0.8] * 60),
    ("memory_limit_bytes", [1e7] * 60 + [1e8] * 60),
])  # fmt: skip
def test_a_change_for_the_better_is_none(signal: str, values: list[float]) -> None:
    rows = onsets((signal, values))
    assert rows["began_before_window"].all()


def test_a_drop_counts_where_a_drop_is_bad() -> None:
    assert only("memory_limit_bytes", [256 * 2.0**20] * 60 + [10 * 2.0**20] * 60)["after"] == 10 * 2**20
    assert only("request_rate", [10.0] * 60 + [0.0] * 60)["after"] == 0
    assert only("node_memory_available_ratio", [0.8] * 60 + [0.2] * 60)["index"] == 60


def test_a_difference_that_nobody_would_care_about_is_none() -> None:
    assert onsets(("latency_p95_seconds", [0.001] * 60 + [0.009] * 60)).empty
    assert onsets(("latency_p95_seconds", [1.0] * 60 + [1.2] * 60)).empty


@pytest.mark.parametrize("width", [1, 2, 6])
def test_one_burst_is_no_onset(width: int) -> None:
    values = np.full(180, 2.0)
    values[90 : 90 + width] = 9
    assert onsets(("request_rate", values)).empty


def test_a_series_that_ends_is_a_fall_to_nothing() -> None:
    gone = [10.0] * 60 + [np.nan] * 60
    rows = onsets(("request_rate", gone), ("node_load1", [1.0] * 120))
    assert rows["signal"].tolist() == ["request_rate"]
    assert rows["after"].tolist() == [0]
    assert rows["time"].iloc[0] == pd.Timestamp(START) + pd.Timedelta(seconds=600)


def test_a_gap_of_prometheus_itself_is_no_fall() -> None:
    hole = [10.0] * 60 + [np.nan] * 30 + [10.0] * 60
    assert onsets(("request_rate", hole), ("target_up", [1.0 + 0 * value for value in hole])).empty
    assert onsets(("request_rate", [10.0] * 60 + [np.nan] * 60)).empty


def test_latency_without_requests_is_unknown_and_no_fall() -> None:
    rows = onsets(("latency_p95_seconds", [0.2] * 60 + [np.nan] * 60), ("node_load1", [1.0] * 120))
    assert rows.empty


def test_errors_that_appear_rise_from_none() -> None:
    rows = onsets(("errors_per_second", [np.nan] * 60 + [3.0] * 60), ("node_load1", [1.0] * 120))
    assert rows[["before", "after"]].to_numpy().tolist() == [[0, 3]]


def test_traffic_that_appears_has_no_baseline() -> None:
    assert onsets(("request_rate", [np.nan] * 60 + [3.0] * 60), ("node_load1", [1.0] * 120)).empty


def test_a_replaced_pod_is_no_change_of_its_object() -> None:
    old = metrics(("request_rate", [10.0] * 60 + [np.nan] * 60), pod="old")
    new = metrics(("request_rate", [np.nan] * 60 + [10.0] * 60), pod="new")
    assert onsets_table(pd.concat([old, new], ignore_index=True), window(120)).empty


def test_pods_of_an_object_are_combined_as_the_signal_says() -> None:
    one = metrics(("request_rate", [5.0] * 60 + [0.0] * 60), ("error_ratio", [0.0] * 60 + [0.9] * 60), pod="a")
    two = metrics(("request_rate", [5.0] * 120), ("error_ratio", [0.0] * 120), pod="b")
    rows = onsets_table(pd.concat([one, two], ignore_index=True), window(120)).sort_values("signal")
    assert rows["signal"].to_list() == ["error_ratio", "request_rate"]
    assert rows[["before", "after"]].to_numpy().tolist() == [[0, 0.9], [10, 5]]


def test_trouble_from_the_left_edge_on_began_before() -> None:
    early = only("error_ratio", [0.0] * 2 + [0.8] * 100)
    assert early["began_before_window"]
    assert (early["index"], np.isnan(early["before"])) == (0, True)
    always = only("error_ratio", [0.8] * 100)
    assert (always["began_before_window"], always["after"]) == (True, 0.8)
    assert only("target_up", [0.0] * 100)["began_before_window"]


def test_a_leak_over_the_whole_window_began_before() -> None:
    leak = (50 + np.arange(120.0)) * 2**20
    assert only("memory_working_set_bytes", leak)["began_before_window"]


def test_a_constant_share_of_errors_is_no_onset() -> None:
    assert onsets(("error_ratio", [0.02] * 100)).empty


def test_short_series_have_no_onset() -> None:
    assert onsets(("error_ratio", [0.0, 0, 1, 1, 1])).empty
    assert check("onsets", onsets_table(frame("metrics"), window(90))).empty
    assert check("onsets", onsets_table(metrics(("error_ratio", [1.0])), window(90))).empty


def test_the_strongest_comes_first_and_the_order_is_the_same_each_time() -> None:
    parts = [("latency_p95_seconds", [0.1] * 60 + [0.4] * 60), ("error_ratio", [0.0] * 60 + [1.0] * 60)]
    rows = onsets(*parts)
    assert rows["signal"].tolist() == ["error_ratio", "latency_p95_seconds"]
    assert rows["score"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(rows, onsets(*reversed(parts)))


def test_signals_that_are_unknown_or_belong_to_nothing_are_left_out() -> None:
    table = metrics(("unheard_of", [0.0] * 60 + [9.0] * 60), ("error_ratio", [0.0] * 60 + [1.0] * 60))
    table["object"] = table["object"].where(table["signal"] == "unheard_of", None)
    assert onsets_table(table, window(120)).empty


def test_a_real_application_that_is_well_has_no_onset() -> None:
    recorded = payload("metrics.json.gz")
    end = datetime.fromtimestamp(recorded["end"], UTC)
    table = metrics_table(recorded["payloads"], Owners())
    assert onsets_table(table, TimeWindow.last(minutes=15, now=end)).empty


def test_the_noise_of_a_whole_namespace_is_no_change() -> None:
    rng = np.random.default_rng(3)
    parts = [
        metrics(("latency_p95_seconds", rng.lognormal(-2, 0.4, 180)), ref=f"Deployment/n/d{number}")
        for number in range(200)
    ]
    assert onsets_table(pd.concat(parts, ignore_index=True), window(180)).empty
