"""Whether a claim says anything that its facts hold, and how much that they do not."""

from __future__ import annotations

import re

from srelab_lib.explanation.case import Case, speaks
from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.denial import denial_in
from srelab_lib.explanation.fact_signs import VAGUE, held_signs
from srelab_lib.explanation.lexicon import GENERIC, SMALL
from srelab_lib.explanation.naming import stands, tokens
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.relations import directions
from srelab_lib.explanation.words import stem, word_set, words

MAX_UNSUPPORTED = 9
"""Plain English words of a claim that its facts do not have and no pattern knows: more of them is another story."""

_FILLING = frozenset(
    map(
        stem,
        word_set(
            """
    already yet still again once twice later earlier first second both former latter meanwhile instead however
    exactly roughly nearly almost around shortly soon together
    """
        ),
    )
) | {stem(word) for word in WORDS}
"""Words that say when, how often or of which of two, and nothing of what happened."""
_ZERO = re.compile(r"\w=(?:0\b(?![.\d])|none\b)")
_EVERYWHERE = frozenset({"errors", "a Deployment", "a node", "requests"})
"""Things that almost every claim and fact speaks of."""


def shared(case: Case) -> set[str]:
    """Stems of the claim that its facts have, and that say something."""
    return _telling({stem(word) for word in words(case.claim.spread)}, case)


def says_something_held(case: Case) -> str | None:
    """It says something specific, and most of it the facts have."""
    stems = {one for fact in case.held for one in fact.stems}
    left = {stem(word) for word in words(case.uncovered)} - SMALL - _FILLING
    common = _telling(left, case)
    known = [concept for concept in case.concepts if _is_held(concept, case)]
    firm = _is_anchored(case) or any(concept.kind != "topic" for concept in known)
    if not (firm or known or common):
        return "it says nothing that what it cites holds"
    allowed = MAX_UNSUPPORTED + 2 * len(common) if firm else len(known) + len(common) + 1
    return "most of what it says does not stand in what it cites" if len(left - stems) > allowed else None


def _telling(said: set[str], case: Case) -> set[str]:
    stems = {one for fact in case.held for one in fact.stems}
    return (said & stems) - SMALL - GENERIC - {stem(name) for name in case.names.objects | case.names.spaces}


def _is_held(concept: Concept, case: Case) -> bool:
    if concept.name in _EVERYWHERE:
        return False
    if concept.name in VAGUE or speaks(concept, case.held):
        return True
    return concept.kind == "state" and bool(held_signs(concept, case.held))


def _is_anchored(case: Case) -> bool:
    """True when it has a number, a time, a direction, a token or a nought that its facts have."""
    claim, named = case.claim, case.names.objects | case.names.spaces
    if claim.quantities or claim.times or directions(claim.spread):
        return True
    if denial_in(claim.spread) and any(_ZERO.search(fact.item_spread) for fact in case.held):
        return True
    own = [token for token in tokens(claim.plain) if token not in named]
    return any(stands(token, fact.plain) for token in own for fact in case.held)
