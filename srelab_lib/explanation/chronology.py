"""What clocks say of a cause and an effect: those in the claim itself, else those of the facts that it speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.side_facts import facts_of

SLACK_SECONDS = 90.0
"""Scrape and probe intervals date what was seen up to this much late."""

_ANY = re.compile("")
_CHANGE = re.compile("change ")
_EXACT = re.compile(r"(?:log|change) |status condition=|event .*\bcount=1$")
"""Dated when it happened; a repeated event, and how a container ended, have the time at which it was so last."""
_BEGINS = re.compile(r"\bonly (?:then )?(?:beg[au]n|start\w*|appear\w*|set in)\b", re.IGNORECASE)
_ONCE = re.compile(r"change |status condition=|status .*terminated_reason=.*restart_count=0")
"""Dated by a server, and it came once."""
_SHIFT = re.compile(r"\w+ \w+ went from ")
"""Of a series; two of them are measured at the same times."""


class _Dating(NamedTuple):
    """Facts whose dates can be compared: `margin_seconds` later is later."""

    temporal: bool
    cause: re.Pattern[str]
    effect: re.Pattern[str]
    margin_seconds: float


_DATINGS = (
    _Dating(temporal=True, cause=_EXACT, effect=_EXACT, margin_seconds=0.0),
    _Dating(temporal=True, cause=_ANY, effect=_CHANGE, margin_seconds=0.0),
    _Dating(temporal=True, cause=_SHIFT, effect=_SHIFT, margin_seconds=0.0),
    _Dating(temporal=False, cause=_ONCE, effect=_ONCE, margin_seconds=30.0),
    _Dating(temporal=False, cause=_SHIFT, effect=_SHIFT, margin_seconds=0.0),
)


def is_dated_later(cause: Passage, effect: Passage, held: Sequence[Held], *, temporal: bool) -> bool:
    """Whether what a claim puts first, or calls a cause, is dated after all of the rest."""
    said = [_clocks(side, held) for side in (cause, effect)]
    if all(said):
        return min(said[0]) - max(said[1]) > (0.0 if temporal else SLACK_SECONDS)
    facts = [facts_of(side, held) for side in (cause, effect)]
    for dating in _DATINGS:
        if dating.temporal != temporal:
            continue
        first = said[0] or _dates(facts[0], dating.cause, held)
        second = said[1] or _dates(facts[1], dating.effect, held)
        latest = min if temporal and _BEGINS.search(effect.plain) else max
        if first and second and min(first) - latest(second) > dating.margin_seconds:
            return True
    return False


def is_dated_earlier(cause: Passage, effect: Passage, held: Sequence[Held], *, temporal: bool) -> bool:
    """Whether all that a claim puts first is dated before the rest, of which it is known when it happened.

    What it only calls a cause must be a change: that one thing was seen before another makes it no cause.
    """
    causes, effects = facts_of(cause, held), facts_of(effect, held)
    changed = bool(causes) and all(fact.item.kind == "change" for fact in causes)
    if not (temporal or (changed and all(fact.item.kind != "change" for fact in effects))):
        return False
    first = _clocks(cause, held) or _dates(causes, _ANY, held)
    second = _clocks(effect, held) or _dates(effects, _ANY if changed else _EXACT, held)
    if first and not second and not effects:  # `After the error of 13:54:26 it still failed`: the other lines.
        second = [time for time in _dates(held, _EXACT, held) if int(time) not in map(int, first)]
    return bool(first and second) and max(first) < min(second)


def changed_later(held: Sequence[Held]) -> bool:
    """Whether the changes among the facts are dated clearly after all that is no change."""
    changes = [fact.item.time for fact in held if fact.item.kind == "change" and fact.item.time]
    effects = [fact.item.time for fact in held if fact.item.kind not in {"change", "spec"} and fact.item.time]
    return bool(changes and effects) and min(changes) - max(effects) > timedelta(seconds=SLACK_SECONDS)


def _dates(facts: Sequence[Held], kind: re.Pattern[str], held: Sequence[Held]) -> list[float]:
    """When the facts were, in seconds of the day of the first one; empty unless all of them are of the kind."""
    times = [fact.item.time for fact in facts if kind.match(f"{fact.item.kind} {fact.item.text}")]
    if len(times) < len(facts) or None in times:
        return []
    return [(time - _day(held)).total_seconds() for time in times if time]


def _clocks(side: Passage, held: Sequence[Held]) -> list[float]:
    """Times of day in the claim; those that cannot be of the day of the first fact are of the next."""
    if not side.times:
        return []
    begin = min((fact.item.time for fact in held if fact.item.time), default=None)
    noon_before = (begin - _day(held)).total_seconds() - 43200 if begin else 0.0
    seconds = [_seconds(clock) for clock in side.times]
    return [second + 86400 if second < noon_before else second for second in seconds]


def _day(held: Sequence[Held]) -> datetime:
    first = min(fact.item.time for fact in held if fact.item.time)
    return first.replace(hour=0, minute=0, second=0, microsecond=0)


def _seconds(clock: str) -> float:
    hours, minutes, seconds = (*map(int, clock.split(":")), 0)[:3]
    return float(3600 * hours + 60 * minutes + seconds)
