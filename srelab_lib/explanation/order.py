"""Whether what a claim calls a cause can have come before what it calls the effect.

A failure runs one course: something is changed or declared, a resource gets short, an operation fails, the process
ends, does so again, is not ready, users feel it, controllers report it. A side of a link is placed there by its words,
else by the cited fact that it speaks of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from srelab_lib.explanation.concept import (
    CHANGED,
    DECLARED,
    ENDED,
    FELT,
    earliest,
    latest,
)
from srelab_lib.explanation.fact_places import place_of, workload
from srelab_lib.explanation.lexicon import GENERIC, SMALL
from srelab_lib.explanation.links import Link, links
from srelab_lib.explanation.naming import stands, tokens
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.passages import Held, Names, Passage, mentions
from srelab_lib.explanation.polarity import is_troubled
from srelab_lib.explanation.quantities import unsupported
from srelab_lib.explanation.sides import is_absence, is_condition, is_failing, is_outcome, stages
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import stem

FIRM_SECONDS = 30.0
"""What happened once and is dated by a server is later when it is by this much."""
SLACK_SECONDS = 90.0
"""Scrape and probe intervals date what was seen up to this much late."""

_COMMON = GENERIC - {stem("error")}
_SETTINGS = frozenset({"change", "spec"})
_LOAD = re.compile(r"\b(?:load|traffic|retr(?:y|ies)|flood\w*|too many|burst\w*|storm)\b")
_SO_MANY = re.compile(
    rf"\s*(?:all )?(?:the |these )?(?:\d+|{'|'.join(WORDS)}|several|many|repeated) (?:[\w-]+ ){{0,2}}?"
    r"(?:events?|attempts?|restarts?|failures?|tries|retries|times)\b",
    re.IGNORECASE,
)
"""`After 5 back-off events`: how often, and no cause."""
_TO_NOUGHT = re.compile(r"\b(?:to|from) (?:0|zero)\b(?!\.\d)|\bdown(?= (?:from|to)\b)")
_SHIFT = re.compile(r"^\w+ went from ")
_EXPLAINS_CHANGE = re.compile(
    r"commit|\bgit\b|\bscal\w|\broll|deploy|releas|auto ?scal|\bhpa\b|argo|sync|operator|controller|edit|"
    r"merge|upgrade|script|traffic|load|revision"
)


def misordered(claim: Passage, held: Sequence[Held], names: Names) -> Link | None:
    """A cause and an effect of the claim that can only stand the other way round, or None."""
    for link in links(claim.plain):
        if link.temporal and _SO_MANY.match(link.cause):
            continue
        cause, effect = Passage(link.cause, claim.hidden), Passage(link.effect, claim.hidden)
        if _is_later_by_words(cause, effect) or _is_later_by_clock(cause, effect):
            return link
        if link.temporal and (_dated_before(effect, cause, held) or _is_told_later(cause, effect, held)):
            return link
        if not link.temporal and _is_firmly_later(cause, effect, held):
            return link
        if not link.temporal and any(rule(cause, effect, held, names) for rule in _RULES):
            return link
    return _later_change(claim, held)


def reason_of_change(claim: Passage) -> Link | None:
    """A cause that the claim gives for a mere change: people and controllers make changes, and no fact says why."""
    for link in links(claim.spread):
        exempt = link.temporal or _EXPLAINS_CHANGE.search(link.cause) or CHANGED in stages(link.cause, earliest)
        if not exempt and stages(link.effect, earliest) == {CHANGED}:
            return link
    return None


def _later_change(claim: Passage, held: Sequence[Held]) -> Link | None:
    """A change that the claim calls a cause, where every fact of an effect is dated clearly before it."""
    changes = [fact.item.time for fact in held if fact.item.kind == "change" and fact.item.time]
    effects = [fact.item.time for fact in held if fact.item.kind not in {"change", "spec"} and fact.item.time]
    if not changes or not effects or (min(changes) - max(effects)).total_seconds() <= SLACK_SECONDS:
        return None
    return next((link for link in links(claim.spread) if CHANGED in stages(link.cause, earliest)), None)


# --- by words ---------------------------------------------------------------------------------------------------------


_MORE_LOAD = re.compile(
    r"\b(?:higher|increas\w+|rising|growing|more|additional|extra|surge|jump|rise|flood|burst)\b (?:[\w·]+ ){0,3}?"
    r"(?:requests?|traffic|load)\b|\b(?:requests?|traffic|load)\b (?:[\w·]+ ){0,3}?"
    r"(?:grew|rose|increased|doubled|tripled|surged|jumped)"
)
"""What users feel ends a failure; that they ask more often may begin one."""


def _is_later_by_clock(cause: Passage, effect: Passage) -> bool:
    """The claim itself dates its cause after its effect."""
    if not cause.times or not effect.times:
        return False
    return _seconds(min(cause.times)) - _seconds(max(effect.times)) > SLACK_SECONDS


def _seconds(clock: str) -> int:
    hours, minutes, seconds = (*map(int, clock.split(":")), 0)[:3]
    return 3600 * hours + 60 * minutes + seconds


def _is_later_by_words(cause: Passage, effect: Passage) -> bool:
    if _MORE_LOAD.search(cause.spread):
        return False
    begins, ends = stages(cause.spread, earliest), stages(effect.spread, latest)
    return bool(begins and ends) and min(begins) > max(ends)


# --- by facts ---------------------------------------------------------------------------------------------------------


def _facts_of(side: Passage, held: Sequence[Held]) -> list[Held]:
    """The cited facts that a side speaks of more than others; none when all of them fit alike."""
    scores = [_nearness(side, fact, held) for fact in held]
    best = max(scores, default=0)
    found = [fact for fact, score in zip(held, scores, strict=True) if score == best > 0]
    return found if len(found) < len(held) else []


def _nearness(side: Passage, fact: Held, held: Sequence[Held]) -> int:
    everywhere = frozenset.intersection(*(one.own_stems for one in held)) if len(held) > 1 else frozenset()
    said = (side.stems & fact.own_stems) - SMALL - _COMMON - everywhere
    numbers = [item for item in side.quantities if not unsupported([item], fact.quantities)]
    spoken = [c for c in CONCEPTS if c.said.search(side.spread)]
    own = [c for c in spoken if c.held.search(fact.spread) and not all(c.held.search(one.spread) for one in held)]
    subject = mentions(workload(fact), side.plain) and len({workload(one) for one in held}) > 1
    named = [
        one
        for one in tokens(side.plain)
        if stands(one, fact.plain) and not all(stands(one, each.plain) for each in held)
    ]
    return 2 * len(said) + 2 * len(numbers) + 2 * len(named) + len(own) + 2 * subject


def _dated_before(change: Passage, other: Passage, held: Sequence[Held]) -> bool:
    """Whether what a side calls a change is dated before all that the other side speaks of."""
    first, second = _facts_of(change, held), _facts_of(other, held)
    times = [[fact.item.time for fact in facts if fact.item.time] for facts in (first, second)]
    return all(fact.item.kind == "change" for fact in first) and all(times) and max(times[0]) < min(times[1])


_EXACT = re.compile(r"(?:log|change) |status condition=")
"""Facts that are dated when it happened; an event, and how a container ended, have the time at which it was so last."""


def _is_told_later(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """What a side puts first is dated after what it puts second, by its own words or by the facts that it speaks of."""
    first, second = _when(cause, held), _when(effect, held)
    return bool(first and second) and min(first) > max(second)


_FIRM = re.compile(r"change |status condition=|status .*terminated_reason=.*restart_count=0")


def _is_firmly_later(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """What is called a cause came clearly after what is called its effect, and both came once."""
    sides = [_facts_of(side, held) for side in (cause, effect)]
    if not all(sides) or not all(
        _FIRM.match(f"{fact.item.kind} {fact.item.text}") for facts in sides for fact in facts
    ):
        return False
    first, second = ([_of_day(fact.item.time) for fact in facts if fact.item.time] for facts in sides)
    return bool(first and second) and min(first) - max(second) > FIRM_SECONDS


def _when(side: Passage, held: Sequence[Held]) -> list[float]:
    facts = _facts_of(side, held)
    if side.times:
        return [float(_seconds(clock)) for clock in side.times]
    if not all(_EXACT.match(f"{fact.item.kind} {fact.item.text}") and fact.item.time for fact in facts):
        return []
    return [_of_day(fact.item.time) for fact in facts if fact.item.time]


def _of_day(time: datetime) -> float:
    return (time - time.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def _settles_nothing(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """A symptom brings about no setting: what was declared or changed is there before it."""
    del names
    facts = _facts_of(effect, held)
    declared = bool(facts) and all(fact.item.kind in _SETTINGS for fact in facts)
    if (
        not declared
        or is_troubled(_TO_NOUGHT.sub(" ", effect.spread))
        or stages(effect.spread, latest) - {CHANGED, DECLARED}
    ):
        return False
    causes = _facts_of(cause, held)
    followed = bool(causes) and all(fact.item.kind not in {*_SETTINGS, "log"} for fact in causes)
    if not followed and (CHANGED in stages(cause.spread, earliest) or _EXPLAINS_CHANGE.search(cause.spread)):
        return False
    return is_troubled(cause.spread) or not causes or any(fact.item.kind not in _SETTINGS for fact in causes)


def _is_later_by_place(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """Of one workload: how it ended, or what followed from that, is no cause of what it was doing before."""
    if _MORE_LOAD.search(cause.spread) or (_homes(cause, names) and _homes(effect, names) - _homes(cause, names)):
        return False
    causes, effects = _facts_of(cause, held), _facts_of(effect, held)
    if not {workload(fact) for fact in causes or held} & {workload(fact) for fact in effects or held}:
        return False
    first, second = _place(cause, causes), _place(effect, effects)
    if first is None or second is None or first <= second:
        return False
    return first < ENDED or first >= FELT or any(fact.item.kind != "log" for fact in causes or held)


def _place(side: Passage, facts: Iterable[Held]) -> int | None:
    words = stages(side.spread, earliest, things=False)
    seen = min((place_of(fact) for fact in facts), default=None)
    if words and seen is not None and min(words) <= seen <= max(stages(side.spread, latest, things=False)):
        return seen
    return min(words) if words else seen


def _depends(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """What a caller sees, or how it fares, is no cause of how the one that it calls fares."""
    callers, called = _facts_of(cause, held), _facts_of(effect, held)
    if not callers or not called or _LOAD.search(cause.spread) or CHANGED in stages(cause.spread, earliest):
        return False
    return all((workload(one), workload(other)) in names.calls for one in callers for other in called)


def _shifts_later(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """A series that shifted after another one did not shift it: both are measured at the same times."""
    del names
    sides = [_facts_of(side, held) for side in (cause, effect)]
    shifted = [
        [fact.item.time for fact in facts if _SHIFT.search(fact.item.text) and fact.item.time] for facts in sides
    ]
    if any(not times or len(times) < len(facts) for times, facts in zip(shifted, sides, strict=True)):
        return False
    return min(shifted[0]) > max(shifted[1])


def _makes_absent(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """What is declared is missing because somebody took it away, or never made it; not because something failed."""
    del held, names
    if not is_absence(effect.spread) or is_absence(cause.spread):
        return False
    return CHANGED not in stages(cause.spread, earliest)


def _makes_condition(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """A failed operation makes nothing full, expired, locked or too small, and has nobody ask for more."""
    del held, names
    return is_condition(effect.spread) and not is_failing(effect.spread) and is_outcome(cause.spread)


def _homes(side: Passage, names: Names) -> set[str]:
    """The workloads that a side names, also by their containers."""
    homes = dict(names.homes)
    return {homes.get(name, name) for name in names.objects if mentions(name, side.plain)}


_RULES = (_settles_nothing, _is_later_by_place, _depends, _shifts_later, _makes_absent, _makes_condition)
