"""Matrices of a real Prometheus as one long table."""

from __future__ import annotations

from typing import Any

import pandas as pd
from signals_data import payload

from srelab_lib.signals.frames import check
from srelab_lib.signals.metrics import metrics_table, series_name
from srelab_lib.signals.ownership import Owners

REAL = payload("metrics.json.gz")["payloads"]


def data(*values: tuple[float, str], **labels: str) -> dict[str, Any]:
    return {"resultType": "matrix", "result": [{"metric": labels, "values": [list(value) for value in values]}]}


def test_every_sample_of_a_real_answer_is_a_row() -> None:
    metrics = check("metrics", metrics_table(REAL, Owners()))
    samples = sum(len(item["values"]) for answer in REAL.values() for item in answer["result"])
    assert len(metrics) == samples
    assert metrics.notna().all()[["signal", "object", "series", "time", "value"]].all()
    assert {"Deployment/default/broken-app", "Node//sre-lab-worker"} <= set(metrics["object"])


def test_labels_of_a_real_answer_become_columns_and_series() -> None:
    metrics = metrics_table(REAL, Owners())
    memory = metrics[metrics["signal"] == "memory_working_set_bytes"]
    assert set(memory["container"]) == {"broken-app", "inventory", "load-generator"}
    assert set(memory["series"]) == {""}
    dependencies = metrics[metrics["signal"] == "dependency_latency_p95_seconds"]
    assert "dependency=inventory,metric=dependency_request_duration_seconds" in set(dependencies["series"])
    assert not metrics["series"].str.contains("instance|namespace|pod=|node=").any()


def test_times_are_exact_to_the_millisecond() -> None:
    (row,) = metrics_table({"target_up": data((1700000000.123, "1"))}, Owners()).to_dict("records")
    assert row["time"] == pd.Timestamp("2023-11-14T22:13:20.123Z")


def test_values_that_are_no_numbers_are_gaps() -> None:
    values = [(0, "1"), (10, "NaN"), (20, "+Inf"), (30, "-Inf"), (60, "2e-3")]
    metrics = metrics_table({"error_ratio": data(*values, namespace="n", pod="p")}, Owners())
    assert metrics["value"].tolist() == [1, 0.002]
    assert metrics["time"].diff().iloc[1] == pd.Timedelta(seconds=60)


def test_an_instant_answer_is_read_too() -> None:
    vector = {"resultType": "vector", "result": [{"metric": {"pod": "p", "namespace": "n"}, "value": [0, "5"]}]}
    assert metrics_table({"target_up": vector}, Owners())["value"].tolist() == [5]


def test_nothing_gives_an_empty_table() -> None:
    nothing: dict[str, Any] = {"resultType": "matrix", "result": []}
    assert check("metrics", metrics_table({"target_up": nothing}, Owners())).empty
    assert check("metrics", metrics_table({}, Owners())).empty
    assert metrics_table({"target_up": data((0, "NaN"))}, Owners()).empty


def test_the_name_of_a_series_is_sorted_and_short() -> None:
    labels = {"b": "2", "a": "1", "__name__": "x", "namespace": "n", "pod": "p", "empty": "", "instance": "i"}
    assert series_name(labels) == "a=1,b=2"
