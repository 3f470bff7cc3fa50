"""Orders candidates: cause before symptom, stated before inferred, changed before old. And says why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from srelab_lib.diagnosis.causality import SLACK, TIER, can_cause
from srelab_lib.diagnosis.started import CHANGE_REACH, starting_change
from srelab_lib.diagnosis.ties import NO_TIES, Ties
from srelab_lib.model import Change, Fact, Finding, spoken

_SEEN_BY_CALLERS = frozenset({"exception_storm", "slow_dependency"})
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

_DATED_BY_CHANGE = frozenset({"bad_deploy", "bad_config_edit"})
"""Findings whose time is that of a change, and not of the trouble after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A finding merged over its checks, in its place, with the change that started it and what follows from it."""

    finding: Finding
    change: Change | None
    effects: tuple[Finding, ...]
    explained_by: Finding | None
    why: str
    """Of the first: why it stands there; of another one: why it stands lower."""
    apart: bool = False
    """A fault of its own: another change started it, and nothing ties it to the first."""
    beside: tuple[Change, ...] = ()
    """What the same edit altered next to the change: the other variable, the other label of the selector."""

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
    ties: Ties = NO_TIES,
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
        beside = _beside(change, changes) if change else ()
        item = Ranked(finding=finding, change=change, effects=effects, explained_by=cause, why="", beside=beside)
        ranked.append(item)
    sure = any(item.finding.strength > 1 and not item.explained_by and not _is_aside(item) for item in ranked)
    ranked.sort(key=lambda item: (sure and _is_aside(item), *_order(item, onset)))
    return tuple(
        replace(item, why=_why(item, ranked[0]), apart=_is_apart(item, ranked[0], ties=ties)) for item in ranked
    )


def _beside(change: Change, changes: Sequence[Change]) -> tuple[Change, ...]:
    """The other fields of one list or mapping that were altered in one edit."""
    edit = _edit(change)
    return tuple(one for one in changes if edit[0] and _edit(one) == edit and one.field != change.field)


def _is_apart(item: Ranked, first: Ranked, *, ties: Ties) -> bool:
    """True for what was started by another change, in objects that share nothing with the first and call none of it."""
    if item is first or item.explained_by or item.finding.strength == 1:
        return False
    if TIER[item.finding.fault] >= TIER["exception_storm"]:
        return False  # What callers see, and what controllers say, has its cause elsewhere.
    if item.change is None or first.change is None or item.change.object == first.change.object:
        return False
    own, others = ({one.finding.object, *one.finding.related} for one in (item, first))
    proved = first.finding.strength == 3  # Then whom it calls did not bring it about.
    return not (others & _reached(own, ties) or own & (others if proved else _reached(others, ties)))


def _reached(refs: set[str], ties: Ties) -> set[str]:
    """These and whom they call."""
    return refs.union(*(ties.calls.get(ref, frozenset()) for ref in refs))


def _edit(change: Change) -> tuple[str, ...]:
    """What the fields of one edit share: `containers[web].env` of `containers[web].env[URL]`, and whose and when."""
    place = re.split(r"(?:\.[^.\[\]]+|\[[^\[\]]*\])\Z", change.field)[0]
    return place, change.object, change.time.isoformat(), change.revision, change.commit


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
    """The deepest finding that explains `effect`, of one fault the first; None when it stands for itself."""
    causes = [cause for cause in findings if explains(cause, effect, ties)]
    deepest = min(causes, key=lambda f: (TIER[f.fault], -f.strength, f.object, f.fault), default=None)
    alike = [f for f in causes if deepest and (f.fault, f.strength) == (deepest.fault, deepest.strength)]
    return min(alike, key=lambda f: (_time(f), f.object), default=None)


def _time(finding: Finding) -> float:
    return finding.since.timestamp() if finding.since else float("inf")


def explains(cause: Finding, effect: Finding, ties: Ties = NO_TIES) -> bool:
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
        or _lets_wait(cause, effect)
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
    """True for the errors of a program with another image or variable, and for those of one who calls it."""
    storm, deploy = (one, other) if one.fault == "exception_storm" else (other, one)
    return deploy.strength > 1 and bool({deploy.object, *deploy.related} & {storm.object, *storm.related})


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


def _lets_wait(cause: Finding, effect: Finding) -> bool:
    """True for a caller that is down for waiting on a slow one."""
    return (cause.fault, effect.fault) == ("slow_dependency", "dependency_down") and effect.object in cause.related


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
        cause = f"{item.explained_by.fault} of {spoken(item.explained_by.object)}"
        names = item.finding.fault in _DATED_BY_CHANGE
        return f"it names the change, {cause} what came of it" if names else f"it follows from {cause}"
    stated = _STATED[item.finding.strength]
    if item is not first and _is_aside(item):
        return "it is a Job that fails, and nothing else follows from it"
    if item is first:
        started = f"; it began after a change: {item.change.text}" if item.change else ""
        return f"nothing found explains it; {stated}{started}"
    if item.finding.strength < first.finding.strength:
        return _LESS_SURE[item.finding.strength]
    if len(item.effects) < len(first.effects):
        return "fewer of the other findings follow from it"
    if item.change is None and first.change is not None:
        return "no change started it"
    if item.evidence_kinds < first.evidence_kinds:
        return "fewer independent kinds of evidence carry it"
    return "it lies further from where the trouble began"


_STATED = {3: "a server states it", 2: "its facts fit little else", 1: "it is a symptom that many faults share"}
_LESS_SURE = {2: "it is less sure than what a server states", 1: f"it is less sure: {_STATED[1]}"}
