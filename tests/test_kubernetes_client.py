"""The Kubernetes client against servers on localhost, which say what a test wants, and against the lab's cluster."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from bad_server import Answer, Server, sends, served, status, with_length

from srelab_lib.clients import kubernetes as module
from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import ApiError, SourceError, TooLargeError, UnreachableError
from srelab_lib.model import TimeWindow
from srelab_lib.settings import LAB_CONTEXT


def page(*names: str, more: str = "") -> bytes:
    items = [{"metadata": {"name": name}} for name in names]
    return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": more}, "items": items}).encode()


def answers(*bodies: bytes) -> Answer:
    """One whole answer for each request, in this order."""
    rest = iter(bodies)

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(next(rest))

    return answer


@pytest.fixture
def kubernetes(request: pytest.FixtureRequest) -> Iterator[tuple[KubernetesClient, Server]]:
    with served(request.param) as server:
        client = KubernetesClient.from_url(server.url)
        yield client, server
        client.close()


@pytest.mark.parametrize(
    "kubernetes", [answers(with_length(page("a", "b", more="T")), with_length(page("c")))], indirect=True
)
def test_list_follows_pages(kubernetes: tuple[KubernetesClient, Server]) -> None:
    client, server = kubernetes
    items = client.list("/api/v1/pods", {"labelSelector": "a=b"}, deadline=Deadline(5), limit=2)
    assert [item["metadata"]["name"] for item in items] == ["a", "b", "c"]
    assert items[0]["kind"] == "Pod"
    assert b"GET /api/v1/pods?labelSelector=a%3Db&continue=T&limit=2 " in server.requests[1]


@pytest.mark.parametrize(
    "kubernetes",
    [
        answers(
            with_length(page("a", more="T")), status("410 Gone", b'{"message":"expired"}'), with_length(page("a", "b"))
        )
    ],
    indirect=True,
)
def test_list_begins_again_when_its_pages_expired(kubernetes: tuple[KubernetesClient, Server]) -> None:
    client, _ = kubernetes
    assert len(client.list("/api/v1/pods", deadline=Deadline(5))) == 2


@pytest.mark.parametrize("kubernetes", [sends(with_length(page("a", more="T")))], indirect=True)
def test_list_is_bounded_in_number(
    kubernetes: tuple[KubernetesClient, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, server = kubernetes
    listing = client.read_list("/api/v1/pods", deadline=Deadline(5), max_pages=3)
    assert (len(listing.items), listing.cut, len(server.requests)) == (3, True, 3)
    assert module.MAX_PAGES < 100
    with pytest.raises(TooLargeError):
        client.list("/api/v1/pods", deadline=Deadline(20))


@pytest.mark.parametrize("kubernetes", [sends(with_length(b'{"status":"success","data":{}}'))], indirect=True)
def test_list_of_another_server(kubernetes: tuple[KubernetesClient, Server]) -> None:
    client, _ = kubernetes
    with pytest.raises(SourceError, match="not a Kubernetes list"):
        client.list("/api/v1/pods", deadline=Deadline(5))


NAMELESS = json.dumps(json.loads(page("a")) | {"items": [None, {}, {"metadata": {}}, *json.loads(page("a"))["items"]]})


@pytest.mark.parametrize("kubernetes", [sends(with_length(NAMELESS.encode()))], indirect=True)
def test_items_without_a_name_are_left_out_and_counted(kubernetes: tuple[KubernetesClient, Server]) -> None:
    client, _ = kubernetes
    listing = client.read_list("/api/v1/pods", deadline=Deadline(5))
    assert ([item["metadata"]["name"] for item in listing.items], listing.nameless) == (["a"], 3)
    with pytest.raises(SourceError, match="not a Kubernetes list"):
        client.list("/api/v1/pods", deadline=Deadline(5))


LOG = b"2026-01-01T00:00:00Z \x1b[31mERROR\x1b[0m caf\xe9 password=hunter2\n\x1b]0;title\x07done\n"


@pytest.mark.parametrize("kubernetes", [sends(with_length(LOG))], indirect=True)
def test_log_is_text(kubernetes: tuple[KubernetesClient, Server]) -> None:
    client, server = kubernetes
    text = client.log(
        "a b",
        "web",
        "app",
        deadline=Deadline(5),
        previous=True,
        tail_lines=5,
        since_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert text.startswith("2026-01-01T00:00:00Z ERROR caf� password=<secret:")
    assert text.endswith("\ndone\n")
    head = server.requests[0].decode()
    assert "/namespaces/a%20b/pods/web/log?" in head
    for part in (
        "previous=true",
        "tailLines=5",
        "timestamps=true",
        "sinceTime=2026-01-01T00%3A00%3A00Z",
        "limitBytes=",
    ):
        assert part in head


@pytest.mark.parametrize("kubernetes", [sends(with_length(b"a line\n" * 10))], indirect=True)
def test_log_says_that_it_was_cut(kubernetes: tuple[KubernetesClient, Server]) -> None:
    client, _ = kubernetes
    assert client.read_log("a", "b", "c", deadline=Deadline(5), limit_bytes=70).cut
    assert not client.read_log("a", "b", "c", deadline=Deadline(5), limit_bytes=71).cut


@pytest.mark.parametrize("kubernetes", [sends(with_length(b'{"done":true}'))], indirect=True)
def test_nothing_can_be_written(kubernetes: tuple[KubernetesClient, Server]) -> None:
    client, server = kubernetes
    chat = client.proxy_url("ai", "ollama", 80) + "/api/chat"
    for method, path in (
        ("POST", "/api/v1/namespaces/a/pods"),
        ("DELETE", "/api/v1/namespaces/a/pods/b"),
        ("PATCH", chat),
        ("POST", "/api/v1/namespaces/a/services/b/proxy/api/delete"),
        ("POST", chat + "/../../../pods"),
    ):
        with pytest.raises(ValueError, match="only reads"):
            list(client.stream(method, path, {}, deadline=Deadline(5)))
        with pytest.raises(ValueError, match="only reads"):
            list(client.proxy("ai", "ollama", 80).stream(method, "/api/delete", body={}, deadline=Deadline(5)))
    assert not server.requests
    assert b"".join(client.stream("POST", chat, {"model": "m"}, deadline=Deadline(5))) == b'{"done":true}'
    assert b"".join(client.proxy("ai", "ollama", 80).stream("POST", "/api/chat", body={}, deadline=Deadline(5)))
    assert server.requests[0].startswith(b"POST /api/v1/namespaces/ai/services/ollama:80/proxy/api/chat ")


def test_no_pod_around() -> None:
    with pytest.raises(UnreachableError):
        KubernetesClient.in_cluster()


@pytest.fixture
def lab() -> Iterator[KubernetesClient]:
    client = KubernetesClient.from_context(LAB_CONTEXT)
    yield client
    client.close()


@pytest.mark.cluster
def test_the_cluster_answers(lab: KubernetesClient) -> None:
    nodes = lab.list("/api/v1/nodes", deadline=Deadline(20), limit=1)
    assert len(nodes) == 3
    assert {node["kind"] for node in nodes} == {"Node"}
    with pytest.raises(ApiError) as caught:
        lab.get("/api/v1/namespaces/default/pods/none", deadline=Deadline(20))
    assert (caught.value.status, caught.value.message) == (404, 'pods "none" not found')


@pytest.mark.cluster
def test_the_cluster_gives_logs(lab: KubernetesClient) -> None:
    name = next(
        pod["metadata"]["name"]
        for pod in lab.list("/api/v1/namespaces/kube-system/pods", deadline=Deadline(20))
        if pod["metadata"]["name"].startswith("kube-apiserver-")
    )
    text = lab.log("kube-system", name, "kube-apiserver", deadline=Deadline(20), tail_lines=3)
    assert text.count("\n") == 3
    with pytest.raises(ApiError) as caught:
        lab.log("kube-system", name, "none", deadline=Deadline(20))
    assert caught.value.status == 400


@pytest.mark.cluster
def test_prometheus_through_the_service_proxy(lab: KubernetesClient) -> None:
    client = PrometheusClient(lab.proxy("monitoring", "prometheus", 9090))
    try:
        client.buildinfo(deadline=Deadline(20))
    except SourceError as error:
        pytest.skip(f"no Prometheus in the cluster: {error.message}")
    now = datetime.now(UTC).replace(microsecond=0)
    assert client.query("vector(1)", now, deadline=Deadline(20))["result"][0]["value"][1] == "1"
    matrix = client.query_range("vector(1)", TimeWindow.last(minutes=1, now=now), 10, deadline=Deadline(20))
    assert len(matrix["result"][0]["values"]) == 7
    with pytest.raises(ApiError, match="parse error") as caught:
        client.query("sum(", now, deadline=Deadline(20))
    assert caught.value.status == 400


@pytest.mark.cluster
def test_the_same_bytes_as_kubectl(lab: KubernetesClient) -> None:
    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    command = ["kubectl", "--context", LAB_CONTEXT, "get", "--raw", path]
    raw = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=30).stdout)  # noqa: S603
    assert lab.get(path, deadline=Deadline(20)) == raw
