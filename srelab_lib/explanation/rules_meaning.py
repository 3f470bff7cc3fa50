"""What a claim says: of the facts' things, with their sign and direction, the cause before the effect."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.case import Case, speaks
from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.denial import event_signs, is_denied, signs
from srelab_lib.explanation.lexicon import GENERIC, SMALL
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.quantities import unsupported
from srelab_lib.explanation.relations import (
    directions,
    held_directions,
    later_cause,
    reason_of_change,
    reversed_step,
    swapped,
)
from srelab_lib.explanation.words import clause_at, spread, stem, words

_LOOSE = frozenset(
    {
        "requests",
        "configuration",
        "a rollout",
        "scaling",
        "a dependency",
        "production",
        "the registry",
        "a connection",
        "latency",
        "an exception",
        "a command",
        "a log",
        "a limit",
        "the kernel",
        "an image",
        "a port",
    }
)
"""Things that people mention in passing: one of them may go beyond the facts where the rest of the claim is theirs."""


def facts_speak_of_it(case: Case) -> str | None:
    """Everything that it speaks of, the facts speak of."""
    beyond = [concept for concept in case.concepts if concept.kind != "state" and not speaks(concept, case.held)]
    hard = [concept for concept in beyond if concept.name not in _LOOSE]
    firm = [
        concept for concept in case.concepts if concept.kind == "event" and concept not in beyond
    ] or case.claim.quantities
    if hard or (beyond and (len(beyond) > 1 or not firm)):
        return f'it says "{(hard or beyond)[0].name}", and what it cites does not'
    return None


def signs_agree(case: Case) -> str | None:
    """It affirms and denies what the facts affirm and deny."""
    for concept in case.concepts:
        if concept.kind == "topic":
            continue
        held = _held_signs(concept, case.held)
        for sign in signs(concept, case.claim.spread):
            if sign is not None and sign not in held:
                return f'it {"says" if sign else "denies"} "{concept.name}", and what it cites does not'
    return None


def _held_signs(concept: Concept, held: Sequence[Held]) -> set[bool]:
    if concept.kind == "event":
        return {sign for fact in held for sign in event_signs(concept, fact.spread)}
    found = {True for fact in held if concept.held.search(fact.spread)}
    return found | {False for fact in held if concept.denied is not None and concept.denied.search(fact.spread)}


_DENIAL = re.compile(r"\b(?:not|no|never|none|nothing|neither|without)\b")
_HELD_DENIAL = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|without|false|unable|fail\w*|missing|refused|denied|"
    r"unknown|invalid|error|back off|oom|crash|kill\w*|zero|null|"
    r"peak|max\w*|insufficient|exceed\w*|forbidden|unhealthy|time ?out|timed out|unavailable)\b|\b0\b"
)


def denials_stand_in_facts(case: Case) -> str | None:
    """It denies nothing where the facts deny nothing."""
    found = _DENIAL.search(case.claim.spread)
    if found and not any(_HELD_DENIAL.search(fact.spread) for fact in case.held):
        return f"it denies something ({found[0]!r}), and what it cites denies nothing"
    return None


_FLAG = re.compile(r"\b([A-Za-z][\w.]*)=(true|false)\b", re.IGNORECASE)


def flags_agree(case: Case) -> str | None:
    """`optional=false`: a claim that it is optional is denied by the field itself."""
    flags: dict[str, set[bool]] = {}
    for fact in case.held:
        for name, value in _FLAG.findall(fact.plain):
            flags.setdefault(words(spread(name))[-1], set()).add(value.lower() == "true")
    for word, values in flags.items():
        for match in re.finditer(rf"\b{re.escape(word)}\b", case.claim.spread):
            counted = re.search(r"\d", clause_at(case.claim.spread, match.start(), match.end())[0])
            if not counted and (not is_denied(case.claim.spread, match)) not in values:
                return f"it says {word!r} otherwise than what it cites"
    return None


def direction_agrees(case: Case) -> str | None:
    """It has what rose, fell, came or went as the facts have it."""
    step = reversed_step(case.claim, case.held)
    if step is not None:
        return f"the facts have {step[0]} as the old and {step[1]} as the new value"
    for part in case.parts:
        said = directions(part.spread)
        held = _directions_near(part, case.held) if said else set()
        if said and not held:
            return f"it says that something {sorted(said)[0]}, and what it cites does not"
        if not said <= held:
            return f"it says that something {sorted(said - held)[0]}, and its facts say otherwise"
    return None


def _directions_near(part: Passage, held: Sequence[Held]) -> set[str]:
    """Directions of the facts that a part speaks of: those with its numbers, else those with most of its words."""
    known = [(fact, held_directions(fact)) for fact in held]
    moved = [(fact, found) for fact, found in known if found]
    numbered = [found for fact, found in moved if part.quantities and not unsupported(part.quantities, fact.quantities)]
    most = max((len(fact.stems & part.stems) for fact, _ in moved), default=0)
    nearest = numbered or [found for fact, found in moved if len(fact.stems & part.stems) == most]
    return set().union(*nearest)


def cause_comes_first(case: Case) -> str | None:
    """No cause of it comes after its effect, and none is given for a mere change."""
    link = swapped(case.claim) or later_cause(case.claim, case.held)
    if link:
        return f"cause and effect are swapped: {link.cause.strip()!r} does not bring about {link.effect.strip()!r}"
    link = reason_of_change(case.claim)
    return f"no fact says why it was changed: {link.effect.strip()!r}" if link else None


MAX_UNSUPPORTED = 6
"""Plain English words of a claim that its facts do not have and no pattern knows: more of them is another story."""


def says_something_held(case: Case) -> str | None:
    """It says something specific, and most of it the facts have."""
    stems = {one for fact in case.held for one in fact.stems}
    left = {stem(word) for word in words(case.uncovered)} - SMALL
    beyond = left - stems
    shared = (left & stems) - GENERIC - {stem(name) for name in case.names.objects | case.names.spaces}
    known = [
        concept
        for concept in case.concepts
        if concept.name not in _EVERYWHERE and (concept.kind == "state" or speaks(concept, case.held))
    ]
    firm = (
        case.claim.quantities
        or case.claim.times
        or directions(case.claim.spread)
        or any(c.kind != "topic" for c in known)
    )
    if not (firm or known or shared):
        return "it says nothing that what it cites holds"
    allowed = MAX_UNSUPPORTED + 2 * len(shared) if firm else len(known) + len(shared) + 1
    return "most of what it says does not stand in what it cites" if len(beyond) > allowed else None


_EVERYWHERE = frozenset({"errors", "a Deployment", "a node", "requests"})
"""Things that almost every claim and fact speaks of."""
