"""Rollouts that do not progress, and disruption budgets that let nothing be evicted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    clipped,
    condition_fact,
    conditions,
    earliest,
    event_facts,
    events,
    in_window,
    live_pods,
    log_fact,
    of_namespace,
    one_each,
    quoted,
    raw_objects,
    rows,
    spec_fact,
    status_fact,
)
from srelab_lib.diagnosis.checks._logs import COMPLAINT_LEVELS, Hits, hits
from srelab_lib.diagnosis.checks._policies import matches
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, split_ref, spoken

_PATIENCE = timedelta(minutes=2)
"""A rollout that is younger may be under way."""
_LINGER = timedelta(seconds=30)
VIOLATES = re.compile(r"violate the pod's disruption budget")
"""The API server's words to whoever asks for an eviction, with status 429."""


def check_rollout_stuck(s: Snapshot) -> Iterator[Finding]:
    """Deployments' condition Progressing (ProgressDeadlineExceeded), spec.paused, and pods that do not terminate."""
    for row in of_namespace(s, "workloads"):
        if row["kind"] != "Deployment":
            continue
        progress = conditions(row).get("Progressing") or {}
        lingering = _lingering(s, row)
        if progress.get("reason") == "ProgressDeadlineExceeded":
            cause = clipped(f"{progress['reason']}: {progress.get('message', '').rstrip('.')}")
            said = _new_pod_says(s, row)
            cause += f'; its new pod says "{clipped(str(said["message"]))}"' if said else ""
            told = [log_fact(said)] if said else []
            if gate := _unmet_gate(s, row):
                cause += f"; its new pod is not ready: {gate[1]['message'].rstrip('.')}"
                told.append(condition_fact(*gate))
            yield _stuck(row, cause, api_time(progress.get("lastTransitionTime")), told, strength=3)
        elif row["paused"] and _outdated(row):
            yield _stuck(row, "the Deployment is paused", api_time(progress.get("lastUpdateTime")), [], strength=2)
        elif lingering and _lacks(row):
            facts = [status_fact(pod, phase=pod["phase"], deletionTimestamp=pod["deleted"]) for pod in lingering]
            cause = f"pod {lingering[0]['pod']} of the old revision does not terminate"
            yield _stuck(row, cause, lingering[0]["deleted"], facts, strength=2)


def _new_pod_says(s: Snapshot, row: Row) -> Row | None:
    """The latest complaint of a pod that is not ready and came last."""
    newest = _newest_unready(s, row)
    df = s["logs"]
    lines = df[(df["pod"] == newest["pod"]) & df["level"].isin(COMPLAINT_LEVELS)] if newest else df.head(0)
    return next(iter(rows(lines.tail(1))), None)


def _newest_unready(s: Snapshot, row: Row) -> Row | None:
    waiting = [pod for pod in live_pods(s) if pod["object"] == row["ref"] and not pod["ready"]]
    return max(waiting, key=lambda pod: str(pod["created"]), default=None)


def _unmet_gate(s: Snapshot, row: Row) -> tuple[str, dict[str, Any]] | None:
    """The newest pod with its condition Ready, where only a readiness gate keeps it from being ready."""
    newest = _newest_unready(s, row)
    ready = (conditions(newest).get("Ready") or {}) if newest else {}
    gated = newest and ready.get("reason") == "ReadinessGatesNotReady"
    return (object_ref("Pod", s.namespace, newest["pod"]), ready) if newest and gated else None


