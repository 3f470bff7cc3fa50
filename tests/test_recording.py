"""Recording: from a served recording, so without a cluster, by the clients that read a live one."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from recorded import FOLDER, PODS, QUERIES, altered, body, get, replace_part

from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import RecordingError, UnreachableError
from srelab_lib.model import TimeWindow
from srelab_lib.signals.promql import CATALOGUE, promql
from srelab_lib.sources import recording
from srelab_lib.sources.gitops import repository_reader
from srelab_lib.sources.incidents import INCIDENT_BYTES, PARTS, Exchange, Incident, packed
from srelab_lib.sources.recording import record
from srelab_lib.sources.recording_git import git_exchanges, recorded_reader
from srelab_lib.sources.recording_logs import fitted, shortened
from srelab_lib.sources.replay import Replay, ReplayServer, load_incident
from srelab_lib.sources.replay_http import Request, Response

NOBODY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queries that the recording was made with: the catalogue may have learned others since."""
    monkeypatch.setattr(recording, "rate_seconds", lambda *_: load_incident(FOLDER).rate_seconds)
    monkeypatch.setattr(recording, "CATALOGUE", QUERIES)
    monkeypatch.setattr(recording, "promql", lambda query, **_: query)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all requests that a served recording gets."""
    paths: list[str] = []
    answer = Replay.answer

    def listen(self: Replay, request: Request) -> Response:
        paths.append(f"{request.method} {request.path}")
        return answer(self, request)

    monkeypatch.setattr(Replay, "answer", listen)
    return paths


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(FOLDER) as running:
        yield running


def again(server: ReplayServer, folder: Path, **changes: Any) -> Incident:
    """A recording of what a served recording answers."""
    old = server.incident
    kubernetes = KubernetesClient.from_url(server.url)
    prometheus = PrometheusClient(changes.pop("prometheus_url", server.prometheus_url))
    arguments: dict[str, Any] = {
        "kubernetes": kubernetes, "prometheus": prometheus, "namespaces": old.namespaces, "window": old.window,
        "folder": folder, "recorded_at": old.recorded_at, "how": old.how, **changes,
    }  # fmt: skip
    try:
        return record(**arguments)
    finally:
        kubernetes.close()
        prometheus.close()


def test_a_recording_of_a_recording_is_the_same_bytes(server: ReplayServer, tmp_path: Path) -> None:
    incident = again(server, tmp_path / "faithful")
    for part in PARTS:
        assert incident.exchanges(part) == server.incident.exchanges(part), part
    for path in FOLDER.glob("*.gz"):
        assert (incident.folder / path.name).read_bytes() == path.read_bytes(), path.name
    assert replace(incident, folder=FOLDER) == server.incident
    assert sum(path.stat().st_size for path in incident.folder.iterdir()) < INCIDENT_BYTES


def test_only_reads_and_no_secret(server: ReplayServer, tmp_path: Path, asked: list[str]) -> None:
    again(server, tmp_path / "faithful")
    assert len(asked) > 60
    assert [line for line in asked if not line.startswith("GET ")] == []
    assert [line for line in asked if "secret" in line.lower()] == []


def test_secrets_are_placeholders_on_disk() -> None:
    written = b"".join(gzip.decompress(path.read_bytes()) for path in FOLDER.glob("*.gz"))
    assert b"planted" not in written
    assert written.count(b"<secret:") >= 3, "in the ConfigMap, in its last-applied-configuration and in a log"


def test_truth_is_kept(server: ReplayServer, tmp_path: Path) -> None:
    truth = {"outcome": "no_fault", "faults": [], "effects": []}
    incident = again(server, tmp_path / "faithful", truth=truth)
    assert incident.truth == truth
    assert json.loads((incident.folder / "truth.json").read_text()) == truth


def test_a_refusal_is_recorded_in_the_servers_words(tmp_path: Path) -> None:
    # As a 1.34 API server answered a user without any right.
    refusal = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "a"',
        "reason": "Forbidden", "details": {"kind": "pods"}, "code": 403,
    }  # fmt: skip

    def refuse(exchange: dict[str, Any]) -> dict[str, Any]:
        return {**exchange, "status": 403, "body": refusal} if exchange["path"] == PODS else exchange

    with ReplayServer(altered(tmp_path, refuse)) as server:
        replay = Replay(again(server, tmp_path / "refused"))
    assert get(replay, PODS).status == 403
    assert body(replay, PODS) == refusal


def test_a_prometheus_that_does_not_answer_is_named(server: ReplayServer, tmp_path: Path) -> None:
    incident = again(server, tmp_path / "faithful", prometheus_url=NOBODY)
    assert incident.exchanges("prometheus") == []
    assert any(line.startswith("/api/v1/alerts: not recorded: ") for line in incident.cut)
    assert "prometheus" not in incident.versions
    assert get(Replay(incident), "/prometheus/api/v1/alerts").status == 501


def test_without_prometheus(server: ReplayServer, tmp_path: Path) -> None:
    incident = again(server, tmp_path / "faithful", prometheus=None)
    assert (incident.prometheus, incident.cut) == (None, ())


def test_a_cluster_that_does_not_answer_leaves_nothing_behind(server: ReplayServer, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError):
        again(server, tmp_path / "faithful", kubernetes=KubernetesClient.from_url(NOBODY))
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_leaves_the_old_recording(server: ReplayServer, tmp_path: Path) -> None:
    folder = tmp_path / "faithful"
    again(server, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RecordingError, match="too large") as caught:
        again(server, folder, max_bytes=20_000)
    assert caught.value.hint
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_an_old_recording_is_replaced_whole(server: ReplayServer, tmp_path: Path) -> None:
    folder = tmp_path / "faithful"
    again(server, folder, truth={"outcome": "no_fault"})
    (folder / "stray.txt").write_text("left over")
    again(server, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in FOLDER.iterdir())
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("seconds", [120, 225, 900, 1800, 3600, 5400, 86400])
def test_window_and_widened_window_are_both_recorded(server: ReplayServer, tmp_path: Path, seconds: int) -> None:
    end = server.incident.window.end
    window = TimeWindow(start=end - timedelta(seconds=seconds), end=end)
    incident = again(server, tmp_path / "faithful", window=window)
    ranges = [item.params for item in incident.exchanges("prometheus") if item.path == "/api/v1/query_range"]
    times = {
        (item["step"], second)
        for item in ranges
        if item["query"] == QUERIES[0]
        for second in range(int(float(item["start"])), int(float(item["end"])) + 1, int(item["step"]))
    }
    for span in (window, window.widened()):
        wanted = range(int(span.start.timestamp()), int(span.end.timestamp()) + 1, span.step_seconds)
        assert {(str(span.step_seconds), second) for second in wanted} <= times
    assert {item["query"] for item in ranges} == set(QUERIES)


def test_the_catalogue_is_what_is_asked(server: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "CATALOGUE", CATALOGUE)
    monkeypatch.setattr(recording, "promql", promql)
    monkeypatch.setattr(recording, "rate_seconds", lambda *_: 120)
    incident = again(server, tmp_path / "faithful")
    asked = {item.params.get("query") for item in incident.exchanges("prometheus")}
    assert {promql(query, namespace="faithful", rate_seconds=120) for query in CATALOGUE} <= asked
    assert incident.rate_seconds == 120


# --- long logs --------------------------------------------------------------------------------------------------------


def long_logs(copies: int) -> list[Exchange]:
    """The recorded logs, the long ones longer: their lines again with a number that no compression removes."""
    numbers = random.Random(1)
    logs = []
    for log in load_incident(FOLDER).exchanges("logs"):
        if log.status == 200 and log.body.count("\n") > 5:
            lines = log.body.splitlines(keepends=True)
            more = [f"{line.rstrip()} {numbers.getrandbits(64):x}\n" for _ in range(copies) for line in lines]
            log = replace(log, body=log.body + "".join(more))
        logs.append(log)
    return logs


def test_logs_that_fit_are_whole() -> None:
    logs = long_logs(5)
    assert fitted(logs, INCIDENT_BYTES) == (packed(logs), [])


def test_long_logs_lose_their_middle_and_it_is_said() -> None:
    logs = long_logs(2000)
    data, cut = fitted(logs, 60_000)
    assert 50_000 < len(data) <= 60_000
    kept = json.loads(gzip.decompress(data))
    changed = [(old, new["body"]) for old, new in zip(logs, kept, strict=True) if old.body != new["body"]]
    assert len(changed) == len(cut) == 2
    for old, text in changed:
        lines = old.body.splitlines(keepends=True)
        remaining = text.splitlines(keepends=True)
        assert remaining[:12] == lines[:12]
        assert remaining[-500:] == lines[-500:]
        assert set(remaining) <= set(lines), "only whole lines"
        assert f"{len(remaining)} of {len(lines)}" in "".join(cut)


def test_a_shortened_log_keeps_to_its_bound() -> None:
    log = next(item for item in long_logs(100) if item.status == 200 and len(item.body) > 10_000)
    for bound in (100, 1000, 5000):
        assert 0 < len(shortened(log, bound).body) <= bound


# --- commits ----------------------------------------------------------------------------------------------------------


def test_commits_are_read_again_from_the_recording(server: ReplayServer, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    revisions = [commit(repository, "app/limits.yaml", text) for text in ("memory: 256Mi\n", "memory: 10Mi\n")]
    url = "git://git-server/lab.git"
    # Of an Application only what names the revisions: what else it holds does not matter to git.
    history = [
        {"id": number, "revision": revision, "source": {"repoURL": url, "path": "app"}}
        for number, revision in enumerate(revisions)
    ]
    application = {"metadata": {"name": "app", "namespace": "argocd"}, "status": {"history": history}}
    listing = Exchange(path="/apis/argoproj.io/v1alpha1/applications", body={"items": [application]})
    exchanges = git_exchanges([listing], repository)
    assert [exchange.params["revision"] for exchange in exchanges] == revisions

    live = repository_reader(repository)
    kept = [exchange.as_json() for exchange in exchanges]
    folder = altered(tmp_path, lambda exchange: exchange)
    replace_part(folder, "git", kept)
    recorded = recorded_reader(load_incident(folder))
    asked = (url, revisions[1], revisions[0], "app")
    assert recorded(*asked) == live(*asked)
    assert "-memory: 256Mi\n+memory: 10Mi\n" in recorded(*asked)
    assert recorded(url, "0" * 40, None, "app") == "", "nothing is known of another revision"


def test_commits_of_a_recording_are_redacted_again(tmp_path: Path) -> None:
    folder = tmp_path / "almanac"
    shutil.copytree(Path(__file__).parent / "data" / "other_apps" / "almanac", folder)
    exchanges = json.loads(gzip.decompress((folder / "git.json.gz").read_bytes()))
    for exchange in exchanges:
        exchange["body"] += "+db_password: hunter2\n+args:\n+- -uroot\n+- -phunter2\n"
    replace_part(folder, "git", exchanges)
    said = recorded_reader(load_incident(folder))(exchanges[0]["path"], *exchanges[0]["params"].values())
    assert "db_password: <secret:" in said
    assert "hunter2" not in said


def test_a_repository_that_is_none_is_no_failure_of_the_recording(server: ReplayServer, tmp_path: Path) -> None:
    incident = again(server, tmp_path / "faithful", repository=tmp_path)
    assert incident.exchanges("git") == []


def commit(repository: Path, name: str, text: str) -> str:
    """A commit of one file; its revision."""
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", f"set {text.strip()}")):
        run_git(repository, *arguments)
    return run_git(repository, "rev-parse", "HEAD").strip()


def run_git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com")
    command = ["git", "-C", str(repository), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
