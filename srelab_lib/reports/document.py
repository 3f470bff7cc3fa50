"""A diagnosis as plain values: what report.json holds, and what the pages are made from.

Deterministic: the same diagnosis, analysis and run give the same document. Every bound on a list or text is told in
`dropped`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import fastjsonschema

from srelab_lib.errors import SrelabError
from srelab_lib.model import (
    Analysis,
    Candidate,
    Change,
    Diagnosis,
    Evidence,
    Finding,
    Missing,
    Onset,
    RunInfo,
    SourceInfo,
    spoken,
)
from srelab_lib.reports.text import day, finite, rfc3339

SCHEMA_VERSION = "1.0"
MAX_TEXT = 20_000
MAX_ITEMS = 500
_SURROGATES = dict.fromkeys(range(55296, 57344), 65533)

Json = dict[str, Any]


def document(diagnosis: Diagnosis, analysis: Analysis | None, run: RunInfo) -> Json:
    """Everything that a report says, as it is written to report.json."""
    body: Json = {
        "schema_version": SCHEMA_VERSION,
        "title": title(diagnosis),
        "verdict": _verdict(diagnosis),
        "candidates": [_candidate(n, c) for n, c in enumerate(diagnosis.candidates, 1)],
        "findings": [_finding(item) for item in diagnosis.findings],
        "evidence": [_evidence(item) for item in diagnosis.evidence.items],
        "timeline": {
            "onset": rfc3339(diagnosis.timeline.onset),
            "marks": [_mark(mark) for mark in diagnosis.timeline.marks],
        },
        "onsets": [_onset(item) for item in diagnosis.onsets],
        "analysis": _analysis(analysis),
        "analysis_unavailable": _unavailable(analysis),
        "actions": [{"kind": a.kind, "purpose": a.purpose, "command": a.command} for a in diagnosis.actions],
        "checked": list(diagnosis.checked),
        "missing": [_missing(item) for item in diagnosis.snapshot.missing],
        "dropped": [*diagnosis.evidence.dropped, *_unseen(analysis)],
        "run": _run(diagnosis, analysis, run),
    }
    bound = _Bound()
    bounded: Json = bound.apply(body)
    bounded["dropped"] += bound.notes
    return bounded


def title(diagnosis: Diagnosis) -> str:
    """The report's heading; RECORDED where the signals come from a recording."""
    snapshot, verdict = diagnosis.snapshot, diagnosis.verdict
    if verdict.fault and verdict.object:
        what = f"{verdict.fault} of {spoken(verdict.object)}"
    else:
        what = {"no_fault": "no fault", "fault": "a fault", "inconclusive": "inconclusive"}[verdict.outcome]
        what = f"{what} in namespace {snapshot.namespace}"
    return f"{recorded(snapshot.source)}{what}, {day(snapshot.window.start, snapshot.window.end)}"


def recorded(source: SourceInfo) -> str:
    """`RECORDED incident NAME: ` or nothing."""
    return f"RECORDED incident {source.name}: " if source.kind == "incident" else ""


