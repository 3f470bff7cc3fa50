"""Where a claim says that something went: up or down, there or away, as the facts have it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.derived import following
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.quantities import Quantity, unsupported
from srelab_lib.explanation.relations import (
    NAMED_MOVE,
    denied_directions,
    directions,
    held_directions,
    mistaken_version_move,
    reversed_step,
    stays_as_it_was,
    steps,
    without_amounts,
    without_dropped,
)


def direction_agrees(case: Case) -> str | None:
    """It has what rose, fell, came or went as the facts have it."""
    still = stays_as_it_was(case.claim, case.held)
    if still:
        return f"it says {still!r} of what its facts have ended"
    version = mistaken_version_move(case.claim, case.held)
    if version:
        return f"it says {version!r}, and the versions in what it cites moved the other way"
    step = reversed_step(case.claim, case.held)
    if step is not None:
        return f"the facts have {step[0]} as the old and {step[1]} as the new value"
    named = {name for match in NAMED_MOVE.finditer(case.claim.spread) for name in directions(match[0])}
    if named and not named <= set().union(*(held_directions(fact) for fact in case.held)):
        return f"it says that something {sorted(named)[0]}, and its facts say otherwise"
    for part in case.parts:
        said = directions(NAMED_MOVE.sub(" ", part.spread))
        whole = case.claim if len(case.parts) == 1 else part
        held = _directions_near(part, case.held) | _directions_between(whole, case.held) if said else set()
        held |= _directions_since(part, case) if said else set()
        said = without_amounts(without_dropped(said, part.spread, held), case.claim.spread, held)
        denied = denied_directions(part.spread) & _directions_near(part, case.held)
        if denied:
            return f"it denies that something {sorted(denied)[0]}, and its facts say so"
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
    most = max((len((fact.stems & part.stems) - SMALL) for fact, _ in moved), default=0)
    nearest = numbered or [found for fact, found in moved if len((fact.stems & part.stems) - SMALL) == most]
    return set().union(*nearest)


_AT_CLOCK = re.compile(r" (?:at )?\(?\d\d:\d\d(?::\d\d)?\)?(?= to\b)")
_COUNTED = re.compile(r"(?<=\d)(?: [a-z]{4,}| (?:per|in|of) (?:\d+ )?[a-z]+)(?= to \d)")
"""`From 41 messages to 129`."""


def _directions_between(part: Passage, held: Sequence[Held]) -> set[str]:
    """Where something went from one fact to a later one: the excess was 0.108, then 0.392."""
    found: set[str] = set()
    dateless = _AT_CLOCK.sub("", part.plain)
    written = [*steps(dateless), *(steps(_COUNTED.sub("", dateless)) if _COUNTED.search(dateless) else ())]
    known = [[*fact.quantities, *following(part, [fact])] for fact in _dated(held)] if written else []
    for old, new in ((quantities(old), quantities(new)) for old, new in written):
        if old and new and _comes_later(old[0], new[0], known):
            found.add("rose" if new[0].value > old[0].value else "fell")
    return found


def _directions_since(part: Passage, case: Case) -> set[str]:
    """Where a number went from the one that the claim has before it: `p95 was 6.6 s, and had dropped to 2.5 s`."""
    start = case.claim.plain.find(part.plain)
    before = [item for item in case.claim.quantities if item.end <= start and item.family]
    new = next((item for item in part.quantities if item.family), None)
    old = next((item for item in reversed(before) if new and item.family == new.family), None)
    if old is None or new is None or not _comes_later(old, new, [fact.quantities for fact in _dated(case.held)]):
        return set()
    return {"rose" if new.value > old.value else "fell"}


def _dated(held: Sequence[Held]) -> list[Held]:
    """The facts that have a date, oldest first."""
    return sorted((fact for fact in held if fact.item.time), key=lambda fact: str(fact.item.time))


def _comes_later(old: Quantity, new: Quantity, dated: Sequence[Sequence[Quantity]]) -> bool:
    """True when of facts in the order of their dates one has the old number, and a later one has the new number."""
    first = [place for place, numbers in enumerate(dated) if not unsupported([old], numbers)]
    last = [place for place, numbers in enumerate(dated) if not unsupported([new], numbers)]
    return bool(first and last) and min(first) < max(last)
