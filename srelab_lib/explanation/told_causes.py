"""Causes that a fact tells itself: by its `cause=`, behind its colon, in the message that explains a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.fact_places import workload
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.vocabulary import CONCEPTS

_NAMES_CAUSE = re.compile(
    r"\W(?:cause|why|reason)\W{0,2}[=:]\W{0,2}|\((?:cause|because) |\b(?:because of|due to|caused by):? "
)
_ERROR = re.compile(r"(?<!\{)\W(?:err|error|exception)(?:=|\": ?)\W{0,2}(?=\w)")
"""`could not price url=... error=timed out`."""
_EXPLAINS = re.compile(r"(?<=[\w)\]'\"]): (?=[^\s{\[\"])(?![\w.]+=)")
"""`GET /cart failed: read timed out`: what stands behind the colon brought about what stands before; a body did not."""
_FIELDS = re.compile(r"\s[\w.]+=.*")
"""What a line has behind its message, of itself: `path=/pick status=502`."""
_MESSAGE = re.compile(r" message=(?P<why>\".*?\"(?= [\w.]+=|$))?")
_THEREFORE = re.compile(
    r"(?:[;,] |: (?=(?:stopp|giving up|gave up|paus|aborting|"
    r"exiting|shutting|skipping|refusing|dropping|backing)))"
    r"(?=(?:so |thus |therefore |hence )?(?:(?:not|giving|gave|stopp(?:ed|ing)|paus(?:ed|ing)|exiting|"
    r"refusing|shutting|skipping|aborting|dropping|"
    r"falling back|backing off|will (?:not|retry))\b))"
)
"""`index incompatible; not taking traffic`: what stands behind it was brought about by what stands before it."""
_GAVE_UP = re.compile(r"\bg(?:ave|ives?|iven) up\b")
_ID = re.compile(r"\b[A-Za-z]+[-_#]?\d+\b(?!:)")
"""`ev-749`: which one it was says nothing of what happened to it."""
_CONTAINER = re.compile(r"\(container=[^)]*\)")


def tells_reverse(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """Whether a cited fact has as the cause what a claim calls the effect, and the other way round."""
    alone = len(held) == 1
    return _is_outcome_of(cause, effect, held) or any(
        _is_told(effect, cause, fact, [*_halves(fact, plainly=not alone), *(_errors(fact) if alone else ())])
        for fact in held
    )


def tells_so(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """Whether a cited fact has cause and effect as the claim has them."""
    if _is_outcome_of(cause, effect, held):
        return False
    if _is_outcome_of(effect, cause, held):
        return True
    return any(_is_told(cause, effect, fact, _halves(fact, plainly=len(held) > 1)) for fact in held)


def _is_outcome_of(outcome: Passage, reason: Passage, held: Sequence[Held]) -> bool:
    """True where a line has the one as what was done because of the other."""
    return any(_is_told(reason, outcome, fact, _outcomes(fact)) for fact in held)


def _is_told(cause: Passage, effect: Passage, fact: Held, halves: Iterable[tuple[Passage, Passage]]) -> bool:
    own = Passage(workload(fact), frozenset()).stems
    one, other = _without_ids(cause), _without_ids(effect)
    return any(_leans(one, why, told, own) > 0 and _leans(other, told, why, own) > 0 for told, why in halves)


def has_own_reason(effect: Passage, facts: Sequence[Held]) -> bool:
    """Whether what a claim calls an effect is what was done, in facts that all tell why."""
    return bool(facts) and all(
        any(_leans(effect, told, why, Passage(workload(fact), frozenset()).stems) > 0 for told, why in _outcomes(fact))
        for fact in facts
    )


def _without_ids(side: Passage) -> Passage:
    return Passage(_GAVE_UP.sub("giving up", _ID.sub("", side.plain)), side.hidden)


def _leans(side: Passage, to: Passage, other: Passage, own: frozenset[str]) -> int:
    """By how many words, else by how many things, a side is nearer to the one half of a fact than to the other one."""
    one, rest = to.stems - SMALL - own, other.stems - SMALL - own
    spoken = [concept for concept in CONCEPTS if concept.said.search(side.spread)]
    things = sum(_has(concept, to) - _has(concept, other) for concept in spoken)
    return len(side.stems & (one - rest)) - len(side.stems & (rest - one)) or things


def _has(concept: Concept, half: Passage) -> bool:
    denied = concept.denied is not None and concept.denied.search(half.spread) is not None
    return denied or concept.held.search(half.spread) is not None


def _said_by(fact: Held) -> str:
    return _ID.sub("", _CONTAINER.sub("", fact.item.text))


def _outcomes(fact: Held) -> Iterator[tuple[Passage, Passage]]:
    """What a log line says that was done, and the reason that it gives before."""
    text = _said_by(fact)
    for match in _THEREFORE.finditer(text) if fact.item.kind == "log" else ():
        yield Passage(text[match.end() :], fact.hidden), Passage(text[: match.start()], fact.hidden)


def _halves(fact: Held, *, plainly: bool) -> Iterator[tuple[Passage, Passage]]:
    """What a fact tells, and why; `plainly` only where a log line says so in words."""
    text = _said_by(fact)
    patterns = {"log": (_NAMES_CAUSE, _EXPLAINS), "status": (_MESSAGE,), "event": (_MESSAGE,)}
    if plainly:
        patterns = {"log": (_NAMES_CAUSE,)}
    for pattern in patterns.get(fact.item.kind, ()):
        found = [match for match in pattern.finditer(text) if not _THEREFORE.match(text, match.start())]
        for match in found:
            why = match.groupdict().get("why") or _THEREFORE.split(text[match.end() :])[0]
            why = _FIELDS.sub("", why) if pattern is _EXPLAINS else why
            yield Passage(text[: match.start()], fact.hidden), Passage(why, fact.hidden)
        if found:
            return


def _errors(fact: Held) -> Iterator[tuple[Passage, Passage]]:
    """What a log line tells, and the error that it names for it."""
    text = _said_by(fact)
    for match in _ERROR.finditer(text) if fact.item.kind == "log" else ():
        yield Passage(text[: match.start()], fact.hidden), Passage(text[match.end() :], fact.hidden)
