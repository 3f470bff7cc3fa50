"""Volumes: claims that are not bound or not there, classes that do not exist, disks that are full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    clipped,
    earliest,
    event_facts,
    events,
    first_seen,
    grouped,
    in_window,
    live_pods,
    log_fact,
    log_rows,
    metric_fact,
    one_each,
    raw_objects,
    rows,
    spec_fact,
)
from srelab_lib.diagnosis.checks._placement import unplaced
from srelab_lib.diagnosis.checks._ties import ties_of
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

_MISSING_CLAIM = re.compile(r'persistentvolumeclaim "(?P<name>[\w.-]+)" not found')
_FULL = (
    r"no space left on device|\bENOSPC\b|disk quota exceeded|disk (?:is )?full|not enough (?:free )?disk space"
    r"|could not extend file|database or disk is full|insufficient disk space"
)
_OTHER_LIMIT = re.compile(r"inotify|fsnotify|\bwatch", re.IGNORECASE)
"""The kernel calls a lack of watches "no space left on device" too."""
FULL_RATIO = 0.95
"""Above it a file system is as good as full: ext4 keeps 5 % for root."""
_FAILED = frozenset({"ProvisioningFailed", "FailedBinding", "ClaimLost", "VolumeMismatch"})
_WAITS = frozenset({"WaitForFirstConsumer", "WaitForPodScheduled"})
_GRACE_SECONDS, _PATIENCE_SECONDS = 20, 90
"""A claim is new for the first; a provisioner that says nothing bad is given the second."""


def check_pvc_missing(s: Snapshot) -> Iterator[Finding]:
    """The scheduler's `persistentvolumeclaim "x" not found` on pods that have no node."""
    found = [(item, match) for item in unplaced(s) if (match := _MISSING_CLAIM.search(item.message))]
    for ref, items in grouped({"object": item.pod["object"], "item": (item, match)} for item, match in found).items():
        item, match = items[0]["item"]
        claims = ", ".join(sorted(raw_objects(s, "PersistentVolumeClaim"))) or "none"
        yield Finding(
            fault="pvc_missing",
            object=ref,
            summary=f"pods of {spoken(ref)} cannot be scheduled: a volume claim that they name does not exist",
            cause=f"PersistentVolumeClaim {match['name']} does not exist in namespace {s.namespace}",
            facts=one_each([*item.facts(s), spec_fact(ref, claimName=match["name"]), _listed(s, claims)]),
            since=earliest(*(entry["item"][0].since for entry in items)),
            strength=3,
            related=(object_ref("PersistentVolumeClaim", s.namespace, match["name"]),),
        )


def check_storage_class_missing(s: Snapshot) -> Iterator[Finding]:
    """PersistentVolumeClaims in phase Pending whose storageClassName is not in the list of StorageClasses."""
    for name, claim in _pending(s).items():
        wanted = (claim.get("spec") or {}).get("storageClassName")
        said = _said(s, name)
        stated = any("storageclass" in e["message"].lower() and "not found" in e["message"] for e in said)
        if not wanted or wanted in _classes(s) or not (stated or _classes(s)):
            continue
        yield _finding(
            s, "storage_class_missing", name, said,
            f"StorageClass {wanted} does not exist (there are: {', '.join(sorted(_classes(s))) or 'none'})",
        )  # fmt: skip


def check_pvc_pending(s: Snapshot) -> Iterator[Finding]:
    """PersistentVolumeClaims in phase Pending with what their provisioner says; one that waits for a pod is well."""
    for name, claim in _pending(s).items():
        said = _said(s, name)
        wanted = (claim.get("spec") or {}).get("storageClassName")
        missing_class = wanted and _classes(s) and wanted not in _classes(s)
        last = next((e for e in reversed(said) if e["reason"] in _FAILED), said[-1] if said else None)
        reason = last["reason"] if last else "WaitForFirstConsumer"
        patient = reason not in _FAILED and _age(s, claim) < _PATIENCE_SECONDS
        if missing_class or patient or reason in _WAITS or not last:
            continue
        yield _finding(s, "pvc_pending", name, said, f"{reason}: {clipped(last['message'])}")


