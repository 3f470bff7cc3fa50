"""One question whose answer is held to a schema and timed: what the lab asks a model to see whether it works."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fastjsonschema

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.ollama import ChatReply, Streams
from srelab_lib.errors import ModelError

CONTEXT_TOKENS = 2048
OUTPUT_TOKENS = 160
QUESTION = (
    "Kubernetes says of a container: state terminated, reason OOMKilled, exit code 137, memory limit 10Mi. "
    "Which resource ran out, and what is the exit code? Answer as JSON with resource (memory, cpu or disk), "
    "exit_code (a number) and sentence (one short sentence)."
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "resource": {"enum": ["memory", "cpu", "disk"]},
        "exit_code": {"type": "integer"},
        "sentence": {"type": "string", "maxLength": 160},
    },
    "required": ["resource", "exit_code", "sentence"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer that is JSON and fits its schema, with what it took.

    Attributes:
        value: the JSON.
        first_token_seconds: from the question to the first piece of the answer: reading the weights if they were not in
            memory, and the prompt.
        seconds: from the question to the end.
    """

    value: dict[str, Any]
    first_token_seconds: float
    seconds: float
    prompt_tokens: int
    output_tokens: int

    @property
    def tokens_per_second(self) -> float:
        """How fast the tokens after the first one came."""
        rest = self.seconds - self.first_token_seconds
        return (self.output_tokens - 1) / rest if rest > 0 and self.output_tokens > 1 else 0.0


class Timed:
    """A connection that takes the time: when the last request was sent, and when its first piece came."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self.asked = self.first = 0.0

    @property
    def name(self) -> str:
        """What errors call the server."""
        return self._streams.name

    def stream(self, method: str, path: str, *, body: Any = None, deadline: Deadline) -> Iterator[bytes]:
        """The body as it arrives."""
        self.asked, self.first = time.monotonic(), 0.0
        for piece in self._streams.stream(method, path, body=body, deadline=deadline):
            self.first = self.first or time.monotonic()
            yield piece

    def close(self) -> None:
        """Close the connections."""
        self._streams.close()


def answer_of(reply: ChatReply, schema: dict[str, Any], timer: Timed) -> Answer:
    """The reply as JSON, held against its schema.

    Raises:
        ModelError: it is no JSON, was cut off, or does not fit.
    """
    now = time.monotonic()
    try:
        value = json.loads(reply.content)
        fastjsonschema.validate(schema, value, use_default=False)
    except (ValueError, fastjsonschema.JsonSchemaValueException) as error:
        cut = f", cut off at {reply.output_tokens} tokens" if reply.done_reason == "length" else ""
        raise ModelError(
            f"the answer does not fit the schema{cut}: {reply.content[:200]!r}", source=timer.name
        ) from error
    return Answer(
        value=value,
        first_token_seconds=timer.first - timer.asked,
        seconds=now - timer.asked,
        prompt_tokens=reply.prompt_tokens,
        output_tokens=reply.output_tokens,
    )
