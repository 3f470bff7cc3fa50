"""Which change started a finding: the last one before it, of a field that can, of what it is or reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from srelab_lib.diagnosis.ties import NO_TIES, Ties
from srelab_lib.model import Change, Finding, split_ref
from srelab_lib.signals.object_edits import NOT_KNOWN

_CLOCKS = timedelta(seconds=20)
"""How much later than what it started a change may be dated: by clocks, and by samples that lie this far apart."""

CHANGE_REACH = timedelta(minutes=15)
"""How long before the trouble a change may lie to be named as what started it."""

_RIGHT_BEFORE = 60
"""Seconds."""
_CALLING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
_SLOWED_BY_CALLS = frozenset({"slow_dependency", "network_slow_or_lossy"})
TASK_REACH = 60
"""Seconds: where nothing else was changed, a Job that came right before and used what the failing one uses is named."""
_MET_BY_TASKS = frozenset(
    {"crash_app_exit", "exception_storm", "bad_input", "secret_rotated", "rbac_denied", "slow_dependency"}
)

_WHAT_RUNS = "env|image|command|args|data|config"
"""Fields that decide what a program does."""
_CHANGED_FIELD: dict[str, str] = {
    "oom_killed": rf"limits?\.?memory|memory.limit|resources|{_WHAT_RUNS}",
    "insufficient_memory": r"memory|resources|replicas",
    "insufficient_cpu": r"cpu|resources|replicas",
    "insufficient_extended_resource": r"resources|replicas",
    "cpu_throttled": rf"cpu|resources|{_WHAT_RUNS}",
    "image_not_found": r"image",
    "image_never_pull": r"image",
    "image_wrong_arch": r"image",
    "crash_bad_command": r"command|args|image",
    "crash_missing_env": _WHAT_RUNS,
    "crash_app_exit": rf"{_WHAT_RUNS}|containers|volume|security",
    "dev_server_in_production": r"command|args|image|env",
    "readiness_probe_misconfigured": r"readiness|probe|port|image|command|args",
    "liveness_probe_misconfigured": r"liveness|probe|port|image|command|args",
    "startup_probe_too_short": r"startup|liveness|probe|image|env|data|config",
    "service_selector_mismatch": r"selector|label",
    "service_wrong_port": r"port",
    "node_selector_unmatched": r"nodeselector|affinity|label",
    "taint_untolerated": r"taint|toleration",
    "anti_affinity_unmet": r"affinity|topology|replicas",
    "scaled_to_zero": r"replicas|scale",
    "configmap_missing": r"config|env|volume|created|deleted",
    "configmap_key_missing": r"config|env|volume|data",
    "configmap_wrong_value": r"data|config|envFrom",
    "secret_missing": r"secret|env|volume",
    "secret_key_missing": r"secret|env|volume",
    "service_account_missing": r"serviceaccount",
    "network_policy_blocks": r"spec|created|ingress|egress|policy|label",
    "quota_exceeded": r"hard|quota|spec|created|replicas|resources",
    "limit_range_violated": r"limits|spec|created|resources",
    "pvc_missing": r"volume|claim",
    "storage_class_missing": r"storageclass|volume|created",
    "node_cordoned": r"unschedulable|taint|cordon",
    "ingress_class_missing": r"class",
    "ingress_backend_missing": r"backend|rules|spec",
    "init_container_failed": r"init|data|config|secret|volume|security",
    "init_container_stuck": r"init|data|config",
    "exception_storm": _WHAT_RUNS,
    "slow_dependency": _WHAT_RUNS,
    "memory_leak": _WHAT_RUNS,
    "service_missing": r"",
    "pod_security_denied": r"pod-security|security",
    "webhook_unreachable": r"webhook|created|service",
    "bad_input": _WHAT_RUNS,
}
"""Which altered fields can have started a fault, as a pattern over `changes.field`."""
RESTARTED = r"^template$|restartedAt"
"""Fields of which the same pods started anew: no change of what they run."""
_ABSENT_KIND: dict[str, str] = {
    "service_missing": "Service",
    "configmap_missing": "ConfigMap",
    "secret_missing": "Secret",
    "pvc_missing": "PersistentVolumeClaim",
}
"""What is not there: a change started it by naming it, or by bringing the program that does."""
_NEW_NAME = {"service_missing": "Service"}
"""What comes into being where it is renamed: of these faults nothing else that came is a reason."""
_UNNAMED = re.compile(r"^(?:created|deleted)$|image")
"""Fields whose value does not tell what their object refers to."""
_ANY_EDIT = r"^(?!created$|metadata\.annotations\[(?![^\]]*ingress)[^\]]*\]$|.*env\[\w*(?:LOG_?LEVEL|VERBOS))"
"""Of any other fault. What came into being does not tell why something broke that had worked, nor does a note, or how
much a program logs."""


def starting_change(finding: Finding, changes: Sequence[Change], ties: Ties = NO_TIES) -> Change | None:
    """The last change before a finding of a field that can start it: of its object, a related one or what they read."""
    if finding.since is None:
        return None
    pattern = re.compile(_CHANGED_FIELD.get(finding.fault, _ANY_EDIT), re.IGNORECASE)
    objects = {finding.object, *finding.related}
    if finding.fault == "dependency_down":
        # Its callers are related, too, and what they were told takes nobody else down.
        objects = {ref for ref in objects if ref == finding.object or split_ref(ref)[0] not in _CALLING}
    objects |= {ref for one in objects for ref in ties.reads.get(one, ())}
    fitting = [
        change
        for change in changes
        if change.object in objects
        and finding.since - _reach(change, finding, ties) <= change.time <= finding.since + _CLOCKS
        and (
            _is_held(change, finding)
            or ((pattern.search(change.field) or change.text.endswith(NOT_KNOWN)) and not _only_came(change, finding))
            or (is_task(change) and change.time <= finding.since)
        )
        and _touches(change, finding)
    ]
    if not fitting and finding.fault in _MET_BY_TASKS:
        jobs = ties.tasks.get(finding.object, frozenset())
        fitting = [c for c in changes if c.object in jobs and is_task(c) and 0 <= _seconds(c, finding) <= TASK_REACH]
    if not fitting:
        fitting = [change for change in changes if _just_edited(change, finding)]
    own = {finding.object, *ties.reads.get(finding.object, ())}
    return max(
        fitting,
        key=lambda c: (
            _is_held(c, finding),
            _directness(c, finding, own),
            _is_told(c, finding),
            c.time,
            spoken_of(c.field, finding.cause),
            c.text,
        ),
        default=None,
    )


def _reach(change: Change, finding: Finding, ties: Ties) -> timedelta:
    """How long before it a change may lie; who calls a slow one makes it slow at once, by more calls, or not at all."""
    calls_it = finding.object in ties.calls.get(change.object, ())
    at_once = finding.fault in _SLOWED_BY_CALLS and calls_it
    return timedelta(seconds=_RIGHT_BEFORE) if at_once else CHANGE_REACH


def _just_edited(change: Change, finding: Finding) -> bool:
    """True for an edit of the very object right before it broke, whatever was altered in it."""
    near = -_CLOCKS.total_seconds() <= _seconds(change, finding) <= _RIGHT_BEFORE
    edited = re.search(_ANY_EDIT, change.field) and not re.search(RESTARTED, change.field)
    return near and bool(edited) and change.object == finding.object and _touches(change, finding)


def _is_held(change: Change, finding: Finding) -> bool:
    """True for a change that the check itself found, and holds against what it is about."""
    return any(
        fact.kind == "change" and (fact.object, fact.text) == (change.object, change.text) for fact in finding.facts
    )


def _seconds(change: Change, finding: Finding) -> float:
    """How much later than a change a finding began."""
    return (finding.since - change.time).total_seconds() if finding.since else float("inf")


def _touches(change: Change, finding: Finding) -> bool:
    """False for a change that does not speak of the object that is missing: it is not why that is not there."""
    kind = _ABSENT_KIND.get(finding.fault)
    absent = [ref for ref in (finding.object, *finding.related) if split_ref(ref)[0] == kind]
    if not absent or change.object in absent or _UNNAMED.search(change.field):
        return True
    altered = "\n".join(re.findall(r"^[+-].*", change.diff, re.MULTILINE))
    said = f"{change.old or ''}\n{change.new or ''}\n{altered}"
    return any(re.search(rf"(?<![\w-]){re.escape(split_ref(ref)[2])}(?![\w-])", said) for ref in absent)


def _only_came(change: Change, finding: Finding) -> bool:
    """True for a workload that came into being, where another object is at fault: that one may have kept it down."""
    if change.field != "created":
        return False
    kind, other = split_ref(change.object)[0], change.object != finding.object
    if finding.fault in _NEW_NAME:
        return kind != _NEW_NAME[finding.fault]
    return other and kind in {"Deployment", "StatefulSet", "DaemonSet"}


def is_task(change: Change) -> bool:
    """True for a Job that somebody started: it does something once, other objects only come into being."""
    return change.object.startswith("Job/") and change.field == "created"


def _is_told(change: Change, finding: Finding) -> bool:
    """True when the finding's cause names what was changed: the new value, or the key of a ConfigMap.

    `KeyError: 'gramm'` of a unit that was set to `gramm`; `key MODE of ConfigMap settings does not exist`. Or when the
    new value names the object that is at fault: `claimName=scans` of a claim that is not bound.
    """
    if change.object != finding.object and _has_word(split_ref(finding.object)[2], change.new or ""):
        return True
    key = re.fullmatch(r"data\[(.+)\]", change.field)
    words = [(change.new or "").strip(), key[1] if key else ""]
    return any(len(word) > 2 and _has_word(word, finding.cause) for word in words)


def _has_word(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", text) is not None


def spoken_of(field: str, said: str) -> int:
    """How many words of what an edit altered a text has: `data[POOL_MAX]` and `QueuePool limit ... reached`."""
    words = {word.lower() for word in _WORD_OF_KEY.findall(field.partition("[")[2])}
    return sum(word in said.lower() for word in words)


_WORD_OF_KEY = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}")


def _directness(change: Change, finding: Finding, own: set[str]) -> int:
    """How near a change is to the finding: of its own object or settings, of its first-named field, a known value.

    A Job has no earlier value: that it was started is known. What a revision has, and the one before had not, is known
    to be new. A restart alters nothing by itself, and what came into being had worked if anything worked before.
    """
    first_field = _CHANGED_FIELD.get(finding.fault, "").split("|", 1)[0]
    named = bool(first_field) and re.search(first_field, change.field, re.IGNORECASE) is not None
    edited = change.object in own and change.field != "created" and not re.search(RESTARTED, change.field)
    known = change.old is not None or is_task(change) or bool(change.revision)
    return 4 * edited + 2 * named + known
