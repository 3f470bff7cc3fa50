"""The outcome comes from the checks: proved, ruled out, or not to be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from srelab_lib.diagnosis.rank import rank
from srelab_lib.diagnosis.verdict import judge
from srelab_lib.model import Change, Fact, Finding, Missing, Onset, sentence

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WEB = "Deployment/shop/web"
PODS = Missing(source="pods", reason="403 forbidden", deciding=True)
ERRORS = Onset(signal="error_ratio", object=WEB, time=NOON, before=0.01, after=0.5, score=40, unit="ratio")
FASTER = Onset(signal="latency_p95_seconds", object=WEB, time=NOON, before=2, after=0.5, score=-40, unit="s")


def oom(strength: int = 3) -> Finding:
    facts = (
        Fact(kind="status", object=WEB, text="last_reason=OOMKilled"),
        Fact(kind="event", object=WEB, text="BackOff"),
        Fact(kind="metric", object=WEB, text="memory"),
    )
    return Finding(
        fault="oom_killed", object=WEB, summary=f"{WEB} is killed", cause="its limit is 10Mi", facts=facts, since=NOON,
        strength=strength,  # type: ignore[arg-type]
    )  # fmt: skip


def test_nothing_found_and_everything_seen_is_no_fault() -> None:
    verdict = judge((), (), ())
    assert (verdict.outcome, verdict.fault, verdict.confidence) == ("no_fault", None, "high")


@pytest.mark.parametrize(("measured", "confidence"), [(True, "high"), (False, "medium")])
def test_an_all_clear_says_which_errors_it_set_aside(measured: bool, confidence: str) -> None:
    verdict = judge((), (), (), aside="error lines of Deployment shop/web (3)", measured=measured)
    assert (verdict.outcome, verdict.confidence) == ("no_fault", confidence)
    assert "Set aside: error lines of Deployment shop/web (3);" in verdict.summary


@pytest.mark.parametrize(("seconds_before", "seconds_since"), [(20, 20), (45, 0)])
def test_it_is_seen_since_its_first_effect_that_came_after_the_change(seconds_before: int, seconds_since: int) -> None:
    changed = NOON - timedelta(seconds=40)
    change = Change(time=changed, object=WEB, field="limits.memory", old="256Mi", new="10Mi", text="lowered")
    errors = Finding(
        fault="exception_storm", object=WEB, summary="s", cause="c", since=NOON - timedelta(seconds=seconds_before),
        facts=(Fact(kind="log", object=WEB, text="t"),),
    )  # fmt: skip
    assert judge(rank([oom(), errors], [change]), (), ()).since == NOON - timedelta(seconds=seconds_since)


def test_nothing_began_before_what_started_it() -> None:
    change = Change(
        time=NOON + timedelta(seconds=3), object=WEB, field="limits.memory", old="256Mi", new="10Mi", text="lowered"
    )
    assert judge(rank([oom()], [change]), (), ()).since == change.time


def test_nothing_found_and_a_deciding_source_missing_is_inconclusive_and_names_it() -> None:
    verdict = judge((), (), (PODS,))
    assert verdict.outcome == "inconclusive"
    assert "pods could not be read" in verdict.summary


def test_a_source_that_decides_nothing_does_not_spoil_a_healthy_verdict() -> None:
    assert judge((), (), (Missing(source="nodes", reason="403"),)).outcome == "no_fault"


@pytest.mark.parametrize(("onset", "outcome"), [(ERRORS, "inconclusive"), (FASTER, "no_fault")])
def test_users_in_trouble_without_a_cause_is_inconclusive_and_an_improvement_is_not(onset: Onset, outcome: str) -> None:
    assert judge((), (onset,), ()).outcome == outcome


def test_a_proved_fault_is_a_fault_even_with_a_source_missing() -> None:
    verdict = judge(rank([oom()], ()), (), (PODS,))
    assert (verdict.outcome, verdict.fault, verdict.object) == ("fault", "oom_killed", WEB)


@pytest.mark.parametrize(
    ("onsets", "missing", "outcome"),
    [((), (), "inconclusive"), ((ERRORS,), (), "fault"), ((ERRORS,), (PODS,), "inconclusive")],
)
def test_a_mere_symptom_is_a_fault_only_when_users_feel_it_and_all_was_seen(
    onsets: tuple[Onset, ...], missing: tuple[Missing, ...], outcome: str
) -> None:
    assert judge(rank([oom(strength=1)], ()), onsets, missing).outcome == outcome


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("the kernel kills it", "The kernel kills it."),
        ("it ended", "It ended."),
        ("spec.replicas is 0", "spec.replicas is 0."),
        ("web-1 is full", "web-1 is full."),
        ("why?", "why?"),
        (" ", ""),
    ],
)
def test_a_sentence_does_not_alter_a_name(text: str, told: str) -> None:
    assert sentence(text) == told


def test_the_sentence_says_what_why_since_when_and_what_users_felt() -> None:
    change = Change(
        time=NOON, object=WEB, field="limits.memory", old="256Mi", new="10Mi", commit="3f2a9c1d00",
        text="memory limit lowered from 256Mi to 10Mi",
    )  # fmt: skip
    verdict = judge(rank([oom()], [change]), (ERRORS,), ())
    assert verdict.summary == (
        f"{WEB} is killed. Trouble since 12:00:00 UTC. Cause: its limit is 10Mi."
        " Changed at 12:00:00 UTC (commit 3f2a9c1): memory limit lowered from 256Mi to 10Mi."
        " 50% of requests to Deployment shop/web fail since about 12:00 UTC, 1% before."
    )
    assert verdict.change == "memory limit lowered from 256Mi to 10Mi (commit 3f2a9c1d00)"


def test_confidence_falls_with_a_rival_and_with_few_kinds_of_evidence() -> None:
    rival = Finding(
        fault="image_not_found", object="Deployment/shop/db", summary="s", cause="c", strength=3,
        facts=(Fact(kind="event", object="x", text="t"),),
    )  # fmt: skip
    assert judge(rank([oom()], ()), (), ()).confidence == "high"
    assert judge(rank([oom(), rival], ()), (), ()).confidence == "medium"
    assert judge(rank([oom(strength=2)], ()), (), ()).confidence == "high"
    assert judge(rank([oom(strength=1)], ()), (ERRORS,), ()).confidence == "low"
    lowered = Change(time=NOON, object=WEB, field="limits.memory", old="256Mi", new="10Mi", text="lowered")
    assert judge(rank([oom(), rival], [lowered]), (), ()).confidence == "high", "what fails elsewhere is its own fault"
