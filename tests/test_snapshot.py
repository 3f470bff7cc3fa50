"""What a snapshot holds: one of a recording, and one of a real namespace."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from srelab_lib.clients.kubeconfig import default_kubeconfig
from srelab_lib.errors import RecordingError, SourceError, SrelabError
from srelab_lib.model import Snapshot, TimeWindow
from srelab_lib.settings import LAB_CONTEXT, Settings
from srelab_lib.signals.frames import SCHEMAS, check, frame
from srelab_lib.sources.connect import connect
from srelab_lib.sources.prometheus_service import find_prometheus
from srelab_lib.sources.range_queries import rate_seconds
from srelab_lib.sources.recording import record
from srelab_lib.sources.resources import RESOURCES
from srelab_lib.sources.snapshot import _at_left_edge, collect

PLANTED = "planted-c0ffee"


def test_secrets_are_not_among_what_is_read() -> None:
    assert all("secrets" not in resource.path for resource in RESOURCES)
    assert {"Pod", "Event", "Service"} <= {resource.kind for resource in RESOURCES if resource.deciding}
    assert not [resource.kind for resource in RESOURCES if resource.deciding and not resource.namespaced]


# --- a recording ------------------------------------------------------------------------------------------------------

RECORDED = Path(__file__).parent / "data"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a cluster."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


@pytest.mark.usefixtures("nowhere")
def test_a_recording_needs_no_cluster() -> None:
    taken = snapshot(Settings(incident="faithful"), RECORDED)
    for name, table in taken.tables.items():
        check(name, table)
    assert not taken["pods"].empty
    assert not taken["metrics"].empty
    assert not taken["logs"].empty
    again = snapshot(Settings(incident="faithful"), RECORDED)
    for name in SCHEMAS:
        assert json_of(again[name]) == json_of(taken[name]), name


@pytest.mark.usefixtures("nowhere")
def test_an_onset_at_the_left_edge_widens_the_window_once(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = snapshot(Settings(incident="faithful"), RECORDED)
    monkeypatch.setattr("srelab_lib.sources.snapshot._at_left_edge", lambda _: True)
    said: list[str] = []
    wide = snapshot(Settings(incident="faithful"), RECORDED, said=said)
    assert wide.window == narrow.window.widened()
    assert wide["metrics"]["time"].min() < narrow["metrics"]["time"].min()
    assert sum("left edge" in line for line in said) == 1


def test_left_edge_is_of_the_strongest_onset() -> None:
    strong, weak = {"began_before_window": False, "score": 9.0}, {"began_before_window": True, "score": 1.0}
    assert not _at_left_edge(frame("onsets", [strong, weak]))
    assert _at_left_edge(frame("onsets", [weak, strong]))
    assert not _at_left_edge(frame("onsets"))


# --- a real namespace -------------------------------------------------------------------------------------------------

# Each run has its own: the namespaces of the last one may still be going.
NAMESPACE = f"t-snapshot-{os.getpid()}-shop"
EMPTY = f"t-snapshot-{os.getpid()}-none"
PATIENCE_SECONDS = 300
MANIFEST = f"""
apiVersion: v1
kind: Secret
metadata: {{name: db, namespace: {NAMESPACE}}}
stringData: {{password: {PLANTED}-1}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: web, namespace: {NAMESPACE}}}
data:
  app.yaml: |
    db:
      password: {PLANTED}-2
  LEVEL: debug
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: {NAMESPACE}
  annotations: {{example.com/api-token: {PLANTED}-3}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: busybox:1.35
        command: [sh, -c, "echo using password=$DB_PASSWORD; while true; do echo served 1 request; sleep 2; done"]
        env: [{{name: DB_PASSWORD, value: {PLANTED}-4}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: broken, namespace: {NAMESPACE}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {{name: app, image: "busybox:1.35", command: [sh, -c, "echo the reason is here; exit 3"]}}
---
apiVersion: v1
kind: Pod
metadata:
  name: analysis
  namespace: {NAMESPACE}
  labels: {{app.kubernetes.io/name: sre-agent}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {{name: agent, image: "busybox:1.35", command: [sleep, "3600"]}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: narrow, namespace: {NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: narrow, namespace: {NAMESPACE}}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [get, list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: narrow, namespace: {NAMESPACE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: narrow}}
subjects: [{{kind: ServiceAccount, name: narrow, namespace: {NAMESPACE}}}]
"""


def kubectl(*arguments: str, given: str = "") -> str:
    command = ["kubectl", "--context", LAB_CONTEXT, *arguments]
    return subprocess.run(  # noqa: S603
        command, input=given, check=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS + 10
    ).stdout


def waits_to_restart() -> bool:
    """After its third crash it waits for 40 s: it does not run, and end, while the snapshot is taken."""
    pod = json.loads(kubectl("-n", NAMESPACE, "get", "pod", "broken", "-o", "json"))
    containers = pod["status"].get("containerStatuses", [])
    return any("waiting" in item["state"] and item["restartCount"] >= 2 for item in containers)


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """A namespace with a Deployment that works, a pod that crashes and secrets wherever people put them."""
    try:
        for name in (NAMESPACE, EMPTY):
            kubectl("create", "namespace", name)
        # Until the controller has made it, a bare pod is refused.
        kubectl("-n", NAMESPACE, "wait", "--for=create", "serviceaccount/default", f"--timeout={PATIENCE_SECONDS}s")
        kubectl("apply", "-f", "-", given=MANIFEST)
        kubectl("-n", NAMESPACE, "rollout", "status", "deployment/web", f"--timeout={PATIENCE_SECONDS}s")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not waits_to_restart() and time.monotonic() < deadline:
            time.sleep(1)
        yield NAMESPACE
    finally:
        kubectl("delete", "namespace", NAMESPACE, EMPTY, "--ignore-not-found", "--wait=false")


def live(namespace: str, **parameters: Any) -> Settings:
    return Settings(source="live", context=LAB_CONTEXT, namespace=namespace, **parameters)


def snapshot(settings: Settings, folder: Path, *, said: list[str] | None = None) -> Snapshot:
    progress = (said if said is not None else []).append
    with connect(settings, incidents_dir=folder, now=datetime.now(UTC), progress=progress) as connection:
        return collect(connection, progress=progress)


@pytest.fixture(scope="module")
def taken(shop: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, list[str]]:
    said: list[str] = []
    return snapshot(live(shop), tmp_path_factory.mktemp("none"), said=said), said


def json_of(table: pd.DataFrame) -> str:
    return str(table.to_json(date_format="iso", default_handler=str))


def rows(taken: Snapshot, table: str) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in taken[table].to_dict("records")]


@pytest.mark.cluster
def test_every_table_has_its_schema(taken: tuple[Snapshot, list[str]]) -> None:
    assert set(taken[0].tables) == set(SCHEMAS)
    for name, table in taken[0].tables.items():
        check(name, table)


@pytest.mark.cluster
def test_pods_and_why_they_fail(taken: tuple[Snapshot, list[str]]) -> None:
    pods = {row["pod"]: row for row in rows(taken[0], "pods")}
    assert len(pods) == 3
    assert "analysis" not in pods  # the lab's own job
    broken = next(row for row in rows(taken[0], "containers") if row["pod"] == "broken")
    assert broken["restart_count"] >= 1
    assert broken["last_exit_code"] == 3 or broken["exit_code"] == 3
    assert "BackOff" in {row["reason"] for row in rows(taken[0], "events") if row["involved_name"] == "broken"}


@pytest.mark.cluster
def test_logs_of_current_and_previous_containers(taken: tuple[Snapshot, list[str]]) -> None:
    logs = rows(taken[0], "logs")
    assert {row["pod"] for row in logs if row["message"] == "served 1 request"} == {
        row["pod"] for row in rows(taken[0], "pods") if row["pod"] != "broken"
    }
    reasons = [row for row in logs if row["message"] == "the reason is here"]
    assert any(row["previous"] for row in reasons)
    assert len({row["time"] for row in reasons}) == len(reasons)


@pytest.mark.cluster
def test_no_secret_reaches_a_table(taken: tuple[Snapshot, list[str]]) -> None:
    for name, table in taken[0].tables.items():
        assert PLANTED not in json_of(table), name
    assert "password=<secret:" in " ".join(row["message"] for row in rows(taken[0], "logs"))
    assert "Secret" not in set(taken[0]["objects"]["kind"])
    config = next(row for row in rows(taken[0], "objects") if row["ref"] == f"ConfigMap/{NAMESPACE}/web")
    assert config["raw"]["data"]["LEVEL"] == "debug"


@pytest.mark.cluster
def test_progress_is_visible(taken: tuple[Snapshot, list[str]]) -> None:
    said = "\n".join(taken[1])
    for part in (f"live cluster {LAB_CONTEXT}, namespace {NAMESPACE}", "pods: 3", "logs: 3 of 3 containers"):
        assert part in said


@pytest.mark.cluster
def test_what_was_not_seen(taken: tuple[Snapshot, list[str]]) -> None:
    # The kinds that this cluster does not serve (Argo CD) are no gap.
    assert {item.source for item in taken[0].missing} <= {"Prometheus", "alerts"}


@pytest.mark.cluster
def test_unknown_and_empty_namespace(shop: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no namespace") as caught:
        snapshot(live(shop + "s"), tmp_path)
    assert shop in caught.value.hint
    with pytest.raises(SourceError, match="nothing in namespace") as caught:
        snapshot(live(EMPTY), tmp_path)
    assert caught.value.hint


@pytest.mark.cluster
def test_unreachable_prometheus_degrades(shop: str, tmp_path: Path) -> None:
    taken = snapshot(live(shop, prometheus_url="http://127.0.0.1:1"), tmp_path)
    assert taken["metrics"].empty
    assert len(taken["pods"]) == 3
    assert any(item.source == "Prometheus" and not item.deciding for item in taken.missing)


@pytest.mark.cluster
def test_prometheus_is_found_by_its_service(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(live(shop), incidents_dir=tmp_path, now=datetime.now(UTC)) as connection:
        if connection.prometheus is None:
            pytest.skip(f"no Prometheus in the cluster: {connection.missing}")
        monkeypatch.setattr("srelab_lib.sources.prometheus_service.LAB_PROMETHEUS", ("none", "none", 9090))
        found = find_prometheus(connection.kubernetes)
    assert found.client is not None
    assert found.versions["prometheus_at"] == "Service monitoring/prometheus:9090"


@pytest.mark.cluster
def test_rates_span_four_scrapes(shop: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with connect(live(shop), incidents_dir=tmp_path, now=now) as connection:
        if connection.prometheus is None:
            pytest.skip(f"no Prometheus in the cluster: {connection.missing}")
        assert rate_seconds(connection.prometheus, connection.window) == 60  # the lab's targets: 5 to 30 s
        before_all = TimeWindow.last(minutes=5, now=now - timedelta(days=3650))
        assert rate_seconds(connection.prometheus, before_all) == 60


@pytest.mark.cluster
def test_a_narrow_service_account_gives_a_degraded_snapshot(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = yaml.safe_load(Path(default_kubeconfig().split(":")[0]).read_text())
    context = next(item["context"] for item in value["contexts"] if item["name"] == LAB_CONTEXT)
    token = kubectl("-n", shop, "create", "token", "narrow").strip()
    value["users"] = [{"name": context["user"], "user": {"token": token}}]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(value))
    monkeypatch.setenv("KUBECONFIG", str(path))
    taken = snapshot(live(shop), tmp_path)
    assert len(taken["pods"]) == 3
    missing = {item.source: item for item in taken.missing}
    assert missing["events"].deciding
    assert "forbidden" in missing["events"].reason
    assert not missing["nodes"].deciding
    assert "pods" not in missing
    assert any(item.source.startswith("logs") and item.deciding for item in taken.missing)


@pytest.mark.cluster
def test_a_recording_of_it_gives_the_same_tables(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl("-n", shop, "delete", "pod", "broken", "--timeout=60s")
    now = datetime.now(UTC).replace(microsecond=0)
    settings = live(shop, end=f"{now:%Y-%m-%dT%H:%M:%SZ}")
    with connect(settings, incidents_dir=tmp_path, now=now) as connection:
        record(
            kubernetes=connection.kubernetes,
            prometheus=connection.prometheus,
            namespaces=[shop],
            window=connection.window,
            folder=tmp_path / "shop",
            recorded_at=now,
        )
        alive = collect(connection)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    replayed = snapshot(Settings(incident="shop"), tmp_path)
    assert (replayed.source.kind, replayed.source.name) == ("incident", "shop")
    assert (replayed.window, replayed.namespace) == (alive.window, shop)
    for table in ("pods", "containers", "workloads", "changes"):
        assert json_of(replayed[table]) == json_of(alive[table]), table
    assert len(replayed["pods"]) == 2
    assert set(replayed["logs"]["template"]) == set(alive["logs"]["template"])
    assert {item.source for item in replayed.missing} <= {item.source for item in alive.missing}
    with pytest.raises(SrelabError, match="no namespace 'shopp'") as caught:
        snapshot(Settings(incident="shop", namespace="shopp"), tmp_path)
    assert shop in caught.value.hint
    with pytest.raises(RecordingError, match="shopp") as unknown:
        snapshot(Settings(source="incident", incident="shopp"), tmp_path)
    assert "shop" in unknown.value.hint
