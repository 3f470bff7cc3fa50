"""Orders candidates: cause before symptom, stated before inferred, changed before old. And says why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from srelab_lib.diagnosis.causality import TIER, can_cause
from srelab_lib.diagnosis.ties import Ties
from srelab_lib.model import Change, Fact, Finding, split_ref, spoken
from srelab_lib.signals.object_edits import NOT_KNOWN

_CALLING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
_NO_TIES = Ties()
_SEEN_BY_CALLERS = frozenset({"exception_storm", "slow_dependency"})
SLACK = timedelta(seconds=90)
"""How much later than its effect a cause may be *seen*: back-off, probe thresholds and scrape intervals delay it."""

CHANGE_REACH = timedelta(minutes=15)
"""How long before the trouble a change may lie to be named as what started it."""

_DOWN = frozenset(
    {
        "oom_killed",
        "crash_app_exit",
        "crash_bad_command",
        "crash_missing_env",
        "container_killed",
        "scaled_to_zero",
        "evicted",
        "image_not_found",
        "image_never_pull",
        "image_wrong_arch",
        "configmap_missing",
        "configmap_key_missing",
        "secret_missing",
        "secret_key_missing",
        "init_container_failed",
        "init_container_stuck",
        "liveness_probe_misconfigured",
    }
)
"""A workload that does not do its work."""
_TOGETHER = timedelta(seconds=60)
"""Within this time two begin at once."""

TASK_REACH = 60
"""Seconds: where nothing else was changed, a Job that came right before and used what the failing one uses is named."""
_MET_BY_TASKS = frozenset({"crash_app_exit", "exception_storm", "bad_input", "secret_rotated", "slow_dependency"})

_DATED_BY_CHANGE = frozenset({"bad_deploy", "bad_config_edit"})
"""Findings whose time is that of a change, and not of the trouble after it."""

_CHANGED_FIELD: dict[str, str] = {
    "oom_killed": r"limits?\.?memory|memory.limit|resources|command|args|env|image",
    "insufficient_memory": r"memory|resources|replicas",
    "insufficient_cpu": r"cpu|resources|replicas",
    "insufficient_extended_resource": r"resources|replicas",
    "cpu_throttled": r"cpu|resources|env|image",
    "image_not_found": r"image",
    "image_never_pull": r"image",
    "image_wrong_arch": r"image",
    "crash_bad_command": r"command|args|image",
    "crash_missing_env": r"env|image|command|args",
    "crash_app_exit": r"env|image|command|args|config|data|containers|volume|security",
    "dev_server_in_production": r"command|args|image|env",
    "readiness_probe_misconfigured": r"readiness|probe|port|image|command|args",
    "liveness_probe_misconfigured": r"liveness|probe|port|image|command|args",
    "startup_probe_too_short": r"startup|liveness|probe|image|env|data|config",
    "service_selector_mismatch": r"selector|label",
    "service_wrong_port": r"port",
    "node_selector_unmatched": r"nodeselector|affinity",
    "taint_untolerated": r"taint|toleration",
    "anti_affinity_unmet": r"affinity|replicas",
    "scaled_to_zero": r"replicas|scale",
    "configmap_missing": r"config|env|volume|created|deleted",
    "configmap_key_missing": r"config|env|volume|data",
    "configmap_wrong_value": r"data|config",
    "secret_missing": r"secret|env|volume",
    "secret_key_missing": r"secret|env|volume",
    "service_account_missing": r"serviceaccount",
    "network_policy_blocks": r"spec|created|ingress|egress|policy",
    "quota_exceeded": r"hard|quota|spec|created|replicas|resources",
    "limit_range_violated": r"limits|spec|created|resources",
    "pvc_missing": r"volume|claim",
    "storage_class_missing": r"storageclass|volume|created",
    "node_cordoned": r"unschedulable|taint|cordon",
    "ingress_class_missing": r"class",
    "ingress_backend_missing": r"backend|rules|spec",
    "init_container_failed": r"init",
    "init_container_stuck": r"init",
    "exception_storm": r"env|image|command|args|data|config",
    "slow_dependency": r"env|image|data|config",
    "memory_leak": r"env|image|command|args",
    "service_missing": r"",
    "pod_security_denied": r"pod-security|security",
    "webhook_unreachable": r"webhook|created|service",
    "bad_input": r"env|image|command|args|data|config",
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
_ANY_EDIT = r"^(?!created$)"
"""Of any other fault. What came into being does not tell why something broke that had worked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A finding merged over its checks, in its place, with the change that started it and what follows from it."""

    finding: Finding
    change: Change | None
    effects: tuple[Finding, ...]
    explained_by: Finding | None
    why: str
    """Of the first: why it stands there; of another one: why it stands lower."""

    @property
    def evidence_kinds(self) -> int:
        """How many independent kinds of fact carry it."""
        kinds = {fact.kind for fact in self.finding.facts}
        return len(kinds | {"change"}) if self.change else len(kinds)


def rank(
    findings: Iterable[Finding],
    changes: Sequence[Change],
    onset: datetime | None = None,
    start: datetime | None = None,
    *,
    ties: Ties = _NO_TIES,
) -> tuple[Ranked, ...]:
    """All findings merged and ordered, the root cause first.

    Args:
        findings: in any order; those of the same fault and object become one.
        changes: of the window, in any order.
        onset: when users or metrics first saw trouble; ties go to what began nearest to it.
        start: of the window.
        ties: how the objects hang together.
    """
    merged = [_of_this_episode(finding, changes, start) for finding in merge(findings)]
    causes = {id(effect): _root(effect, merged, ties) for effect in merged}
    merged = [finding for finding in merged if not _stands_beside(finding, _last(finding, causes), changes, ties)]
    ranked = []
    for finding in merged:
        cause = causes[id(finding)]
        effects = tuple(other for other in merged if causes[id(other)] is finding)
        # What merely follows was started by the cause, whatever was changed about then.
        change = starting_change(finding, changes, ties) if cause is None else None
        ranked.append(Ranked(finding=finding, change=change, effects=effects, explained_by=cause, why=""))
    sure = any(item.finding.strength > 1 and not item.explained_by and not _is_aside(item) for item in ranked)
    ranked.sort(key=lambda item: (sure and _is_aside(item), *_order(item, onset)))
    return tuple(replace(item, why=_why(item, ranked[0])) for item in ranked)


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each fault and object: the strongest one's words, everyone's facts, the earliest time."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.fault, finding.object), []).append(finding)
    return [_merge_group(sorted(group, key=lambda f: (-f.strength, f.summary))) for _, group in sorted(groups.items())]


def _merge_group(group: list[Finding]) -> Finding:
    facts: dict[tuple[str, str], Fact] = {}
    for finding in group:
        for fact in finding.facts:
            facts.setdefault((fact.kind, fact.text), fact)
    times = [finding.since for finding in group if finding.since is not None]
    related = dict.fromkeys(ref for finding in group for ref in finding.related)
    return replace(group[0], facts=tuple(facts.values()), since=min(times, default=None), related=tuple(related))


def _of_this_episode(finding: Finding, changes: Sequence[Change], start: datetime | None) -> Finding:
    """An event counts on where its ReplicaSet comes back: then it is the return that began this, not its first time."""
    if start is None or finding.since is None or finding.since >= start:
        return finding
    returns = [c.time for c in changes if c.object == finding.object and c.rolled_back_to and c.time >= start]
    return replace(finding, since=max(returns)) if returns else finding


def _root(effect: Finding, findings: Sequence[Finding], ties: Ties) -> Finding | None:
    """The deepest finding that explains `effect`, or None when it stands for itself."""
    causes = [cause for cause in findings if explains(cause, effect, ties)]
    return min(causes, key=lambda f: (TIER[f.fault], -f.strength, f.object, f.fault), default=None)


def explains(cause: Finding, effect: Finding, ties: Ties = _NO_TIES) -> bool:
    """True when one finding can have brought about the other: causal order, a shared object, not later, not weaker.

    What callers see they see of all whom they call, also through others.

    A cause that is only suspected (strength 1) does not explain what a server states.
    """
    if cause is effect or (cause.strength == 1 and effect.strength > 1):
        return False
    called = ties.calls.get(effect.object, frozenset()) if effect.fault in _SEEN_BY_CALLERS else frozenset()
    if {cause.fault, effect.fault} == {"exception_storm", "bad_deploy"} and _came_with_image(cause, effect):
        return cause.fault == "bad_deploy"
    if cause.fault == "cpu_throttled" and cause.since is None and effect.since:
        return False  # What was always throttled does not tell why something else began.
    if not (
        _passed_on(cause, effect, called)
        or can_cause(cause.fault, effect.fault, same_object=cause.object == effect.object)
    ):
        return False
    touching = {cause.object, *cause.related} & {effect.object, *effect.related} or {cause.object} & called
    if not touching and _left_work(cause, effect, ties):
        return True
    slack = CHANGE_REACH if effect.fault in _DATED_BY_CHANGE else SLACK
    in_time = cause.since is None or effect.since is None or cause.since <= effect.since + slack
    return bool(touching) and in_time


def _came_with_image(one: Finding, other: Finding) -> bool:
    """True for the errors of a program with another image, and for those of one who calls it."""
    storm, deploy = (one, other) if one.fault == "exception_storm" else (other, one)
    return deploy.strength > 1 and deploy.object in {storm.object, *storm.related}


def _last(finding: Finding, causes: Mapping[int, Finding | None]) -> Finding | None:
    """The end of the chain of causes: what explains what explains it."""
    seen = []
    cause = causes[id(finding)]
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = causes[id(cause)]
    return seen[-1] if seen else None


def _stands_beside(finding: Finding, cause: Finding | None, changes: Sequence[Change], ties: Ties) -> bool:
    """True for a rollout of somebody who only feels what came from elsewhere: nothing says that it made this worse."""
    if finding.fault != "bad_deploy" or cause is None or cause.object == finding.object:
        return False
    started = starting_change(cause, changes, ties)
    return started is None or started.object != finding.object


def _left_work(cause: Finding, effect: Finding, ties: Ties) -> bool:
    """True for the errors of one who waits for the work of another one, which is down since just then."""
    if effect.fault != "exception_storm" or cause.strength == 1 or cause.fault not in _DOWN:
        return False
    together = cause.since and effect.since and abs(cause.since - effect.since) <= _TOGETHER
    return bool(together) and cause.object in ties.shares.get(effect.object, ())


def _passed_on(cause: Finding, effect: Finding, called: frozenset[str]) -> bool:
    """True for the errors of a caller that only tells of those of whom it calls."""
    storms = cause.fault == effect.fault == "exception_storm" and cause.object != effect.object
    return storms and cause.object in {*effect.related, *called} and effect.object not in cause.related


def starting_change(finding: Finding, changes: Sequence[Change], ties: Ties = _NO_TIES) -> Change | None:
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
        and finding.since - CHANGE_REACH <= change.time <= finding.since + SLACK
        and (
            ((pattern.search(change.field) or change.text.endswith(NOT_KNOWN)) and not _only_came(change, finding))
            or (is_task(change) and change.time <= finding.since)
        )
        and _touches(change, finding)
    ]
    if not fitting and finding.fault in _MET_BY_TASKS:
        jobs = ties.tasks.get(finding.object, frozenset())
        fitting = [c for c in changes if c.object in jobs and is_task(c) and 0 <= _seconds(c, finding) <= TASK_REACH]
    own = {finding.object, *ties.reads.get(finding.object, ())}
    return max(
        fitting, key=lambda c: (_directness(c, finding, own), _is_told(c, finding), c.time, c.text), default=None
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

    `KeyError: 'gramm'` of a unit that was set to `gramm`; `key MODE of ConfigMap settings does not exist`.
    """
    key = re.fullmatch(r"data\[(.+)\]", change.field)
    words = [(change.new or "").strip(), key[1] if key else ""]
    return any(
        len(word) > 2 and re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", finding.cause) is not None
        for word in words
    )


