"""The Ollama client: against bad servers, as recorded from a real one, through a proxy, and the real one itself."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from bad_server import OK, Answer, drips, sends, served, with_length
from scripted_ollama import MODEL, RECORDED, chat_lines, real_ollama, scripted, why_no_ollama

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.ollama import ANSWER_BYTES, LINE_BYTES, ChatReply, OllamaClient
from srelab_lib.errors import ApiError, DeadlineError, ModelError, SourceError, TooLargeError, UnreachableError

SCHEMA = {"type": "object", "properties": {"choice": {"enum": ["C1"]}}, "required": ["choice"]}
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TOKEN = b'{"message":{"content":"a"},"done":false}\n'


def ask(
    client: OllamaClient, *, seconds: float = 10.0, context: int = 2048, words: int = 1, most: int = 40
) -> ChatReply:
    return client.chat(
        MODEL,
        [{"role": "user", "content": "hi " * words}],
        schema=SCHEMA,
        context_tokens=context,
        output_tokens=most,
        deadline=Deadline(seconds),
    )


def ask_bad(answer: Answer, *, seconds: float = 10.0) -> ChatReply:
    with served(answer) as server:
        client = OllamaClient.from_url(server.url)
        try:
            return ask(client, seconds=seconds)
        finally:
            client.close()


def silent(start: bytes = b"") -> Answer:
    """Sends `start`, then reads what comes and says nothing more."""

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        while connection.recv(65536):
            pass

    return answer


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_a_recorded_answer_is_read_whole() -> None:
    with scripted(RECORDED["chat"]) as server:
        reply = ask(OllamaClient.from_url(server.url))
    assert json.loads(reply.content) == {"choice": "C1"}
    assert (reply.done_reason, reply.prompt_tokens > 0, reply.output_tokens > 0) == ("stop", True, True)


def test_an_answer_that_was_cut_says_so() -> None:
    with scripted(RECORDED["chat cut at num_predict"]) as server:
        assert ask(OllamaClient.from_url(server.url)).done_reason == "length"


def test_every_option_that_decides_the_answer_is_sent() -> None:
    with scripted(chat_lines("{}")) as server:
        ask(OllamaClient.from_url(server.url))
        (asked,) = server.asked
    assert asked["options"] == {"num_ctx": 2048, "num_predict": 40, "temperature": 0, "seed": 7}
    assert (asked["stream"], asked["truncate"], asked["shift"], asked["format"]) == (True, False, False, SCHEMA)
    assert asked["keep_alive"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(sends(with_length(b"<html>hello</html>\n")), ModelError, id="another server"),
        pytest.param(sends(with_length(b'["a list"]\n')), ModelError, id="json that is no object"),
        pytest.param(sends(with_length(b'{"error":"llama runner has terminated"}\n')), ModelError, id="error in it"),
        pytest.param(sends(with_length(b'{"message":{"content":"{"},"done":false}\n')), ModelError, id="no end"),
        pytest.param(sends(with_length(b"")), ModelError, id="empty"),
        pytest.param(sends(with_length(b"[" * 100_000)), ModelError, id="nested"),
        pytest.param(sends(CHUNKED + chunk(b'{"message":{"content":"{"}}\n')), SourceError, id="cut in the middle"),
        pytest.param(sends(with_length(b"x" * (LINE_BYTES + 1))), ModelError, id="a line without an end"),
        pytest.param(drips(CHUNKED, chunk(TOKEN * 2000), each=0), TooLargeError, id="endless"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask_bad(answer)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silent(), id="says nothing"),
        pytest.param(silent(CHUNKED), id="stops after the head"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), id="drips headers"),
        pytest.param(drips(CHUNKED, chunk(TOKEN), each=0.05), id="drips tokens"),
        pytest.param(drips(CHUNKED + b"fffff\r\n", b" ", each=0.05), id="drips bytes"),
    ],
)
def test_the_deadline_bounds_the_whole_answer(answer: Answer) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        ask_bad(answer, seconds=0.6)
    assert time.monotonic() - began < 5


def test_a_model_that_is_not_there() -> None:
    with scripted(RECORDED["unknown model"]) as server:
        client = OllamaClient.from_url(server.url)
        with pytest.raises(ApiError, match="model 'phi3' not found") as chat:
            ask(client)
        with pytest.raises(ModelError) as digest:
            client.digest("phi3", deadline=Deadline(5))
    assert (chat.value.status, digest.value.hint) == (404, "ollama pull phi3")


def test_a_prompt_that_does_not_fit_is_refused_and_not_cut() -> None:
    with (
        scripted(RECORDED["prompt too long"]) as server,
        pytest.raises(ApiError, match="the input length exceeds the context length"),
    ):
        ask(OllamaClient.from_url(server.url))


def test_nothing_listens() -> None:
    with pytest.raises(UnreachableError):
        ask(OllamaClient.from_url("http://127.0.0.1:9"))


def test_the_package_lists_and_shows_over_the_same_connection() -> None:
    with scripted(chat_lines("{}")) as server:
        client = OllamaClient.from_url(server.url)
        assert client.version(deadline=Deadline(5)) == "0.17.4"
        assert list(client.models()) == [MODEL]
        assert client.digest(MODEL, deadline=Deadline(5)) == client.models()[MODEL]
        assert "TEMPLATE" in client.show(MODEL)["modelfile"]


def test_a_model_may_be_named_without_its_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    tags: dict[str, Any] = {"status": 200, "body": RECORDED["tags"]["body"].replace(MODEL, "phi3:latest")}
    monkeypatch.setitem(RECORDED, "tags", tags)
    with scripted(chat_lines("{}")) as server:
        assert len(OllamaClient.from_url(server.url).digest("phi3", deadline=Deadline(5))) == 64


def test_everything_works_through_the_service_proxy() -> None:
    prefix = "/api/v1/namespaces/ai/services/ollama:11434/proxy"
    with scripted(RECORDED["chat"], prefix=prefix) as server:
        client = OllamaClient.through(KubernetesClient.from_url(server.url), "ai", "ollama", 11434)
        assert list(client.models()) == [MODEL]
        assert ask(client).done_reason == "stop"
    assert client.start_command == "kubectl --namespace ai get endpoints ollama"
    assert client.pull_command("phi3") == "kubectl --namespace ai exec service/ollama -- ollama pull phi3"


def test_the_bound_on_the_stream_leaves_room_for_a_long_answer() -> None:
    assert len(chat_lines("x" * 7 * 2000)) < ANSWER_BYTES


@pytest.mark.ollama
@pytest.mark.skipif(bool(why_no_ollama()), reason=why_no_ollama() or "there is one")
def test_a_real_server(tmp_path: Path) -> None:
    """Lists, shows, makes and asks: what the recorded answers stand for elsewhere."""
    with real_ollama(tmp_path) as url:
        client = OllamaClient.from_url(url)
        client.create("small:1", base=MODEL, parameters={"num_ctx": 512})
        assert set(client.models()) == {MODEL, "small:1"}
        assert "num_ctx" in client.show("small:1")["modelfile"]
        reply = ask(client, seconds=300)
        assert json.loads(reply.content) == {"choice": "C1"}
        assert ask(client, seconds=300, most=2).done_reason == "length"
        with pytest.raises(ApiError, match="exceeds the context length"):
            ask(client, seconds=300, context=512, words=800)
        with pytest.raises(DeadlineError):
            ask(client, seconds=0.05, words=400)
        client.close()
