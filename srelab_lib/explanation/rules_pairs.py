"""What a number of a fact counts: how many did and did not, or nothing, where it is a name or a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.derived import beside
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.passages import Held
from srelab_lib.explanation.words import clauses

_LESS = re.compile(r"\b(?:not|never|without|un\w+ed|fail\w*|refus\w*|lost|dropp?ed|no answer)\b|n't\b", re.IGNORECASE)
_BREAK = re.compile(r"\b(?:after|before|when|once|while|as|until|following|by|than)\b", re.IGNORECASE)
_AGAINST = re.compile(r"\b(?:against|next to|beside|alongside|versus|compared (?:to|with))\b", re.IGNORECASE)
_ID = r"(?:\b(?:id|no|\w+_(?:ms|millis|s|secs|seconds|bytes))|#)[=: ]{{0,2}}{number}\b"
_THINGS = re.compile(
    r"\s+(?:[a-z-]+ ){0,2}?(?:requests?|times|calls?|errors?|lines?|retries|attempts|messages?)\b", re.IGNORECASE
)


def counts_are_of_their_kind(case: Case) -> str | None:
    """`11 answered, 14 not`: a claim that 14 were answered exchanges them."""
    pairs = [pair for fact in case.held for pair in beside(fact)]
    did, did_not = {one for one, _ in pairs}, {other for _, other in pairs}
    for part in (half for clause in clauses(case.claim.plain) for half in _AGAINST.split(clause)):
        wrong = did - did_not if _LESS.search(part) else did_not - did
        found = [item.text for item in quantities(part) if not item.family and item.value in wrong and pairs]
        if found and not re.search(rf"\bof (?:the )?{re.escape(found[0])}\b|{re.escape(found[0])} (?:out )?of\b", part):
            return f"{found[0]} does not stand so in what it cites"
    return None


def names_count_nothing(case: Case) -> str | None:
    """`id=974` is a name, `elapsed_ms=5478` a time: not so many requests."""
    for item in case.claim.quantities:
        if item.family or not _THINGS.match(case.claim.plain[item.end :]):
            continue
        text = " ".join(fact.item.text for fact in case.held)
        stands = re.findall(rf"(?<![\w.]){re.escape(item.text)}(?![\w.])", text)
        if stands and len(re.findall(_ID.format(number=re.escape(item.text)), text, re.IGNORECASE)) == len(stands):
            return f"{item.text} counts nothing in what it cites"
    return None


def timed_parts(text: str) -> Iterator[str]:
    """The clauses, taken apart at what tells their order as well."""
    for clause in clauses(text):
        yield from _BREAK.split(clause)


def has_time(facts: Sequence[Held], clock: str) -> bool:
    """True when one of the facts has a time of day; without seconds it is any time of that minute."""
    return any(time == clock or time.startswith(f"{clock}:") for fact in facts for time in fact.times)
