"""Numbered facts within the budget; what does not fit is listed."""

from __future__ import annotations

from datetime import UTC, datetime

from srelab_lib.diagnosis.evidence import BUDGET_TOKENS, ids_of, number
from srelab_lib.diagnosis.rank import rank
from srelab_lib.model import Change, Fact, Finding, Onset
from srelab_lib.tokens import estimate_tokens

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WEB = "Deployment/shop/web"


def oom(*texts: str) -> Finding:
    facts = tuple(Fact(kind="log", object=WEB, text=text, time=NOON) for text in texts)
    return Finding(fault="oom_killed", object=WEB, summary="s", cause="c", facts=facts, since=NOON)


def test_the_change_comes_first_and_every_item_is_numbered() -> None:
    change = Change(
        time=NOON, object=WEB, field="limits.memory", old="256Mi", new="10Mi", text="limit lowered", commit="3f2a9c1d"
    )
    ranked = rank([oom("killed", "restarted")], [change])
    evidence = number(ranked, [])
    assert [item.text for item in evidence.items] == ["limit lowered (commit 3f2a9c1)", "killed", "restarted"]
    assert evidence.ids() == ("E1", "E2", "E3") == ids_of(ranked[0], evidence)


def test_a_hostile_line_is_cut_and_the_cut_is_reported() -> None:
    evidence = number(rank([oom("9" * 100_000, "the kernel killed it")], ()), [])
    assert estimate_tokens(evidence.items[0].text) <= 160
    assert evidence.items[1].text == "the kernel killed it"
    assert any("the end of E1" in line for line in evidence.dropped)


def test_the_budget_holds_and_what_was_dropped_is_listed() -> None:
    findings = [
        Finding(
            fault="exception_storm",
            object=f"Deployment/shop/web-{n}",
            summary="s",
            cause="c",
            facts=tuple(Fact(kind="log", object=WEB, text=f"line {n} {k} " + "word " * 30) for k in range(3)),
        )
        for n in range(20)
    ]
    evidence = number(rank(findings, ()), [])
    assert evidence.tokens <= BUDGET_TOKENS
    assert len(evidence.items) + len(evidence.dropped) == 60


def test_what_another_candidate_shows_is_not_told_as_left_out() -> None:
    shared = Fact(kind="log", object=WEB, text="connection refused")
    own = tuple(Fact(kind="log", object=WEB, text=f"line {n}") for n in range(8))
    first = Finding(fault="oom_killed", object=WEB, summary="s", cause="c", facts=(*own, shared), strength=3)
    other = Finding(fault="exception_storm", object="Deployment/shop/front", summary="s", cause="c", facts=(shared,))
    evidence = number(rank([first, other], ()), [])
    assert shared.text in [item.text for item in evidence.items]
    assert evidence.dropped == ()


def test_a_drop_and_a_rise_of_a_metric_read_as_a_sentence() -> None:
    onset = Onset(signal="error_ratio", object=WEB, time=NOON, before=0.002, after=0.41, score=30, unit="ratio")
    evidence = number((), [onset])
    assert evidence.items[0].text == "error_ratio went from 0.002 to 0.41 ratio"


def test_the_estimate_counts_digits_punctuation_and_other_scripts_one_by_one() -> None:
    assert estimate_tokens("10") - estimate_tokens("") == 2
    assert estimate_tokens("日本") - estimate_tokens("") == 6


def test_of_two_facts_of_which_one_says_all_that_the_other_says_the_fuller_one_stands() -> None:
    short, full, apart = (
        Fact(kind="status", object=WEB, text=text)
        for text in (
            "container=web ready=false",
            "container=web state=running ready=false",
            "phase=Running ready=false",
        )
    )
    first = Finding(fault="dependency_down", object=WEB, summary="s", cause="c", facts=(short, apart))
    other = Finding(
        fault="readiness_probe_misconfigured", object=WEB, summary="s", cause="c", facts=(full,), strength=1
    )
    ranked = rank([first, other], ())
    evidence = number(ranked, [])
    assert [item.text for item in evidence.items] == [full.text, apart.text]
    assert ids_of(ranked[0], evidence) == ("E1", "E2")
    assert evidence.dropped == ()
