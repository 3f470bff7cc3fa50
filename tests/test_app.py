"""The target app in process: its routes, its switches, what it counts."""

from __future__ import annotations

import importlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app_helpers import APP, free_port, value
from flask import Flask
from werkzeug.serving import make_server

Make = Callable[..., Flask]
ORDER = {"product": "mug", "quantity": 2}


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    monkeypatch.syspath_prepend(str(APP))
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    module = importlib.import_module("app")

    def make_app(**environment: str) -> Flask:
        state = {"STATE_DIR": str(tmp_path / environment.get("ROLE", "shop"))}
        created: Flask = module.create_app(module.read_config(state | environment))
        return created

    return make_app


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def inventory(make: Make) -> Iterator[str]:
    with served(make(ROLE="inventory")) as url:
        yield url


def test_a_healthy_shop(make: Make, inventory: str) -> None:
    client = make(DEPENDENCY_URL=inventory).test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    assert '"product":"kettle"' in client.get("/api/products").text
    assert client.post("/api/checkout", json=ORDER).status_code == 201
    assert client.get("/api/orders").json == {"orders": [{"id": 1, **ORDER}]}
    metrics = client.get("/metrics").text
    assert value(metrics, "http_requests_total", method="POST", path="/api/checkout", status="201") == 1
    assert value(metrics, "http_request_duration_seconds_count", path="/api/products") == 1
    assert value(metrics, "dependency_request_duration_seconds_count", dependency="inventory", outcome="200") == 2
    assert value(metrics, "http_requests_in_flight") == 0


def test_probes_and_scrapes_are_not_counted(make: Make, inventory: str) -> None:
    client = make(DEPENDENCY_URL=inventory).test_client()
    for path in ("/healthz", "/metrics", "/faults"):
        assert client.get(path).status_code == 200
    assert value(client.get("/metrics").text, "http_requests_total") == 0


def test_a_missing_setting_stops_the_shop(make: Make) -> None:
    with pytest.raises(KeyError, match="DEPENDENCY_URL"):
        make()


def test_unchecked_input_is_an_exception(make: Make, inventory: str, caplog: pytest.LogCaptureFixture) -> None:
    client = make(DEPENDENCY_URL=inventory).test_client()
    assert client.post("/api/checkout", json={**ORDER, "quantity": "two"}).status_code == 500
    assert "ValueError: invalid literal for int() with base 10: 'two'" in caplog.text


