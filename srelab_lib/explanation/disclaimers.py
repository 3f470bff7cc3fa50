"""Causes that a claim rules out: `A cannot be what broke B, as it came later` holds where the dates have A after B."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from srelab_lib.explanation.chronology import is_dated_earlier, is_dated_later
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.links import SPAN, links
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.words import sentences

_NOT = r"(?: not|n't| never)(?: possibly)?(?: (?:have )?be(?:en)?)?"
_AUX = (
    rf"(?:(?:is|was|are|were|can|could|does|did){_NOT}|cannot(?: possibly)?(?: (?:have )?be(?:en)?)?|"
    rf"can't(?: (?:have )?be(?:en)?)?)"
)
_SO = r"(?:(?P<premise>[^;]{8,}?)[,;] (?:and )?(?:so|hence|therefore|thus|which is why|which means(?: that)?),? )?"
_TAIL = r"(?:,? (?P<tail>(?:as|since|because|for|having|which|given that|who|that)\b[^;]*))?\W*$"
_BLAMED = (
    r"(?:what (?:\w+ )?|(?:why|the (?:\w+ )?(?:cause|reason|trigger|source)(?: of| for| why| behind| that)?|behind|"
    r"(?:responsible|to blame) for) |(?:break|cause|trigger|bring about|provoke|explain) )"
)
_BROUGHT = (
    r"(?:(?:caused|triggered|produced|brought about|provoked|prompted|explained|set off|broken) by|due to|because of|"
    r"(?:an? |the )?(?:result|consequence|effect) of|(?:the )?fallout (?:of|from)|down to)"
)
_DISCLAIMERS = (
    re.compile(rf"^\W*{_SO}(?P<cause>[^,;]{{2,}}?) {_AUX} {_BLAMED}(?P<effect>[^,;]{{2,}}?){_TAIL}", re.IGNORECASE),
    re.compile(rf"^\W*{_SO}(?P<effect>[^,;]{{2,}}?) {_AUX} {_BROUGHT} (?P<cause>[^,;]{{2,}}?){_TAIL}", re.IGNORECASE),
)
_LATER = re.compile(r"\b(?:later|afterwards?|after|subsequent\w*|second)\b", re.IGNORECASE)
_EARLIER = re.compile(r"\b(?:earlier|before(?:hand)?|already|first|previous\w*)\b", re.IGNORECASE)


class Disclaimer(NamedTuple):
    """What is said not to have brought about what; `premise` is what comes before `so`, `tail` gives the reason."""

    premise: str
    cause: str
    effect: str
    tail: str


def disclaimers(text: str) -> list[Disclaimer]:
    """The causes that a claim rules out, a sentence at a time."""
    found = [_disclaimer(sentence) for sentence in sentences(text)]
    return [item for item in found if item is not None]


def set_aside(text: str) -> str:
    """A claim with each cause that it rules out named beside its effect, for the rules that look at words."""
    return ". ".join(_neutral(sentence) for sentence in sentences(text))


def is_ruled_out_by_dates(item: Disclaimer, held: Sequence[Held], hidden: frozenset[str]) -> bool:
    """Whether the facts, or the order that the premise has of them, put the cause after the effect."""
    if not _tail_agrees(item.tail):
        return False
    for link in (link for link in links(item.premise) if link.temporal):
        earlier, later = Passage(link.cause, hidden), Passage(link.effect, hidden)
        dated = is_dated_earlier(earlier, later, held, temporal=True)
        return dated and _shared(item.cause, later) > _shared(item.cause, earlier)
    return is_dated_later(Passage(item.cause, hidden), Passage(item.effect, hidden), held, temporal=True)


def _disclaimer(sentence: str) -> Disclaimer | None:
    match = next((found for pattern in _DISCLAIMERS if (found := pattern.match(sentence))), None)
    return Disclaimer(match["premise"] or "", match["cause"], match["effect"], match["tail"] or "") if match else None


def _neutral(sentence: str) -> str:
    item = _disclaimer(sentence)
    if item is None:
        return sentence
    span = re.search(SPAN, item.tail, re.IGNORECASE)
    apart = (
        f"That was {span[0]} apart" if span and _order_of(item.tail) else item.tail if not _order_of(item.tail) else ""
    )
    return ". ".join(part for part in (item.premise, item.cause, item.effect, apart) if part)


def _order_of(tail: str) -> str:
    return "later" if _LATER.search(tail) else "earlier" if _EARLIER.search(tail) else ""


def _tail_agrees(tail: str) -> bool:
    """`As it came later` is said of the cause, `which had ended before` of the effect."""
    order = _order_of(tail)
    return not order or (order == "earlier") == tail.lower().startswith("which")


def _shared(text: str, side: Passage) -> int:
    return len((Passage(text, side.hidden).stems & side.stems) - SMALL)
