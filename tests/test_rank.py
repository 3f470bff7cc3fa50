"""Cause before symptom, stated before inferred, and a reason for each place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from srelab_lib.diagnosis import causality
from srelab_lib.diagnosis.rank import explains, merge, rank
from srelab_lib.diagnosis.ties import Ties
from srelab_lib.faults import FAULTS
from srelab_lib.model import Change, Fact, Finding, spoken

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WEB = "Deployment/shop/web"
DB = "StatefulSet/shop/db"


def finding(fault: str, obj: str = WEB, minute: float | None = 0, **fields: Any) -> Finding:
    since = None if minute is None else NOON + timedelta(minutes=minute)
    facts = fields.pop("facts", (Fact(kind="status", object=obj, text=f"{fault} seen", time=since),))
    values = {"summary": f"{obj} has {fault}", "cause": fault, "since": since, "facts": facts} | fields
    return Finding(fault=fault, object=obj, **values)


def change(field: str, obj: str = WEB, minute: float = -1, **fields: Any) -> Change:
    values = {"old": "256Mi", "new": "10Mi", "text": f"{field} of {obj} changed", "revision": "2"} | fields
    return Change(time=NOON + timedelta(minutes=minute), object=obj, field=field, **values)


def order(*findings: Finding, changes: tuple[Change, ...] = ()) -> list[tuple[str, str]]:
    return [(item.finding.fault, item.finding.object) for item in rank(findings, changes)]


def test_every_fault_has_a_tier() -> None:
    assert causality.TIER.keys() == FAULTS.keys()


@pytest.mark.parametrize("same", [True, False])
def test_no_pair_of_faults_causes_each_other(same: bool) -> None:
    both = [
        (a, b)
        for a in FAULTS
        for b in FAULTS
        if causality.can_cause(a, b, same_object=same) and causality.can_cause(b, a, same_object=same)
    ]
    assert both == []


def test_the_cause_stands_before_its_effects_in_any_input_order() -> None:
    findings = (
        finding("exception_storm", minute=2, strength=3),
        finding("rollout_stuck", minute=1),
        finding("oom_killed"),
    )
    expected = ["oom_killed", "rollout_stuck", "exception_storm"]
    assert order(*findings)[0] == ("oom_killed", WEB)
    assert sorted(fault for fault, _ in order(*reversed(findings))) == sorted(expected)
    assert order(*findings) == order(*reversed(findings))


def test_a_wrong_probe_is_why_its_own_workload_does_not_answer_and_not_the_other_way_round() -> None:
    probe, down = finding("readiness_probe_misconfigured", DB, strength=2), finding("dependency_down", DB, strength=2)
    assert explains(probe, down)
    assert not explains(down, probe)
    waits = finding("readiness_probe_misconfigured", WEB, strength=2, related=(DB,))
    assert explains(down, waits)


def test_of_changes_that_fit_the_one_that_a_check_holds_is_named() -> None:
    held, later = change("image", minute=-2, text="held"), change("image", minute=-1, text="later")
    facts = (Fact(kind="change", object=WEB, text="held", time=held.time),)
    assert rank([finding("exception_storm")], [held, later])[0].change is later
    assert rank([finding("exception_storm", facts=facts)], [held, later])[0].change is held


def test_any_edit_of_the_object_right_before_is_named_where_none_fits_better_and_none_of_later() -> None:
    edit = change("dnsPolicy", minute=-0.5)
    assert rank([finding("oom_killed")], [edit])[0].change is edit
    limit = change("limits.memory", minute=-5)
    assert rank([finding("oom_killed")], [edit, limit])[0].change is limit
    for minute in (-2, 0.5):
        assert rank([finding("oom_killed")], [change("dnsPolicy", minute=minute)])[0].change is None


def test_what_came_into_being_gives_way_to_an_edit_of_what_refuses_it() -> None:
    limits = "LimitRange/shop/limits"
    came, edit = change("created", minute=-7, old=None), change("spec.limits[Container].max.memory", limits)
    assert rank([finding("limit_range_violated", related=(limits,))], [came, edit])[0].change is edit


def test_an_effect_names_what_it_follows_from() -> None:
    ranked = rank([finding("oom_killed"), finding("exception_storm", minute=1)], ())
    assert ranked[1].why == f"it follows from oom_killed of {spoken(WEB)}"
    assert ranked[0].effects == (ranked[1].finding,)


def test_a_cause_that_began_long_after_does_not_explain() -> None:
    assert not explains(finding("oom_killed", minute=10), finding("exception_storm", minute=0))
    assert explains(finding("oom_killed", minute=1), finding("exception_storm", minute=0))


def test_a_suspicion_does_not_explain_what_a_server_states() -> None:
    assert not explains(finding("memory_leak", strength=1), finding("oom_killed", strength=3))


def test_a_fault_of_an_unrelated_object_explains_nothing() -> None:
    assert not explains(finding("oom_killed", DB), finding("exception_storm", WEB))
    assert explains(finding("oom_killed", DB), finding("exception_storm", WEB, related=(DB,)))


def test_a_dead_dependency_is_the_effect_of_its_crash_and_the_cause_of_its_callers() -> None:
    crash, down = finding("crash_app_exit", DB), finding("dependency_down", DB, minute=1)
    caller = finding("crash_app_exit", WEB, minute=2, related=(DB,))
    assert order(caller, down, crash)[0] == ("crash_app_exit", DB)
    assert explains(down, caller)
    assert not explains(caller, down)


def test_a_bad_revision_that_comes_back_began_with_its_return() -> None:
    told = finding("service_account_missing", minute=-20)
    back = change("serviceAccountName", minute=0, rolled_back_to="1")
    (again,) = rank([told], [back], start=NOON - timedelta(minutes=2))
    assert (again.finding.since, again.change) == (NOON, back)
    (first,) = rank([told], [back], start=NOON - timedelta(minutes=30))
    assert (first.finding.since, first.change) == (told.since, None)


def test_a_change_of_the_object_itself_comes_before_one_of_another() -> None:
    own, other = change("containers[web].image"), change("containers[db].env[LEVEL]", DB, minute=-0.5)
    (top,) = rank([finding("exception_storm", related=(DB,))], [own, other])
    assert top.change is own


def test_what_came_into_being_did_not_break_what_had_worked() -> None:
    (top,) = rank([finding("service_missing")], [change("created", old=None, revision="")])
    assert top.change is None


@pytest.mark.parametrize(
    ("field", "old", "new", "named"),
    [
        ("containers[web].env[TIMEOUT]", "2", "3", False),
        ("containers[web].env[ITEMS_URL]", "http://items", "http://itemz:80/", True),
        ("containers[web].env[ITEMS_URL]", "http://items", "http://my-itemz/", False),
        ("annotations[kubectl.kubernetes.io/restartedAt]", None, "now", False),
        ("containers[web].image", "web:1", "web:2", True),
    ],
)
def test_what_is_missing_is_blamed_on_a_change_that_names_it(
    field: str, old: str | None, new: str, named: bool
) -> None:
    edit = change(field, old=old, new=new)
    (top,) = rank([finding("service_missing", related=("Service/shop/itemz",))], [edit])
    assert top.change is (edit if named else None)


def test_a_commit_that_takes_away_what_is_missing_is_named() -> None:
    commit = change("containers[web].env[COLOR]", diff="-  name: itemz\n+  color: red")
    (top,) = rank([finding("service_missing", related=("Service/shop/itemz",))], [commit])
    assert top.change is commit


def test_a_job_that_came_after_the_first_error_did_not_cause_it() -> None:
    early, late = (
        change("created", "Job/shop/migrate", minute=minute, old=None, revision="") for minute in (-0.1, 0.5)
    )
    (top,) = rank([finding("schema_mismatch", related=("Job/shop/migrate",))], [early, late])
    assert top.change is early


def test_a_runner_up_says_why_it_is_one() -> None:
    ranked = rank([finding("oom_killed", strength=3), finding("node_cordoned", "Node//a", strength=1)], ())
    assert ranked[1].why == "it is less sure: it is a symptom that many faults share"
    ranked = rank([finding("oom_killed", strength=3), finding("node_cordoned", "Node//a")], ())
    assert ranked[1].why == "it is less sure than what a server states"


def test_the_change_of_the_right_field_is_named() -> None:
    changes = (change("spec.template.env.COLOR", minute=-0.5), change("resources.limits.memory", minute=-1))
    top = rank([finding("oom_killed")], changes)[0]
    assert top.change is changes[1]
    assert "it began after a change" in top.why


@pytest.mark.parametrize(
    "late", [change("limits.memory", minute=3), change("limits.memory", minute=-20), change("limits.memory", DB)]
)
def test_a_change_that_came_after_or_long_before_or_elsewhere_is_not_named(late: Change) -> None:
    assert rank([finding("oom_killed")], (late,))[0].change is None


def test_findings_of_one_fault_and_object_become_one_with_all_facts() -> None:
    log = Fact(kind="log", object=WEB, text="killed", time=NOON)
    merged = merge([finding("oom_killed", strength=2, facts=(log,), minute=-1), finding("oom_killed", strength=3)])
    assert len(merged) == 1
    assert merged[0].strength == 3
    assert {fact.kind for fact in merged[0].facts} == {"status", "log"}
    assert merged[0].since == NOON - timedelta(minutes=1)


def test_a_caller_fails_with_those_whom_it_calls_through_others() -> None:
    own, felt = finding("exception_storm", DB), finding("exception_storm", WEB)
    assert explains(own, felt, Ties(calls={WEB: frozenset({DB})}))
    assert not explains(own, felt)


def test_who_waits_for_the_work_of_one_that_is_down_fails_with_it_only_from_then_on() -> None:
    ties = Ties(shares={WEB: frozenset({DB})})
    assert explains(finding("crash_app_exit", DB), finding("exception_storm", WEB), ties)
    assert not explains(finding("crash_app_exit", DB), finding("exception_storm", WEB, minute=2), ties)
    assert not explains(finding("crash_app_exit", DB), finding("exception_storm", WEB))


def test_a_job_that_used_the_same_is_named_where_it_came_right_before() -> None:
    job = change("created", "Job/shop/migrate", minute=-0.3, old=None, revision="")
    ties = Ties(tasks={WEB: frozenset({job.object})})
    (top,) = rank([finding("crash_app_exit", WEB)], [job], ties=ties)
    assert top.change == job
    early = change("created", "Job/shop/migrate", minute=-3, old=None, revision="")
    (top,) = rank([finding("crash_app_exit", WEB)], [early], ties=ties)
    assert top.change is None
