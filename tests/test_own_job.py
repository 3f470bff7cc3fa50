"""The Job that analyses is no part of the incident; and Applications where not all namespaces may be read."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest
from bad_server import Answer, served, with_length

from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.sources.objects import read_objects
from srelab_lib.sources.own_job import is_own, is_own_series
from srelab_lib.sources.snapshot import _concerns, _of_others

OWN: list[tuple[str, dict[str, Any]]] = [
    ("Pod", {"metadata": {"name": "sre-agent-job-x2x4z", "labels": {"job-name": "sre-agent-job"}}}),
    ("Pod", {"metadata": {"name": "by-hand", "labels": {"app.kubernetes.io/name": "sre-agent"}}}),
    ("Job", {"metadata": {"name": "sre-agent-job"}}),
    ("ConfigMap", {"metadata": {"name": "sre-agent-report"}}),
    ("ConfigMap", {"metadata": {"name": "agent-code"}}),
    ("Role", {"metadata": {"name": "sre-agent", "labels": {"app.kubernetes.io/name": "sre-agent"}}}),
    ("Event", {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "sre-agent-job-x2x4z"}}),
    ("Event", {"metadata": {"name": "e"}, "involvedObject": {"kind": "Job", "name": "sre-agent-job"}}),
]
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("Pod", {"metadata": {"name": "broken-app-7cbc68cbf-2b9dm"}}),
    ("Job", {"metadata": {"name": "sre-agent-jobs"}}),
    ("ConfigMap", {"metadata": {"name": "agent-code-2"}}),
    ("Deployment", {"metadata": {"name": "sre-agent-job"}}),
    ("Event", {"metadata": {"name": "sre-agent-job"}, "involvedObject": {"kind": "Pod", "name": "web"}}),
]


@pytest.mark.parametrize(("kind", "item"), OWN)
def test_what_is_the_agents(kind: str, item: dict[str, Any]) -> None:
    assert is_own(kind, item)


@pytest.mark.parametrize(("kind", "item"), OTHERS)
def test_what_is_not(kind: str, item: dict[str, Any]) -> None:
    assert not is_own(kind, item)


def test_series_and_alerts_about_the_job_are_left_out() -> None:
    own, other = {"pod": "sre-agent-job-x2x4z", "namespace": "default"}, {"pod": "web-1", "namespace": "default"}
    payload = {"resultType": "matrix", "result": [{"metric": own, "values": []}, {"metric": other, "values": []}]}
    assert [item["metric"] for item in _of_others(payload)["result"]] == [other]
    assert is_own_series({"job_name": "sre-agent-job"})
    assert not is_own_series({"job": "pods"})
    assert not _concerns({"labels": own}, "default")
    assert _concerns({"labels": other}, "default")


# --- Applications -----------------------------------------------------------------------------------------------------

APPLICATION = {"metadata": {"name": "app", "namespace": "argocd"}, "spec": {"destination": {"namespace": "default"}}}
POD = {"metadata": {"name": "web", "namespace": "default"}}


def api(*, serves_applications: bool, role_in_argocd: bool) -> Answer:
    """An API server that refuses the list of all Applications, as it does to who has a Role in argocd only."""

    def answer(connection: socket.socket, head: bytes) -> None:
        path = head.split()[1].decode().partition("?")[0]
        status = 200
        body: dict[str, Any] = {"kind": "List", "apiVersion": "v1", "items": [POD] if path.endswith("/pods") else []}
        if path == "/apis/argoproj.io/v1alpha1" and not serves_applications:
            status, body = 404, {"message": "not found"}
        if path.endswith("/applications"):
            allowed = role_in_argocd and "/namespaces/argocd/" in path
            status, body = (200, {**body, "items": [APPLICATION]}) if allowed else (403, {"message": "forbidden"})
        data = with_length(json.dumps(body).encode())
        connection.sendall(re.sub(rb"^HTTP/1.1 200 OK", b"HTTP/1.1 %d X" % status, data))

    return answer


@pytest.mark.parametrize(
    ("serves", "role", "found", "missing"),
    [(True, True, 1, []), (True, False, 0, ["applications"]), (False, False, 0, [])],
    ids=["a Role in argocd", "no Role", "no Argo CD"],
)
def test_applications_are_read_in_their_own_namespace(serves: bool, role: bool, found: int, missing: list[str]) -> None:
    with served(api(serves_applications=serves, role_in_argocd=role)) as server:
        cluster = KubernetesClient.from_url(server.url)
        objects = read_objects(cluster, "default", progress=lambda _: None)
        cluster.close()
    assert len(objects.by_kind.get("Application", [])) == found
    assert [item.source for item in objects.missing] == missing
