"""A local model server: which models it has, and one question to one of them under a total wall-clock deadline.

The `ollama` package lists, shows, pulls and creates models. Its chat has no bound on the whole answer, so the chat is a
request of our own. Both go through one seam, `Streams`: a server at a URL, or one behind the API server's proxy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import ollama

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.transport import Transport
from srelab_lib.errors import ModelError, TooLargeError
from srelab_lib.redact.urls import shown_url

ANSWER_BYTES = 1024 * 1024
"""Bound on the whole stream: each token comes wrapped in about 120 bytes of JSON."""

LINE_BYTES = 64 * 1024
LIST_SECONDS = 10.0
PULL_SECONDS = 3600.0
SEED = 7
"""Any fixed number: the same prompt gives the same answer."""

LATEST = ":latest"


class Streams(Protocol):
    """What a client needs of a connection: one request whose body arrives in pieces, all of it within a deadline."""

    @property
    def name(self) -> str:
        """What errors call the server."""

    def stream(self, method: str, path: str, *, body: Any = None, deadline: Deadline) -> Iterator[bytes]:
        """The answer's body as it arrives; raises the SourceError family, ApiError with the status of a refusal."""

    def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatReply:
    """A complete answer. `done_reason` is `stop`, or `length` when it was cut off at its bound.

    A count is 0 where the server gave none, as older ones do of a prompt that they still had, and -1 where it gave
    something else. A reason is empty in both cases.
    """

    content: str
    done_reason: str
    prompt_tokens: int
    output_tokens: int


