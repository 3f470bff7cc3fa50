"""Causes that a fact tells itself: a line's `cause=`, what stands behind its colon, what the message of a reason says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srelab_lib.explanation.fact_places import workload
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Held, Passage

_NAMES_CAUSE = re.compile(r"\W(?:cause|why|reason)\W{0,2}[=:]\W{0,2}|\b(?:because of|due to|caused by):? ")
_EXPLAINS = re.compile(r"(?<=[\w)\]'\"]): (?=\S)")
"""`GET /cart failed: read timed out`: what stands behind the colon brought about what stands before it."""
_MESSAGE = re.compile(r" message=")
_CONTAINER = re.compile(r"\(container=[^)]*\)")


def tells_reverse(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """Whether a cited fact has as the cause what a claim calls the effect, and the other way round."""
    return any(_is_told(effect, cause, fact, plainly=len(held) > 1) for fact in held)


def tells_so(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """Whether a cited fact has cause and effect as the claim has them."""
    return any(_is_told(cause, effect, fact, plainly=len(held) > 1) for fact in held)


def _is_told(cause: Passage, effect: Passage, fact: Held, *, plainly: bool) -> bool:
    own = Passage(fact.item.object, frozenset()).stems if fact.item.kind != "log" else frozenset()
    causes, effects = cause.stems - own, effect.stems - own
    for told, why in _halves(fact, plainly=plainly):
        before, after = told.stems - SMALL, why.stems - SMALL
        led = len(causes & (after - before)) - len(causes & (before - after))
        followed = len(effects & (before - after)) - len(effects & (after - before))
        if led > 0 and followed > 0:
            return True
    return False


def _halves(fact: Held, *, plainly: bool) -> Iterator[tuple[Passage, Passage]]:
    """What a fact tells, and why; `plainly` only where a log line says so in words."""
    text = _CONTAINER.sub("", fact.item.text)
    patterns = {"log": (_NAMES_CAUSE, _EXPLAINS), "status": (_MESSAGE,), "event": (_MESSAGE,)}
    if plainly:
        patterns = {"log": (_NAMES_CAUSE,)}
    for pattern in patterns.get(fact.item.kind, ()):
        found = list(pattern.finditer(text))
        for match in found:
            writer = workload(fact) if fact.item.kind == "log" else ""
            yield Passage(f"{writer} {text[: match.start()]}", fact.hidden), Passage(text[match.end() :], fact.hidden)
        if found:
            return