def check_rollout_slow(s: Snapshot) -> Iterator[Finding]:
    """Status of Deployments, StatefulSets and DaemonSets: updated and available replicas against those wanted."""
    for row in of_namespace(s, "workloads"):
        began = _lacking_since(s, row)
        stated = (conditions(row).get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded"
        if stated or not began or s.window.end - began < _PATIENCE or not _lacks(row) or _on_purpose(row):
            continue
        cause = f"of {row['replicas']} replicas {row['updated_replicas'] or 0} are of the newest revision "
        cause += f"and {row['available_replicas'] or 0} are available"
        yield _stuck(row, cause, began, [], strength=1)


def check_pdb_blocks(s: Snapshot) -> Iterator[Finding]:
    """PodDisruptionBudgets' status.disruptionsAllowed, where something wants to evict their pods, or is refused it."""
    for name, raw in raw_objects(s, "PodDisruptionBudget").items():
        status = raw.get("status") or {}
        allowed, expected = status.get("disruptionsAllowed", 0), status.get("expectedPods", 0)
        if allowed or not expected:
            continue
        pods = [pod for pod in live_pods(s) if _selects(raw, pod)]
        refused = [e for e in events(s, message=VIOLATES.pattern) if in_window(s, e["last_seen"])]
        told = [hit for hit in hits(s, VIOLATES) if _speaks_of(hit, pods)]
        drained = _drained(s, pods)
        new = _added_to_running(s, name, raw, pods)
        if refused or told or drained or new:
            said = [fact for hit in told for fact in hit.facts(2)]
            yield _blocks(s, name, raw, pods, [*event_facts(refused), *said, *drained], {hit.object for hit in told})


def _stuck(row: Row, cause: str, since: datetime | None, facts: list[Fact], *, strength: Any) -> Finding:
    progress: dict[str, Any] = conditions(row).get("Progressing") or {}
    counts = quoted(
        replicas=row["replicas"],
        updatedReplicas=row["updated_replicas"],
        readyReplicas=row["ready_replicas"],
        availableReplicas=row["available_replicas"],
        paused=row["paused"] or None,
    )
    return Finding(
        fault="rollout_stuck",
        object=row["ref"],
        summary=f"{spoken(row['ref'])} lacks replicas"
        if strength == 1
        else f"the rollout of {spoken(row['ref'])} is stuck",
        cause=cause,
        facts=one_each(
            [
                condition_fact(row["ref"], progress) if progress else None,
                Fact(kind="status", object=row["ref"], text=counts),
                *facts,
            ]
        ),
        since=since,
        strength=strength,
    )


def _lacks(row: Row) -> bool:
    """Fewer replicas of the new revision are available than wanted."""
    wanted = int(row["replicas"] or 0)
    return min(int(row["updated_replicas"] or 0), int(row["available_replicas"] or 0)) < wanted


def _outdated(row: Row) -> bool:
    return int(row["updated_replicas"] or 0) < int(row["replicas"] or 0)


def _on_purpose(row: Row) -> bool:
    """A partition or OnDelete leaves old replicas where they are."""
    update = (row["spec"] or {}).get("updateStrategy") or {}
    return bool(row["strategy"] == "OnDelete" or (update.get("rollingUpdate") or {}).get("partition"))


def _lacking_since(s: Snapshot, row: Row) -> datetime | None:
    """Since when replicas lack: a Deployment's condition or newest revision, others' first pod that is not ready."""
    available: dict[str, Any] = conditions(row).get("Available") or {}
    if row["kind"] == "Deployment" and available.get("status") == "False":
        return api_time(available.get("lastTransitionTime"))
    if row["kind"] == "Deployment":
        sets = [w for w in of_namespace(s, "workloads") if w["kind"] == "ReplicaSet" and w["object"] == row["ref"]]
        newest = max(sets, key=lambda item: (item["revision"] or 0, str(item["created"])), default=None)
        made: datetime | None = (newest or row)["created"]
        return made
    if row["kind"] in ("StatefulSet", "DaemonSet"):
        return earliest(*(pod["created"] for pod in live_pods(s) if pod["object"] == row["ref"] and not pod["ready"]))
    return None


def _lingering(s: Snapshot, row: Row) -> list[Row]:
    """Pods whose grace is over and that are still there."""
    pods = [pod for pod in of_namespace(s, "pods") if pod["object"] == row["ref"] and pod["deleted"] is not None]
    return [pod for pod in pods if s.window.end - pod["deleted"] >= _LINGER]


def _selects(budget: dict[str, Any], pod: Row) -> bool:
    selector = (budget.get("spec") or {}).get("selector") or {}
    return bool(selector) and matches(selector, pod["labels"] or {})


def _drained(s: Snapshot, pods: list[Row]) -> list[Fact]:
    """The budget's pods sit on a cordoned node: somebody wants them gone."""
    nodes = raw_objects(s, "Node", namespace="")
    cordoned = {name for name, node in nodes.items() if (node.get("spec") or {}).get("unschedulable")}
    on = sorted({str(pod["node"]) for pod in pods} & cordoned)
    return [spec_fact(object_ref("Node", "", name), unschedulable=True, pods=_names(pods, name)) for name in on]


def _names(pods: list[Row], node: str) -> str:
    return ",".join(sorted(pod["pod"] for pod in pods if pod["node"] == node))


def _added_to_running(s: Snapshot, name: str, budget: dict[str, Any], pods: list[Row]) -> bool:
    """The budget was made or altered within the window, after the pods that it covers."""
    changes = s["changes"]
    ref = object_ref("PodDisruptionBudget", s.namespace, name)
    times = [row["time"] for row in rows(changes[changes["object"] == ref])]
    times.append(api_time((budget.get("metadata") or {}).get("creationTimestamp")))
    last = max((time for time in times if in_window(s, time)), default=None)
    return last is not None and bool(pods) and all(pod["created"] < last - _LINGER for pod in pods)


def _speaks_of(hit: Hits, pods: list[Row]) -> bool:
    """True for lines that name one of the workloads whose pods a budget covers."""
    names = {split_ref(str(pod["object"]))[2] for pod in pods}
    return any(name in str(line["message"]) for line in hit.lines for name in names)


def _blocks(
    s: Snapshot, name: str, raw: dict[str, Any], pods: list[Row], facts: list[Fact], evicting: set[str]
) -> Finding:
    ref = object_ref("PodDisruptionBudget", s.namespace, name)
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    wanted = {key: spec[key] for key in ("minAvailable", "maxUnavailable") if key in spec}
    counts = {
        key: status.get(key, 0) for key in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    }
    short = status.get("currentHealthy", 0) < status.get("desiredHealthy", 0)
    stated = Fact(kind="status", object=ref, text=quoted(**counts))
    return Finding(
        fault="pdb_blocks",
        object=ref,
        summary=f"{spoken(ref)} lets no pod be evicted{_for_whom(facts)}",
        cause=f"{quoted(**wanted)} with {counts['currentHealthy']} healthy of {counts['expectedPods']} pods "
        "leaves disruptionsAllowed at 0",
        facts=one_each([stated, spec_fact(ref, **wanted), *facts]),
        since=earliest(*(fact.time for fact in facts))
        or _forbidden_since(status)
        or api_time((raw.get("metadata") or {}).get("creationTimestamp")),
        strength=1 if short else 2,
        related=tuple(sorted({str(pod["object"]) for pod in pods} | evicting)),
    )


def _for_whom(facts: list[Fact]) -> str:
    nodes = [spoken(fact.object) for fact in facts if fact.object.startswith("Node/")]
    return f", and {', '.join(nodes)} is to be emptied" if nodes else ""


def _forbidden_since(status: dict[str, Any]) -> datetime | None:
    found = [item for item in status.get("conditions") or [] if item.get("type") == "DisruptionAllowed"]
    return next((api_time(item.get("lastTransitionTime")) for item in found if item.get("status") == "False"), None)


CHECKS: tuple[Check, ...] = (check_rollout_stuck, check_rollout_slow, check_pdb_blocks)
