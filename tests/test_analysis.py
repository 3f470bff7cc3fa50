"""What becomes of a model's answer, and of its absence: never an error, always one line on what to run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_server import OK, Answer, drips, sends, served, status, with_length
from samples import OBJECT, diagnosis_of, facts
from scripted_ollama import MODEL, RECORDED, Scripted, chat_lines, real_ollama, scripted, why_no_ollama

from srelab_lib.clients.ollama import OllamaClient
from srelab_lib.explanation import explain
from srelab_lib.explanation.prompt import CLAIM_CHARACTERS, CONTEXT_TOKENS, MAX_CLAIMS, PROMPT_TOKENS
from srelab_lib.model import Analysis, EvidenceSet

TRUE: dict[str, Any] = {
    "text": "The memory limit was lowered from 256Mi to 10Mi.",
    "evidence": ["E1"],
    "object": OBJECT,
}
FALSE: dict[str, Any] = {"text": "The node ran out of disk space.", "evidence": ["E2"], "object": OBJECT}


def answer(choice: Any = "C1", claims: Any = (TRUE, FALSE)) -> bytes:
    return chat_lines(json.dumps({"choice": choice, "claims": list(claims) if isinstance(claims, tuple) else claims}))


def explained(*answers: bytes | dict[str, Any], model: str = MODEL, seconds: float = 30.0) -> tuple[Analysis, Scripted]:
    with scripted(*answers) as server:
        analysis = explain(
            diagnosis_of(facts("oom")), OllamaClient.from_url(server.url), model=model, deadline_seconds=seconds
        )
    return analysis, server


def against(server: Answer, *, seconds: float = 5.0) -> Analysis:
    with served(server) as running:
        return explain(
            diagnosis_of(facts("oom")), OllamaClient.from_url(running.url), model=MODEL, deadline_seconds=seconds
        )


def test_claims_are_kept_or_struck_and_the_choice_is_compared() -> None:
    analysis, _ = explained(answer())
    assert [claim.status for claim in analysis.claims] == ["kept", "struck"]
    assert (analysis.choice, analysis.agrees, analysis.unavailable) == ("C1", True, "")
    assert (analysis.digest[:6], analysis.prompt_tokens, analysis.output_tokens > 0) == ("d22c86", 900, True)


@pytest.mark.parametrize(
    ("choice", "expected"), [("C2", ("C2", False)), ("none", (None, None)), ("C9", (None, None)), (7, (None, None))]
)
def test_the_choice_is_one_of_the_candidates_or_none(choice: Any, expected: tuple[str | None, bool | None]) -> None:
    analysis, _ = explained(answer(choice))
    assert (analysis.choice, analysis.agrees) == expected


def test_claims_are_bounded_and_said_once() -> None:
    long = {**TRUE, "text": "word " * 500}
    many = tuple({**TRUE, "text": f"It restarted {number} times."} for number in range(20))
    analysis, _ = explained(answer(claims=(TRUE, {**TRUE, "text": TRUE["text"].upper()}, long, *many)))
    assert len(analysis.claims) == MAX_CLAIMS - 1
    assert max(len(claim.text) for claim in analysis.claims) <= CLAIM_CHARACTERS


@pytest.mark.parametrize(
    "unusable",
    [
        chat_lines("no JSON"),
        chat_lines('{"choice":"C1","claims":[{"te', done_reason="length"),
        chat_lines("[" * 5000),
        chat_lines('{"choice":"C1"}'),
        chat_lines('{"choice":"C1","claims":[],"x":1', done_reason="stop"),
        chat_lines('{"choice":"C1","claims":[]}', prompt_tokens=CONTEXT_TOKENS),
        chat_lines('{"choice":"C1","claims":[]}', prompt_tokens=40),
        chat_lines('{"choice":"C1","claims":[]}', prompt_tokens=-5),
        chat_lines('{"choice":"C1","claims":[]}', prompt_tokens="many"),
        chat_lines('{"choice":"C1","claims":[]}', done_reason=None),
    ],
)
def test_an_unusable_answer_is_asked_for_once_more(unusable: bytes) -> None:
    analysis, server = explained(unusable, answer())
    assert (len(server.asked), analysis.unavailable, analysis.choice) == (2, "", "C1")
    assert server.asked[1]["messages"][:2] == server.asked[0]["messages"]
    analysis, server = explained(unusable)
    assert len(server.asked) == 2
    assert (analysis.claims, analysis.choice) == ((), None)
    assert "nothing that can be used" in analysis.unavailable


@pytest.mark.parametrize(
    "claims", [[1, None, "x"], [{}], [{"text": 3}], [{"text": "x", "evidence": "E1"}], [{"text": ""}]]
)
def test_claims_of_another_form_do_no_harm(claims: list[Any]) -> None:
    analysis, _ = explained(answer(claims=claims))
    assert all(claim.status == "struck" for claim in analysis.claims)


def test_a_model_that_is_not_there_names_the_pull() -> None:
    analysis, server = explained(answer(), model="phi3")
    assert "`ollama pull phi3`" in analysis.unavailable
    assert server.asked == []


def test_a_server_that_is_not_there_names_the_start() -> None:
    client = OllamaClient.from_url("http://127.0.0.1:9")
    analysis = explain(diagnosis_of(facts("oom")), client, model="phi3", deadline_seconds=5)
    assert "`ollama serve`" in analysis.unavailable


@pytest.mark.parametrize(
    ("told", "last"),
    [("how many tokens", {"prompt_tokens": -5}), ("why the answer ended", {"done_reason": None})],
)
def test_what_a_server_does_not_say_of_its_answer_is_told(told: str, last: dict[str, Any]) -> None:
    analysis, _ = explained(chat_lines('{"choice":"C1","claims":[]}', **last))
    assert f"the server does not say {told}" in analysis.unavailable


def test_a_count_that_a_server_leaves_out_is_no_sign_of_a_cut() -> None:
    analysis, _ = explained(chat_lines('{"choice":"C1","claims":[]}', prompt_tokens=None))
    assert (analysis.unavailable, analysis.choice) == ("", "C1")


def test_a_server_that_fails_is_told_as_one_that_answers() -> None:
    body = b'{"error":"llama runner process has terminated: signal: killed"}'
    with scripted({"status": 500, "body": body.decode()}) as server:
        client = OllamaClient.from_url(server.url)
        said = explain(diagnosis_of(facts("oom")), client, model=MODEL, deadline_seconds=5).unavailable
    assert f"{client.name} answers with HTTP 500: llama runner process has terminated: signal: killed" in said
    assert "no model answers" not in said
    assert "ollama serve" not in said
    assert "no model answers" in against(sends(status("503 Service Unavailable", body))).unavailable


def test_a_model_that_is_too_slow_names_the_parameter() -> None:
    analysis = against(drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), seconds=0.5)
    assert "within 0 s" in analysis.unavailable or "within 1 s" in analysis.unavailable
    assert "model_deadline_seconds" in analysis.unavailable


@pytest.mark.parametrize(
    "bad",
    [
        sends(),
        sends(b"garbage"),
        sends(with_length(b"<html>")),
        sends(with_length(b"{}")),
        sends(with_length(b'{"models":7}')),
    ],
)
def test_a_server_that_is_none_gives_one_line(bad: Answer) -> None:
    analysis = against(bad)
    assert analysis.unavailable
    assert "\n" not in analysis.unavailable


def test_a_refused_prompt_is_no_error() -> None:
    analysis, _ = explained(RECORDED["prompt too long"])
    assert "exceeds the context length" in analysis.unavailable


@pytest.mark.parametrize(("seconds", "evidence"), [(0, facts("oom")), (30, EvidenceSet(items=()))])
def test_no_model_is_asked_where_there_is_nothing_to_ask(seconds: float, evidence: EvidenceSet) -> None:
    with scripted(answer()) as server:
        client = OllamaClient.from_url(server.url)
        analysis = explain(diagnosis_of(evidence), client, model=MODEL, deadline_seconds=seconds)
    assert analysis.unavailable.startswith("no model was asked")
    assert server.asked == []


def test_progress_says_what_is_waited_for() -> None:
    said: list[str] = []
    tell: Callable[[str], None] = said.append
    with scripted(chat_lines("no JSON"), answer()) as server:
        client = OllamaClient.from_url(server.url)
        explain(diagnosis_of(facts("oom")), client, model=MODEL, deadline_seconds=30, progress=tell)
    assert len(said) == 2
    assert MODEL in said[0]
    assert "once more" in said[1]


@pytest.mark.ollama
@pytest.mark.skipif(bool(why_no_ollama()), reason=why_no_ollama() or "there is one")
def test_a_real_model_is_explained_with_or_says_why_not(tmp_path: Path) -> None:
    """SmolLM2 is far too weak to be right: what it says is judged, and nothing breaks."""
    with real_ollama(tmp_path) as url:
        client = OllamaClient.from_url(url)
        analysis = explain(diagnosis_of(facts("oom")), client, model=MODEL, deadline_seconds=300)
        late = explain(diagnosis_of(facts("oom")), client, model=MODEL, deadline_seconds=0.3)
        client.close()
    assert analysis.claims or "nothing that can be used" in analysis.unavailable
    assert analysis.prompt_tokens <= PROMPT_TOKENS
    assert "model_deadline_seconds" in late.unavailable
