"""Causes that a fact tells itself: by its `cause=`, behind its colon, in the message that explains a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.fact_places import workload
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.vocabulary import CONCEPTS

_NAMES_CAUSE = re.compile(
    r"\W(?:cause|why|reason)\W{0,2}[=:]\W{0,2}|\((?:cause|because) |\b(?:because of|due to|caused by):? "
)
_EXPLAINS = re.compile(r"(?<=[\w)\]'\"]): (?=\S)")
"""`GET /cart failed: read timed out`: what stands behind the colon brought about what stands before it."""
_MESSAGE = re.compile(r" message=(?P<why>\".*?\"(?= [\w.]+=|$))?")
_CONTAINER = re.compile(r"\(container=[^)]*\)")


def tells_reverse(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """Whether a cited fact has as the cause what a claim calls the effect, and the other way round."""
    return any(_is_told(effect, cause, fact, plainly=len(held) > 1) for fact in held)


def tells_so(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """Whether a cited fact has cause and effect as the claim has them."""
    return any(_is_told(cause, effect, fact, plainly=len(held) > 1) for fact in held)


def _is_told(cause: Passage, effect: Passage, fact: Held, *, plainly: bool) -> bool:
    own = Passage(workload(fact), frozenset()).stems
    for told, why in _halves(fact, plainly=plainly):
        if _leans(cause, why, told, own) > 0 and _leans(effect, told, why, own) > 0:
            return True
    return False


def _leans(side: Passage, to: Passage, other: Passage, own: frozenset[str]) -> int:
    """By how many words, else by how many things, a side is nearer to the one half of a fact than to the other one."""
    one, rest = to.stems - SMALL - own, other.stems - SMALL - own
    spoken = [concept for concept in CONCEPTS if concept.said.search(side.spread)]
    things = sum(_has(concept, to) - _has(concept, other) for concept in spoken)
    return len(side.stems & (one - rest)) - len(side.stems & (rest - one)) or things


def _has(concept: Concept, half: Passage) -> bool:
    denied = concept.denied is not None and concept.denied.search(half.spread) is not None
    return denied or concept.held.search(half.spread) is not None


def _halves(fact: Held, *, plainly: bool) -> Iterator[tuple[Passage, Passage]]:
    """What a fact tells, and why; `plainly` only where a log line says so in words."""
    text = _CONTAINER.sub("", fact.item.text)
    patterns = {"log": (_NAMES_CAUSE, _EXPLAINS), "status": (_MESSAGE,), "event": (_MESSAGE,)}
    if plainly:
        patterns = {"log": (_NAMES_CAUSE,)}
    for pattern in patterns.get(fact.item.kind, ()):
        found = list(pattern.finditer(text))
        for match in found:
            why = match.groupdict().get("why") or text[match.end() :]
            yield Passage(text[: match.start()], fact.hidden), Passage(why, fact.hidden)
        if found:
            return
