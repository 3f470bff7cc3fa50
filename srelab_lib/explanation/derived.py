"""Numbers that follow from those of the facts: how much later, how many less, how large a part, how long in all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.passages import Held, Passage, times_of
from srelab_lib.explanation.quantities import Quantity, between, folds, missing_counts
from srelab_lib.explanation.relations import steps

_LACKING = re.compile(
    r"\b(?:missing|unavailable|not (?:yet )?(?:ready|available)|unready|lacking|short|down|left|"
    r"remaining|free|fail\w*|not)\b",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"\b(?:later|after|before|earlier|within|apart|following|for|took|takes|last(?:s|ed|ing)?|until|between|from then|"
    r"since|over|span\w*|elaps\w*|pass(?:es|ed)?)\b",
    re.IGNORECASE,
)
_NAMED_UNIT = re.compile(r"\b[A-Z][A-Z0-9_]*_(?P<unit>SECONDS|SECS?|MS|MILLIS|MINUTES|BYTES|PERCENT|MB|MIB|GB|GIB)\b")
_FIELD = re.compile(r"\b(?P<name>periodSeconds|failureThreshold|initialDelaySeconds)=(?P<value>\d+)")
_COUNTS_PODS = re.compile(r"(?: [\w-]+){0,2} (?:pods?|replicas?|instances?|containers?)\b", re.IGNORECASE)
_OF = re.compile(r"\b(?P<part>\d+) (?:out )?of (?:the )?(?P<whole>\d+)\b")
_REPLICAS = re.compile(r"(?<!\w)replicas=(?P<all>\d+)\b.*?\breadyReplicas=(?P<ready>\d+)")
_PARTS_OF = ("bytes", "cores")


def following(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """What follows from the numbers of facts, where the claim asks for it."""
    if _LATER.search(claim.plain):
        yield from between(times_of(held))
    if _LACKING.search(claim.plain):
        yield from (one for fact in held for one in missing_counts(fact.quantities))
    for fact in held:
        yield from _in_named_units(fact)
        yield from _counted_parts(fact)
        yield from _probe_spans(fact)
    if any(item.family == "share" for item in claim.quantities):
        yield from _parts(claim, held)
        yield from _ready_parts(held)
    if any(item.family == "fold" for item in claim.quantities):
        yield from _compared(held)
    yield from _pods(claim, held)
    yield from _changed(held)


def _changed(held: Sequence[Held]) -> Iterator[Quantity]:
    """Of 256Mi 10Mi are left: how many times the one is the other, what part is left, what part is gone."""
    pairs = [(quantities(old), quantities(new)) for fact in held for old, new in steps(fact.plain)]
    values = [(old[0].value, new[0].value) for old, new in pairs if old and new]
    yield from folds(values)
    for old, new in values:
        if old > new >= 0:
            yield from (Quantity(text="", value=part, family="share", step=0.01) for part in (new / old, 1 - new / old))


def _in_named_units(fact: Held) -> Iterator[Quantity]:
    """`DELAY_SECONDS changed from 0.05 to 8`: the unit stands in the name."""
    named = _NAMED_UNIT.search(fact.item.text)
    unit = {"MILLIS": "ms", "SEC": "s", "SECS": "s"}.get(named["unit"], named["unit"].lower()) if named else ""
    for item in fact.quantities if named else ():
        if not item.family and not item.roles:
            found = quantities(f"{item.text} {unit}")
            yield from (replace(one, start=item.start, end=item.end) for one in found[:1])


def _counted_parts(fact: Held) -> Iterator[Quantity]:
    """`161 of 276 answers`: a share."""
    for match in _OF.finditer(fact.item.text):
        part, whole = int(match["part"]), int(match["whole"])
        if 0 < part <= whole:
            yield Quantity(text="", value=part / whole, family="share", step=0.01)


def _probe_spans(fact: Held) -> Iterator[Quantity]:
    """How long a probe is given: its period as often as it may fail, after the first delay."""
    fields = {match["name"]: float(match["value"]) for match in _FIELD.finditer(fact.item.text)}
    if {"periodSeconds", "failureThreshold"} <= fields.keys():
        span = fields["periodSeconds"] * fields["failureThreshold"]
        for seconds in (span, span + fields.get("initialDelaySeconds", 0.0)):
            yield Quantity(text=f"{seconds:g} s", value=seconds, family="seconds")


def _parts(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """Of 64Mi 48 are used: a share. Where the claim names both, or one fact holds both, and for what is used up."""
    for item in (one for one in claim.quantities if one.family in {*_PARTS_OF, ""} and one.value > 0):
        for fact in held:
            for whole in (one for one in fact.quantities if one.family == item.family and one.value > item.value):
                yield Quantity(text="", value=item.value / whole.value, family="share", step=0.01)
    for fact in held:
        counted = [one for one in fact.quantities if one.family in _PARTS_OF and one.value > 0]
        for part in counted:
            for whole in (one for one in counted if one.family == part.family and one.value > part.value):
                yield Quantity(text="", value=part.value / whole.value, family="share", step=0.01)


def _ready_parts(held: Sequence[Held]) -> Iterator[Quantity]:
    """Of four replicas one is ready: a quarter of them is, and three quarters are not."""
    for match in (found for fact in held if (found := _REPLICAS.search(fact.item.text))):
        share = int(match["ready"]) / max(1, int(match["all"]))
        yield from (Quantity(text="", value=part, family="share", step=0.01) for part in (share, 1 - share))


def _compared(held: Sequence[Held]) -> Iterator[Quantity]:
    """A request of 900Gi where a node has 24Gi: how many times the one is the other."""
    sized = [item for fact in held for item in fact.quantities if item.family in _PARTS_OF and item.value > 0]
    yield from folds((one.value, other.value) for one in sized for other in sized if one.family == other.family)


def _pods(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """How many pods the cited facts are of, where the claim counts pods."""
    pods = {fact.item.object for fact in held if fact.item.object.startswith("Pod/")}
    for item in claim.quantities:
        if len(pods) > 1 and item.value == len(pods) and _COUNTS_PODS.match(claim.plain[item.end :]):
            yield replace(item)
