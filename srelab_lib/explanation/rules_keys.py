"""Numbers that facts have by a word or key: a claim says them of no other one, nor the bound for what is measured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.passages import Held
from srelab_lib.explanation.quantities import Quantity
from srelab_lib.explanation.words import clauses, spread, stem, words

_KEYED = re.compile(
    r"(?<![\w.])(?P<key>(?:status |exit )?[A-Za-z][A-Za-z_]*)\"?(?:=\"?|: ?\"?| )(?P<number>\d+(?:\.\d+)?)"
    r"(?:/(?P<whole>\d+))?(?![\w:/-]|\.\d)"
)
"""`backoffLimit=2`, `process 260`, `attempt=6/10`."""
_UNITS = frozenset(
    {"s", "ms", "sec", "secs", "seconds", "millis", "bytes", "percent", "ratio", "count", "number", "code"}
)
_BOUNDS = frozenset({"max", "maximum", "limit", "allowed"})
_NUMBER_BEHIND = re.compile(
    r"(?<![\w./-])(?P<words>(?:[A-Za-z][A-Za-z_]+ ){0,1}?[A-Za-z][A-Za-z_]+)"
    r"(?:'s)?(?: of (?:the )?[a-z][\w-]*(?= (?:is|was|stood|stands|reached|reads)))?"
    r"(?: (?:is|was|stood|stands|reached|reads|of|at|being|number|id|with(?= id)|set to))*[ =:]{1,2}"
    r"(?P<number>\d+(?:\.\d+)?)(?![\w:/-]|\.\d|,\d| times\b)"
)
_NUMBER_BEFORE = re.compile(r"(?<![\w.:/-])(?P<number>\d+) (?P<words>[a-z]{4,})(?![\w-])(?!\W{1,2}\d)")
_NAMING_DIGITS = 4
"""So many digits tell one thing from others: `the lookup of 699967`."""


class _Keyed(NamedTuple):
    """A number with the words of its key, stemmed, and the fact that has it."""

    key: tuple[str, ...]
    value: float
    fact: Held


def numbers_are_of_their_key(case: Case) -> str | None:
    """`The process waiting was 16384` of `process 260 still waiting ... of database 16384`."""
    known = [one for fact in case.held for one in _keyed(fact)]
    for clause in clauses(case.claim.plain):
        near = _of_named(_ids(clause) or _ids(case.claim.plain), known)
        for key, value in _said(clause, {word for one in known for word in one.key}):
            own = {one.value for one in near if _ends_alike(one.key, key)}
            others = {one.value for one in known if not _ends_alike(one.key, key) or one not in near}
            if own and value in others - own:
                return f"{' '.join(key)} {value:g} does not stand so in what it cites"
    return None


def _keyed(fact: Held) -> Iterator[_Keyed]:
    for match in _KEYED.finditer(fact.item.text):
        key = _stems(match["key"])
        for number in (match["number"], match["whole"]) if key else ():
            if number:
                yield _Keyed(key, float(number), fact)


def _stems(text: str) -> tuple[str, ...]:
    said = words(spread(text))
    found = [word for word in said if word not in _UNITS] or said[-1:]
    return () if not found or found[-1] in SMALL or stem(found[-1]) in SMALL else tuple(map(stem, found))


def _said(clause: str, of_keys: set[str]) -> Iterator[tuple[tuple[str, ...], float]]:
    """The numbers of a clause with the words that stand by them; those in front only where keys have them."""
    for pattern in (_NUMBER_BEHIND, _NUMBER_BEFORE):
        for match in pattern.finditer(clause):
            key = _stems(match["words"])
            known = [place for place in range(len(key)) if {*key[place:]} <= of_keys]
            if key:
                yield key[min(known, default=-1) :], float(match["number"])


def _ends_alike(held: Sequence[str], said: Sequence[str]) -> bool:
    """`limit` and `the backoff limit` are said of `backoffLimit`."""
    return tuple(held[-len(said) :]) == tuple(said)


def _of_named(ids: set[float], known: Sequence[_Keyed]) -> Sequence[_Keyed]:
    """Of several facts those of the one thing that a claim names by its number."""
    named = {one.fact.item.id for one in known if one.value in ids and one.key[-1] != "port"}
    return [one for one in known if one.fact.item.id in named] if len(named) == 1 else known


def _ids(text: str) -> set[float]:
    return {float(one) for one in re.findall(rf"(?<![\w.:/-])\d{{{_NAMING_DIGITS},}}(?![\w.:/-]\w)", text)}


_AT_MOST = re.compile(
    r"\b(?:at most|no more than|up to|an? (?:maximum|limit|cap|ceiling) of|allow(?:s|ed)?(?: only)?|limited to|"
    r"tolerates?) (?P<number>\d+(?:\.\d+)?)(?![\w:/-]|\.\d)"
)


def bounds_are_bounds(case: Case) -> str | None:
    """`Allows at most 43 seconds` of `age_s=43 max_age_s=40`: what is measured is not its bound."""
    known = [one for fact in case.held for one in _keyed(fact)]
    bounds = [one for one in known if _BOUNDS & {*one.key}]
    roots = {tuple(word for word in one.key if word not in _BOUNDS) for one in bounds}
    measured = {one.value for one in known if one.key in roots}
    for match in _AT_MOST.finditer(case.claim.plain):
        value = float(match["number"])
        if value in measured - {one.value for one in bounds}:
            return f"{match['number']} is measured, and no bound, in what it cites"
    return None


_STATE = r"(?P<state>ready|available|updated)"
_SO_MANY = re.compile(
    rf"(?<![\w./-])(?P<number>\d+|only|single|sole|{'|'.join(WORDS)}) (?:of (?:the |its )?)?(?:[\w-]+ ){{0,2}}?"
    rf"(?:replicas?|pods?) (?:of (?:the )?(?:[A-Z]\w+ )?[\w-]+ )?"
    rf"(?:is|are|was|were) (?:now |currently )?{_STATE}(?: and (?P<other>ready|available|updated))?\b",
    re.IGNORECASE,
)
_SO_MANY_BEFORE = re.compile(
    rf"(?<![\w./-])(?P<number>\d+|single|sole|{'|'.join(WORDS)}) {_STATE}(?P<other>) "
    rf"(?:replicas?|pods?)\b(?! (?:short|less|fewer|more|too))",
    re.IGNORECASE,
)
"""`Just 1 available replica`."""
_ONLY = WORDS | {"only": 1.0, "single": 1.0, "sole": 1.0}
_IS_WHOLE = re.compile(r"\b(?:of|neither|none|not|no)\b[^.;]*$", re.IGNORECASE)
"""`Neither of the two replicas`, `two out of three replicas`."""
_REPLICAS_NOW = re.compile(r"\b(?P<state>ready|available|updated)(?:R|_r)eplicas=(?P<number>\d+)")


def replicas_are_in_their_state(case: Case) -> str | None:
    """`1 of the replicas is ready` of `updatedReplicas=1 readyReplicas=2`."""
    now = [match for fact in case.held for match in _REPLICAS_NOW.finditer(fact.item.text)]
    for said in (match for pattern in (_SO_MANY, _SO_MANY_BEFORE) for match in pattern.finditer(case.claim.plain)):
        if _IS_WHOLE.search(case.claim.plain[: said.start()]):
            continue
        word = said["number"].lower()
        number = _ONLY[word] if word in _ONLY else float(word)
        for state in {said["state"].lower(), (said["other"] or said["state"]).lower()}:
            own = {float(one["number"]) for one in now if one["state"] == state}
            if own and number not in own:
                return f"{said[0]!r}: what it cites has another number {state}"
    return None


_BEFORE_VARIABLE = re.compile(r"(?<![\w.:/-])(?P<number>\d+(?:\.\d+)?) (?P<name>[A-Z][A-Z0-9]*_[A-Z0-9_]+)\b")


def variables_have_their_number(case: Case) -> str | None:
    """`200 STOCK_ATTEMPTS`, where that is the value of another variable."""
    for match in _BEFORE_VARIABLE.finditer(case.claim.plain):
        own = [fact for fact in case.held if re.search(rf"\b{match['name']}\b", fact.item.text)]
        if own and not any(item.value == float(match["number"]) for fact in own for item in fact.quantities):
            return f"{match[0]} does not stand so in what it cites"
    return None


_LETTERED = re.compile(r"(?<![\w-])(?P<key>[a-z]{3,})[= ](?P<letter>[a-z])(?![\w'-])", re.IGNORECASE)


def letters_are_of_their_thing(case: Case) -> str | None:
    """`Gate c` of `gate=a`."""
    own: dict[str, set[str]] = {}
    for match in (found for fact in case.held for found in _LETTERED.finditer(fact.item.text) if "=" in found[0]):
        own.setdefault(match["key"].lower(), set()).add(match["letter"].lower())
    for match in _LETTERED.finditer(case.claim.plain):
        letters = own.get(match["key"].lower(), set())
        if letters and match["letter"].lower() not in letters | {"a"}:
            return f"{match[0]} does not stand so in what it cites"
    return None


_WRITTEN_KEY = re.compile(r"(?<![\w.])(?P<key>[a-z]+(?:[A-Z_][A-Za-z]*)+)(?:=|: ?)(?P<value>[^\s,;]+)")


def written_keys_have_their_value(case: Case) -> str | None:
    """`A sizeLimit of 128Mi` of `sizeLimit=9Mi`: a key that the claim has letter by letter has its own value."""
    known: dict[str, list[Quantity]] = {}
    for match in (found for fact in case.held for found in _WRITTEN_KEY.finditer(fact.item.text)):
        known.setdefault(match["key"], []).extend(quantities(match[0]))
    for key, own in known.items():
        behind = rf"(?<![\w.]){key}(?: (?:in|for|on) [\w-]+)?(?: (?:is|was|of|at|being|set to|with))* ?=? ?(?=\d)"
        for match in re.finditer(behind, case.claim.plain) if own else ():
            said = next((item for item in case.claim.quantities if item.start >= match.end()), None)
            if said and said.start == match.end() and not any(one.value == said.value for one in own):
                return f"{key} {said.text} does not stand so in what it cites"
    return None
