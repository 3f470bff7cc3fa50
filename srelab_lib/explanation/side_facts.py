"""Which of the cited facts a part of a claim speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from srelab_lib.explanation.fact_places import workload
from srelab_lib.explanation.lexicon import GENERIC, SMALL
from srelab_lib.explanation.naming import stands, tokens
from srelab_lib.explanation.passages import Held, Passage, mentions
from srelab_lib.explanation.quantities import unsupported
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import stem

_COMMON = GENERIC - {stem("error")}


def facts_of(side: Passage, held: Sequence[Held]) -> list[Held]:
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