def dumps(body: Json) -> str:
    """JSON text of a document; ASCII, so that no terminal and no page can be steered by what it quotes.

    Raises:
        SrelabError: the document breaks its own schema.
    """
    check(body)
    return json.dumps(body, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def check(body: Json) -> None:
    """Refuses a document that breaks the schema.

    Raises:
        SrelabError: with the path of the first field that is wrong.
    """
    try:
        _validate()(body)
    except fastjsonschema.JsonSchemaValueException as error:
        raise SrelabError(error.message[:300], source="report.json") from error


@cache
def _validate() -> Callable[[Json], object]:
    # The package `jsonschema` takes three seconds to be imported beside JupyterLab, which brings all of its formats.
    validate: Callable[[Json], object] = fastjsonschema.compile(schema(), use_default=False)
    return validate


@cache
def schema() -> Json:
    """The JSON Schema of report.json, as it lies in the package."""
    loaded: Json = json.loads(files("srelab_lib.reports").joinpath("report.schema.json").read_text(encoding="utf-8"))
    return loaded


class _Bound:
    """Cuts what is too long, replaces what JSON cannot say, and remembers what the cutting cost."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def apply(self, value: Any, path: str = "") -> Any:
        """The value within bounds. `path` names it in the notes."""
        if isinstance(value, dict):
            return {str(key): self.apply(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
        if isinstance(value, list):
            return [self.apply(item, f"{path}[{n}]") for n, item in enumerate(self._items(value, path))]
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return self._text(value, path) if isinstance(value, str) else value

    def _items(self, values: list[Any], path: str) -> list[Any]:
        if len(values) > MAX_ITEMS:
            self.notes.append(f"{len(values) - MAX_ITEMS} of {len(values)} items of {path} in this file")
        return values[:MAX_ITEMS]

    def _text(self, text: str, path: str) -> str:
        if len(text) > MAX_TEXT:
            self.notes.append(f"{len(text) - MAX_TEXT} of {len(text)} characters of {path} in this file")
            text = text[: MAX_TEXT - 1] + "…"
        return text.translate(_SURROGATES)


def _verdict(diagnosis: Diagnosis) -> Json:
    verdict = diagnosis.verdict
    return {
        "outcome": verdict.outcome,
        "fault": verdict.fault,
        "object": verdict.object,
        "summary": verdict.summary,
        "cause": verdict.cause,
        "change": verdict.change,
        "since": rfc3339(verdict.since),
        "confidence": verdict.confidence,
        "confidence_reason": verdict.confidence_reason,
    }


def _candidate(number: int, candidate: Candidate) -> Json:
    return {
        "id": f"C{number}",
        "fault": candidate.fault,
        "object": candidate.object,
        "summary": candidate.summary,
        "cause": candidate.cause,
        "evidence": list(candidate.evidence),
        "since": rfc3339(candidate.since),
        "why": candidate.why,
        "effects": list(candidate.effects),
        "change": None if candidate.change is None else _change(candidate.change),
    }


def _change(change: Change) -> Json:
    return {
        "time": rfc3339(change.time),
        "object": change.object,
        "field": change.field,
        "old": change.old,
        "new": change.new,
        "text": change.text,
        "revision": change.revision,
        "commit": change.commit,
        "diff": change.diff,
    }


def _finding(finding: Finding) -> Json:
    return {
        "fault": finding.fault,
        "object": finding.object,
        "summary": finding.summary,
        "cause": finding.cause,
        "since": rfc3339(finding.since),
        "strength": finding.strength,
        "related": list(finding.related),
        "facts": [
            {"kind": fact.kind, "object": fact.object, "text": fact.text, "time": rfc3339(fact.time)}
            for fact in finding.facts
        ],
    }


def _evidence(item: Evidence) -> Json:
    return {
        "id": item.id,
        "source": item.source,
        "kind": item.kind,
        "object": item.object,
        "text": item.text,
        "time": rfc3339(item.time),
    }


def _mark(mark: Any) -> Json:
    return {"time": rfc3339(mark.time), "kind": mark.kind, "object": mark.object, "text": mark.text}


def _onset(onset: Onset) -> Json:
    return {
        "signal": onset.signal,
        "object": onset.object,
        "time": rfc3339(onset.time),
        "before": finite(onset.before),
        "after": finite(onset.after),
        "score": finite(onset.score),
        "unit": onset.unit,
        "began_before_window": onset.began_before_window,
    }


def _analysis(analysis: Analysis | None) -> Json | None:
    if analysis is None or analysis.unavailable:
        return None
    return {
        "model": analysis.model,
        "choice": analysis.choice,
        "agrees": analysis.agrees,
        "claims": [
            {"text": claim.text, "evidence": list(claim.evidence), "status": claim.status, "reason": claim.reason}
            for claim in analysis.claims
        ],
    }


def _unavailable(analysis: Analysis | None) -> str | None:
    if analysis is None:
        return "The model has not been asked yet; this report does not depend on it."
    return analysis.unavailable or None


def _unseen(analysis: Analysis | None) -> list[str]:
    if analysis is None or not analysis.omitted:
        return []
    return [f"{', '.join(analysis.omitted)}: not shown to the model, whose prompt had no room for it"]


def _missing(item: Missing) -> Json:
    return {"source": item.source, "reason": item.reason, "matters": item.matters, "deciding": item.deciding}


def _run(diagnosis: Diagnosis, analysis: Analysis | None, run: RunInfo) -> Json:
    snapshot = diagnosis.snapshot
    where = "context" if snapshot.source.kind == "live" else "incident"
    took = snapshot.seconds + (analysis.seconds if analysis else 0.0)
    return {
        "source": {"kind": snapshot.source.kind, where: snapshot.source.name},
        "namespace": snapshot.namespace,
        "window": {
            "start": rfc3339(snapshot.window.start),
            "end": rfc3339(snapshot.window.end),
            "minutes": round(snapshot.window.seconds / 60, 2),
            "widened": snapshot.widened,
        },
        "seconds": round(took if run.seconds is None else run.seconds, 2),
        "tokens": {
            "evidence": diagnosis.evidence.tokens,
            "prompt": analysis.prompt_tokens if analysis else 0,
            "output": analysis.output_tokens if analysis else 0,
        },
        "model": analysis.model if analysis else None,
        "digest": (analysis.digest or None) if analysis else None,
        "versions": _sorted({**snapshot.source.versions, **run.versions}),
        "settings": dict(sorted(run.settings.items())),
    }


def _sorted(versions: dict[str, str]) -> dict[str, str]:
    return {name: str(versions[name]) for name in sorted(versions)}
