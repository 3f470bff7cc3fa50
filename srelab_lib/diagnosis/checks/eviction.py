"""Pods that the platform threw out: for a resource, for a taint, for a pod of higher priority."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from srelab_lib.diagnosis.checks._endings import REMOVED
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    clipped,
    conditions,
    earliest,
    event_facts,
    events,
    grouped,
    in_window,
    of_namespace,
    one_each,
    spec_fact,
    status_fact,
)
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken


def check_evicted(s: Snapshot) -> Iterator[Finding]:
    """Pods' status reason Evicted, and events Evicted and TaintManagerEviction."""
    failed = [pod for pod in of_namespace(s, "pods") if pod["reason"] in REMOVED and in_window(s, _ended(s, pod))]
    said = [event for event in _events(s, "Evicted", "TaintManagerEviction") if "Cancelling" not in event["message"]]
    by_pod, by_event = grouped(failed), grouped(said)
    for ref in sorted(by_pod.keys() | by_event.keys()):
        pods, about = by_pod.get(ref, []), by_event.get(ref, [])
        words = clipped((pods[0]["message"] if pods else about[0]["message"]) or "")
        yield Finding(
            fault="evicted",
            object=ref,
            summary=f"pods of {spoken(ref)} were evicted from their node",
            cause=words.rstrip(". ") or "the kubelet evicted it",
            facts=one_each([*(_status(s, pod) for pod in pods), *event_facts(about)]),
            since=earliest(*(_ended(s, pod) for pod in pods), *(event["first_seen"] for event in about)),
            strength=3,
            related=_nodes(pods, about),
        )


def check_priority_preempted(s: Snapshot) -> Iterator[Finding]:
    """Events Preempted on pods, and the pods' condition DisruptionTarget with reason PreemptionByScheduler."""
    for ref, about in grouped(_events(s, "Preempted")).items():
        winner = _winner(s, about[-1])
        yield Finding(
            fault="priority_preempted",
            object=ref,
            summary=f"pods of {spoken(ref)} had to make room for a pod of higher priority",
            cause=_preemptor(winner, about[-1]),
            facts=one_each([*event_facts(about), *_priorities(s, ref)]),
            since=earliest(*(event["first_seen"] for event in about)),
            strength=3,
            related=(str(winner["object"]),) if winner else (),
        )


def _events(s: Snapshot, *reasons: str) -> list[Row]:
    return [e for e in events(s, *reasons) if e["involved_kind"] == "Pod" and in_window(s, e["last_seen"])]


def _ended(s: Snapshot, pod: Row) -> datetime | None:
    """When it was evicted: by its DisruptionTarget condition, else by its event, else its start is all there is."""
    target = conditions(pod).get("DisruptionTarget") or {}
    own = [event["first_seen"] for event in events(s, "Evicted") if event["involved_name"] == pod["pod"]]
    return api_time(target.get("lastTransitionTime")) or earliest(*own) or pod["started"]


def _status(s: Snapshot, pod: Row) -> Fact:
    return status_fact(pod, time=_ended(s, pod), phase=pod["phase"], reason=pod["reason"], message=pod["message"])


def _nodes(pods: list[Row], about: list[Row]) -> tuple[str, ...]:
    names = {pod["node"] for pod in pods if pod["node"]} | {event["host"] for event in about if event["host"]}
    return tuple(object_ref("Node", "", name) for name in sorted(names))


def _winner(s: Snapshot, event: Row) -> Row | None:
    """Who took the place: the event names a pod by its uid, which may be of another namespace."""
    uid = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", event["message"])
    return next((pod for pod in of_namespace(s, "pods") if uid and pod["uid"] == uid.group(0)), None)


def _preemptor(winner: Row | None, event: Row) -> str:
    if winner is None:
        return clipped(event["message"])
    spec = winner["spec"] or {}
    return f"{spoken(winner['object'])} has priority {spec.get('priority')} ({spec.get('priorityClassName')})"


def _priorities(s: Snapshot, ref: str) -> list[Fact]:
    """What the pods of both sides ask for."""
    specs = {pod["object"]: pod["spec"] or {} for pod in of_namespace(s, "pods")}
    return [
        spec_fact(owner, priority=spec.get("priority"), priorityClassName=spec.get("priorityClassName"))
        for owner, spec in sorted(specs.items(), key=lambda item: item[0] != ref)
        if spec.get("priority") is not None and (owner == ref or spec.get("priority"))
    ]


CHECKS: tuple[Check, ...] = (check_evicted, check_priority_preempted)
