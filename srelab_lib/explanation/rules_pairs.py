"""What stands together in a fact does so in a claim: how many did and did not, whose time it is, which number when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.derived import beside
from srelab_lib.explanation.figures import clock_times, quantities
from srelab_lib.explanation.passages import Held, mentions
from srelab_lib.explanation.words import clauses

_LESS = re.compile(r"\b(?:not|never|without|un\w+ed|fail\w*|refus\w*|lost|dropp?ed|no answer)\b|n't\b", re.IGNORECASE)
_BREAK = re.compile(r"\b(?:after|before|when|once|while|as|until|following|by|than)\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.:-])\d{3,}(?![\w.:-])")
_ID = r"(?:\b(?:id|no|\w+_(?:ms|millis|s|secs|seconds|bytes))|#)[=: ]{{0,2}}{number}\b"
_THINGS = re.compile(
    r"\s+(?:[a-z-]+ ){0,2}?(?:requests?|times|calls?|errors?|lines?|retries|attempts|messages?)\b", re.IGNORECASE
)


def counts_are_of_their_kind(case: Case) -> str | None:
    """`11 answered, 14 not`: a claim that 14 were answered exchanges them."""
    pairs = [pair for fact in case.held for pair in beside(fact)]
    did, did_not = {one for one, _ in pairs}, {other for _, other in pairs}
    for part in clauses(case.claim.plain):
        wrong = did - did_not if _LESS.search(part) else did_not - did
        found = [item.text for item in quantities(part) if not item.family and item.value in wrong and pairs]
        if found and not re.search(rf"\bof (?:the )?{re.escape(found[0])}\b|{re.escape(found[0])} (?:out )?of\b", part):
            return f"{found[0]} does not stand so in what it cites"
    return None


def times_are_of_their_object(case: Case) -> str | None:
    """The time of one object's facts is not told of another one."""
    for part in timed_parts(case.claim.plain):
        said = clock_times(part)
        named = [name for name in case.names.objects if mentions(name, part)]
        if len(said) != 1 or len(named) != 1:
            continue
        own = [fact for fact in case.held if mentions(named[0], f"{fact.item.object} {fact.item.text}")]
        others = [fact for fact in case.held if fact not in own]
        if own and all(fact.times for fact in own) and not has_time(own, said[0]) and has_time(others, said[0]):
            return f"the time {said[0]} is not that of {named[0]} in what it cites"
    return None


def numbers_are_of_their_time(case: Case) -> str | None:
    """Of several lines of one kind, the number of one is not told with the time of another one."""
    logs = [fact for fact in case.held if fact.item.kind == "log"]
    alike = [fact for fact in logs if sum(_shape(fact) == _shape(other) for other in logs) > 1]
    for part in timed_parts(case.claim.plain) if alike else ():
        said = clock_times(part)
        for number in _NUMBER.findall(part) if len(said) == 1 else ():
            holding = [fact for fact in alike if re.search(rf"(?<![\w.:-]){number}(?![\w.:-])", fact.item.text)]
            if len(holding) == 1 and holding[0].times and not has_time(holding, said[0]) and has_time(alike, said[0]):
                return f"{number} is not of {said[0]} in what it cites"
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


def _shape(fact: Held) -> tuple[str, str]:
    return fact.item.object, re.sub(r"\d+", "0", fact.item.text)
