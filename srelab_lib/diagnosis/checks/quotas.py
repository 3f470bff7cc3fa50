"""Admission that refuses pods for a quota or a limit range: controllers say so in events and conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from srelab_lib.diagnosis.checks._facts import (
    Check,
    clipped,
    condition_fact,
    conditions,
    earliest,
    event_fact,
    events,
    in_window,
    of_namespace,
    one_each,
    raw_objects,
    rows,
    spec_fact,
)
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

_QUOTA = re.compile(r"(?:exceeded|failed) quota: (?P<name>[\w.-]+)")
_LIMIT_RANGE = re.compile(
    r"(?:minimum|maximum) [\w./-]+ usage per (?:Container|Pod|PersistentVolumeClaim) is"
    r"|[\w./-]+ max limit to request ratio per (?:Container|Pod) is"
)
_AMOUNTS = r"replicas|resources|requests|limits|cpu|memory|storage"


def check_quota_exceeded(s: Snapshot) -> Iterator[Finding]:
    """FailedCreate events and the condition ReplicaFailure: `exceeded quota: NAME`."""
    for ref, said in _refused(s, _QUOTA).items():
        words = said[0].text
        quota = _QUOTA.search(words)
        name = quota["name"].rstrip(",:") if quota else ""
        limit = object_ref("ResourceQuota", s.namespace, name)
        hard = (raw_objects(s, "ResourceQuota").get(name) or {}).get("spec") or {}
        target = ref if _asked_for_more(s, ref, _made(s, limit)) else limit
        yield Finding(
            fault="quota_exceeded",
            object=target,
            summary=f"{spoken(ref)} cannot create its pods: quota {name} of {s.namespace} has too little left",
            cause=_quoted(words, quota),
            facts=one_each([*said, spec_fact(limit, **{f"hard.{k}": v for k, v in (hard.get("hard") or {}).items()})]),
            since=earliest(*(fact.time for fact in said)),
            strength=2 if ref.startswith(("Job/", "CronJob/")) else 3,
            related=tuple({ref, limit} - {target}),
        )


def check_limit_range_violated(s: Snapshot) -> Iterator[Finding]:
    """FailedCreate events and the condition ReplicaFailure: a usage per Container outside the LimitRange."""
    ranges = sorted(raw_objects(s, "LimitRange"))
    for ref, said in _refused(s, _LIMIT_RANGE).items():
        broken = _LIMIT_RANGE.search(said[0].text)
        limits = [object_ref("LimitRange", s.namespace, name) for name in ranges]
        later = [limit for limit in limits if _came_later(s, limit, ref)]
        target = later[0] if later and not _asked_for_more(s, ref, _made(s, later[0])) else ref
        yield Finding(
            fault="limit_range_violated",
            object=target,
            summary=f"{spoken(ref)} cannot create its pods: they break the namespace's LimitRange",
            cause=_quoted(said[0].text, broken),
            facts=one_each([*said, *(_range_fact(s, name) for name in ranges)]),
            since=earliest(*(fact.time for fact in said)),
            strength=3,
            related=tuple(sorted({ref, *limits} - {target})),
        )


def _quoted(text: str, match: re.Match[str] | None) -> str:
    """What a server says, from the match to the end of its message."""
    return clipped(text[match.start() if match else 0 :].partition('"')[0], 300)


def _refused(s: Snapshot, pattern: re.Pattern[str]) -> dict[str, list[Fact]]:
    """What controllers say that was refused, by the object that wants the pods; nothing where they all came up."""
    found: dict[str, list[Fact]] = {}
    for row in of_namespace(s, "workloads"):
        failure = conditions(row).get("ReplicaFailure") or {}
        if failure.get("status") == "True" and pattern.search(failure.get("message") or ""):
            found.setdefault(row["object"], []).append(condition_fact(row["ref"], failure))
    said = [e for e in events(s, "FailedCreate", message=pattern.pattern) if in_window(s, e["last_seen"])]
    for event in said:
        if event["object"] in found or _lacks_pods(s, event["object"]):
            found.setdefault(event["object"], []).append(event_fact(event))
    return {ref: _ends(said) for ref, said in sorted(found.items())}


def _ends(said: list[Fact]) -> list[Fact]:
    """The first and the last of them: between, only the names of pods differ."""
    return said if len(said) <= 2 else [said[0], said[-1]]


def _lacks_pods(s: Snapshot, ref: str) -> bool:
    """The object wants more pods than it has. A Job has no count of replicas: its pods are all that it does."""
    row = next((row for row in of_namespace(s, "workloads") if row["ref"] == ref), None)
    if row is None or row["kind"] in ("Job", "CronJob"):
        return True
    return int(row["available_replicas"] or 0) < int(row["replicas"] or 0)


def _asked_for_more(s: Snapshot, workload: str, since: datetime | None) -> bool:
    """The workload's replicas or resources were altered within the window, when the bound was already there."""
    changes = s["changes"]
    own = rows(changes[(changes["object"] == workload) & changes["field"].astype(str).str.contains(_AMOUNTS)])
    return any(in_window(s, row["time"]) and (since is None or row["time"] > since) for row in own)


def _made(s: Snapshot, ref: str) -> datetime | None:
    objects, workloads = s["objects"], s["workloads"]
    made = [*rows(objects[objects["ref"] == ref]), *rows(workloads[workloads["ref"] == ref])]
    return next((row["created"] for row in made), None)


def _came_later(s: Snapshot, limit: str, workload: str) -> bool:
    """The bound was set within the window, on a workload that was there."""
    bound, asked = _made(s, limit), _made(s, workload)
    return bound is not None and asked is not None and in_window(s, bound) and bound > asked


def _range_fact(s: Snapshot, name: str) -> Fact:
    limits = (raw_objects(s, "LimitRange")[name].get("spec") or {}).get("limits") or []
    bounds = {
        f"{item.get('type')}.{bound}.{resource}": value
        for item in limits
        for bound in ("min", "max", "maxLimitRequestRatio")
        for resource, value in (item.get(bound) or {}).items()
    }
    return spec_fact(object_ref("LimitRange", s.namespace, name), **bounds)


CHECKS: tuple[Check, ...] = (check_quota_exceeded, check_limit_range_violated)
