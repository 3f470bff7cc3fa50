"""How a claim puts things together: what rose or fell, what was altered into what, what brought about what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from srelab_lib.explanation.concept import CHANGED, Concept, earliest, latest
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import sentences

# --- direction --------------------------------------------------------------------------------------------------------

_UP = re.compile(
    r"\brais(?:e|es|ed|ing)\b(?! (?:an? |the )?(?:[\w']+ ){0,3}?(?:alarm|alert|exception|error))|"
    r"\bincreas\w*|\bgr[eo]w\w*|\brose\b|\bris(?:e|es|en|ing)\b|\bclimb\w*|"
    r"\bhigher\b|\bjump\w*|\bsurg\w*|\bspik\w*|\bbump\w*|\bscal\w* (?:\w+ )?(?:up|out)\b|"
    r"\bexpand\w*|\bsoar\w*|\bdoubl(?:ed|es|ing)\b|\btripl(?:ed|es|ing)\b|"
    r"\bup from\b|\bgrown\b|\bwent up\b|\bgoes up\b|\bworsen\w*|\bshot up\b"
)
_DOWN = re.compile(
    r"\blower(?:ed|ing|s)\b|\breduc\w*|\bdecreas\w*|\bdropp?(?:s|ed|ing)?\b(?! (?:connections?|"
    r"requests?|packets?))|\bfell\b(?! over| back| behind)|"
    r"\bfall(?:s|en|ing)?\b(?! over| back| behind)|\bcut(?:s|ting)?\b(?! off)|\bshr[aiu]nk\w*|"
    r"\bhalv\w*|\bdeclin\w*|\bsmaller\b|\bscal\w* (?:\w+ )?(?:down|in)\b|"
    r"\btighten\w*|\bplummet\w*|\bcollaps\w* (?:to|from|by)\b|\bslash\w*|\btrim\w*|\bdown from\b|"
    r"\bwent down\b|\bgoes down\b|\bsank\b|\bscal\w* to zero|\bdipp?\w*"
)
_CHANGE = re.compile(
    r"(?:\bfrom\s+)?(?P<old>\"[^\"]*\"|[^\s,;()]+)\s*(?:->|→|=>|⟶|\bto\b|\binto\b|"
    r"\bnow\b)\s*(?P<new>\"[^\"]*\"|[^\s,;()]+)",
    re.IGNORECASE,
)
_OLD_NEW = re.compile(r"\bold=\"?(?P<old>[^\s,;\"]+)\"?\W.*?\bnew=\"?(?P<new>[^\s,;\"]+)", re.IGNORECASE)


_ADDED = re.compile(r"\badd(?:ed|s|ing)\b|\b(?:none|null|unset|nothing)>?\W*(?:->|→) ?\w")
_REMOVED = re.compile(r"\bremov\w*|\bdelet\w*|\btaken out\b|(?:->|→) ?<?(?:none|null|unset|nothing)\b")
_DIRECTIONS = (("rose", _UP), ("fell", _DOWN), ("was added", _ADDED), ("was removed", _REMOVED))
_REPLACED = re.compile(
    r"(?P<new>[^\s,;()]+) (?:has |have )?replac(?:ed|es|"
    r"ing) (?:\w+ ){0,2}?(?P<old>[^\s,;()]*\d[^\s,;()]*)",
    re.IGNORECASE,
)
_REPLACED_BY = re.compile(
    r"(?P<old>[^\s,;()]+) (?:was |is |been )?replaced (?:by|"
    r"with) (?:\w+ ){0,2}?(?P<new>[^\s,;()]*\d[^\s,;()]*)",
    re.IGNORECASE,
)
_STEPS = (_CHANGE, _OLD_NEW, _REPLACED, _REPLACED_BY)


def directions(text: str) -> set[str]:
    """What a spread text says of where something went: `rose`, `fell`, `was added`, `was removed`."""
    return {name for name, pattern in _DIRECTIONS if pattern.search(text)}


def steps(text: str) -> list[tuple[str, str]]:
    """Old and new value of what a plain text says was altered, as written: `from 256Mi to 10Mi`, `app:v1 -> app:v2`."""
    found = [(match["old"], match["new"]) for pattern in _STEPS for match in pattern.finditer(text)]
    return [(_bare(old), _bare(new)) for old, new in found]


def reversed_step(claim: Passage, held: Sequence[Held]) -> tuple[str, str] | None:
    """A step of the claim that the facts have the other way round, and not as the claim has it."""
    known = [step for fact in held for step in steps(fact.plain)]
    for old, new in steps(claim.plain):
        forward = any(_equal(old, a) and _equal(new, b) for a, b in known)
        if not forward and any(_equal(old, b) and _equal(new, a) for a, b in known):
            return old, new
    return _wrong_end(claim, known)


_TO, _FROM = re.compile(r"\b(?:to|into|now) (\"[^\"]*\"|[^\s,;()]+)"), re.compile(r"\bfrom (\"[^\"]*\"|[^\s,;()]+)")


def _wrong_end(claim: Passage, known: list[tuple[str, str]]) -> tuple[str, str] | None:
    """`changed to v8` where v8 is what it was changed from."""
    for pattern, end in ((_TO, 1), (_FROM, 0)):
        for match in pattern.finditer(claim.plain):
            token = _bare(match[1])
            right = any(_equal(token, step[end]) for step in known)
            wrong = next((step for step in known if _equal(token, step[1 - end])), None)
            if wrong is not None and not right and re.search(r"\w", token):
                return wrong
    return None


def held_directions(fact: Held) -> set[str]:
    """Where a fact says that something went, by its words or by its old and new number."""
    found = directions(fact.spread)
    for old, new in steps(fact.plain):
        one, other = quantities(old), quantities(new)
        if one and other and one[0].value != other[0].value:
            found.add("rose" if other[0].value > one[0].value else "fell")
    return found


def _bare(token: str) -> str:
    return token.strip("\"'`.:").lower()


def _equal(one: str, other: str) -> bool:
    if one == other or one.endswith(f":{other}") or other.endswith(f":{one}"):
        return True
    first, second = quantities(one), quantities(other)
    return bool(first and second) and abs(first[0].value - second[0].value) <= 0.005 * abs(second[0].value)


# --- cause and effect -------------------------------------------------------------------------------------------------

_EFFECT_FIRST = (
    r"because(?: of)?|due to|(?:was |were |is |are |been |being )?(?:caused|triggered|produced|"
    r"brought about|brought on|driven|explained|forced|provoked|induced) by|"
    r"as an? (?:\w+ )?(?:result|consequence|effect) of|(?:is |was |are |were )?(?:an?|"
    r"the) (?:\w+ )?(?:result|consequence|effect|symptom) of|owing to|thanks to|"
    r"on account of|attribut(?:able|ed) to|stem(?:s|med|ming)? from|result(?:s|ed|ing)? from|"
    r"com(?:es|ing) from|came from|aris(?:es|ing) from|arose from|"
    r"follow(?:s|ed|ing) from|originat\w+ (?:from|in)|blamed on|traced (?:back )?to|in response to|"
    r"(?<!the )following (?=the\b|an?\b|its\b)|after(?! all)|since(?! (?:about |around )?\d| then)|"
    r"as soon as|once"
)
_CAUSE_FIRST = (
    r"(?:is|was|are|were) (?:the (?:\w+ )?(?:cause|reason|trigger|source) (?:of|for|why|that|"
    r"behind)|responsible for|to blame for|behind|why)|"
    r"caus(?:es|ed|ing)|(?<=s )cause|(?<=to )cause|led to|leads? to|leading to|result(?:s|ed|"
    r"ing)? in|trigger(?:s|ed|ing)?|ma(?:kes|de|king)(?= (?:the|it|its|them|all|every|an?|requests|"
    r"users|pods|"
    r"containers|someone|somebody|people|kubernetes|clients|replicas|operators))|forc(?:es|ed|ing)|"
    r"(?:brings|brought|bringing) (?:about|on)|produc(?:es|ed|ing)|provok(?:es|ed|ing)|explain(?:s|"
    r"ed)?|means?(?: that)?|meant(?: that)?|"
    r"dr(?:ives|ove|iving)|hence|therefore|thus|consequently|as a (?:result|consequence)|"
    r"which is why|that is why|so(?! (?:far|much|many|low|small|high|called)\b)(?: that)?|"
    r"before|and then|then|followed by|ahead of|prior to|culminat\w+ in|end(?:s|ed|ing)? (?:up )?in"
)
_TEMPORAL = re.compile(
    r"after|before|since|once|as soon as|following|and then|then|followed by|ahead of|prior to", re.IGNORECASE
)
_LINK = re.compile(
    rf"\b(?:(?P<effect_first>{_EFFECT_FIRST})|(?P<cause_first>{_CAUSE_FIRST}))\b|"
    rf"\bso (?:\w+ )that\b",
    re.IGNORECASE,
)


class Link(NamedTuple):
    """A cause and an effect as a claim has them; `temporal` when it only says what came first."""

    cause: str
    effect: str
    temporal: bool


def links(text: str) -> list[Link]:
    """Every cause and effect that a text names."""
    return [link for sentence in sentences(text) for link in _links(sentence)]


def _links(sentence: str) -> Iterator[Link]:
    matches = list(_LINK.finditer(sentence))
    bounds = [0, *(match.end() for match in matches)]
    ends = [*(match.start() for match in matches), len(sentence)]
    parts = [sentence[start:end] for start, end in zip(bounds, ends, strict=True)]
    for position, match in enumerate(matches):
        left, right = parts[position], parts[position + 1]
        temporal = _TEMPORAL.fullmatch(match[0]) is not None
        if not match["effect_first"]:
            yield Link(left, right, temporal)
        elif re.search(r"\w{3}", left):
            yield Link(right.partition(",")[0] if position + 2 == len(parts) else right, left, temporal)
        else:
            # "Because the limit was lowered, the container was killed": both stand after the word.
            cause, comma, effect = right.partition(",")
            if comma:
                yield Link(cause, effect, temporal)


def swapped(claim: Passage) -> Link | None:
    """A cause and an effect of the claim that can only stand the other way round, as the claim has them, or None."""
    for link in links(claim.spread):
        begins, ends = _stages(link.cause, earliest), _stages(link.effect, latest)
        if begins and ends and min(begins) > max(ends):
            return link
    return None


def _stages(text: str, place: Callable[[Concept], int | None]) -> set[int]:
    """Places in the course of a failure of what a part of a sentence speaks of: of events and states before things."""
    found: dict[bool, set[int]] = {True: set(), False: set()}
    for concept in CONCEPTS:
        stage = place(concept)
        if stage is not None and concept.said.search(text):
            found[concept.kind != "topic"].add(stage)
            # "Failing requests" are what users feel, and no errors of any other kind.
            text = concept.said.sub("·", text)
    return found[True] or found[False]


def reason_of_change(claim: Passage) -> Link | None:
    """A cause that the claim gives for a mere change: people and controllers make changes, and no fact says why."""
    for link in links(claim.spread):
        exempt = link.temporal or _EXPLAINS_CHANGE.search(link.cause) or CHANGED in _stages(link.cause, earliest)
        if not exempt and _stages(link.effect, earliest) == {CHANGED}:
            return link
    return None


_EXPLAINS_CHANGE = re.compile(
    r"commit|\bgit\b|\broll|deploy|releas|auto ?scal|\bhpa\b|argo|sync|operator|controller|edit|"
    r"merge|upgrade|script|traffic|load"
)


SLACK_SECONDS = 90.0
"""Scrape and probe intervals date what was seen up to this much late."""


def later_cause(claim: Passage, held: Sequence[Held]) -> Link | None:
    """A change that the claim calls a cause, where every fact of an effect is dated clearly before it."""
    changes = [fact.item.time for fact in held if fact.item.kind == "change" and fact.item.time]
    effects = [fact.item.time for fact in held if fact.item.kind not in {"change", "spec"} and fact.item.time]
    if not changes or not effects or (min(changes) - max(effects)).total_seconds() <= SLACK_SECONDS:
        return None
    return next((link for link in links(claim.spread) if CHANGED in _stages(link.cause, earliest)), None)
