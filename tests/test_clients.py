"""The clients against real servers: bad ones on localhost, and the lab's cluster."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bad_server import OK, Answer, Server, drips, hangs, sends, served, status, with_length

from srelab_lib.clients import kubernetes as module
from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.clients.transport import Transport
from srelab_lib.errors import (
    ApiError,
    DeadlineError,
    SettingsError,
    SourceError,
    TooLargeError,
    UnreachableError,
)
from srelab_lib.model import TimeWindow
from srelab_lib.settings import LAB_CONTEXT

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def asked(server: Server, *, seconds: float = 5.0, max_bytes: int = 10_000) -> object:
    """One JSON document of the server."""
    transport = Transport(server.url)
    try:
        return transport.json("/x", deadline=Deadline(seconds), max_bytes=max_bytes)
    finally:
        transport.close()


# --- deadline ---------------------------------------------------------------------------------------------------------


def test_deadline_counts_down_and_raises() -> None:
    now = [0.0]
    deadline = Deadline(10, clock=lambda: now[0])
    now[0] = 4
    assert deadline.remaining() == 6
    assert deadline.at_most(2).remaining() == 2
    assert deadline.at_most(60).remaining() == 6
    deadline.check("x")
    now[0] = 11
    assert deadline.remaining() == 0
    with pytest.raises(DeadlineError) as caught:
        deadline.check("Prometheus")
    assert caught.value.source == "Prometheus"
    assert caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(hangs(), id="no answer"),
        pytest.param(hangs(OK), id="no end of the headers"),
        pytest.param(hangs(OK + b"Content-Length: 9\r\n\r\n{"), id="no end of the body"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nX: ", b"a"), id="a header drips"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"), id="headers drip"),
        pytest.param(drips(b"", b"H"), id="the status line drips"),
        pytest.param(drips(OK + b"\r\n", b"1"), id="the body drips"),
        pytest.param(drips(OK + b"Content-Length: 99999\r\n\r\n", b"1"), id="a body of known length drips"),
        pytest.param(drips(CHUNKED, b"1\r\n1\r\n"), id="chunks drip"),
        pytest.param(drips(CHUNKED, b"0"), id="the size of a chunk drips"),
        pytest.param(drips(b"HTTP/1.1 500 No\r\n\r\n", b"1"), id="an error drips"),
    ],
)
def test_deadline_bounds_all_of_it(answer: Answer) -> None:
    with served(answer) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineError):
            asked(server, seconds=0.6)
        assert time.monotonic() - began < 10


def test_deadline_bounds_a_stream() -> None:
    with served(drips(CHUNKED, b"2\r\n{}\r\n")) as server:
        transport = Transport(server.url)
        began = time.monotonic()
        chunks = transport.stream("GET", "/x", deadline=Deadline(0.6))
        assert next(chunks) == b"{}"
        with pytest.raises(DeadlineError):
            list(chunks)
        assert time.monotonic() - began < 10
        transport.close()


# --- what is no answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(sends(), id="closes"),
        pytest.param(sends(b"hello\r\n\r\n"), id="no HTTP"),
        pytest.param(sends(bytes(range(256)) * 50), id="bytes"),
        pytest.param(sends(OK + b'Content-Length: 100\r\n\r\n{"a":'), id="half a body"),
        pytest.param(sends(OK + b'\r\n{"a":'), id="half a body of unknown length"),
        pytest.param(sends(CHUNKED + b'9\r\n{"a":'), id="half a chunk"),
        pytest.param(sends(CHUNKED + b"zz\r\n"), id="no size of a chunk"),
        pytest.param(sends(with_length(b"<html>sign in</html>")), id="a page"),
        pytest.param(sends(with_length(b"")), id="nothing"),
        pytest.param(sends(with_length(b"[" * 9000)), id="nesting"),
        pytest.param(sends(with_length(b"{}", head=OK + b"Content-Encoding: gzip\r\n")), id="no gzip"),
    ],
)
def test_no_answer_is_an_error(answer: Answer) -> None:
    with served(answer) as server, pytest.raises(SourceError) as caught:
        asked(server)
    assert not isinstance(caught.value, DeadlineError)
    assert "/x" in caught.value.source


def test_too_large() -> None:
    with served(drips(OK + b"\r\n", b"1" * 4000, each=0)) as server, pytest.raises(TooLargeError):
        asked(server)


def test_too_large_when_unpacked() -> None:
    packed = gzip.compress(b"0" * 50_000_000)
    answer = sends(with_length(packed, head=OK + b"Content-Encoding: gzip\r\n"))
    with served(answer) as server, pytest.raises(TooLargeError):
        asked(server, max_bytes=100_000)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "no-such-host.invalid"):
        with pytest.raises(UnreachableError) as caught:
            asked(Server(f"http://{host}"))
        assert caught.value.hint


def test_error_of_the_server() -> None:
    body = b'{"kind":"Status","message":"pods is forbidden: password=hunter2","code":403}'
    with served(sends(status("403 Forbidden", body))) as server, pytest.raises(ApiError) as caught:
        asked(server)
    assert caught.value.status == 403
    assert caught.value.message.startswith("pods is forbidden")
    assert "auth can-i" in caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.body


def test_json_is_redacted() -> None:
    with served(sends(with_length(b'{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]}'))) as server:
        assert "hunter2" not in str(asked(server))


def test_redirects_are_not_followed() -> None:
    answer = sends(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    with served(answer) as server, pytest.raises(ApiError) as caught:
        asked(server)
    assert caught.value.status == 302


def test_a_busy_server_is_asked_again() -> None:
    answers = iter([status("429 Too Many Requests", b"{}"), with_length(b"{}")])
    with served(lambda connection, _: connection.sendall(next(answers))) as server:
        assert asked(server) == {}
        assert len(server.requests) == 2


def test_a_connection_that_was_closed_meanwhile() -> None:
    with served(sends(with_length(b"{}"))) as server:
        transport = Transport(server.url)
        for _ in range(3):
            assert transport.json("/x", deadline=Deadline(5), max_bytes=100) == {}
        transport.close()


def test_credentials_of_a_url_are_sent_and_never_shown() -> None:
    with served(sends(status("401 Unauthorized", b"no"))) as server:
        transport = Transport(server.url.replace("//", "//bob:hunter2@"))
        with pytest.raises(ApiError) as caught:
            transport.json("/x", deadline=Deadline(5), max_bytes=100)
        transport.close()
        assert b"Basic Ym9iOmh1bnRlcjI=" in server.requests[0]
    assert "hunter2" not in str(caught.value) + transport.name + transport.base_url


# --- Kubernetes -------------------------------------------------------------------------------------------------------


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


# --- kubeconfig -------------------------------------------------------------------------------------------------------

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: kind-shop
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: hunter2}}]
contexts:
- {name: kind-shop, context: {cluster: c, user: u}}
- {name: prod, context: {cluster: c, user: u}}
"""


