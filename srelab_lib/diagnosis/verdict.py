"""The answer in one or two sentences, and how sure it is. It comes from the checks, always."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks._symptoms import ANSWERS_5XX
from srelab_lib.diagnosis.rank import Ranked
from srelab_lib.diagnosis.timeline import user_onsets
from srelab_lib.model import Change, Confidence, Missing, Onset, Outcome, Verdict, sentence, split_ref, spoken

MOST_FAIL = 0.5
MAX_HURT, MAX_BESIDE = 2, 2
MAX_SUBJECT = 80
_SUBJECT = re.compile(r"\Acommit .*\nauthor .*\ndate .*\nsubject (.+)")
_FELT_BY_CALLERS = ("exception_storm", "dependency_down")
"""What tells whom a fault hurts, the plainest first."""

_RATE_SPAN = timedelta(minutes=2)
"""A rate may seem to rise so long before what made it rise."""
ENOUGH_KINDS = 3
"""Independent kinds of fact that make a verdict sure."""


def judge(
    ranked: Sequence[Ranked],
    onsets: Sequence[Onset],
    missing: Sequence[Missing],
    *,
    aside: str = "",
    measured: bool = True,
    serving: str = "",
) -> Verdict:
    """`fault` when something is proved, `no_fault` when nothing is and all was seen, else `inconclusive`.

    A mere symptom (strength 1) is a fault only when users feel it too; when a deciding source is missing it stays
    inconclusive, since the source could name the cause.

    Args:
        ranked: candidates, the root cause first.
        onsets: change points of metrics.
        missing: sources that could not be read.
        aside: error lines that no check took for a fault, in words.
        measured: metrics tell how requests fare.
        serving: that the first candidate's object is served all the same, in words.
    """
    felt = user_onsets(onsets)
    deciding = [item for item in missing if item.deciding]
    top = ranked[0] if ranked else None
    if top is not None and (top.finding.strength > 1 or (felt and not deciding)):
        return _fault(top, ranked, felt, serving)
    if deciding or felt or top is not None:
        return _inconclusive(top, felt, deciding)
    clear = "No check found a fault."
    if not aside:
        return _nothing("no_fault", clear, "high", "every source answered")
    told = f"{clear} Set aside: {aside}; nobody is seen whom they hurt now."
    sure = "every source answered" if measured else "no metric tells how requests fare"
    return _nothing("no_fault", told, "high" if measured else "medium", sure)


def _fault(top: Ranked, ranked: Sequence[Ranked], felt: Sequence[Onset], serving: str) -> Verdict:
    finding = top.finding
    confidence, reason = _confidence(top, ranked)
    since = _since(top, felt)
    began = f" Trouble since {since:%H:%M:%S} UTC." if since else ""
    told = f"{sentence(finding.summary)}{began}"
    hurt = _effect(felt, top) or _hurt(top)
    return Verdict(
        outcome="fault",
        fault=finding.fault,
        object=finding.object,
        summary=" ".join(filter(None, (told, _because(top), hurt or serving, _apart(ranked)))),
        cause=finding.cause,
        change=_change_text(top),
        since=since,
        confidence=confidence,
        confidence_reason=reason,
    )


def _since(top: Ranked, felt: Sequence[Onset]) -> datetime | None:
    """When it was first seen: by itself, or by what follows from it, once what started it was changed."""
    times = [effect.since for effect in top.effects] + [onset.time for onset in felt if onset.object in _concerned(top)]
    later = [time for time in times if time and top.change and time > top.change.time]
    first = min([top.finding.since, *later]) if top.finding.since else None
    # Kubelet and API server date to the second, by clocks of their own: nothing began before what started it.
    return max(first, top.change.time) if first and top.change else first


def _concerned(top: Ranked) -> set[str]:
    return {top.finding.object, *top.finding.related}


def _because(top: Ranked) -> str:
    change = top.change
    told = top.finding.cause.lower() in top.finding.summary.lower()
    cause = "" if told else sentence(f"Cause: {top.finding.cause}")
    if change is None:
        return cause
    commit = f" (commit {change.commit[:7]}{_subject(change)})" if change.commit else ""
    return f"{cause} {sentence(f'Changed at {change.time:%H:%M:%S} UTC{commit}: {_named(change, top)}')}".strip()


def _apart(ranked: Sequence[Ranked]) -> str:
    """A second fault, of its own cause."""
    other = next((item for item in ranked if item.apart), None)
    return f"Another fault beside it: {other.finding.summary}. {_because(other)}".strip() if other else ""


def _subject(change: Change) -> str:
    """What its author says of the commit, where git was at hand and the change does not say it."""
    found = _SUBJECT.search(change.diff)
    return f', "{found[1][:MAX_SUBJECT]}"' if found and found[1] not in change.text else ""


def _named(change: Change, top: Ranked) -> str:
    """What was changed, and of which object where that is another one."""
    kind, _, name = split_ref(change.object)
    told = change.object == top.finding.object or f"{kind} {name}" in change.text
    text = change.text if told else f"{spoken(change.object)}, {change.text}"
    return "; with it ".join([text, *(one.text for one in top.beside[:MAX_BESIDE])])


def _change_text(top: Ranked) -> str | None:
    if top.change is None:
        return None
    told = _named(top.change, top)
    return f"{told} (commit {top.change.commit}{_subject(top.change)})" if top.change.commit else told


def _effect(felt: Sequence[Onset], top: Ranked | None = None) -> str:
    """What it did to users: the strongest change point of what they feel, of whom it concerns where one is."""
    if not felt:
        return ""
    objects = _concerned(top) if top else set()
    worst = max(felt, key=lambda onset: (onset.object in objects, _fails_most(onset), abs(onset.score), onset.signal))
    who = worst.object.split("/", 1)[0] + " " + worst.object.split("/", 1)[1].lstrip("/")
    since = f" since about {_not_before(worst.time, top):%H:%M} UTC" if worst.time else ""
    if worst.signal == "error_ratio":
        return f"{worst.after:.0%} of requests to {who} fail{since}, {worst.before:.0%} before."
    if worst.signal == "request_rate" and top and (refused := _refused(top)):
        return refused
    if worst.signal == "request_rate":
        return f"{who} answers {worst.after:.3g} requests/s{since}, {worst.before:.3g} before."
    return f"The slowest 5 % of requests to {who} take {worst.after:.3g} s or more{since}, {worst.before:.3g} s before."


def _not_before(time: datetime, top: Ranked | None) -> datetime:
    """A rate rises over the span that it is taken of, and by that may seem to rise before what made it rise."""
    change = top.change if top else None
    return change.time if change and change.time - _RATE_SPAN < time < change.time else time


def _refused(top: Ranked) -> str:
    """`51 of the latest 74 answers of Deployment shop/web are errors (5xx).`, of whom most are, where logs tell."""
    facts = [fact for finding in (top.finding, *top.effects) for fact in finding.facts]
    told = [(int(match[1]), int(match[2]), fact.object) for fact in facts if (match := ANSWERS_5XX.match(fact.text))]
    failed, count, ref = max(told, key=lambda one: (one[0] / one[1], *one), default=(0, 0, ""))
    return f"{failed} of the latest {count} answers of {spoken(ref)} are errors (5xx)." if ref else ""


def _fails_most(onset: Onset) -> bool:
    """That half of the requests fail, and more, says more than how long they take or how few they are."""
    return onset.signal == "error_ratio" and onset.after is not None and onset.after >= MOST_FAIL


def _hurt(top: Ranked) -> str:
    """Whom it hurts by what follows from it elsewhere, where no metric tells what users feel."""
    if refused := _refused(top):
        return refused
    others = [e for e in top.effects if e.fault in _FELT_BY_CALLERS and spoken(e.object) not in top.finding.summary]
    told = [effect.summary for effect in sorted(others, key=lambda e: (_FELT_BY_CALLERS.index(e.fault), e.object))]
    return sentence(f"It hurts others: {'; '.join(told[:MAX_HURT])}") if told else ""


def _confidence(top: Ranked, ranked: Sequence[Ranked]) -> tuple[Confidence, str]:
    """From independent kinds of evidence and from rivals; never from what the model says of itself."""
    # What another change started is another fault, whatever comes of it.
    other = {item.change.object for item in ranked if item.apart and item.change}
    own = [item for item in ranked[1:] if not (item.change and item.change.object in other)]
    rivals = [item for item in own if item.finding.strength >= top.finding.strength and _rivals(top, item)]
    count = top.evidence_kinds
    kinds = f"{count} independent kinds of evidence" if count > 1 else "one kind of evidence"
    if top.finding.strength == 1:
        return "low", f"only symptoms are seen, in {kinds}"
    if rivals:
        rival = rivals[0].finding
        return "medium", f"{kinds}; {rival.fault} of {rival.object} stands beside it"
    if top.evidence_kinds >= ENOUGH_KINDS or top.finding.strength == 3:
        return "high", kinds if top.finding.strength < 3 else f"a server states it; {kinds}"
    return "medium", kinds


def _rivals(top: Ranked, other: Ranked) -> bool:
    """Whether the other could be the root cause instead: what fails elsewhere, and for long, is a fault of its own."""
    near = {top.finding.object, *top.finding.related} & {other.finding.object, *other.finding.related}
    told = bool(top.effects or top.change)
    return other.explained_by is None and bool(near or other.effects or other.change or not told)


def _inconclusive(top: Ranked | None, felt: Sequence[Onset], deciding: Sequence[Missing]) -> Verdict:
    seen = [_effect(felt)] if felt else ([sentence(top.finding.summary)] if top else [])
    if deciding:
        sources = ", ".join(dict.fromkeys(item.source for item in deciding))
        summary = " ".join([*seen, f"The cause cannot be told: {sources} could not be read."])
        reason = "; ".join(f"{item.source}: {item.reason}" for item in deciding)
    else:
        summary = " ".join([*seen, "No check found what causes it."])
        reason = "only symptoms are seen"
    return _nothing("inconclusive", summary, "low", reason)


def _nothing(outcome: Outcome, summary: str, confidence: Confidence, reason: str) -> Verdict:
    return Verdict(
        outcome=outcome,
        fault=None,
        object=None,
        summary=summary,
        cause="",
        change=None,
        since=None,
        confidence=confidence,
        confidence_reason=reason,
    )