def check_disk_full(s: Snapshot) -> Iterator[Finding]:
    """Logs that say `no space left on device`, and volume_used_ratio of the metrics."""
    said = [row for row in log_rows(s, _FULL, quiet=True) if in_window(s, row["time"])]
    logged = grouped(row for row in said if not _OTHER_LIMIT.search(row["message"]))
    used = _full_volumes(s)
    # A server says it first, and its callers after it.
    told = {ref: ties_of(s).calls.get(ref, frozenset()) & logged.keys() for ref in logged.keys() - used.keys()}
    logged = {ref: lines for ref, lines in logged.items() if not told.get(ref)}
    for ref in sorted(logged.keys() | used.keys()):
        lines, sample = logged.get(ref, []), used.get(ref)
        cause = f'its log says "{clipped(lines[-1]["message"])}"' if lines else "its volume is full"
        times = [line["time"] for line in lines] + ([sample["time"]] if sample else [])
        metric = sample and metric_fact(
            ref, "volume_used_ratio", f"{sample['value']:.2f} {sample['series']}", sample["time"]
        )
        yield Finding(
            fault="disk_full",
            object=ref,
            summary=f"{spoken(ref)} cannot write: a disk or volume of it is full",
            cause=cause,
            facts=one_each([*map(log_fact, lines[:3]), metric or None, *_volumes(s, ref)]),
            since=min(times),
            strength=2,
            related=(
                *(object_ref("PersistentVolumeClaim", s.namespace, claim) for claim in _claims(s, ref)),
                *sorted(caller for caller, servers in told.items() if ref in servers),
            ),
        )


def _pending(s: Snapshot) -> dict[str, dict[str, Any]]:
    """Claims that are not bound and not brand new."""
    claims = raw_objects(s, "PersistentVolumeClaim")
    return {
        name: claim
        for name, claim in claims.items()
        if (claim.get("status") or {}).get("phase") in ("Pending", "Lost") and _age(s, claim) >= _GRACE_SECONDS
    }


def _age(s: Snapshot, claim: dict[str, Any]) -> float:
    created = api_time((claim.get("metadata") or {}).get("creationTimestamp"))
    return (s.window.end - created).total_seconds() if created else float("inf")


def _said(s: Snapshot, claim: str) -> list[Row]:
    return [e for e in events(s) if e["involved_kind"] == "PersistentVolumeClaim" and e["involved_name"] == claim]


def _classes(s: Snapshot) -> dict[str, dict[str, Any]]:
    return raw_objects(s, "StorageClass", namespace="")


def _finding(s: Snapshot, fault: str, name: str, said: list[Row], cause: str) -> Finding:
    ref = object_ref("PersistentVolumeClaim", s.namespace, name)
    claim = raw_objects(s, "PersistentVolumeClaim")[name]
    users = sorted({str(pod["object"]) for pod in live_pods(s) if name in _claim_names(pod)})
    waiting = [item for item in unplaced(s) if name in _claim_names(item.pod)]
    spec = spec_fact(ref, storageClassName=(claim.get("spec") or {}).get("storageClassName", ""), phase="Pending")
    return Finding(
        fault=fault,
        object=ref,
        summary=f"{spoken(ref)} is not bound; {', '.join(map(spoken, users)) or 'no pod'} waits for it",
        cause=cause,
        facts=one_each([*event_facts(said), spec, *(fact for item in waiting for fact in item.facts(s)[:1])]),
        since=earliest(first_seen(said), *(item.since for item in waiting)),
        strength=3,
        related=tuple(users),
    )


def _claim_names(pod: Row) -> list[str]:
    volumes = (pod["spec"] or {}).get("volumes") or []
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]


def _claims(s: Snapshot, ref: str) -> list[str]:
    return sorted({name for pod in live_pods(s) if pod["object"] == ref for name in _claim_names(pod)})


def _listed(s: Snapshot, claims: str) -> Fact:
    return Fact(kind="status", object=f"Namespace//{s.namespace}", text=f"PersistentVolumeClaims in it: {claims}")


def _full_volumes(s: Snapshot) -> dict[str, Row]:
    """The first sample above the bound of each object whose volume is still full at the end of its series."""
    df = s["metrics"]
    samples = rows(df[(df["signal"] == "volume_used_ratio") & df["value"].notna()].sort_values("time", kind="stable"))
    last = {(row["object"], row["series"]): row["value"] for row in samples}
    full = [row for row in samples if row["value"] >= FULL_RATIO and last[row["object"], row["series"]] >= FULL_RATIO]
    return {str(row["object"]): row for row in reversed(full) if row["object"]}


def _volumes(s: Snapshot, ref: str) -> list[Fact]:
    """The sized volumes of the object's pods: claims and emptyDirs with a limit."""
    pods = [pod for pod in live_pods(s) if pod["object"] == ref][:1]
    found = []
    for volume in (volume for pod in pods for volume in (pod["spec"] or {}).get("volumes") or []):
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        empty = volume.get("emptyDir") or {}
        if claim or empty.get("sizeLimit"):
            found.append(spec_fact(ref, volume=volume["name"], claimName=claim, sizeLimit=empty.get("sizeLimit")))
    return found


CHECKS: tuple[Check, ...] = (check_pvc_missing, check_storage_class_missing, check_pvc_pending, check_disk_full)
