"""The catalogue against Prometheus itself: promtool evaluates every query over series of many conventions."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.signals.promql import CATALOGUE, QUERIES, promql

NAMES = {
    "users": {"request_rate", "error_ratio", "latency_p95_seconds", "in_flight_requests"},
    "dependency": {"dependency_latency_p95_seconds", "dependency_error_ratio"},
    "resources": {
        "cpu_usage_cores", "cpu_throttled_ratio", "memory_working_set_bytes", "memory_limit_bytes",
        "oom_events_per_second", "network_receive_bytes_per_second", "network_transmit_bytes_per_second",
        "volume_used_ratio",
    },
    "node": {"node_cpu_ratio", "node_memory_available_ratio", "node_load1", "node_filesystem_used_ratio"},
    "scrape": {"target_up"},
}  # fmt: skip

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on the PATH")

Expected = dict[str, float]
"""Labels of a sample to its value."""


def test_every_signal_is_there_once_with_its_group_and_unit() -> None:
    for group, signals in NAMES.items():
        assert signals <= {query.signal for query in CATALOGUE if query.group == group}
    assert len(QUERIES) == len(CATALOGUE)
    for query in CATALOGUE:
        assert query.unit
        assert query.floor > 0
        assert query.signal.endswith("_ratio") == (query.unit == "ratio")
        assert query.signal.endswith("_bytes") <= (query.unit == "bytes")


def test_placeholders_are_filled_in() -> None:
    for query in CATALOGUE:
        sent = promql(query, namespace="shop", rate_seconds=120)
        assert "$namespace" not in sent
        assert "$rate" not in sent
        assert "$step" not in sent
        assert ("[120s" in sent) == ("$rate" in query.expr)
        assert ('"shop"' in sent) == ("$namespace" in query.expr)


def series(name: str, start: float = 0, step: float = 0, **labels: Any) -> dict[str, str]:
    """A series of 41 samples, 15 s apart."""
    text = ",".join(f'{key}="{value}"' for key, value in ({"namespace": "ns", "pod": "p"} | labels).items() if value)
    return {"series": f"{name}{{{text}}}", "values": f"{start}+{step}x40"}


def labelled(label: str, value: object) -> dict[str, Any]:
    return {label: value}


def histogram(name: str, fast: float, slow: float, **labels: Any) -> list[dict[str, str]]:
    """Requests per 15 s that take at most 0.1 and at most 1."""
    counts = {"0.1": fast, "1": fast + slow, "+Inf": fast + slow}
    return [series(f"{name}_bucket", step=step, le=le, **labels) for le, step in counts.items()]


def evaluated(tmp_path: Path, signal: str, given: list[dict[str, str]], wanted: Expected) -> None:
    """Fails with promtool's comparison when the query gives anything else at 8 minutes, to a millionth."""
    samples = [{"labels": labels, "value": float(f"{1e6 * value:.0f}")} for labels, value in wanted.items()]
    test = {
        "interval": "15s",
        "input_series": given,
        "promql_expr_test": [
            {
                "expr": f"round(1e6 * ({promql(QUERIES[signal], namespace='ns')}))",
                "eval_time": "8m",
                "exp_samples": samples,
            }
        ],
    }
    file = tmp_path / "test.yaml"
    text = json.dumps({"evaluation_interval": "15s", "tests": [test]})
    file.write_text(text.replace("NaN", ".nan"))  # as YAML spells it
    run = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr + run.stdout


