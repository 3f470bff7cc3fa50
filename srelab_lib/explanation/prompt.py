"""The one prompt: instructions and schema, then candidates and facts as quoted data, within a budget of tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import Any

from srelab_lib.model import Candidate, Diagnosis, Evidence
from srelab_lib.tokens import estimate_tokens

PROMPT_TOKENS = 2000
"""phi3 answers poorly beyond about two thousand tokens of prompt."""

ANSWER_TOKENS = 500
CONTEXT_TOKENS = 4096
"""The window that is asked for: prompt and answer fit with room to spare, and phi3 has no more."""

RULES_TOKENS = 220
"""The instructions and the role markers around two messages: always the same, so counted (194 in phi3's vocabulary) and
not estimated as what comes from an incident is."""

MAX_CANDIDATES, CANDIDATE_CHARACTERS = 4, 120
MAX_OBJECTS = 6
MAX_CLAIMS, CLAIM_CHARACTERS, MAX_CITED = 5, 240, 4
CLOSING = "The JSON object:"
NO_CHOICE = "none"

# What a tokenizer may read as the beginning of a control token: <|user|>, </s>, <start_of_turn>, [INST], <<SYS>>.
_MARKER = re.compile(r"<(?=[^\s=\d])|\[(?=/?(?:INST|SYS)\b)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What is sent. `estimate` is never below the server's own count; `omitted` are ids of facts that did not fit."""

    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any]
    estimate: int
    omitted: tuple[str, ...]
    choices: tuple[str, ...]


def build(diagnosis: Diagnosis, *, budget_tokens: int = PROMPT_TOKENS) -> Prompt:
    """The prompt for a diagnosis; facts are left out from the end, where the least telling ones are, until it fits."""
    kept = list(diagnosis.evidence.items)
    candidates = diagnosis.candidates[:MAX_CANDIDATES]
    while True:
        prompt = _prompt(candidates, kept, omitted=diagnosis.evidence.ids()[len(kept) :])
        if prompt.estimate <= budget_tokens or len(kept) <= 1:
            return prompt
        kept.pop()


def answer_schema(candidates: Sequence[Candidate], evidence: Sequence[Evidence]) -> dict[str, Any]:
    """The form of the answer: nothing can be chosen, named or cited that does not exist."""
    claim = {
        "object": {"enum": objects(candidates, evidence)},
        "text": {"type": "string", "maxLength": CLAIM_CHARACTERS},
        "evidence": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_CITED,
            "items": {"enum": [item.id for item in evidence]},
        },
    }
    claims = {"type": "array", "minItems": 1, "maxItems": MAX_CLAIMS, "items": _object(claim)}
    return _object({"choice": {"enum": [*candidate_ids(candidates), NO_CHOICE]}, "claims": claims})


def candidate_ids(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """`C1`..`Cn`, in the order of the ranking."""
    return tuple(f"C{position}" for position in range(1, len(candidates) + 1))


def objects(candidates: Sequence[Candidate], evidence: Sequence[Evidence]) -> list[str]:
    """What a claim can be about: the candidates' objects first, then those of the facts."""
    return list(dict.fromkeys([*(item.object for item in candidates), *(item.object for item in evidence)]))[
        :MAX_OBJECTS
    ]


def quoted(text: str, *, limit: int | None = None) -> str:
    """Foreign text as one line of quoted data, without line breaks, control characters and markers of roles."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    clipped = line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
    return json.dumps(_MARKER.sub(r"\g<0> ", clipped), ensure_ascii=False)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _prompt(candidates: Sequence[Candidate], evidence: Sequence[Evidence], *, omitted: tuple[str, ...]) -> Prompt:
    schema = answer_schema(candidates, evidence)
    form = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    rules = resources.files(__package__).joinpath("prompts/rca.md").read_text(encoding="utf-8").strip()
    names = zip(candidate_ids(candidates), candidates, strict=True)
    data = "\n".join(
        [
            "Candidates, the checks' own order:",
            *(_candidate_line(name, candidate, omitted) for name, candidate in names),
            "Facts:",
            *_fact_lines(evidence),
        ]
    )
    return Prompt(
        messages=(
            {"role": "system", "content": rules.replace("{schema}", form)},
            {"role": "user", "content": f"{data}\n{CLOSING}"},
        ),
        schema=schema,
        estimate=RULES_TOKENS + estimate_tokens(form) + estimate_tokens(data),
        omitted=omitted,
        choices=candidate_ids(candidates),
    )


def _fact_lines(evidence: Sequence[Evidence]) -> Iterator[str]:
    """One line for each fact, under the name of its object, which is not repeated for the facts that follow."""
    for about, items in groupby(evidence, key=lambda item: item.object):
        yield f"of {about or 'the cluster'}:"
        for item in items:
            at = f" {item.time:%H:%M:%S}" if item.time is not None else ""
            yield f"{item.id} {item.kind}{at}: {quoted(item.text)}"


def _candidate_line(name: str, candidate: Candidate, omitted: tuple[str, ...]) -> str:
    said = quoted(f"{candidate.summary} {candidate.cause}", limit=CANDIDATE_CHARACTERS)
    ids = [item for item in candidate.evidence if item not in omitted][:4]
    return f"{name} {candidate.fault} of {candidate.object} ({', '.join(ids)}): {said}"
