"""Asks the model once, twice at most, within one deadline; what it says is checked, and its absence is one line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.ollama import ChatReply, OllamaClient
from srelab_lib.errors import ApiError, DeadlineError, ModelError, SrelabError, UnreachableError
from srelab_lib.explanation.grounding import verify
from srelab_lib.explanation.prompt import (
    ANSWER_TOKENS,
    CLAIM_CHARACTERS,
    CONTEXT_TOKENS,
    MAX_CITED,
    MAX_CLAIMS,
    Prompt,
    build,
    candidate_ids,
)
from srelab_lib.model import Analysis, Diagnosis

ATTEMPTS = 2
BYTES_PER_TOKEN = 8
"""No vocabulary packs more of such text into a token: a prompt counted below that was cut before it was read."""

_NOBODY_BEHIND = frozenset({502, 503, 504})
"""What a proxy answers when no model server does."""

_AGAIN = "run again, or with another model"
REMINDER = "Answer again: one JSON object of the given schema, complete, at most three short claims."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Statement:
    """One claim as the model gave it."""

    text: str
    cited: tuple[str, ...]
    about: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What the model said, in the form that was asked for."""

    choice: str | None
    statements: tuple[_Statement, ...]


def explain(
    diagnosis: Diagnosis,
    client: OllamaClient,
    *,
    model: str,
    deadline_seconds: float,
    progress: Callable[[str], None] | None = None,
) -> Analysis:
    """The model's own choice among the candidates and its claims, each kept or struck.

    Args:
        diagnosis: what it is asked to explain.
        client: the server that has the model.
        model: the model's name there.
        deadline_seconds: wall clock for everything, both attempts together; 0 asks no model.
        progress: told what is waited for.

    Returns:
        An analysis; when there is none, `unavailable` says in one line why and what to run. Never raises for a server
        or a model that is absent, slow or wrong.
    """
    began = time.monotonic()
    if deadline_seconds <= 0:
        return Analysis(model=model, unavailable="no model was asked: model_deadline_seconds is 0")
    if not diagnosis.evidence.items:
        return Analysis(model=model, unavailable="no model was asked: there is no fact to explain")
    deadline = Deadline(deadline_seconds)
    try:
        analysis = _ask(diagnosis, client, model, deadline, progress or _silent)
    except SrelabError as error:
        analysis = Analysis(model=model, unavailable=_why_none(error, client, model, deadline))
    return replace(analysis, seconds=round(time.monotonic() - began, 1))


def _silent(_: str) -> None:
    """Progress for nobody."""


def _ask(
    diagnosis: Diagnosis, client: OllamaClient, model: str, deadline: Deadline, progress: Callable[[str], None]
) -> Analysis:
    digest = client.digest(model, deadline=deadline)
    prompt = build(diagnosis)
    messages, problem = prompt.messages, ""
    for _ in range(ATTEMPTS):
        progress(f"asking {model}, at most {deadline.remaining():.0f} s{problem}")
        reply = client.chat(
            model,
            list(messages),
            schema=prompt.schema,
            context_tokens=CONTEXT_TOKENS,
            output_tokens=ANSWER_TOKENS,
            deadline=deadline,
        )
        try:
            analysis = _analysis(_read(reply, prompt), diagnosis, model, reply)
            return replace(analysis, digest=digest, omitted=prompt.omitted)
        except ModelError as error:
            problem = f", once more: {error.message}"
            messages = (*prompt.messages, {"role": "user", "content": REMINDER})
    raise ModelError(f"it gave no answer that can be used{problem.replace('once more: ', '')}")


def _analysis(answer: _Answer, diagnosis: Diagnosis, model: str, reply: ChatReply) -> Analysis:
    choice = answer.choice
    return Analysis(
        model=model,
        choice=choice,
        agrees=None if choice is None else choice == candidate_ids(diagnosis.candidates)[0],
        claims=tuple(verify(item.text, item.cited, diagnosis.evidence, about=item.about) for item in answer.statements),
        prompt_tokens=reply.prompt_tokens,
        output_tokens=reply.output_tokens,
    )


def _read(reply: ChatReply, prompt: Prompt) -> _Answer:
    """The answer as values. That the server enforced the schema is not relied on.

    Raises:
        ModelError: a prompt or an answer that is cut, or may be, or not the form that was asked for.
    """
    _check_whole(reply, prompt)
    try:
        value = json.loads(reply.content)
    except (ValueError, RecursionError) as error:
        raise ModelError("the answer is not JSON") from error
    claims = value.get("claims") if isinstance(value, dict) else None
    if not isinstance(claims, list):
        raise ModelError("the answer has no claims")
    statements = {item.text.casefold(): item for item in map(_statement, claims[:MAX_CLAIMS]) if item.text}
    choice = value.get("choice")
    return _Answer(choice=choice if choice in prompt.choices else None, statements=tuple(statements.values()))


def _check_whole(reply: ChatReply, prompt: Prompt) -> None:
    if reply.done_reason == "length":
        raise ModelError("the answer was cut off at its bound")
    if not reply.done_reason:
        raise ModelError("the server does not say why the answer ended, so it may be cut off")
    if reply.prompt_tokens < 0:
        raise ModelError("the server does not say how many tokens of the prompt it read, so it may have cut it")
    size = sum(len(message["content"].encode()) for message in prompt.messages)
    if reply.prompt_tokens >= CONTEXT_TOKENS or 0 < reply.prompt_tokens < size // BYTES_PER_TOKEN:
        raise ModelError(f"the server cut the prompt to {reply.prompt_tokens} tokens")


def _statement(item: Any) -> _Statement:
    """One claim with its lengths bounded; an empty text when it is none."""
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        return _Statement(text="", cited=(), about="")
    ids = item.get("evidence")
    cited = [one[:8] for one in ids[:MAX_CITED] if isinstance(one, str)] if isinstance(ids, list) else []
    about = item.get("object")
    return _Statement(
        text=" ".join(item["text"].split())[:CLAIM_CHARACTERS],
        cited=tuple(dict.fromkeys(cited)),
        about=about if isinstance(about, str) else "",
    )


def _why_none(error: SrelabError, client: OllamaClient, model: str, deadline: Deadline) -> str:
    """One line: what went wrong, and what to run."""
    absent = isinstance(error, ApiError) and error.status == 404 and "model" in error.message
    if absent or error.hint == client.pull_command(model):
        return f"{client.name} has no model {model!r}: run `{client.pull_command(model)}`"
    if isinstance(error, DeadlineError):
        return (
            f"{model} did not answer within {deadline.seconds:.0f} s: run again with a larger model_deadline_seconds, "
            "or with a smaller model"
        )
    if isinstance(error, ApiError) and error.status not in _NOBODY_BEHIND:
        return f"{client.name} answers with HTTP {error.status}: {error.message}: {error.hint or _AGAIN}"
    if isinstance(error, UnreachableError | ApiError):
        return f"no model answers, {client.name}: {error.message}: run `{client.start_command}`"
    return f"{model} gave nothing that can be used: {error.message}: {_AGAIN}"
