"""The target app as real processes: under gunicorn with two workers, and as the development server."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_helpers import APP, free_port, value

DEADLINE_SECONDS = 60.0
GUNICORN = ["-m", "gunicorn", "--config", "gunicorn_conf.py", "app:create_app()"]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < until, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.1)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A process of the app with what it logged."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    url: str
    state: Path
    log: Path

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def switch(self, name: str, value: object) -> None:
        self.client.post(f"/faults/{name}", json=value).raise_for_status()

    def unswitch(self, name: str) -> None:
        self.client.delete(f"/faults/{name}").raise_for_status()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def started(folder: Path, command: list[str], environment: Mapping[str, str]) -> Iterator[Running]:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PORT": str(port),
        "STATE_DIR": str(folder / "state"),
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=APP, env={**variables, **environment}, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}"
    # A connection for each request: any worker may accept it.
    each_its_own = httpx.Limits(max_keepalive_connections=0)
    try:
        with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS, limits=each_its_own) as client:
            yield Running(process=process, client=client, url=url, state=folder / "state", log=log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("inventory"), GUNICORN, {"ROLE": "inventory"}) as running:
        wait_for(running.answers, "the inventory answers")
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, backend: Running) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("shop"), GUNICORN, {"DEPENDENCY_URL": backend.url}) as running:
        wait_for(running.answers, "the shop answers")
        yield running


def requests_of(running: Running) -> float:
    return value(running.get("/metrics").text, "http_requests_total", path="/api/products")


def test_metrics_are_the_sum_over_the_workers(shop: Running) -> None:
    before = requests_of(shop)

    def busy() -> bool:
        for _ in range(10):
            shop.get("/api/products")
        counted = list((shop.state.parent / "metrics").glob("counter_*.db"))
        return len([file for file in counted if b"/api/products" in file.read_bytes()]) >= 2

    rounds = 0
    while not busy():
        rounds += 1
        assert rounds < 30, "one worker answered 300 requests and the other none"
    asked = 10 * (rounds + 1)
    # Whichever worker answers the scrape.
    assert {requests_of(shop) for _ in range(8)} == {before + asked}
    assert value(shop.get("/metrics").text, "dependency_pool_connections_max") == 8


def test_a_scrape_waits_for_the_file_that_a_worker_has_just_made(shop: Running) -> None:
    made = shop.state.parent / "metrics" / "counter_999999.db"
    made.touch()
    # Its length and padding: what the client library writes into a file without values.
    written = threading.Timer(0.1, made.write_bytes, [struct.pack("ii", 8, 0)])
    written.start()
    try:
        answer = shop.get("/metrics")
    finally:
        written.join()
        made.unlink()
    assert answer.status_code == 200
    assert value(answer.text, "dependency_pool_connections_max") == 8


def test_a_dead_workers_counts_stay_and_its_gauges_go(shop: Running) -> None:
    for _ in range(10):
        shop.get("/api/products")
    before, old = requests_of(shop), set(shop.workers())
    os.kill(min(old), signal.SIGKILL)
    wait_for(lambda: len(set(shop.workers()) - old) == 1 and len(shop.workers()) == 2, "a new worker")
    assert requests_of(shop) == before
    wait_for(lambda: value(shop.get("/metrics").text, "dependency_pool_connections_max") == 8, "gauges of two workers")
    assert any("was sent SIGKILL! Perhaps out of memory?" in line["message"] for line in shop.lines())


def test_a_switch_holds_in_every_worker(shop: Running) -> None:
    shop.switch("error_rate", 1)
    assert {shop.get("/api/products").status_code for _ in range(20)} == {500}
    shop.unswitch("error_rate")
    assert {shop.get("/api/products").status_code for _ in range(20)} == {200}


def test_logs_are_json_and_one_request_has_one_id_everywhere(shop: Running, backend: Running) -> None:
    shop.get("/api/products", **{"X-Request-ID": "abc123"})
    for running, path in ((shop, "/api/products"), (backend, "/stock")):
        [line] = [line for line in running.lines() if line.get("request_id") == "abc123"]
        assert {line["level"], line["method"], line["path"]} == {"info", "GET", path}
        assert line["status"] == 200
        assert 0 < line["duration_seconds"] < DEADLINE_SECONDS
        assert line["time"].endswith("+00:00")
        assert line["message"] == f"GET {path} 200"
    assert not [line for line in shop.log.read_text().splitlines() if not line.startswith("{")]


def test_a_held_transaction_locks_the_database(shop: Running) -> None:
    shop.switch("db_lock", True)
    wait_for(lambda: shop.get("/api/orders").status_code == 500, "an error")
    assert any("OperationalError: database is locked" in line["message"] for line in shop.lines())
    shop.unswitch("db_lock")
    wait_for(lambda: shop.get("/api/orders").status_code == 200, "orders again")


def test_the_leak_is_in_the_first_process(shop: Running) -> None:
    def resident_mib() -> float:
        pages = int(Path(f"/proc/{shop.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    before = resident_mib()
    shop.switch("memory_leak_mib_per_second", 40)
    wait_for(lambda: resident_mib() > before + 30, "30 MiB more")
    shop.unswitch("memory_leak_mib_per_second")


def test_burning_keeps_the_workers_busy(shop: Running) -> None:
    def cpu_seconds() -> float:
        stats = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in shop.workers()]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    before = cpu_seconds()
    shop.switch("cpu_burn", 2)
    wait_for(lambda: cpu_seconds() > before + 1, "a second of CPU time")
    shop.unswitch("cpu_burn")


def test_leaving_ends_the_first_process(tmp_path: Path) -> None:
    environment = {"ROLE": "inventory", "FAULT_EXIT_AFTER_SECONDS": "0.5"}
    with started(tmp_path, GUNICORN, environment) as running:
        assert running.process.wait(timeout=DEADLINE_SECONDS) == 1
        critical = [line for line in running.lines() if line["level"] == "critical"]
        assert [line["message"] for line in critical] == [
            "lost the lease on partition 0, another instance owns it: exiting"
        ]


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({}, "KeyError: 'DEPENDENCY_URL'"),
        (
            {"DEPENDENCY_URL": "http://inventory", "DEPENDENCY_TIMEOUT_SECONDS": "2s"},
            "ValueError: could not convert string to float: '2s'",
        ),
    ],
)
@pytest.mark.parametrize("command", [GUNICORN, ["app.py"]])
def test_a_wrong_environment_is_the_last_line_of_the_log(
    tmp_path: Path, command: list[str], environment: dict[str, str], error: str
) -> None:
    with started(tmp_path, command, environment) as running:
        assert running.process.wait(timeout=DEADLINE_SECONDS) == 1
        assert running.log.read_text().splitlines()[-1] == error


def test_counters_begin_at_zero_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        with started(tmp_path, GUNICORN, {"ROLE": "inventory"}) as running:
            wait_for(running.answers, "the inventory answers")
            assert running.get("/stock").status_code == 200
            assert value(running.get("/metrics").text, "http_requests_total", path="/stock") == 1


def test_the_development_server_says_what_it_is(tmp_path: Path, backend: Running) -> None:
    with started(tmp_path, ["app.py"], {"DEPENDENCY_URL": backend.url}) as running:
        wait_for(running.answers, "the development server answers")
        assert running.get("/api/products").status_code == 200
        assert value(running.get("/metrics").text, "http_requests_total", path="/api/products") == 1
        warning = "WARNING: This is a development server. Do not use it in a production deployment."
        assert running.log.read_text().count(warning) == 1


def test_gunicorn_does_not_warn_of_a_development_server(shop: Running) -> None:
    assert "development server" not in shop.log.read_text()
