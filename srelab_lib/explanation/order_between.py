"""What cannot have brought about what, between those who report, answer and call: servers, callers, controllers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.concept import (
    CHANGED,
    ENDED,
    FELT,
    REPEATED,
    UNREADY,
    earliest,
)
from srelab_lib.explanation.fact_places import workload
from srelab_lib.explanation.passages import Held, Names, Passage, mentions, times_of
from srelab_lib.explanation.polarity import is_troubled
from srelab_lib.explanation.side_facts import facts_of
from srelab_lib.explanation.sides import stages
from srelab_lib.explanation.told_causes import has_own_reason

LOAD = re.compile(r"\b(?:load|traffic|retr(?:y|ies)|flood\w*|too many|burst\w*|storm)\b")


def is_of_node(side: Passage, held: Sequence[Held]) -> bool:
    """True when a side speaks of nodes only."""
    facts = facts_of(side, held)
    return bool(facts) and all(fact.item.object.startswith("Node/") for fact in facts)


def homes_of(side: Passage, names: Names) -> set[str]:
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
    if LOAD.search(cause.spread) or CHANGED in stages(cause.spread, earliest) or not _ENDS.search(effect.spread):
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
    return bool(ended) and not LOAD.search(cause.spread) and not is_of_node(cause, held) and is_of_node(effect, held)


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
    told, unready = homes_of(cause, names), homes_of(effect, names)
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


BETWEEN = (
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
)
"""Rules that say of a cause and an effect, by the cited facts and all names, that they can only be the reverse."""