@pytest.mark.parametrize(
    ("switch", "path", "error"),
    [
        ("error_rate", "/api/products", "DiscountError: no discount rule"),
        ("schema_mismatch", "/api/orders", "OperationalError: no such column: currency"),
    ],
)
def test_exception_switches(
    make: Make, inventory: str, switch: str, path: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = make(DEPENDENCY_URL=inventory).test_client()
    assert client.post(f"/faults/{switch}", data="true").json[switch] == 1.0  # type: ignore[index]
    assert client.get(path).status_code == 500
    assert error in caplog.text
    assert client.delete(f"/faults/{switch}").status_code == 200
    assert client.get(path).status_code == 200


def test_the_environment_switches_too_and_delete_wins(make: Make, inventory: str) -> None:
    client = make(DEPENDENCY_URL=inventory, FAULT_ERROR_RATE="1").test_client()
    assert client.get("/api/orders").status_code == 500
    client.delete("/faults/error_rate")
    assert client.get("/api/orders").status_code == 200


@pytest.mark.parametrize("text", ["soon", "-1", '"1"', "null", "NaN"])
def test_a_wrong_switch_value_is_refused(make: Make, inventory: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|a switch is a number"):
        make(DEPENDENCY_URL=inventory, FAULT_ERROR_RATE=text)
    client = make(DEPENDENCY_URL=inventory).test_client()
    assert client.post("/faults/error_rate", data=text).status_code == 400
    assert client.post("/faults/no_such", data="1").status_code == 404


def test_a_leaking_pool_runs_dry_and_recovers(make: Make, inventory: str, caplog: pytest.LogCaptureFixture) -> None:
    client = make(DEPENDENCY_URL=inventory).test_client()
    client.post("/faults/deadlock_pool", data="true")
    assert [client.get("/api/products").status_code for _ in range(5)] == [200] * 4 + [503]
    assert "connection pool of inventory exhausted" in caplog.text
    metrics = client.get("/metrics").text
    assert (
        value(metrics, "dependency_pool_connections_in_use") == value(metrics, "dependency_pool_connections_max") == 4
    )
    assert value(metrics, "dependency_request_duration_seconds_count", outcome="pool_exhausted") == 1
    client.delete("/faults/deadlock_pool")
    assert client.get("/api/products").status_code == 200
    assert value(client.get("/metrics").text, "dependency_pool_connections_in_use") == 0


def test_a_slow_dependency_is_waited_for_and_then_given_up(make: Make) -> None:
    slow = make(ROLE="inventory", FAULT_SLOW_DEPENDENCY_SECONDS="0.6")
    with served(slow) as url:
        patient = make(DEPENDENCY_URL=url, DEPENDENCY_TIMEOUT_SECONDS="30").test_client()
        begun = time.monotonic()
        assert patient.get("/api/products").status_code == 200
        assert time.monotonic() - begun > 0.6
        hasty = make(DEPENDENCY_URL=url, DEPENDENCY_TIMEOUT_SECONDS="0.2").test_client()
        assert hasty.get("/api/products").status_code == 504
        metrics = hasty.get("/metrics").text
        assert value(metrics, "dependency_request_duration_seconds_count", outcome="timeout") == 1


def test_a_dead_dependency_is_asked_again_as_often_as_configured(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    client = make(DEPENDENCY_URL=f"http://127.0.0.1:{free_port()}", DEPENDENCY_RETRIES="2").test_client()
    assert client.get("/api/products").status_code == 502
    assert "Connection refused" in caplog.text
    metrics = client.get("/metrics").text
    assert value(metrics, "dependency_request_duration_seconds_count", outcome="unreachable") == 3
    assert value(metrics, "dependency_retries_total", dependency="inventory") == 2


def test_a_wrong_token_is_refused(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with served(make(ROLE="inventory", DEPENDENCY_TOKEN="new")) as url:
        assert make(DEPENDENCY_URL=url, DEPENDENCY_TOKEN="new").test_client().get("/api/products").status_code == 200
        assert make(DEPENDENCY_URL=url, DEPENDENCY_TOKEN="old").test_client().get("/api/products").status_code == 502
    assert "inventory answered GET /stock with 401 UNAUTHORIZED" in caplog.text


def test_a_rate_limit_refuses(make: Make) -> None:
    client = make(ROLE="inventory", RATE_LIMIT_PER_SECOND="1").test_client()
    assert {client.get("/stock").status_code for _ in range(5)} == {200, 429}
    assert {make(ROLE="inventory").test_client().get("/stock").status_code for _ in range(5)} == {200}


def test_a_slow_query_is_measured_and_logged(make: Make, inventory: str, caplog: pytest.LogCaptureFixture) -> None:
    client = make(DEPENDENCY_URL=inventory).test_client()
    client.post("/faults/slow_query_seconds", data="1.05")
    assert client.get("/api/orders").status_code == 200
    assert re.search(r"slow query: latest_orders took 1\.\d\d s", caplog.text)
    assert value(client.get("/metrics").text, "db_query_duration_seconds_sum", query="latest_orders") > 1


def test_the_load_generator_counts_what_it_gets(make: Make, inventory: str) -> None:
    load = importlib.import_module("load")
    tally = load.Tally()
    with served(make(DEPENDENCY_URL=inventory)) as url:
        for request in load.MIX:
            tally.add(load.ask(url, request, json.dumps(ORDER)), 0.01)
    tally.add(load.ask(f"http://127.0.0.1:{free_port()}", "GET /", ""), 0.5)
    summary = tally.summary()
    assert summary["statuses"] == {"200": 4, "201": 1, "ConnectionRefusedError": 1}
    assert (summary["message"], summary["level"]) == ("6 requests, 1 failed", "warning")
    assert (summary["p50_seconds"], summary["p95_seconds"]) == (0.01, 0.5)
    assert tally.summary()["message"] == "0 requests, 0 failed"


def test_the_app_knows_nothing_of_the_lab() -> None:
    for module in APP.glob("*.py"):
        assert not re.search(r"^\s*(from|import)\s+srelab_lib", module.read_text(), re.MULTILINE), module
