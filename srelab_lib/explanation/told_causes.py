"""Causes that a log line names itself: of `label blocked cause="http://gw answered 429"` the answer came first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.fact_places import workload
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Held, Passage

_NAMES_CAUSE = re.compile(r"\W(?:cause|why|reason)\W{0,2}[=:]\W{0,2}|\b(?:because of|due to|caused by):? ")
_CONTAINER = re.compile(r"\(container=[^)]*\)")


def tells_reverse(cause: Passage, effect: Passage, held: Sequence[Held]) -> bool:
    """Whether a cited line has as the cause what a claim calls the effect, and the other way round."""
    return any(_is_reversed(cause, effect, fact) for fact in held if fact.item.kind == "log")


def _is_reversed(cause: Passage, effect: Passage, fact: Held) -> bool:
    text = _CONTAINER.sub("", fact.item.text)
    match = _NAMES_CAUSE.search(text)
    if match is None:
        return False
    before = Passage(f"{workload(fact)} {text[: match.start()]}", fact.hidden).stems - SMALL
    after = Passage(text[match.end() :], fact.hidden).stems - SMALL
    led = len(cause.stems & (before - after)) - len(cause.stems & (after - before))
    followed = len(effect.stems & (after - before)) - len(effect.stems & (before - after))
    return led > 0 and followed > 0
