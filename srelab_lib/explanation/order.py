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
    REPEATED,
    UNREADY,
    earliest,
    latest,
)
from srelab_lib.explanation.fact_places import place_of, workload
from srelab_lib.explanation.links import Link, links
from srelab_lib.explanation.needs import comes_too_late
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.passages import Held, Names, Passage, mentions, times_of
from srelab_lib.explanation.polarity import is_troubled
from srelab_lib.explanation.side_facts import facts_of
from srelab_lib.explanation.sides import is_absence, is_condition, is_failing, is_outcome, stages
from srelab_lib.explanation.told_causes import has_own_reason, tells_reverse, tells_so

_SETTINGS = frozenset({"change", "spec"})
_LOAD = re.compile(r"\b(?:load|traffic|retr(?:y|ies)|flood\w*|too many|burst\w*|storm)\b")
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


_AT_FAULT = re.compile(r"\b(?:broke|breaks|went wrong|did harm|harmed|is at fault|was (?:wrong|harmful))\b", re.IGNORECASE)


def misordered(claim: Passage, held: Sequence[Held], names: Names) -> Link | None:
    """A cause and an effect of the claim that can only stand the other way round, or None."""
    for link in links(claim.plain):
        if not link.temporal and _AT_FAULT.search(link.effect) and CHANGED in stages(Passage(link.effect, claim.hidden).spread, earliest):
            continue  # `The change broke it, because ...`: the change is what it calls the cause.
        if (link.temporal and _SO_MANY.match(link.cause)) or _COMPARES_AGE.search(link.effect):
            continue
        cause, effect = Passage(link.cause, claim.hidden), Passage(link.effect, claim.hidden)
        if is_dated_later(cause, effect, held, temporal=link.temporal):
            return link
        if is_dated_earlier(cause, effect, held, temporal=link.temporal) or _is_by_made_restart(cause, effect, held):
            continue
        if _is_of_node(cause, held) and not _is_of_node(effect, held):
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
    r"· (?:was|were|had been) (?:cut|raised|lowered|reduced|increased|turned|switched|moved|pointed|bumped) (?:\w+ )?to\b"
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


def _is_of_node(side: Passage, held: Sequence[Held]) -> bool:
    facts = facts_of(side, held)
    return bool(facts) and all(fact.item.object.startswith("Node/") for fact in facts)


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
        or (_homes(cause, names) and _homes(effect, names) - _homes(cause, names))
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
        return not (_LOAD.search(cause.spread) or CHANGED in stages(cause.spread, earliest))
    if not callers or not called or _LOAD.search(cause.spread) or CHANGED in stages(cause.spread, earliest):
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
    if _LOAD.search(cause.spread):
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
    one, other = _homes(cause, names), _homes(effect, names)
    apart = bool(one and other) and not one & other and not _RECEIVED.search(cause.spread)
    return not apart or any((caller, called) in names.calls for caller in one for called in other)


def _homes(side: Passage, names: Names) -> set[str]:
    """The workloads that a side names, also by their containers."""
    homes = dict(names.homes)
    return {homes.get(name, name) for name in names.objects if mentions(name, side.plain)}


_PLATFORM = re.compile(
    r"reason=(?:FailedCreate|FailedScheduling|ErrImage\w*|ImagePullBackOff|CreateContainer\w+|FailedMount)|"
    r"condition=(?:ReplicaFailure|PodScheduled)|is forbidden"
)


