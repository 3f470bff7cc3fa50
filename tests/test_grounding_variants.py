"""Claims in further words on recorded evidence: for each mechanism true ones, and near to them false ones."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from test_claims_recorded import DATA, FOLDER, evidence_of

from srelab_lib.explanation.grounding import verify

VARIANTS: dict[str, list[dict[str, Any]]] = json.loads((FOLDER / "claims_variants.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("mechanism", VARIANTS)
def test_true_ones_are_kept_and_near_by_false_ones_are_struck(mechanism: str) -> None:
    for claim in VARIANTS[mechanism]:
        judged = verify(claim["text"], claim["cited"], evidence_of(DATA[claim["file"]]["evidence"][claim["recording"]]))
        assert judged.status == claim["status"], (claim["text"], judged.reason)


@pytest.mark.parametrize("mechanism", VARIANTS)
def test_each_mechanism_has_both(mechanism: str) -> None:
    counts = Counter(claim["status"] for claim in VARIANTS[mechanism])
    assert min(counts["kept"], counts["struck"]) >= 3, counts
