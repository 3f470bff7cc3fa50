"""The verifier against claims on recorded evidence, written by somebody who had not read it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.explanation.grounding import verify
from srelab_lib.model import Evidence, EvidenceSet

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "claims_recorded.json").read_text(encoding="utf-8"))
CLAIMS: list[dict[str, Any]] = DATA["claims"]


def evidence_of(recording: str) -> EvidenceSet:
    rows = DATA["evidence"][recording]
    times = [datetime.fromisoformat(row["time"]) if row["time"] else None for row in rows]
    return EvidenceSet(items=tuple(Evidence(**row | {"time": time}) for row, time in zip(rows, times, strict=True)))


def status(claim: dict[str, Any]) -> str:
    return verify(claim["text"], claim["evidence"], evidence_of(claim["recording"])).status


def test_there_are_two_hundred_and_half_of_them_are_true() -> None:
    assert len(CLAIMS) >= 200
    assert abs(Counter(claim["true"] for claim in CLAIMS)[True] - len(CLAIMS) / 2) <= 2


@pytest.mark.parametrize("kind", ["wrong_number", "wrong_unit", "irrelevant_citation"])
def test_every_false_claim_of_a_kind_that_is_promised_is_struck(kind: str) -> None:
    assert [claim["text"] for claim in CLAIMS if claim["kind"] == kind and status(claim) == "kept"] == []