def _is_refused_before(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """What programs log, or their users see, has no cluster refuse a pod, nor keep one from being placed."""
    del names
    refused, told = facts_of(effect, held), facts_of(cause, held)
    platform = bool(refused) and all(
        fact.item.kind in {"event", "status"} and _PLATFORM.search(fact.item.text) for fact in refused
    )
    return platform and bool(told) and all(fact.item.kind in {"log", "metric"} for fact in told)


_NOT_PLACED = re.compile(
    r"\bunschedul\w*|\b(?:can|could) not (?:be )?(?:schedul|plac)\w*|\bfail\w* ?scheduling|"
    r"\b(?:not|never) (?:been )?scheduled\b|"
    r"\bpending pods?\b|\bpods? (?:· )?(?:is|was|stays|stayed|remains) pending\b"
)
_KEEPS_FROM_PLACE = re.compile(
    r"\b(?:un)?bound\b|\bbind\w*|\bprovision\w*|\b(?:became|ran|runs|is|was|got|went) "
    r"(?:\w+ )?(?:short|low|out) (?:of|on)\b|"
    r"\binsufficient\b|\bshortage\b|\b(?:un)?taint\w*|\bcordon\w*|\bquota\b|\bstorage ?class\w*"
)
_WAITS_FOR_POD = re.compile(r"wait\w* for (?:first consumer|pod|a pod)|WaitForFirstConsumer", re.IGNORECASE)


def _is_not_placed_for_it(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """What keeps a pod from being placed is no effect of that; but a claim may wait for the pod that uses it."""
    del names
    if any(_WAITS_FOR_POD.search(fact.item.text) for fact in held) or not _NOT_PLACED.search(cause.spread):
        return False
    other = _KEEPS_FROM_PLACE.search(cause.spread)
    return _KEEPS_FROM_PLACE.search(effect.spread) is not None and not other and not _NOT_PLACED.search(effect.spread)


_ENDS = re.compile(
    r"\bcrash ?loop|\bback ?off\b|\bcrash\w*|\brestart\w*|\bexit\w*|\boom\b|\bkilled\b|\bnot ready\b|\bunready\b"
)


_UNREACHED = re.compile(r"\brefus\w*|\breset\b|\bclos\w*|\bunreach\w*|\btimed? ?outs?\b|\bbad gateway\b")


def _is_hurt(fact: Held, cause: Passage) -> bool:
    """The share of errors, or a line of connections that came to nothing."""
    if fact.item.text.startswith("error_ratio "):
        return True
    failed = _UNREACHED.search(fact.item_spread) and _UNREACHED.search(cause.spread)
    return fact.item.kind == "log" and failed is not None


def _is_caller_hurt(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """That the requests of a caller fail ends no process of the one that it calls."""
    if _LOAD.search(cause.spread) or CHANGED in stages(cause.spread, earliest) or not _ENDS.search(effect.spread):
        return False
    callers, called = facts_of(cause, held), facts_of(effect, held)
    if not callers or not all(_is_hurt(fact, cause) for fact in callers):
        return False
    ones, others = {workload(fact) for fact in callers}, {workload(fact) for fact in called}
    return (
        bool(others) and not ones & others and not any((other, one) in names.calls for one in ones for other in others)
    )


def _is_of_lost_node(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """That pods end, or are not ready, makes no node unready; that they take much of it may."""
    del names
    ended = stages(cause.spread, earliest, things=False) & {ENDED, REPEATED, UNREADY, FELT}
    return bool(ended) and not _LOAD.search(cause.spread) and not _is_of_node(cause, held) and _is_of_node(effect, held)


_GIVES_UP = re.compile(r"time ?out|timed out|deadline|cancel|reset|eof|broken pipe", re.IGNORECASE)
AT_ONCE_SECONDS = 1.0
"""A failure is passed on from log to log within this."""


def _is_logged_before(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """One that fails logs it before those to whom it passes the failure on; who gives up waiting may log it first."""
    causes, effects = facts_of(cause, held), facts_of(effect, held)
    if any(fact.item.kind != "log" or _GIVES_UP.search(fact.item.text) for fact in (*causes, *effects)):
        return False
    first, second = {workload(fact) for fact in causes}, {workload(fact) for fact in effects}
    if first & second or any((one, other) in names.calls for one in second for other in first):
        return False
    times = times_of(causes), times_of(effects)
    return all(times) and 0 < (times[0][0] - times[1][-1]).total_seconds() <= AT_ONCE_SECONDS


_ANSWERED = re.compile(r"\bstatus\W{1,3}5\d\d\b|\b5\d\d\b")


def _is_passed_up(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """An answer of 5xx hurts whom it is given: no other workload, whose own log tells of no answer, fails for it."""
    if not re.search(r"\b5\d\d\b", cause.plain):
        return False
    told, failed = facts_of(cause, held), facts_of(effect, held)
    answers = bool(told) and all(fact.item.kind == "log" and _ANSWERED.search(fact.item.text) for fact in told)
    own = bool(failed) and all(fact.item.kind == "log" and not _ANSWERED.search(fact.item.text) for fact in failed)
    apart = not {workload(fact) for fact in told} & {workload(fact) for fact in failed}
    named = any(mentions(workload(one), fact.item.text) for one in told for fact in failed)
    return answers and own and apart and not named and not any("upstream" in fact.spread for fact in failed)


_ANSWER_AND_OWN = re.compile(r"\banswered (?:with )?(?P<got>[45]\d\d)\b.*\bstatus=(?P<own>[45]\d\d)\b")


def _is_own_answer(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """`Stock answered 404` because of the 502 that the writer of the line gave: it gave that for the answer."""
    del names
    told = [match for fact in held if fact.item.kind == "log" and (match := _ANSWER_AND_OWN.search(fact.item.text))]
    return any(
        re.search(rf"\b{one['own']}\b", cause.plain) and re.search(rf"\b{one['got']}\b", effect.plain)
        for one in told
        if one["own"] != one["got"]
    )


_ENDPOINTS = re.compile(r"\bendpoints?\b")
_NOT_READY = re.compile(r"\b(?:is|are|was|were|be|became|stays?|stayed|remains?) (?:not (?:yet )?ready|unready)\b")


def _is_unready_for_endpoints(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """A Service has no endpoint because its pods are not ready, and not the other way round."""
    told, unready = _homes(cause, names), _homes(effect, names)
    alike = not (told and unready) or any(one.startswith(other) for one in unready for other in told)
    of_pods = _NOT_READY.search(effect.spread) and not _ENDPOINTS.search(effect.spread)
    return bool(held) and alike and bool(of_pods) and _ENDPOINTS.search(cause.spread) is not None


_REPORTED = re.compile(r"\bout of sync\b|\bprogress(?:ing)? deadline\b|\bfailed (?:to )?progress\b|\bdegraded\b")
_ACTS_ON_REPORT = re.compile(
    r"\b(?:roll\w*|sync\w*|alert\w*|report\w*|marked|status|condition|undo\w*|revert\w*|restart\w*|delet\w*|"
    r"gave up|progress\w*|healthy|unhealthy)\b"
)


def _is_only_reported(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """What a controller reports of an object (out of sync, past its deadline) is no cause of what went wrong there."""
    del names
    told = facts_of(cause, held)
    reported = _REPORTED.search(cause.spread) and all(fact.item.kind in {"status", "event"} for fact in told)
    mere = not _ACTS_ON_REPORT.search(effect.spread) and not _REPORTED.search(effect.spread)
    logged = all(fact.item.kind == "log" for fact in facts_of(effect, held) or held)
    return bool(reported) and mere and (logged or is_troubled(effect.spread))


def _is_done_for_own_reason(cause: Passage, effect: Passage, held: Sequence[Held], names: Names) -> bool:
    """`Failed to renew lease: stopped leading`: what another one logs later is not why it stopped."""
    causes, effects = facts_of(cause, held), facts_of(effect, held)
    if any(fact.item.kind != "log" for fact in (*causes, *effects)) or not has_own_reason(effect, effects):
        return False
    first, second = {workload(fact) for fact in causes}, {workload(fact) for fact in effects}
    times = times_of(causes), times_of(effects)
    apart = bool(first) and not first & second
    called = any((one, other) in names.calls for one in second for other in first)
    return apart and not called and all(times) and times[0][0] > times[1][-1]


_RULES = (
    _is_own_answer,
    _is_unready_for_endpoints,
    _is_only_reported,
    _is_done_for_own_reason,
    _is_logged_before,
    _is_passed_up,
    _is_refused_before,
    _is_not_placed_for_it,
    _is_caller_hurt,
    _is_of_lost_node,
    _settles_nothing,
    _is_later_by_place,
    _depends,
    _makes_absent,
    _makes_condition,
    _needs,
)
