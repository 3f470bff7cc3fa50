"""Workloads scaled to zero while they are wanted, and autoscalers that are blind or at their end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from srelab_lib.diagnosis.checks._evident import failed_calls
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    change_fact,
    clipped,
    condition_fact,
    conditions,
    earliest,
    event_fact,
    events,
    in_window,
    of_namespace,
    one_each,
    quoted,
    raw_objects,
    rows,
    spec_fact,
)
from srelab_lib.diagnosis.checks._services import in_ingress, net, selects
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks._ties import ties_of
from srelab_lib.diagnosis.checks.exceptions import check_exception_storm
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

_TO_ZERO = re.compile(r"^Scaled down replica set \S+ (?:from (?P<old>\d+) )?to 0(?: from (?P<old2>\d+))?$")
_YOUNG = timedelta(seconds=60)
"""A new autoscaler has no metrics yet."""
_LEFT_WORK = timedelta(minutes=3)
"""Within this the work that nobody does any more is missed."""
_SERVES = 20
"""So many lines since then tell that a caller works."""
_BLIND = re.compile(r"^(?:FailedGet|FailedCompute|InvalidMetricSource|InvalidSelector)")


def check_scaled_to_zero(s: Snapshot) -> Iterator[Finding]:
    """Workloads' spec.replicas 0 that was more within the window, while somebody calls them or waits for their work."""
    for row in of_namespace(s, "workloads"):
        if row["kind"] not in ("Deployment", "StatefulSet") or row["replicas"] != 0:
            continue
        services, facts, failed = _wanted(s, row), _scaled_down(s, row), failed_calls(s, row["ref"])
        waiting = _waiting(s, row["ref"], facts) if facts and not services else []
        if not facts or not (services or waiting):
            continue
        if not (failed or waiting) and _goes_on_without(s, services, earliest(*(fact.time for fact in facts))):
            continue
        named = spec_fact(services[0], selector=_selector(row)) if services else None
        wanted = _users(s, services) if services else f"{spoken(waiting[0].object)} fails since then"
        yield Finding(
            fault="scaled_to_zero",
            object=row["ref"],
            summary=f"{spoken(row['ref'])} was scaled to zero, and {wanted}",
            cause="spec.replicas is 0",
            facts=one_each(
                [spec_fact(row["ref"], replicas=0), *facts, named, *failed, *(f for x in waiting for f in x.facts[:2])]
            ),
            since=earliest(*(fact.time for fact in facts)),
            strength=3 if failed else 2,
            related=(*services, *(storm.object for storm in waiting)),
        )


def check_hpa_no_metrics(s: Snapshot) -> Iterator[Finding]:
    """HorizontalPodAutoscalers' conditions ScalingActive and AbleToScale, and why they are False."""
    for name, raw in raw_objects(s, "HorizontalPodAutoscaler").items():
        blind = [c for c in _conditions(raw, "ScalingActive", "AbleToScale", status="False") if _is_blind(c)]
        since = earliest(*(api_time(condition.get("lastTransitionTime")) for condition in blind))
        if not blind or (since and s.window.end - since < _YOUNG):
            continue
        yield _autoscaler(
            s, "hpa_no_metrics", name, raw, blind,
            summary="cannot scale: it has no metrics",
            cause=f"{blind[0]['reason']}: {clipped(blind[0].get('message', ''), 320)}",
            strength=3 if in_window(s, since) else 2,
        )  # fmt: skip


def check_hpa_at_max(s: Snapshot) -> Iterator[Finding]:
    """HorizontalPodAutoscalers' condition ScalingLimited with reason TooManyReplicas, and spec.maxReplicas."""
    for name, raw in raw_objects(s, "HorizontalPodAutoscaler").items():
        limited = [c for c in _conditions(raw, "ScalingLimited", status="True") if c.get("reason") == "TooManyReplicas"]
        maximum = (raw.get("spec") or {}).get("maxReplicas", 0)
        if not limited or (raw.get("status") or {}).get("currentReplicas", 0) < maximum:
            continue
        yield _autoscaler(
            s, "hpa_at_max", name, raw, limited,
            summary=f"wants more replicas than its maximum of {maximum}",
            cause=f"maxReplicas is {maximum} and the load asks for more",
            strength=2,
        )  # fmt: skip


def _waiting(s: Snapshot, ref: str, scaled: list[Fact]) -> list[Finding]:
    """New errors, soon after, of those who use what it used, such as a queue: they may wait for its work.

    Where nothing tells whom the two call, that counts when nothing else was changed.
    """
    when, ties = earliest(*(fact.time for fact in scaled)), ties_of(s)
    alone = not ties.calls.get(ref) and _is_only_change(s, ref)
    return [
        storm
        for storm in check_exception_storm(s)
        if when
        and storm.since
        and when <= storm.since <= when + _LEFT_WORK
        and (storm.object in ties.shares.get(ref, ()) or (alone and not ties.calls.get(storm.object)))
    ]


