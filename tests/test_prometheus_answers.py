"""A Prometheus that answers 200 in another shape, or warns of its own answers: each is told, and stops nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from bad_server import Answer, sends, served, with_length
from recorded import FOLDER, NODES

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import SourceError
from srelab_lib.model import Missing, Snapshot, TimeWindow
from srelab_lib.settings import Settings
from srelab_lib.signals.promql import CATALOGUE
from srelab_lib.sources.connect import connect
from srelab_lib.sources.incidents import load_incident
from srelab_lib.sources.snapshot import collect

NOW = datetime(2026, 11, 25, 2, 40, tzinfo=UTC)
WINDOW = TimeWindow.last(minutes=5, now=NOW)
RECORDED = {item.params.get("query", item.path): item.body for item in load_incident(FOLDER).exchanges("prometheus")}
MATRIX = RECORDED[NODES]
BUILT = {"status": "success", "data": {"version": "3.0.0"}}
NO_ALERTS = {"status": "success", "data": {"alerts": []}}
SERIES = MATRIX["data"]["result"][0]


def matrix(**series: Any) -> dict[str, Any]:
    """A recorded answer, something of its first series altered, or gone where it is None."""
    altered = {name: value for name, value in (SERIES | series).items() if value is not None}
    return {"status": "success", "data": {"resultType": "matrix", "result": [altered]}}


STRANGE: dict[str, dict[str, Any]] = {
    "result is null": {"status": "success", "data": {"resultType": "matrix", "result": None}},
    "no data": {"status": "success"},
    "another type": {"status": "success", "data": {"resultType": "vector", "result": []}},
    "a series is null": {"status": "success", "data": {"resultType": "matrix", "result": [None]}},
    "no metric": matrix(metric=None),
    "a label is null": matrix(metric={"pod": None}),
    "no values": matrix(values=None),
    "garbage value": matrix(values=[[1795577073, "garbage"]]),
    "no pair": matrix(values=[[1795577073]]),
    "garbage time": matrix(values=[["a", "1"]]),
    "time without end": matrix(values=[[1e300, "1"]]),
}
STRANGE_ALERTS = {
    "null": [None],
    "no labels": [{}],
    "labels are null": [{"labels": None, "state": "firing"}],
    "no state": [{"labels": {"alertname": "Down"}}],
    "no list": {"a": 1},
}


def prometheus(ranges: Mapping[str, Any], alerts: Mapping[str, Any] = NO_ALERTS) -> Answer:
    """A server that answers every range query alike."""

    def answer(connection: socket.socket, request: bytes) -> None:
        path = request.split()[1].partition(b"?")[0]
        body = {b"/api/v1/query_range": ranges, b"/api/v1/alerts": alerts}.get(path, BUILT)
        connection.sendall(with_length(json.dumps(body).encode()))

    return answer


def seen(answer: Answer) -> Snapshot:
    """The recording, with the metrics of a server."""
    with served(answer) as server:
        settings = Settings(source="incident", incident=FOLDER.name, prometheus_url=server.url)
        with connect(settings, incidents_dir=FOLDER.parent, now=NOW) as connection:
            return collect(connection)


def told(snapshot: Snapshot, source: str) -> Missing:
    [missing] = [item for item in snapshot.missing if item.source == source]
    return missing


@pytest.mark.parametrize("name", STRANGE)
def test_a_range_of_another_shape_is_a_gap_with_its_reason(name: str) -> None:
    snapshot = seen(prometheus(STRANGE[name]))
    assert snapshot["metrics"].empty
    assert not snapshot["pods"].empty
    missing = told(snapshot, "Prometheus")
    assert missing.reason.startswith("the answer is not Prometheus': ")
    assert not missing.deciding


@pytest.mark.parametrize("name", STRANGE_ALERTS)
def test_alerts_of_another_shape_are_a_gap_with_its_reason(name: str) -> None:
    alerts = {"status": "success", "data": {"alerts": STRANGE_ALERTS[name]}}
    missing = told(seen(prometheus(MATRIX, alerts)), "alerts")
    assert missing.reason.startswith("the answer is not Prometheus': ")


def test_recorded_answers_have_the_shape() -> None:
    snapshot = seen(prometheus(MATRIX, RECORDED["/api/v1/alerts"]))
    assert not snapshot["metrics"].empty
    assert snapshot.missing == ()


def test_what_the_server_says_of_its_answers_is_told_once() -> None:
    partial, doubtful = "3 of 5 stores failed", "PromQL info: metric might not be a counter"
    ranges = MATRIX | {"warnings": [partial], "infos": [f"{doubtful} (1:9)", f"{doubtful} (2:3)"]}
    snapshot = seen(prometheus(ranges, NO_ALERTS | {"warnings": [partial]}))
    assert not snapshot["metrics"].empty
    assert [(item.source, item.reason, item.deciding) for item in snapshot.missing] == [
        ("Prometheus", f"it answers and warns: {partial}", False),
        ("Prometheus", f"it answers and warns: {doubtful}", False),
        ("alerts", f"it answers and warns: {partial}", False),
    ]
    assert snapshot.missing[0].matters.split(", ")[0] == CATALOGUE[0].title


def test_an_answer_that_is_no_success_is_told_in_the_words_of_the_server() -> None:
    body = {"status": "error", "error": "no store answers"}
    with served(sends(with_length(json.dumps(body).encode()))) as server, closing(PrometheusClient(server.url)) as one:
        with pytest.raises(SourceError, match="no success, no store answers"):
            one.query_range("up", WINDOW, 10, deadline=Deadline(5))
        with pytest.raises(SourceError, match="no success"):
            one.query("up", NOW, deadline=Deadline(5))
