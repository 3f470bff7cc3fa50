"""What one cited fact has is not said of another one: its time, its number, its pod."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.derived import following, spans
from srelab_lib.explanation.figures import clock_times
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Held, Passage, mentions, mentions_whole
from srelab_lib.explanation.quantities import Quantity, unsupported
from srelab_lib.explanation.rules_pairs import has_time
from srelab_lib.model import split_ref

_APART = re.compile(
    r"[;!?\n()]|,\s|\.\s|\s[-–—]\s|:\s|"
    r"\b(?:and|or|but|while|whereas|although|though|yet|because|so|then|"
    r"(?:after|(?<!\bwas )(?<!\bwere )(?<!\bis )for|within|(?<=:\d\d )to)(?! [\d.]+ ?(?:m?s|(?:milli)?seconds?)\b)|"
    r"before|since|until|till|when|once|where|if|as|than|following|behind|against|versus|from|by|"
    r"between|apart|later|earlier|why|how|(?:caus|lead|led|mak|mad|keep|kept|prevent|stop|block|leav|left|explain|mean|result)\w*)\b",
    re.IGNORECASE,
)
"""What stands on either side of it may be of two facts."""
_BOUND = re.compile(
    r"\b(?:by|until|till|before|after|since|from|around|about|roughly|to|of) \d\d?:\d\d(?::\d\d)?", re.IGNORECASE
)
"""A time by which something had happened need not be the time of the fact that tells of it."""
_FRONTED = re.compile(
    r"(?:^|(?<=[.;] ))(?:[\w.]+ ){0,3}(?:[a-z]*seconds?|minutes?|hours?|shortly|just|soon) (?:before|after) [^,;]*",
    re.IGNORECASE,
)
"""`Three seconds before the kill at 01:16:40 it had been unpacked to 20 %`: no comma tells where the one fact ends."""
_ID_DIGITS = 3
"""So many digits tell one thing from others: `save 2859`, `a 404`."""


_PATH = re.compile(r"(?<![\w/.:-])/[\w/.-]*[a-z][\w/-]*")
_IDENTIFYING = frozenset({"time", "id", "name"})
_RELATING = {"workload": frozenset({"time"}), "path": frozenset({"time", "seconds", "bytes"})}
"""With which kinds of tokens another kind is of one fact."""


class _Token(NamedTuple):
    """A time, number or name of a clause, and the facts that have it."""

    kind: str
    text: str
    holders: frozenset[str]


def belongs_to_one_fact(case: Case) -> str | None:
    """`Pid 13 was sent SIGKILL at 01:30:36`, where one line has pid 13 and another one that time."""
    for part in _parts(case) if len(case.held) > 1 else ():
        for one, other in combinations(_tokens(part, case), 2):
            kinds = {one.kind, other.kind}
            related = len(kinds) > 1 and kinds & _RELATING.get(one.kind, _RELATING.get(other.kind, _IDENTIFYING))
            if related and not one.holders & other.holders:
                return f"{one.text} and {other.text} are of different facts in what it cites"
    return None


def _parts(case: Case) -> Iterator[Passage]:
    for part in _APART.split(_BOUND.sub(" ", _FRONTED.sub(" ", case.claim.plain))):
        if part.strip():
            yield Passage(part, case.claim.hidden)


def _tokens(part: Passage, case: Case) -> Iterator[_Token]:
    """Those that stand alone of their kind."""
    found = [*_names(part, case), *_numbers(part, case), *_paths(part, case)]
    found += [
        _Token("time", time, _ids(f for f in case.held if has_time([f], time))) for time in clock_times(part.plain)
    ]
    for token in found:
        alike = {other.holders for other in found if other.kind == token.kind}
        alone = sum(token.kind == other.kind for other in found) == 1
        if token.holders and (alone or (token.kind == "count" and len(alike) == 1)):
            yield token


def _numbers(part: Passage, case: Case) -> Iterator[_Token]:
    derived = spans(case.claim, case.held)
    for item in part.quantities:
        kind = item.family or ("id" if item.text.isdigit() and len(item.text) >= _ID_DIGITS else "count")
        many = kind == "count" and item.value <= len(case.held)
        holding = [] if many or not unsupported([item], derived) else [f for f in case.held if _has(f, item, part)]
        yield _Token(kind, item.text, _ids(holding))


def _has(fact: Held, item: Quantity, part: Passage) -> bool:
    return not unsupported([item], [*fact.quantities, *following(part, [fact])])


def _names(part: Passage, case: Case) -> Iterator[_Token]:
    """Pods and nodes, which are one of several, and objects of which every fact has a time."""
    for name in sorted(case.names.objects):
        if re.search(r"\d", name) and mentions_whole(name, part.plain):
            yield _Token("name", name, _ids(fact for fact in case.held if mentions_whole(name, fact.plain)))
        elif mentions(name, part.plain):
            own = [fact for fact in case.held if mentions(name, f"{fact.item.object} {fact.item.text}")]
            yield _Token("workload", name, _ids(own if all(fact.times for fact in own) else []))


def _paths(part: Passage, case: Case) -> Iterator[_Token]:
    """What was asked for: `POST /reservation`."""
    for path in dict.fromkeys(_PATH.findall(part.plain)):
        whole = re.compile(rf"{re.escape(path)}(?![\w/-])")
        holding = _ids(fact for fact in case.held if whole.search(fact.item.text))
        yield _Token("path", path, holding if len(holding) < len(case.held) else frozenset())


def _ids(facts: Iterable[Held]) -> frozenset[str]:
    return frozenset(fact.item.id for fact in facts)


_OWN_ROLES = frozenset({"restart", "exit", "revision", "timeout", "period"})


def numbers_have_their_role(case: Case) -> str | None:
    """`Restarted 19 times` of `restart_count=5` and `line 19`: what has the role is another number."""
    for item in case.claim.quantities:
        roles = item.roles & _OWN_ROLES
        own = [one for fact in case.held for one in fact.quantities if one.roles & roles]
        if own and unsupported([item], [*own, *following(case.claim, case.held)]):
            return f"{item.text} does not stand so in what it cites"
    return None


_OF_MANY = ("Pod/", "Node/")


def things_have_their_own(case: Case) -> str | None:
    """`The archive taint is on node a`, where the words of that taint are only in the fact of node b."""
    for part in _parts(case) if len(case.held) > 1 else ():
        named = [fact for fact in case.held if mentions_whole(split_ref(fact.item.object)[2] or "-", part.plain)]
        if len(named) != 1 or not named[0].item.object.startswith(_OF_MANY):
            continue
        kind, _, name = split_ref(named[0].item.object)
        words = part.stems - Passage(name, frozenset()).stems - SMALL
        for other in (one for one in case.held if one.item.object.startswith(f"{kind}/") and one is not named[0]):
            theirs, own = other.own_stems - named[0].own_stems, named[0].own_stems - other.own_stems
            if other.item.object != named[0].item.object and len(words & theirs) > 1 and not words & own:
                return f"it says of {named[0].item.object} what {other.item.object} has in what it cites"
    return None