def _is_only_change(s: Snapshot, ref: str) -> bool:
    df = s["changes"]
    return set(df.loc[df["field"] != "created", "object"]) == {ref}


def _goes_on_without(s: Snapshot, services: list[str], scaled: datetime | None) -> bool:
    """True when those whose settings name the Services have served since then, all of them, and none has trouble."""
    view, df = net(s), s["logs"]
    callers = {
        caller.ref for service in view.services.values() if service.ref in services for caller in view.callers(service)
    }
    unwell = {storm.object for storm in check_exception_storm(s)}
    late = df[df["time"] > scaled]["object"].value_counts() if scaled else df["object"][:0].value_counts()
    served = {ref for ref in callers if late.get(ref, 0) >= _SERVES}
    return bool(callers) and served == callers and not any(ref in unwell or symptoms(s, ref) for ref in callers)


def _users(s: Snapshot, services: list[str]) -> str:
    """Who uses the Services of a workload, in words."""
    view = net(s)
    callers = [
        caller.ref for service in view.services.values() if service.ref in services for caller in view.callers(service)
    ]
    names = ", ".join(map(spoken, dict.fromkeys(callers)))
    return (
        f"{names} depend{'s' * (len(set(callers)) == 1)} on it" if names else f"{spoken(services[0])} is open to others"
    )


def _wanted(s: Snapshot, row: Row) -> list[str]:
    """Services of the workload that somebody uses: a definition names them, they are open, or nobody else is there."""
    view = net(s)
    alone = not any(workload.ready for workload in view.workloads.values() if workload.ref != row["ref"])
    labels = ((row["template"] or {}).get("metadata") or {}).get("labels") or {}
    own = [service for service in view.services.values() if service.selector and selects(service.selector, labels)]
    return sorted(
        service.ref
        for service in own
        if alone
        or any(caller.ref != row["ref"] for caller in view.callers(service))
        or service.spec.get("type") in ("NodePort", "LoadBalancer")
        or in_ingress(s, service)
    )


def _selector(row: Row) -> str:
    return ",".join(f"{key}={value}" for key, value in (row["selector"] or {}).items())


def _scaled_down(s: Snapshot, row: Row) -> list[Fact]:
    """What shows that there were replicas within the window; a rollout's old ReplicaSet going to 0 does not."""
    changes = s["changes"]
    altered = rows(changes[(changes["object"] == row["ref"]) & (changes["field"].astype(str).str.contains("replicas"))])
    facts = [change_fact(change) for change in altered if str(change["new"]) == "0" and in_window(s, change["time"])]
    said = [e for e in events(s, "ScalingReplicaSet", "SuccessfulDelete") if e["object"] == row["ref"]]
    last = [e for e in said if in_window(s, e["last_seen"])][-1:]
    down = [event for event in last if event["reason"] == "SuccessfulDelete" or _TO_ZERO.search(event["message"])]
    return [*facts, *map(event_fact, down)]


def _conditions(raw: dict[str, Any], *kinds: str, status: str) -> list[dict[str, Any]]:
    found = conditions(raw.get("status") or {})
    return [found[kind] for kind in kinds if kind in found and found[kind].get("status") == status]


def _is_blind(condition: dict[str, Any]) -> bool:
    return bool(_BLIND.search(condition.get("reason") or ""))


def _autoscaler(
    s: Snapshot,
    fault: str,
    name: str,
    raw: dict[str, Any],
    about: list[dict[str, Any]],
    *,
    summary: str,
    cause: str,
    strength: Any,
) -> Finding:
    ref = object_ref("HorizontalPodAutoscaler", s.namespace, name)
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    bounds = spec_fact(ref, minReplicas=spec.get("minReplicas", 1), maxReplicas=spec.get("maxReplicas"))
    counts = quoted(currentReplicas=status.get("currentReplicas", 0), desiredReplicas=status.get("desiredReplicas", 0))
    said = [event for event in events(s) if event["involved"] == ref and event["type"] == "Warning"]
    return Finding(
        fault=fault,
        object=ref,
        summary=f"{spoken(ref)} {summary}",
        cause=cause,
        facts=one_each([
            *(condition_fact(ref, condition) for condition in about),
            Fact(kind="status", object=ref, text=counts), bounds, *map(event_fact, said[-2:]),
        ]),
        since=earliest(*(api_time(condition.get("lastTransitionTime")) for condition in about)),
        strength=strength,
        related=(object_ref(target.get("kind", ""), s.namespace, target.get("name", "")),),
    )  # fmt: skip


CHECKS: tuple[Check, ...] = (check_scaled_to_zero, check_hpa_no_metrics, check_hpa_at_max)
