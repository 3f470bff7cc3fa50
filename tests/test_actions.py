"""Commands come from templates, with names that were checked; telemetry cannot shape one."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

import pytest

from srelab_lib.diagnosis import action_templates as templates
from srelab_lib.diagnosis import actions
from srelab_lib.diagnosis.rank import Ranked, rank
from srelab_lib.diagnosis.verdict import judge
from srelab_lib.faults import FAULTS
from srelab_lib.model import Action, Change, Fact, Finding, Snapshot, SourceInfo, TimeWindow
from srelab_lib.signals.frames import SCHEMAS, frame

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WEB = "Deployment/shop/web"


def snapshot(kind: Any = "live", name: str = "kind-sre-lab") -> Snapshot:
    containers = [{"object": WEB, "container": "web", "restart_count": 3}]
    tables = {table: frame(table, containers if table == "containers" else ()) for table in SCHEMAS}
    window = TimeWindow.last(minutes=15, now=NOON)
    return Snapshot(source=SourceInfo(kind=kind, name=name), namespace="shop", window=window, tables=tables)


def commands(fault: str, **about: Any) -> list[str]:
    return [item.command for item in suggested(fault, **about)]


def suggested(fault: str, *, target: str = WEB, changes: tuple[Change, ...] = (), **source: Any) -> tuple[Action, ...]:
    facts = (Fact(kind="status", object=target, text="t"),)
    ranked = rank([Finding(fault=fault, object=target, summary="s", cause="c", facts=facts, since=NOON)], changes)
    return actions.suggest(ranked[0], judge(ranked, (), ()), snapshot(**source))


def found(fault: str) -> Finding:
    facts = (Fact(kind="status", object=WEB, text="t"),)
    return Finding(fault=fault, object=WEB, summary="s", cause="c", facts=facts, since=NOON)


def limit(**fields: Any) -> Change:
    values = {"object": WEB, "field": "limits.memory", "old": "256Mi", "new": "10Mi", "text": "lowered"} | fields
    return Change(time=NOON, **values)


def test_the_fix_names_the_old_value_and_the_context() -> None:
    expected = "kubectl --context kind-sre-lab -n shop set resources deployment/web -c web --limits=memory=256Mi"
    assert commands("oom_killed", changes=(limit(),))[0] == expected


ENV = "containers[web].env[WINDOW]"


@pytest.mark.parametrize("fault", sorted(templates.FIX))
@pytest.mark.parametrize(
    "field", [ENV, "spec.template.image", "data[size]", "containers[web].resources.requests.memory"]
)
def test_the_old_value_of_another_field_is_set_nowhere(fault: str, field: str) -> None:
    change = limit(field=field, old="4711", new="unbounded")
    ranked = Ranked(finding=found(fault), change=change, effects=(), explained_by=None, why="")
    suggested = actions.suggest(ranked, judge([ranked], (), ()), snapshot())
    assert not any(
        "4711" in action.command and '{"data":{"size":"4711"}}' not in action.command for action in suggested
    )


def test_the_limit_of_another_object_is_not_set_here() -> None:
    change = limit(object="Deployment/shop/other")
    ranked = Ranked(finding=found("oom_killed"), change=change, effects=(), explained_by=None, why="")
    suggested = actions.suggest(ranked, judge([ranked], (), ()), snapshot())
    assert not any("256Mi" in action.command for action in suggested)


def test_the_limit_is_set_back_in_the_container_that_it_was_changed_in() -> None:
    change = limit(field="containers[sidecar].resources.limits.memory")
    assert "-c sidecar --limits=memory=256Mi" in commands("oom_killed", changes=(change,))[0]


def test_only_what_restricts_others_is_deleted_again() -> None:
    came = limit(object="Deployment/shop/web", field="created", old=None, new="all")
    ranked = Ranked(finding=found("network_policy_blocks"), change=came, effects=(), explained_by=None, why="")
    suggested = actions.suggest(ranked, judge([ranked], (), ()), snapshot())
    assert not any(" delete " in action.command for action in suggested)


def test_a_recording_names_no_context() -> None:
    assert all("--context" not in command for command in commands("oom_killed", kind="incident", name="x"))


UNDO = "kubectl --context kind-sre-lab -n shop rollout undo deployment/web"


def test_a_commit_is_reverted_and_a_revision_rolled_back() -> None:
    fixes = [one for one in suggested("oom_killed", changes=(limit(commit="3f2a9c1d"),)) if one.kind == "fix"]
    assert [one.command for one in fixes] == ["git revert --no-edit 3f2a9c1d && git push"]
    image = {"field": "containers[web].image", "old": "web:1", "new": "web:2"}
    assert UNDO in commands("exception_storm", changes=(limit(**image, revision="2"),))
    back = limit(**image, revision="7", revision_before="5")
    assert commands("exception_storm", changes=(back,))[0] == f"{UNDO} --to-revision=5"


def test_what_undoes_the_change_is_not_undone_by_a_rollback() -> None:
    found = commands("oom_killed", changes=(limit(revision="2", revision_before="1"),))
    assert "--limits=memory=256Mi" in found[0]
    assert not any("undo" in command for command in found)


def test_two_ways_to_mend_it_are_told_as_two() -> None:
    image = limit(field="containers[web].image", old="web:1", new="web:2", revision="2")
    fixes = [one for one in suggested("memory_leak", changes=(image,)) if one.kind == "fix"]
    assert len(fixes) == 2
    assert [one.purpose.startswith("Or ") for one in fixes] == [False, True]
    assert "undo" in fixes[0].command, "a restart only gains time"


def test_the_analysis_is_run_again_where_the_fault_was() -> None:
    again = "papermill notebooks/06_rca.ipynb out.ipynb -p source live"
    assert f"{again} -p context kind-sre-lab -p namespace shop" in commands("oom_killed")
    assert f"{again} -p namespace shop" in commands("oom_killed", kind="incident", name="x")


def test_an_edit_is_set_back_and_what_came_is_deleted() -> None:
    port = limit(object="Service/shop/web", field="spec.ports[http].targetPort", old="8080", new="8081")
    (fix, *_) = suggested("service_wrong_port", changes=(port,), target="Service/shop/web")
    assert (fix.purpose, fix.command) == (
        "Set spec.ports[http].targetPort back to 8080",
        "kubectl --context kind-sre-lab -n shop edit service/web",
    )
    policy = limit(object="NetworkPolicy/shop/deny", field="created", old=None, new="all")
    (fix, *_) = suggested("network_policy_blocks", changes=(policy,), target="NetworkPolicy/shop/deny")
    assert fix.command == "kubectl --context kind-sre-lab -n shop delete networkpolicy/deny"


def test_a_job_is_made_again_and_not_edited() -> None:
    (fix, *_) = suggested("job_failed", target="Job/shop/migrate")
    assert fix.command == "kubectl --context kind-sre-lab -n shop delete job/migrate"


def test_a_restart_is_not_rolled_back() -> None:
    restart = limit(field="annotations[kubectl.kubernetes.io/restartedAt]", old=None, new="now", revision="2")
    assert not any("undo" in command for command in commands("secret_rotated", changes=(restart,)))


@pytest.mark.parametrize("old", ["1Mi; rm -rf /", "$(reboot)", "`id`", "1Mi\nreboot", "--all"])
def test_a_hostile_value_leaves_its_command_out(old: str) -> None:
    found = commands("oom_killed", changes=(limit(old=old, commit="HEAD; id"),))
    assert all(old not in command and "HEAD; id" not in command for command in found)
    assert found


ELSEWHERE = {
    "upstream_unreachable",
    "db_lock",
    "schema_mismatch",
    "slow_query",
    "node_not_ready",
    "node_pressure",
    "container_killed",
    "rbac_denied",  # at a database, unless a ServiceAccount is told
}
"""Faults that no edit of their object mends: without a change to undo, one looks first."""


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_a_fix_a_check_and_a_place_to_look(fault: str) -> None:
    facts = (Fact(kind="status", object=WEB, text="t"),)
    ranked = rank([Finding(fault=fault, object=WEB, summary="s", cause="c", facts=facts)], ())
    suggested = actions.suggest(ranked[0], judge(ranked, (), ()), snapshot())
    kinds = [action.kind for action in suggested]
    assert set(kinds) == ({"verify", "inspect"} if fault in ELSEWHERE else {"fix", "verify", "inspect"})
    assert kinds[0] == ("inspect" if fault in ELSEWHERE else "fix")
    assert all(not set(action.command) & set(";`$\n") for action in suggested)


def test_templates_use_known_values_only() -> None:
    known = {*templates.ALLOWED, "kubectl", "context"}
    for group in templates.FIX.values():
        for _, template in group:
            assert set(string.Template(template).get_identifiers()) <= known


def test_nothing_to_do_when_nothing_is_wrong() -> None:
    assert actions.suggest(None, judge((), (), ()), snapshot()) == ()