def _directness(change: Change, finding: Finding, own: set[str]) -> int:
    """How near a change is to the finding: of its own object or settings, of its first-named field, a known value.

    A Job has no earlier value: that it was started is known. A restart alters nothing by itself.
    """
    first_field = _CHANGED_FIELD.get(finding.fault, "").split("|", 1)[0]
    named = bool(first_field) and re.search(first_field, change.field, re.IGNORECASE) is not None
    edited = change.object in own and not re.search(RESTARTED, change.field)
    return 4 * edited + 2 * named + (change.old is not None or is_task(change))


_APART = frozenset({"job_failed", "cronjob_failed"})


def _is_aside(item: Ranked) -> bool:
    """True for a Job that fails, unedited, and nothing comes of it: what else breaks is another story."""
    edited = item.change is not None and item.change.object == item.finding.object
    return item.finding.fault in _APART and item.explained_by is None and not item.effects and not edited


def _order(item: Ranked, onset: datetime | None) -> tuple[object, ...]:
    finding = item.finding
    distance = abs((finding.since - onset).total_seconds()) if onset and finding.since else float("inf")
    return (
        item.explained_by is not None,
        -finding.strength,
        -len(item.effects),
        item.change is None,
        -item.evidence_kinds,
        TIER[finding.fault],
        distance,
        finding.object,
        finding.fault,
    )


def _why(item: Ranked, first: Ranked) -> str:
    if item.explained_by is not None:
        return f"it follows from {item.explained_by.fault} of {spoken(item.explained_by.object)}"
    stated = _STATED[item.finding.strength]
    if item is not first and _is_aside(item):
        return "a Job that fails, and nothing else follows from it"
    if item is first:
        started = f"; it began after a change: {item.change.text}" if item.change else ""
        return f"nothing found explains it; {stated}{started}"
    if item.finding.strength < first.finding.strength:
        return f"it is less sure: {stated}"
    if len(item.effects) < len(first.effects):
        return "fewer of the other findings follow from it"
    if item.change is None and first.change is not None:
        return "no change started it"
    if item.evidence_kinds < first.evidence_kinds:
        return "fewer independent kinds of evidence carry it"
    return "it lies further from where the trouble began"


_STATED = {3: "a server states it", 2: "its facts fit little else", 1: "it is a symptom that many faults share"}