def test_unknown_context_names_near_ones(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    assert contexts(kubeconfig=str(path)) == (("kind-shop", "prod"), "kind-shop")
    with pytest.raises(SettingsError, match="kind-shpo") as caught:
        KubernetesClient.from_context("kind-shpo", kubeconfig=str(path))
    assert "kind-shop" in caught.value.hint
    client = KubernetesClient.from_context(None, kubeconfig=str(path))
    assert client.name == "kind-shop"
    with pytest.raises(UnreachableError):
        client.get("/version", deadline=Deadline(5))
    client.close()


def test_no_kubeconfig(tmp_path: Path) -> None:
    assert contexts(kubeconfig=str(tmp_path / "none")) == ((), "")
    with pytest.raises(SettingsError) as caught:
        KubernetesClient.from_context(None, kubeconfig=str(tmp_path / "none"))
    assert "KUBECONFIG" in caught.value.hint


@pytest.mark.parametrize("text", ["{", "- 1", "contexts: 3", "contexts: [{}]", "\x00"])
def test_damaged_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(SettingsError, match="no kubeconfig"):
        contexts(kubeconfig=str(path))


def test_context_without_its_cluster(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG.replace("cluster: c,", "cluster: gone,"))
    with pytest.raises(UnreachableError, match="kind-shop"):
        KubernetesClient.from_context("kind-shop", kubeconfig=str(path))


def test_token_is_sent(tmp_path: Path) -> None:
    with served(sends(with_length(b"{}"))) as server:
        path = tmp_path / "config"
        path.write_text(KUBECONFIG.replace("https://127.0.0.1:1", server.url))
        client = KubernetesClient.from_context("prod", kubeconfig=str(path))
        client.get("/version", deadline=Deadline(5))
        client.close()
        assert b"uthorization: Bearer hunter2\r\n" in server.requests[0]


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "http_proxy"])
def test_a_cluster_on_this_machine_is_not_asked_by_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    path = tmp_path / "config"
    with served(sends(with_length(b"{}"))) as server, served(sends(with_length(b'{"by": "proxy"}'))) as other:
        monkeypatch.setenv(proxy, other.url)
        path.write_text(KUBECONFIG.replace("https://127.0.0.1:1", server.url))
        client = KubernetesClient.from_context("prod", kubeconfig=str(path))
        assert client.get("/version", deadline=Deadline(5)) == {}
        client.close()
        asked = f'"{server.url}", proxy-url: "{other.url}"'
        path.write_text(KUBECONFIG.replace('"https://127.0.0.1:1"', asked))
        assert other.requests == []
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
        client = KubernetesClient.from_context("prod", kubeconfig=str(path))
        assert client.get("/version", deadline=Deadline(5)) == {"by": "proxy"}, "a kubeconfig's own proxy is asked"
        client.close()


def test_no_pod_around() -> None:
    with pytest.raises(UnreachableError):
        KubernetesClient.in_cluster()


# --- Prometheus -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"status":"error"}', b'{"status":"success","data":[]}'])
def test_not_prometheus(body: bytes) -> None:
    with served(sends(with_length(body))) as server:
        client = PrometheusClient(server.url)
        with pytest.raises(SourceError, match="not Prometheus"):
            client.alerts(deadline=Deadline(5))
        client.close()


# --- the real ones ----------------------------------------------------------------------------------------------------


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
