"""The same requests to the cluster and to a fresh recording of it: status, content type and body must be equal.

    python tests/e2e/faithful.py

What may differ, and is made equal before: versions of lists and the tokens of pages, which name a moment of the server;
secrets, which a recording holds as placeholders; which alerts there are just now.

    python tests/e2e/faithful.py --save tests/data/faithful     # makes the recording that the unit tests use again
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
from kubernetes import config as kube_config

from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.model import TimeWindow
from srelab_lib.redact import redact_json, redact_text
from srelab_lib.settings import LAB_CONTEXT
from srelab_lib.signals.promql import QUERIES, promql
from srelab_lib.sources.prometheus_service import LAB_PROMETHEUS
from srelab_lib.sources.recording import record
from srelab_lib.sources.replay import Incident, ReplayServer

NAMESPACE = "faithful"
SECRET = b"planted-4711-secret"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"
# Samples that a scrape may still be writing are left alone.
SETTLED = timedelta(seconds=40)
SETTLE_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was compared of an answer."""

    status: int
    content_type: str
    body: str


Ask = Callable[[str, str], Answer]
"""Method and path with query to an answer."""


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """kubectl on the lab's cluster, and on no other."""
    command = ["kubectl", "--context", LAB_CONTEXT, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=True).stdout


@contextmanager
def fixture() -> Iterator[None]:
    """The namespace with pods in every state that a log can be asked of."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    kubectl("apply", "-f", str(Path(__file__).with_suffix(".yaml")))
    try:
        _wait_until_settled()
        yield
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _wait_until_settled() -> None:
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end:
        pods = json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]
        ready = {
            pod["metadata"]["name"]
            for pod in pods
            for condition in pod["status"].get("conditions", ())
            if condition["type"] == "Ready" and condition["status"] == "True"
        }
        restarts = {
            pod["metadata"]["name"]: status["restartCount"]
            for pod in pods
            for status in pod["status"].get("containerStatuses", ())
        }
        if len(ready) == 4 and restarts.get("restarted") == 1 and "noimage" in restarts:
            # The last line of the talkers, and what the controllers still write.
            time.sleep(14)
            return
        time.sleep(1)
    raise TimeoutError(f"namespace {NAMESPACE} has not settled in {SETTLE_SECONDS} s: kubectl get pods -n {NAMESPACE}")


def requests(talker: str, window: TimeWindow, rate_seconds: int) -> list[tuple[str, str]]:
    """Method and path. `{continue}` stands for the token of the page that was asked for before."""
    expr = quote(promql(QUERIES["cpu_usage_cores"], namespace="kube-system", rate_seconds=rate_seconds), safe="")
    wide = window.widened()
    start, end, step = int(wide.start.timestamp()), int(wide.end.timestamp()), wide.step_seconds
    times = f"start={start}&end={end}&step={step}"
    stamp = f"{window.end - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    log = f"{PODS}/{talker}/log"
    gets = [
        "/version",
        "/apis/apps/v1",
        PODS,
        f"{PODS}?limit=2",
        f"{PODS}?limit=2&continue={{continue}}",
        f"{PODS}?labelSelector=tier",
        f"{PODS}?labelSelector={quote('tier in (front,back),app!=pair,!legacy')}",
        f"{PODS}?labelSelector={quote('tier notin (front)')}&limit=1",
        f"{PODS}?labelSelector={quote('app in (talker')}",
        f"{PODS}?labelSelector={quote('app=a b')}",
        f"{PODS}?fieldSelector=status.phase=Running",
        f"{PODS}?fieldSelector={quote('status.phase!=Running,metadata.name=unplaced')}",
        f"{PODS}?fieldSelector=spec.nodeName=",
        f"{PODS}?fieldSelector=foo=bar",
        f"{PODS}?fieldSelector=foo",
        f"{PODS}?limit=two",
        f"{PODS}?continue=abc",
        f"{PODS}/pair",
        f"{PODS}/nobody",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/talker",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/nobody",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?fieldSelector=foo=bar",
        f"/api/v1/namespaces/{NAMESPACE}/configmaps/settings",
        f"/api/v1/namespaces/{NAMESPACE}/events?fieldSelector=involvedObject.name=unplaced,type=Warning",
        f"/api/v1/namespaces/{NAMESPACE}/events?fieldSelector=reason=FailedScheduling",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets?labelSelector=app=talker",
        "/apis/storage.k8s.io/v1/storageclasses",
        "/apis/no.such.group/v1/things",
        f"/api/v1/namespaces/{NAMESPACE}/things",
        "/nothing/here",
        log,
        f"{log}?tailLines=3&timestamps=true",
        f"{log}?limitBytes=30",
        f"{log}?tailLines=-1",
        f"{log}?tailLines=x",
        f"{log}?sinceSeconds=86400&tailLines=2",
        f"{log}?sinceTime={stamp}",
        f"{log}?sinceTime=yesterday",
        f"{log}?sinceTime={stamp}&sinceSeconds=3",
        f"{PODS}/restarted/log?previous=true&timestamps=true",
        f"{PODS}/restarted/log",
        f"{PODS}/pair/log",
        f"{PODS}/pair/log?container=setup",
        f"{PODS}/pair/log?container=first&previous=true",
        f"{PODS}/pair/log?container=nobody",
        f"{PODS}/noimage/log",
        f"{PODS}/unplaced/log",
        f"{PODS}/nobody/log",
        f"/api/v1/namespaces/{NAMESPACE}/services/nobody:80/proxy/",
        f"{PROMETHEUS}/-/ready",
        f"{PROMETHEUS}/api/v1/status/buildinfo",
        f"{PROMETHEUS}/api/v1/alerts",
        f"{PROMETHEUS}/api/v1/query_range?query={expr}&{times}",
        f"{PROMETHEUS}/api/v1/query_range?query={expr}&start={start + 3 * step}&end={end - step - 1}&step={step}",
        f"{PROMETHEUS}/api/v1/query_range?query={expr}&start={start}&end={end}&step={2 * step}s&limit=1",
        f"{PROMETHEUS}/api/v1/query?query={expr}&time={end - 2 * step}",
        f"{PROMETHEUS}/api/v1/query?query=sum(up",
        f"{PROMETHEUS}/api/v1/query?query={quote('up{job=')}",
        f"{PROMETHEUS}/api/v1/query?query={quote('rate(up[$rate])')}",
        f"{PROMETHEUS}/api/v1/query?query={quote('1 +')}",
        f"{PROMETHEUS}/api/v1/query",
        f"{PROMETHEUS}/api/v1/query?query=up&time=noon",
        f"{PROMETHEUS}/api/v1/query_range?query={expr}&start={start}&end={end}",
        f"{PROMETHEUS}/api/v1/query_range?query={expr}&start={start}&end={end}&step=0",
        f"{PROMETHEUS}/api/v1/query_range?query={expr}&start={end}&end={start}&step={step}",
        f"{PROMETHEUS}/api/v1/query_range?query={expr}&start=0&end={end}&step=1",
        f"{PROMETHEUS}/api/v1/series",
        f"{PROMETHEUS}/api/v1/nothing",
    ]
    return [*(("GET", path) for path in gets), ("POST", f"{PODS}/pair"), ("POST", f"{log}"), ("POST", "/version")]


def asker(pool: urllib3.PoolManager, base_url: str) -> Ask:
    """Sends one request and makes equal what may differ."""

    def ask(method: str, path: str) -> Answer:
        response = pool.request(method, base_url + path, headers={"Accept": "application/json, */*"}, retries=False)
        kind = response.headers.get("Content-Type", "")
        return Answer(status=response.status, content_type=kind, body=_comparable(response.data.decode(), kind))

    return ask


def _comparable(text: str, content_type: str) -> str:
    if content_type != "application/json":
        return redact_text(text)
    value = redact_json(json.loads(text))
    meta = value.get("metadata")
    if isinstance(meta, dict) and str(value.get("kind", "")).endswith("List"):
        for name in ("resourceVersion", "continue"):
            if name in meta:
                meta[name] = f"<{name}>"
    if isinstance(value.get("data"), dict) and "alerts" in value["data"]:
        # Alerts come and go between two requests: what is compared is the shape of one.
        value["data"]["alerts"] = sorted({str(list(alert)) for alert in value["data"]["alerts"]})
    if isinstance(value.get("data"), dict) and value["data"].get("resultType") == "vector":
        value["data"]["result"].sort(key=lambda series: sorted(series["metric"].items()))
    return json.dumps(value) + text[len(text.rstrip()) :]


def token_of(pool: urllib3.PoolManager, base_url: str) -> str:
    """The token that leads to the second page."""
    response = pool.request("GET", f"{base_url}{PODS}?limit=2", retries=False)
    return str(response.json()["metadata"]["continue"])


def save(folder: Path, namespaces: list[str]) -> Incident:
    """Records the cluster into `folder`, over a window whose samples no longer change."""
    now = datetime.now(UTC)
    kubernetes = KubernetesClient.from_context(LAB_CONTEXT)
    prometheus = PrometheusClient(kubernetes.proxy(*LAB_PROMETHEUS))
    incident = record(
        kubernetes=kubernetes,
        prometheus=prometheus,
        namespaces=namespaces,
        window=TimeWindow.last(minutes=2, now=now - SETTLED),
        folder=folder,
        recorded_at=now,
        how="kubectl apply -f tests/e2e/faithful.yaml",
    )
    kubernetes.close()
    return incident


def compare(folder: Path) -> Iterator[tuple[str, Answer, Answer]]:
    """Records the cluster into `folder` and asks both; each request with the cluster's and the recording's answer."""
    talker = kubectl("get", "pods", "-n", NAMESPACE, "-l", "app=talker", "-o", "jsonpath={.items[0].metadata.name}")
    incident = save(folder, [NAMESPACE, "kube-system"])
    api: Any = kube_config.new_client_from_config(context=LAB_CONTEXT)  # type: ignore[no-untyped-call]
    with ReplayServer(folder) as server, urllib3.PoolManager() as plain:
        host, pool = api.configuration.host, api.rest_client.pool_manager
        real, replayed = asker(pool, host), asker(plain, server.url)
        tokens = token_of(pool, host), token_of(plain, server.url)
        for method, path in requests(talker, incident.window, incident.rate_seconds):
            paths = [path.replace("{continue}", token) for token in tokens]
            yield f"{method} {path}", real(method, paths[0]), replayed(method, paths[1])
    pool.clear()


def leaks(folder: Path) -> list[str]:
    """Names of the files that hold the secret that the namespace's ConfigMap and log hold."""
    return [path.name for path in folder.glob("*.gz") if SECRET in gzip.decompress(path.read_bytes())]


