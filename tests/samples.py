"""Diagnoses for the tests of what explains them: the facts of tests/data/claims.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from srelab_lib.model import (
    Candidate,
    Diagnosis,
    Evidence,
    EvidenceSet,
    Snapshot,
    SourceInfo,
    Timeline,
    TimeWindow,
    Verdict,
)

CLAIMS = Path(__file__).parent / "data" / "claims.json"
OBJECT = "Deployment/default/broken-app"


@cache
def corpus() -> dict[str, Any]:
    """The labelled claims and the facts that they are about."""
    loaded: dict[str, Any] = json.loads(CLAIMS.read_text(encoding="utf-8"))
    return loaded


@cache
def facts(name: str) -> EvidenceSet:
    """One set of facts by its name."""
    return EvidenceSet(items=tuple(_evidence(**item) for item in corpus()["facts"][name]))


def _evidence(*, id: str, kind: str, object: str, time: str | None, text: str) -> Evidence:
    return Evidence(id=id, kind=kind, object=object, text=text, time=datetime.fromisoformat(time) if time else None)


def logged(texts: Iterable[str]) -> EvidenceSet:
    """Log lines as facts."""
    time = datetime(2026, 1, 31, 12, 3, 11, tzinfo=UTC)
    return EvidenceSet(
        items=tuple(
            Evidence(id=f"E{number}", kind="log", object="Pod/default/broken-app-6c9f7d5b8-x2kqz", text=text, time=time)
            for number, text in enumerate(texts, start=1)
        )
    )


def diagnosis_of(
    evidence: EvidenceSet, *, candidates: int = 2, summary: str = "the kernel kills container app"
) -> Diagnosis:
    """A diagnosis with these facts; only what an explanation reads of it is filled in."""
    faults = ("oom_killed", "bad_deploy", "exception_storm", "rollout_stuck", "memory_leak", "crash_app_exit")
    return Diagnosis(
        snapshot=Snapshot(
            source=SourceInfo(kind="incident", name="sample"),
            namespace="default",
            window=TimeWindow.last(minutes=15, now=datetime(2026, 1, 31, 12, 10, tzinfo=UTC)),
            tables={},
        ),
        verdict=Verdict(
            outcome="fault",
            fault=faults[0],
            object=OBJECT,
            summary=summary,
            cause="its memory limit is 10Mi",
            change=None,
            since=None,
            confidence="high",
            confidence_reason="",
        ),
        candidates=tuple(
            Candidate(
                fault=fault, object=OBJECT, summary=summary, cause="its memory limit is 10Mi", evidence=evidence.ids()
            )
            for fault in faults[:candidates]
        ),
        findings=(),
        evidence=evidence,
        onsets=(),
        timeline=Timeline(marks=()),
        actions=(),
        checked=(),
    )