NODE: dict[str, Any] = {"namespace": "", "pod": ""}
P = '{namespace="ns", pod="p"}'
CASES: list[tuple[str, list[dict[str, str]], Expected]] = [
    # conventions of counters: 30 requests in 15 s are 2/s
    ("request_rate", [series("http_requests_total", step=30, code=200, handler="/")], {P: 2}),
    ("request_rate", [series("http_server_requests_seconds_count", step=30, status=200, uri="/")], {P: 2}),
    ("request_rate", [series("http_server_request_duration_seconds_count", step=30, http_route="/")], {P: 2}),
    ("request_rate", [series("http_server_duration_milliseconds_count", step=30)], {P: 2}),
    ("request_rate", [series("http_request_duration_seconds_count", step=30)], {P: 2}),
    ("request_rate", [series("request_duration_seconds_count", step=30)], {P: 2}),
    ("request_rate", [series("flask_http_request_total", step=30, status=200)], {P: 2}),
    ("request_rate", [series("django_http_responses_total_by_status_total", step=30, status=200)], {P: 2}),
    ("request_rate", [series("grpc_server_handled_total", step=30, grpc_code="OK")], {P: 2}),
    ("request_rate", [series("istio_requests_total", step=30, response_code=200)], {P: 2}),
    ("request_rate", [series("myshop_http_requests_total", step=30)], {P: 2}),
    # two conventions with equal labels: no error, and no request twice
    ("request_rate", [series("http_requests_total", step=30, status=200),
                      series("http_request_duration_seconds_count", step=30, status=200)], {P: 2}),
    # labels of a metric are summed, pods are not
    ("request_rate", [series("http_requests_total", step=15, status=200),
                      series("http_requests_total", step=15, status=500),
                      series("http_requests_total", step=15, pod="q")],
     {P: 2, '{namespace="ns", pod="q"}': 1}),
    # another namespace, probes, scrapes, the platform's own and what the pod asks of others are not users
    ("request_rate", [series("http_requests_total", step=30, namespace="other"),
                      series("http_requests_total", step=30, path="/healthz"),
                      series("http_requests_total", step=30, handler="/metrics"),
                      series("promhttp_metric_handler_requests_total", step=30, code=200),
                      series("rest_client_requests_total", step=30, code=200),
                      series("http_client_requests_seconds_count", step=30)], {}),
    # the older names of the labels
    ("request_rate", [series("http_requests_total", step=30, namespace="", pod="", kubernetes_namespace="ns",
                             kubernetes_pod_name="p")], {P: 2}),
    # errors, in whatever label they are
    *[("error_ratio", [series("http_requests_total", step=45, **labelled(label, good)),
                       series("http_requests_total", step=15, **labelled(label, bad))], {P: 0.25})
      for label, good, bad in [("status", 200, 500), ("code", 200, 503), ("status_code", 404, 502),
                               ("http_status", 200, 504), ("http_response_status_code", 200, 500),
                               ("response_code", 201, 500), ("status", "2xx", "5xx"),
                               ("outcome", "SUCCESS", "SERVER_ERROR"),
                               ("grpc_code", "OK", "Unavailable"), ("result", "ok", "error")]],
    ("error_ratio", [series("http_requests_total", step=30, status=500)], {P: 1}),
    ("error_ratio", [series("http_requests_total", step=30, status=200)], {P: 0}),
    # a convention without a status does not hide the errors of one that has it
    ("error_ratio", [series("http_requests_total", step=30, status=500),
                     series("http_request_duration_seconds_count", step=30)], {P: 1}),
    # latency, in seconds whatever the histogram is in
    ("latency_p95_seconds", histogram("http_request_duration_seconds", 90, 10), {P: 0.55}),
    ("latency_p95_seconds", histogram("http_server_requests_seconds", 90, 10, uri="/"), {P: 0.55}),
    ("latency_p95_seconds", histogram("http_server_duration_milliseconds", 90, 10), {P: 0.00055}),
    ("latency_p95_seconds", histogram("http_client_request_duration_seconds", 90, 10), {}),
    ("in_flight_requests", [series("http_requests_in_progress", 3), series("http_server_active_requests", 4)], {P: 4}),
    ("errors_per_second", [series("job_failures_total", step=15)],
     {'{metric="job_failures_total", namespace="ns", pod="p"}': 1}),
    # dependencies, by whom they ask
    ("dependency_latency_p95_seconds", histogram("dependency_request_duration_seconds", 90, 10, dependency="db"),
     {'{dependency="db", metric="dependency_request_duration_seconds", namespace="ns", pod="p"}': 0.55}),
    ("dependency_latency_p95_seconds", histogram("http_client_request_duration_seconds", 90, 10, server_address="pay"),
     {'{metric="http_client_request_duration_seconds", namespace="ns", pod="p", server_address="pay"}': 0.55}),
    ("dependency_latency_p95_seconds", histogram("db_query_duration_seconds", 90, 10),
     {'{metric="db_query_duration_seconds", namespace="ns", pod="p"}': 0.55}),
    ("dependency_error_ratio", [series("http_client_request_duration_seconds_count", step=45, server_address="pay"),
                                series("http_client_request_duration_seconds_count", step=15, server_address="pay",
                                       error_type="timeout")],
     {'{metric="http_client_request_duration_seconds", namespace="ns", pod="p", server_address="pay"}': 0.25}),
    ("pool_used_ratio", [series("hikaricp_connections_active", 9, pool="main"), series("hikaricp_connections_max", 10)],
     {'{namespace="ns", pod="p", pool="hikaricp_connections"}': 0.9}),
    ("pool_used_ratio", [series("db_pool_checked_out", 5), series("db_pool_size", 5), series("db_pool_max", 20)],
     {'{namespace="ns", pod="p", pool="db_pool"}': 0.25}),
    ("waiting_requests", [series("hikaricp_connections_pending", 4)],
     {'{metric="hikaricp_connections_pending", namespace="ns", pod="p"}': 4}),
    # containers
    ("cpu_usage_cores", [series("container_cpu_usage_seconds_total", step=7.5, container="c"),
                         series("container_cpu_usage_seconds_total", step=9, container=""),
                         series("container_cpu_usage_seconds_total", step=9, container="POD")],
     {'{container="c", namespace="ns", pod="p"}': 0.5}),
    ("cpu_throttled_ratio", [series("container_cpu_cfs_throttled_periods_total", step=30, container="c"),
                             series("container_cpu_cfs_periods_total", step=150, container="c")],
     {'{container="c", namespace="ns", pod="p"}': 0.2}),
    ("memory_limit_bytes", [series("container_spec_memory_limit_bytes", 1024, container="c"),
                            series("container_spec_memory_limit_bytes", 0, container="d")],
     {'{container="c", namespace="ns", pod="p"}': 1024}),
    ("network_receive_bytes_per_second", [series("container_network_receive_bytes_total", step=150, interface="eth0"),
                                          series("container_network_receive_bytes_total", step=150, interface="lo")],
     {P: 10}),
    # nodes, with their name where anything knows it
    ("node_load1", [series("node_load1", 3, **NODE, instance="i:9100", node="worker")],
     {'{instance="i:9100", node="worker"}': 3}),
    ("node_load1", [series("node_load1", 3, **NODE, instance="i:9100"),
                    series("node_uname_info", 1, **NODE, instance="i:9100", nodename="worker")],
     {'{instance="i:9100", nodename="worker"}': 3}),
    ("node_cpu_ratio", [series("node_cpu_seconds_total", step=3, **NODE, instance="i", mode="idle", cpu=0),
                        series("node_cpu_seconds_total", step=12, **NODE, instance="i", mode="user", cpu=0)],
     {'{instance="i"}': 0.8}),
    ("node_filesystem_used_ratio", [
        series("node_filesystem_avail_bytes", 25, **NODE, instance="i", device="/dev/sda", mountpoint="/"),
        series("node_filesystem_size_bytes", 100, **NODE, instance="i", device="/dev/sda", mountpoint="/"),
        series("node_filesystem_avail_bytes", 0, **NODE, instance="i", device="x", fstype="tmpfs"),
        series("node_filesystem_size_bytes", 9, **NODE, instance="i", device="x", fstype="tmpfs")],
     {'{device="/dev/sda", instance="i"}': 0.75}),
    ("target_up", [series("up", 1, job="j", instance="a"), series("up", 0, job="j", instance="b")],
     {'{job="j", namespace="ns", pod="p"}': 0}),
]  # fmt: skip


@needs_promtool
@pytest.mark.parametrize(("signal", "given", "wanted"), CASES)
def test_queries(tmp_path: Path, signal: str, given: list[dict[str, str]], wanted: Expected) -> None:
    evaluated(tmp_path, signal, given, wanted)


@needs_promtool
@pytest.mark.parametrize("signal", QUERIES)
def test_a_query_without_any_series_is_empty_and_no_error(tmp_path: Path, signal: str) -> None:
    evaluated(tmp_path, signal, [series("unrelated", 1)], {})


@needs_promtool
def test_a_dead_containers_memory_does_not_live_on_beside_its_successor(tmp_path: Path) -> None:
    dead = {
        "series": 'container_memory_working_set_bytes{namespace="ns",pod="p",container="c",id="1"}',
        "values": "900x24",
    }
    alive = {"series": 'container_memory_working_set_bytes{namespace="ns",pod="p",container="c",id="2"}',
             "values": "_x25 100x15"}  # fmt: skip
    evaluated(tmp_path, "memory_working_set_bytes", [dead, alive], {'{container="c", namespace="ns", pod="p"}': 100})