class OllamaClient:
    """One Ollama server.

    Args:
        streams: how it is reached.
        start: what a person runs when nothing answers.
        pull: what a person runs when the model is not there, `{model}` in it.
    """

    def __init__(self, streams: Streams, *, start: str = "ollama serve", pull: str = "ollama pull {model}") -> None:
        self.name = streams.name
        self.start_command = start
        self._pull_command = pull
        self._streams = streams

    @classmethod
    def from_url(cls, url: str) -> OllamaClient:
        """A server that is reached directly."""
        return cls(Transport(url, name=f"Ollama at {shown_url(url)}"))

    @classmethod
    def through(cls, kubernetes: KubernetesClient, namespace: str, service: str, port: int | str) -> OllamaClient:
        """A Service's server by the API server's service proxy, with the cluster's credentials."""
        return cls(
            kubernetes.proxy(namespace, service, port),
            start=f"kubectl --namespace {namespace} get endpoints {service}",
            pull=f"kubectl --namespace {namespace} exec service/{service} -- ollama pull {{model}}",
        )

    def pull_command(self, model: str) -> str:
        """What a person runs to have the model."""
        return self._pull_command.format(model=model)

    def close(self) -> None:
        """Close the connections."""
        self._streams.close()

    def version(self, *, deadline: Deadline) -> str:
        """The server's version, such as `0.17.4`."""
        body = b"".join(_bounded(self._streams.stream("GET", "/api/version", deadline=deadline), self.name))
        value = _object(body, self.name)
        return str(value.get("version", ""))

    def models(self, *, deadline: Deadline | None = None) -> dict[str, str]:
        """Names of the models that are there, each with its digest."""
        with self._manager(deadline or Deadline(LIST_SECONDS)) as manager:
            return {str(item.model): str(item.digest or "") for item in manager.list().models}

    def digest(self, model: str, *, deadline: Deadline) -> str:
        """The model's digest.

        Raises:
            ModelError: the server does not have the model.
        """
        models = self.models(deadline=deadline)
        for name in (model, model + LATEST):
            if name in models:
                return models[name]
        raise ModelError(f"model {model!r} is not there", source=self.name, hint=self.pull_command(model))

    def show(self, model: str, *, deadline: Deadline | None = None) -> dict[str, Any]:
        """Template, parameters, details and licence of a model, as the server gives them."""
        with self._manager(deadline or Deadline(LIST_SECONDS)) as manager:
            return manager.show(model).model_dump()

    def pull(
        self, model: str, *, progress: Callable[[str], None] = lambda _: None, deadline: Deadline | None = None
    ) -> None:
        """Fetch a model from the registry that the server knows; needs the internet even to refresh one."""
        with self._manager(deadline or Deadline(PULL_SECONDS)) as manager:
            for step in manager.pull(model, stream=True):
                progress(_progress(step))

    def create(
        self,
        model: str,
        *,
        gguf: str | None = None,
        base: str | None = None,
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        """Make a model from a GGUF file, or from another model with other parameters."""
        with self._manager(deadline or Deadline(PULL_SECONDS)) as manager:
            files = None if gguf is None else {"model.gguf": manager.create_blob(gguf)}
            manager.create(model, from_=base, files=files, template=template, parameters=parameters)

    def chat(
        self,
        model: str,
        messages: list[dict[str, str]],
        *,
        schema: Mapping[str, Any],
        context_tokens: int,
        output_tokens: int,
        deadline: Deadline,
        keep_alive: str | int = "10m",
    ) -> ChatReply:
        """One answer in the form of `schema`, the most likely one (temperature 0).

        A prompt that does not fit `context_tokens` is refused by the server (400) and not cut; an answer is cut at
        `output_tokens` and says so in `done_reason`.

        Raises:
            UnreachableError, DeadlineError, ApiError, TooLargeError: as their names say.
            ModelError: the stream is no Ollama stream, holds an error, or ends before the answer does.
        """
        body = {
            "model": model,
            "messages": messages,
            "stream": True,
            "format": schema,
            "truncate": False,
            "shift": False,
            "keep_alive": keep_alive,
            "options": {
                "num_ctx": context_tokens, "num_predict": output_tokens, "temperature": 0, "seed": SEED
            },
        }  # fmt: skip
        chunks = self._streams.stream("POST", "/api/chat", body=body, deadline=deadline)
        return _answer(_lines(_bounded(chunks, self.name), self.name), self.name)

    @contextmanager
    def _manager(self, deadline: Deadline) -> Iterator[ollama.Client]:
        """The `ollama` package on this connection, its errors as ours."""
        with ollama.Client(host="http://ollama", transport=_Bridge(self._streams, deadline)) as manager:
            try:
                yield manager
            except ollama.ResponseError as error:
                raise ModelError(" ".join(error.error.split())[:300], source=self.name) from error
            except (httpx.HTTPError, ValueError) as error:
                raise ModelError("the answer is not what Ollama sends", source=self.name) from error


class _Bridge(httpx.BaseTransport):
    """Lets the `ollama` package speak through a `Streams`; our errors pass through it unchanged."""

    def __init__(self, streams: Streams, deadline: Deadline) -> None:
        self._streams = streams
        self._deadline = deadline

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on. A file that is uploaded stays a stream: a model does not fit into memory."""
        path = request.url.raw_path.decode("ascii")
        uploads = "transfer-encoding" in request.headers
        body = _pieces(request) if uploads else request.read() or None
        chunks = self._streams.stream(request.method, path, body=body, deadline=self._deadline)
        # The first piece is waited for here: a refusal is raised before the package sees an answer.
        return httpx.Response(200, stream=_Rest(next(chunks, b""), chunks))


def _pieces(request: httpx.Request) -> Iterator[bytes]:
    if isinstance(request.stream, httpx.SyncByteStream):
        yield from request.stream


class _Rest(httpx.SyncByteStream):
    def __init__(self, first: bytes, chunks: Iterator[bytes]) -> None:
        self._first = first
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._chunks


def _bounded(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > ANSWER_BYTES:
            raise TooLargeError(f"the answer is larger than {ANSWER_BYTES // 1024} KiB", source=source)
        yield chunk


def _lines(chunks: Iterator[bytes], source: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, one a line."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES:
            raise ModelError("the answer has a line without an end", source=source)
        yield from (_object(line, source) for line in whole if line.strip())
    if rest.strip():
        yield _object(rest, source)


def _object(line: bytes, source: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ModelError("the answer is not what Ollama sends", source=source) from error
    if not isinstance(value, dict):
        raise ModelError("the answer is not what Ollama sends", source=source)
    return value


def _answer(lines: Iterator[dict[str, Any]], source: str) -> ChatReply:
    content: list[str] = []
    for line in lines:
        if line.get("error"):
            raise ModelError(str(line["error"])[:300], source=source)
        message = line.get("message")
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            content.append(message["content"])
        if line.get("done") is True:
            reason = line.get("done_reason")
            return ChatReply(
                content="".join(content),
                done_reason=reason if isinstance(reason, str) else "",
                prompt_tokens=_count(line.get("prompt_eval_count")),
                output_tokens=_count(line.get("eval_count")),
            )
    raise ModelError("the answer broke off before its end", source=source)


def _count(value: Any) -> int:
    if value is None:
        return 0
    return value if type(value) is int and value >= 0 else -1


def _progress(step: Any) -> str:
    done, total = step.completed or 0, step.total or 0
    return f"{step.status} {100 * done // total} %" if total else str(step.status)