def difference(real: Answer, replayed: Answer) -> str:
    """The first place where they differ, empty when they are equal."""
    for name in ("status", "content_type", "body"):
        left, right = str(getattr(real, name)), str(getattr(replayed, name))
        if left != right:
            at = next(
                (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
            )
            near = slice(max(0, at - 60), at + 120)
            return f"{name}\n    cluster:   ...{left[near]!r}\n    recording: ...{right[near]!r}"
    return ""


def main(arguments: list[str]) -> int:
    """Prints a line for each request; 1 when an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="only keep a recording of the namespace")
    folder = parser.parse_args(arguments).save
    with fixture(), tempfile.TemporaryDirectory() as scratch:
        if folder:
            save(folder, [NAMESPACE])
            return 0
        return _report(Path(scratch) / "faithful")


def _report(folder: Path) -> int:
    failed = total = 0
    for name, real, replayed in compare(folder):
        problem = difference(real, replayed)
        total, failed = total + 1, failed + bool(problem)
        short = re.sub(r"query=[^&]{60,}", "query=...", name)
        print(f"{'DIFFERS' if problem else 'equal  '} {real.status} {short} {problem}", flush=True)
    leaking = leaks(folder)
    print(f"{total - failed} of {total} answers of the recording equal the cluster's")
    print(f"the planted secret is in {', '.join(leaking) or 'no file'}")
    return 1 if failed or leaking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
