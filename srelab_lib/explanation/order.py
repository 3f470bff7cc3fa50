"""Whether what a claim calls a cause can have come before what it calls the effect.

A failure runs one course: something is changed or declared, a resource gets short, an operation fails, the process
ends, does so again, is not ready, users feel it, controllers report it. A side of a link is placed there by its words,
else by the cited fact that it speaks of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from srelab_lib.explanation.chronology import changed_later, is_dated_earlier, is_dated_later
from srelab_lib.explanation.concept import (
    CHANGED,
    DECLARED,
    ENDED,
    FELT,
    UNREADY,
    earliest,
    latest,
)
from srelab_lib.explanation.fact_places import place_of, workload
from srelab_lib.explanation.links import Link, links
from srelab_lib.explanation.needs import comes_too_late
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.order_between import BETWEEN, LOAD, homes_of, is_of_node
from srelab_lib.explanation.passages import Held, Names, Passage
from srelab_lib.explanation.polarity import is_troubled
from srelab_lib.explanation.side_facts import facts_of
from srelab_lib.explanation.sides import is_absence, is_condition, is_failing, is_outcome, stages
from srelab_lib.explanation.told_causes import tells_reverse, tells_so

_SETTINGS = frozenset({"change", "spec"})
_SO_MANY = re.compile(
    rf"\s*(?:all )?(?:the |these )?(?:\d+|{'|'.join(WORDS)}|several|many|repeated) (?:[\w-]+ ){{0,2}}?"
    r"(?:events?|attempts?|restarts?|failures?|tries|retries|times)\b|"
    rf"\s*(?:\w+ )?(?:[\d.]+|{'|'.join(WORDS)}) ?(?:milli)?(?:seconds?|minutes?|hours?|m?s|min|h)\W*$",
    re.IGNORECASE,
)
"""`After 5 back-off events`, `after three seconds`: how often or how long, and no cause."""
_COMPARES_AGE = re.compile(r"\b(?:older|earlier|newer|later|younger) than\b|\bpredat\w*", re.IGNORECASE)
"""`..., so that error is older than the change`: what one concludes from the order, and no effect."""
_TO_NOUGHT = re.compile(r"\b(?:to|from) (?:0|zero)\b(?!\.\d)|\bdown(?= (?:from|to)\b)")
_EXPLAINS_CHANGE = re.compile(
    r"commit|\bgit\b|\bscal\w|\broll|deploy|releas|auto ?scal|\bhpa\b|argo|sync|operator|controller|edit|"
    r"merge|upgrade|script|traffic|load|revision"
)


_AT_FAULT = re.compile(
    r"\b(?:broke|breaks|went wrong|did harm|harmed|is at fault|was (?:wrong|harmful))\b", re.IGNORECASE
)


def misordered(claim: Passage, held: Sequence[Held], names: Names) -> Link | None:
    """A cause and an effect of the claim that can only stand the other way round, or None."""
    for link in links(claim.plain):
        blamed = not link.temporal and _AT_FAULT.search(link.effect)
        if blamed and CHANGED in stages(Passage(link.effect, claim.hidden).spread, earliest):
            continue  # `The change broke it, because ...`: the change is what it calls the cause.
        if (link.temporal and _SO_MANY.match(link.cause)) or _COMPARES_AGE.search(link.effect):
            continue
        cause, effect = Passage(link.cause, claim.hidden), Passage(link.effect, claim.hidden)
        if is_dated_later(cause, effect, held, temporal=link.temporal):
            return link
        if is_dated_earlier(cause, effect, held, temporal=link.temporal) or _is_by_made_restart(cause, effect, held):
            continue
        if is_of_node(cause, held) and not is_of_node(effect, held):
            continue  # what becomes of a node comes before what becomes of its pods
        if not link.temporal and tells_so(cause, effect, held):
            continue
        if _is_later_by_words(cause, effect):
            return link
        if not link.temporal and tells_reverse(cause, effect, held):
            return link
        if not link.temporal and any(rule(cause, effect, held, names) for rule in _RULES):
            return link
    return _by_later_change(claim, held)


_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
"""A name, whatever its words say: `TIMEOUT_MS`."""


_SET = re.compile(
    r"\b(?:was|were|been|got) set to\b|"
    r"· (?:was|were|had been) (?:cut|raised|lowered|reduced|increased|turned|switched|moved|pointed|bumped) "
    r"(?:\w+ )?to\b"
)


def reason_of_change(claim: Passage) -> Link | None:
    """A cause that the claim gives for a mere change: people and controllers make changes, and no fact says why."""
    for link in links(Passage(_VARIABLE.sub("·", claim.plain), claim.hidden).spread):
        exempt = link.temporal or _EXPLAINS_CHANGE.search(link.cause) or CHANGED in stages(link.cause, earliest)
        found = stages(link.effect, earliest) | ({CHANGED} if _SET.search(link.effect) else set())
        if not exempt and CHANGED in found <= {CHANGED, DECLARED}:
            return link
    return None


def _by_later_change(claim: Passage, held: Sequence[Held]) -> Link | None:
    """A change that the claim calls a cause, where every fact of an effect is dated clearly before it."""
    if not changed_later(held):
        return None
    return next((link for link in links(claim.spread) if CHANGED in stages(link.cause, earliest)), None)


# --- by words ---------------------------------------------------------------------------------------------------------


_MORE_LOAD = re.compile(
    r"\b(?:higher|increas\w+|rising|growing|more|additional|extra|surge|jump|rise|flood|burst)\b (?:[\w·]+ ){0,3}?"
    r"(?:requests?|traffic|load)\b|\b(?:requests?|traffic|load)\b (?:[\w·]+ ){0,3}?"
    r"(?:grew|rose|increased|doubled|tripled|surged|jumped)"
)
"""What users feel ends a failure; that they ask more often may begin one."""


def _is_later_by_words(cause: Passage, effect: Passage) -> bool:
    if _MORE_LOAD.search(cause.spread):
        return False
    begins, ends = stages(cause.spread, earliest), stages(effect.spread, latest)
    return bool(begins and ends) and min(begins) > max(ends)


_RESTART = re.compile(r"\brestart\w*|\broll\w*")


def _is_by_made_restart(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """A restart that somebody made is a change, and no end of a process; it makes no other change."""
    facts = facts_of(cause, held)
    made = bool(facts) and all(fact.item.kind == "change" and _RESTART.search(fact.item_spread) for fact in facts)
    return made and _RESTART.search(cause.spread) is not None and CHANGED not in stages(effect.spread, earliest)


# --- by facts ---------------------------------------------------------------------------------------------------------


def _settles_nothing(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """A symptom brings about no setting: what was declared or changed is there before it."""
    del names
    facts = facts_of(effect, held)
    declared = bool(facts) and all(fact.item.kind in _SETTINGS for fact in facts)
    if (
        not declared
        or is_troubled(_TO_NOUGHT.sub(" ", effect.spread))
        or stages(effect.spread, latest) - {CHANGED, DECLARED}
    ):
        return False
    causes = facts_of(cause, held)
    followed = bool(causes) and all(fact.item.kind not in {*_SETTINGS, "log"} for fact in causes)
    if not followed and (CHANGED in stages(cause.spread, earliest) or _EXPLAINS_CHANGE.search(cause.spread)):
        return False
    return is_troubled(cause.spread) or not causes or any(fact.item.kind not in _SETTINGS for fact in causes)


_LACKING = re.compile(r"\W*lack of\b")
"""How something is, whatever fact tells of it."""


def _is_later_by_place(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """Of one workload: how it ended, or what followed from that, is no cause of what it was doing before."""
    if (
        _MORE_LOAD.search(cause.spread)
        or _LACKING.match(cause.spread)
        or (homes_of(cause, names) and homes_of(effect, names) - homes_of(cause, names))
    ):
        return False
    causes, effects = facts_of(cause, held), facts_of(effect, held)
    if not {workload(fact) for fact in causes or held} & {workload(fact) for fact in effects or held}:
        return False
    first, second = _place(cause, causes), _place(effect, effects)
    if first is None or second is None or first <= second:
        return False
    return first < ENDED or first >= FELT or any(fact.item.kind != "log" for fact in causes or held)


_PENDING = re.compile(r"\b(?:is|was|are|stays?|stayed|remains?|remained|still|left) (?:\w+ )?(?:pending|unbound)\b")
"""What became of a claim, though it is told with what it declares."""


def _place(side: Passage, facts: Iterable[Held]) -> int | None:
    words = stages(side.spread, earliest, things=False)
    seen = min((place_of(fact) for fact in facts), default=None)
    if seen == DECLARED and _PENDING.search(side.spread):
        seen = UNREADY
    if words and seen is not None and min(words) <= seen <= max(stages(side.spread, latest, things=False)):
        return seen
    return min(words) if words else seen


_OF_CALLED = re.compile(r"(?:dependency|upstream)_")
_CALLED = re.compile(r"\b(?:dependenc|upstream|downstream|backend)")


def _depends(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """What a caller sees, or how it fares, is no cause of how the one that it calls fares."""
    callers, called = facts_of(cause, held), facts_of(effect, held)
    measured = bool(called) and all(_OF_CALLED.match(fact.item.text) for fact in called)
    if measured and not _CALLED.search(cause.spread) and FELT in stages(cause.spread, latest):
        return not (LOAD.search(cause.spread) or CHANGED in stages(cause.spread, earliest))
    if not callers or not called or LOAD.search(cause.spread) or CHANGED in stages(cause.spread, earliest):
        return False
    return all((workload(one), workload(other)) in names.calls for one in callers for other in called)


def _makes_absent(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """What is declared is missing because somebody took it away, or never made it; not because something failed."""
    del names
    if not is_absence(effect.spread) or is_absence(cause.spread):
        return False
    facts = facts_of(cause, held)
    changed = bool(facts) and all(fact.item.kind == "change" for fact in facts)
    return not changed and CHANGED not in stages(cause.spread, earliest)


def _makes_condition(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """A failed operation makes nothing full, expired, locked or too small, and has nobody ask for more."""
    del held, names
    if LOAD.search(cause.spread):
        return False
    return is_condition(effect.spread) and not is_failing(effect.spread) and is_outcome(cause.spread)


_RECEIVED = re.compile(r"\b(?:receiv\w*|got|gets|saw|sees|was (?:answered|given|served))\b")
"""An answer that the one named was given by another one."""


_NAMES = re.compile(r"no such host|nxdomain|resolv|name or service")
_LOOKUP = re.compile(r"\blook ?ups?\b")


def _needs(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """A later step of an operation is no cause of an earlier one, unless the one that is called failed at it."""
    of_names = any(_NAMES.search(fact.spread) for fact in held)
    if not comes_too_late(cause.spread, _LOOKUP.sub("name lookup", effect.spread) if of_names else effect.spread):
        return False
    one, other = homes_of(cause, names), homes_of(effect, names)
    apart = bool(one and other) and not one & other and not _RECEIVED.search(cause.spread)
    return not apart or any((caller, called) in names.calls for caller in one for called in other)


_RULES = (
    *BETWEEN,
    _settles_nothing,
    _is_later_by_place,
    _depends,
    _makes_absent,
    _makes_condition,
    _needs,
)
