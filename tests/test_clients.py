"""The transport of the clients against bad servers on localhost: all has a deadline, and no answer is an error."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable

import pytest
from bad_server import OK, Answer, Server, drips, hangs, sends, served, status, with_length

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.ollama import OllamaClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.clients.transport import Transport
from srelab_lib.errors import ApiError, DeadlineError, SourceError, TooLargeError, UnreachableError

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


def test_the_query_of_a_url_is_sent_with_every_request_and_never_shown() -> None:
    with served(sends(status("401 Unauthorized", b"no"))) as server:
        transport = Transport(server.url.replace("//", "//bob:p%40ss@") + "/prom/?token=hunter2")
        for asking in (transport, transport.under("/proxy", name="a proxy")):
            with pytest.raises(ApiError) as caught:
                asking.json("/x", {"limit": 1}, deadline=Deadline(5), max_bytes=100)
            assert "hunter2" not in str(caught.value) + asking.name + asking.base_url
        transport.close()
        paths = [request.split()[1] for request in server.requests]
        assert paths == [b"/prom/x?token=hunter2&limit=1", b"/prom/proxy/x?token=hunter2&limit=1"]
        assert all(b"Basic Ym9iOnBAc3M=" in request for request in server.requests)


@pytest.mark.parametrize("client", [PrometheusClient, OllamaClient.from_url])
def test_a_server_is_named_without_who_may_use_it(client: Callable[[str], PrometheusClient | OllamaClient]) -> None:
    named = client("https://bob:hunter2@shop.example:9090/prom/?token=hunter2#hunter2")
    assert named.name.endswith("https://shop.example:9090/prom")
    named.close()


def test_a_connection_that_broke_off_is_told_in_words() -> None:
    with served(sends()) as server, pytest.raises(SourceError) as caught:
        asked(server)
    assert caught.value.message == "the answer broke off: Remote end closed connection without response"


# --- Prometheus -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"status":"error"}', b'{"status":"success","data":[]}'])
def test_not_prometheus(body: bytes) -> None:
    with served(sends(with_length(body))) as server:
        client = PrometheusClient(server.url)
        with pytest.raises(SourceError, match="not Prometheus"):
            client.alerts(deadline=Deadline(5))
        client.close()
