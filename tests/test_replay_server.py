"""The replay as a server, and the files that it serves."""

from __future__ import annotations

import json
import shutil
import socket
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from recorded import FOLDER, NODES, PODS

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import ApiError, RecordingError
from srelab_lib.sources.replay import ReplayServer, list_incidents, load_incident


def test_the_clients_read_a_recording() -> None:
    with ReplayServer(FOLDER) as server:
        kubernetes = KubernetesClient.from_url(server.url)
        assert len(kubernetes.list(PODS, deadline=Deadline(5), limit=2)) == 6
        with pytest.raises(ApiError) as caught:
            kubernetes.get("/api/v1/namespaces/other/pods", deadline=Deadline(5))
        assert caught.value.status == 501
        proxied = PrometheusClient(kubernetes.proxy("monitoring", "prometheus", 9090))
        direct = PrometheusClient(server.prometheus_url)
        window = server.incident.window
        for client in (proxied, direct):
            data = client.query_range(NODES, window, window.step_seconds, deadline=Deadline(5))
            assert len(data["result"]) == 3
            assert client.query_range(NODES, window.widened(), 10, deadline=Deadline(5))["result"]
            client.close()
        kubernetes.close()


def test_many_threads_at_once() -> None:
    with ReplayServer(FOLDER) as server:
        kubernetes = KubernetesClient.from_url(server.url)
        with ThreadPoolExecutor(16) as pool:
            sizes = list(pool.map(lambda _: len(kubernetes.list(PODS, deadline=Deadline(10))), range(64)))
        kubernetes.close()
    assert set(sizes) == {6}


def test_it_closes_at_once_with_a_connection_open() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with ReplayServer(FOLDER) as server:
            port = urllib3.util.parse_url(server.url).port
            assert port
            kept = socket.create_connection(("127.0.0.1", port))
            kept.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert kept.recv(1) == b"", "the server hung up"
        kept.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_an_incident_says_what_it_is() -> None:
    incident = load_incident(FOLDER)
    assert (incident.name, incident.namespace, incident.namespaces) == ("faithful", "faithful", ("faithful",))
    assert incident.window.seconds == 120
    assert incident.versions["kubernetes"] == "v1.34.3"
    assert incident.how.startswith("kubectl apply")
    assert list_incidents(FOLDER.parent) == ("faithful",)
    assert list_incidents(FOLDER / "nowhere") == ()


def test_an_unknown_incident_names_a_near_one() -> None:
    with pytest.raises(RecordingError, match="did you mean 'faithful'"):
        load_incident(FOLDER.parent / "faithfull")


@pytest.mark.parametrize("part", ["kubernetes", "logs", "prometheus", "git"])
def test_a_truncated_file_is_noticed(tmp_path: Path, part: str) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "cut"))
    path = folder / f"{part}.json.gz"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RecordingError, match="truncated") as caught:
        load_incident(folder)
    assert caught.value.hint
    path.unlink()
    with pytest.raises(RecordingError, match="missing"):
        load_incident(folder)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no manifest"),
        ('{"format": 99, "files": {}}', "format 99"),
        ('{"format": 1, "files": {}}', "does not name git.json.gz"),
    ],
)
def test_a_damaged_manifest_is_noticed(tmp_path: Path, manifest: str, message: str) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "damaged"))
    (folder / "incident.json").write_text(manifest)
    with pytest.raises(RecordingError, match=message) as caught:
        load_incident(folder)
    assert caught.value.hint


@pytest.mark.parametrize("field", ["window", "namespaces", "recorded_at", "versions", "cut", "prometheus"])
def test_a_manifest_without_a_field_is_noticed(tmp_path: Path, field: str) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "damaged"))
    manifest = json.loads((folder / "incident.json").read_text())
    del manifest[field]
    (folder / "incident.json").write_text(json.dumps(manifest))
    with pytest.raises(RecordingError, match=field):
        load_incident(folder)
