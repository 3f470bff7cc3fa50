"""Every recorded incident is diagnosed: outcome, fault, object, what must be cited, and nothing on the controls."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from scenarios import SCENARIOS

from srelab_lib import collect, diagnose
from srelab_lib.model import Diagnosis, Finding, RunInfo
from srelab_lib.reports.document import document, dumps
from srelab_lib.reports.markdown import report
from srelab_lib.reports.pages import Picture, html
from srelab_lib.reports.story import chain
from srelab_lib.reports.text import sentences
from srelab_lib.settings import Settings

INCIDENTS = Path(__file__).resolve().parent.parent / "incidents"
NAMES = sorted(path.parent.name for path in INCIDENTS.glob("*/truth.json"))
FAULTS = [name for name in NAMES if json.loads((INCIDENTS / name / "truth.json").read_text())["outcome"] == "fault"]


def truth_of(name: str) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((INCIDENTS / name / "truth.json").read_text(encoding="utf-8"))
    return truth


@pytest.fixture(scope="module")
def diagnoses() -> dict[str, Diagnosis]:
    return {name: diagnose(collect(Settings(source="incident", incident=name))) for name in NAMES}


def cited(finding: Finding, diagnosis: Diagnosis) -> str:
    """Everything that a finding rests on: its facts, and the change that its candidate names."""
    candidates = [c for c in diagnosis.candidates if (c.fault, c.object) == (finding.fault, finding.object)]
    changes = [candidate.change.text for candidate in candidates if candidate.change]
    return "\n".join([*(fact.text for fact in finding.facts), *changes])


def test_there_are_at_least_ten_incidents() -> None:
    assert len(NAMES) >= 10


def test_every_scenario_is_recorded_and_every_recording_can_be_made_again() -> None:
    assert [scenario.name for scenario in sorted(SCENARIOS, key=lambda scenario: scenario.name)] == NAMES


def test_a_commit_that_was_rolled_out_is_named_with_its_diff(diagnoses: dict[str, Diagnosis]) -> None:
    change = diagnoses["secret-missing"].candidates[0].change
    assert change
    assert re.fullmatch(r"[0-9a-f]{40}", change.commit)
    assert re.search(r"^\+ .*shop-token", change.diff, re.MULTILINE)
    fix = diagnoses["secret-missing"].actions[0]
    assert fix.command == f"git revert --no-edit {change.commit} && git push"


@pytest.mark.parametrize("name", NAMES)
def test_outcome(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    verdict = diagnoses[name].verdict
    assert verdict.outcome == truth_of(name)["outcome"], verdict.summary


@pytest.mark.parametrize("name", FAULTS)
def test_fault_and_object_come_first(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    expected = [(fault["fault"], fault["object"]) for fault in truth_of(name)["faults"]]
    actual = [(candidate.fault, candidate.object) for candidate in diagnoses[name].candidates[: len(expected)]]
    assert sorted(actual) == sorted(expected)


@pytest.mark.parametrize("name", FAULTS)
def test_what_must_be_cited_is_cited(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    for fault in truth_of(name)["faults"]:
        findings = [f for f in diagnoses[name].findings if (f.fault, f.object) == (fault["fault"], fault["object"])]
        text = cited(findings[0], diagnoses[name])
        for alternatives in fault["must_cite"]:
            assert any(word in text for word in alternatives), (alternatives, text)


@pytest.mark.parametrize("name", FAULTS)
def test_the_change_is_named(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    changes = [fault["change"] for fault in truth_of(name)["faults"] if fault["change"]]
    assert bool(diagnoses[name].verdict.change) == bool(changes)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FAULTS])
def test_controls_have_no_findings(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    if truth_of(name)["outcome"] == "no_fault":
        assert [(f.fault, f.object, f.summary) for f in diagnoses[name].findings] == []
    else:
        assert diagnoses[name].verdict.fault is None


@pytest.mark.parametrize("name", NAMES)
def test_the_same_snapshot_gives_the_same_answer(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    again = diagnose(diagnoses[name].snapshot)
    assert again.verdict == diagnoses[name].verdict
    assert again.candidates == diagnoses[name].candidates
    assert again.evidence == diagnoses[name].evidence
    assert again.timeline == diagnoses[name].timeline


def test_a_rollout_that_recreates_began_when_the_old_pods_were_told_to_end(diagnoses: dict[str, Diagnosis]) -> None:
    diagnosis = diagnoses["oom-memory-limit"]
    (emptied,) = (mark.time for mark in diagnosis.timeline.marks if "from 2 to 0" in mark.text)
    change = diagnosis.candidates[0].change
    assert change
    assert change.time == emptied


def test_the_change_is_not_its_own_effect(diagnoses: dict[str, Diagnosis]) -> None:
    first, *others = diagnoses["oom-memory-limit"].candidates
    deployed = next(candidate for candidate in others if candidate.fault == "bad_deploy")
    assert first.change is not None
    assert deployed.summary not in first.effects


def test_a_leak_began_where_the_memory_began_to_rise(diagnoses: dict[str, Diagnosis]) -> None:
    diagnosis = diagnoses["memory-leak"]
    (rise,) = (onset.time for onset in diagnosis.onsets if onset.signal == "memory_working_set_bytes")
    since = diagnosis.verdict.since
    assert rise
    assert since
    assert abs((since - rise).total_seconds()) <= 30


def test_new_log_lines_are_on_the_timeline_where_a_rate_shows_the_trouble_late(
    diagnoses: dict[str, Diagnosis],
) -> None:
    marks = diagnoses["error-storm"].timeline.marks
    assert any(mark.kind == "log" and "DiscountError" in mark.text for mark in marks)


@pytest.mark.parametrize("name", FAULTS)
def test_no_effect_is_dated_before_its_cause(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    steps = chain(document(diagnoses[name], None, RunInfo()))
    began = {step.label: step.time for step in steps if step.label in {"change", "fault"}}
    assert began["fault"]
    for step in steps:
        cause = "fault" if step.label == "effect" or "change" not in began else "change"
        assert not step.time or step.time >= began[cause], step


@pytest.mark.parametrize("name", NAMES)
def test_its_report_is_valid_and_every_form_tells_the_verdict(name: str, diagnoses: dict[str, Diagnosis]) -> None:
    body = document(diagnoses[name], None, RunInfo())
    assert json.loads(dumps(body))["run"]["source"] == {"kind": "incident", "incident": name}
    read = MarkdownIt().render(report(body, {"timeline": ""}))
    picture = Picture(png=b"\x89PNG\r\n\x1a\n" + bytes(24), alt="")
    for text in (unescape(read), unescape(html(body, {"timeline": picture}))):
        assert sentences(body["verdict"]["summary"])[0].rstrip(".") in re.sub(r"<[^>]+>", "", text)
