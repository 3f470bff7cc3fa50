"""The verifier on claims in other words, over facts of other applications: some claims for each mechanism."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.explanation.grounding import verify
from srelab_lib.model import Evidence, EvidenceSet

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "data/claims_mechanisms.json").read_text(encoding="utf-8"))
TIME = datetime(2026, 3, 4, 9, 20, tzinfo=UTC)
FACTS = {
    name: EvidenceSet(items=tuple(Evidence(**row, time=None if row["kind"] == "spec" else TIME) for row in rows))
    for name, rows in DATA["facts"].items()
}


@pytest.mark.parametrize("claim", DATA["claims"], ids=lambda claim: f"{claim['kind']}-{claim['text'][:50]}")
def test_a_true_claim_is_kept_and_a_false_one_is_struck(claim: dict[str, Any]) -> None:
    judged = verify(claim["text"], claim["cited"], FACTS[claim["facts"]])
    assert judged.status == ("kept" if claim["kind"] == "true" else "struck"), judged.reason
