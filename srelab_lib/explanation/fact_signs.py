"""What facts affirm and deny of the vocabulary, also where they do not speak of it in so many words."""

from __future__ import annotations

from collections.abc import Sequence

from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.denial import event_signs
from srelab_lib.explanation.passages import Held
from srelab_lib.explanation.polarity import is_adverse

TROUBLES = frozenset({"errors", "requests fail", "exceeded", "pending", "rejected"})
"""Words for any kind of trouble: they hold wherever the facts tell of one."""


VAGUE = frozenset({"it exists", "it can", "it is well", "it is accepted", "it answers", "it matches"})
"""States that anything can be in: trouble of any kind denies them."""
_ASSUMED = frozenset({"it exists", "it can", "it is accepted"})
"""Those that hold where no fact tells of trouble."""


def held_signs(concept: Concept, held: Sequence[Held]) -> set[bool]:
    """Signs with which facts speak of a concept; none where they do not."""
    if concept.kind == "event":
        found = {sign for fact in held for sign in event_signs(concept, fact.spread)}
        if found == {False}:  # msg="pass not verified" err="timed out": what one field denies, another one may say
            logs = [fact for fact in held if fact.item.kind == "log"]
            found = {sign for fact in logs for one in fact.fields for sign in event_signs(concept, one)} or found
        return found or ({False} if is_ruled_out(concept, held) else set())
    found = {True for fact in held if concept.held.search(fact.spread)}
    return found | {False for fact in held if concept.denied is not None and concept.denied.search(fact.spread)}


def is_ruled_out(concept: Concept, held: Sequence[Held]) -> bool:
    """True for an event in whose place a fact names another one: `last_reason=Error` is no OOM kill."""
    pattern = concept.denied if concept.kind == "event" else None
    return pattern is not None and any(pattern.search(fact.spread) for fact in held)


def likely_signs(concept: Concept, held: Sequence[Held]) -> set[bool]:
    """Where no fact speaks of it: trouble of any kind may be said with it, and where there is none, no trouble."""
    adverse = any(is_adverse(fact.item_spread) for fact in held)
    if concept.kind == "event":
        return ({True} if adverse else {True, False}) if concept.name in TROUBLES else set()
    if concept.name not in VAGUE:
        return set()
    if adverse:
        return {False}
    return {True} if concept.name in _ASSUMED else set()
