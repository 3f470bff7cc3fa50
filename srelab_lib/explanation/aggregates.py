"""Numbers that facts have only together: how many of them there are, sums of their counts, and parts of a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.quantities import Quantity
from srelab_lib.explanation.relations import steps
from srelab_lib.explanation.words import clauses
from srelab_lib.model import split_ref

_COUNTS_PODS = re.compile(r"(?: [\w-]+){0,2} (?:pods?|replicas?|instances?|containers?)\b", re.IGNORECASE)
_COUNTS = re.compile(r"\bcount=|\b\d+ of \d+\b(?! bytes)|\btimes\b")
_TIMES_OR_THINGS = re.compile(
    r" times\b|(?: [\w-]+){0,3}? (?!(?:its|is|was|has|this|does|seconds|minutes|hours|times)\b)[a-z]{3,}s\b",
    re.IGNORECASE,
)
_REPLICAS = re.compile(r"(?<!\w)replicas=(?P<all>\d+)\b.*?\breadyReplicas=(?P<ready>\d+)")
_IN_ALL = re.compile(
    r"\b(?:in all|all told|in total|total\w*|altogether|together|combined|between them|taken together|sum|overall|"
    r"account for)\b",
    re.IGNORECASE,
)
_COUNT_FIELD = re.compile(r"(?<![\w.])(?P<name>[A-Za-z_]*(?:count|failed|restarts|replicas|Replicas))=(?P<count>\d+)\b")
_ASKED = re.compile(r"\brequested: (?P<key>[\w./-]+)=(?P<asked>[\w.]+), used: (?P=key)=(?P<used>[\w.]+)")
"""A quota's words: what is used, and what is asked for on top of it."""
_NODES = re.compile(r"\b\d+/(?P<all>\d+) nodes\b")
_OF_NODES = re.compile(r"(?<![\d/.])(?P<some>\d+) (?:node\(s\)|Insufficient|Too many)")
_POD_TOLD = re.compile(r"\b[Pp]od (?:[\w-]+/)?([a-z][\w-]*-[a-z0-9]{5})(?![\w-])")
_SIZED = frozenset({"bytes", "cores"})


def from_several(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """What the facts have together, where the claim asks for it."""
    yield from _counted_facts(claim, held)
    yield from _told_apart(claim, held)
    yield from _pods(claim, held)
    if _IN_ALL.search(claim.plain):
        yield from _sums(held)
    if any(item.family == "share" for item in claim.quantities):
        yield from _ready_parts(held)
        yield from _node_parts(held)
        yield from _parts_of_limits(held)


def _counted_facts(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """Three log lines of failed writes are cited: three writes failed. Facts that count themselves are not counted."""
    alike = len({fact.item.kind for fact in held}) == 1 and len(held) > 1
    if not alike or any(_COUNTS.search(fact.item.text) for fact in held):
        return
    for item in claim.quantities:
        counts = item.text.lower() == "twice" or _TIMES_OR_THINGS.match(claim.plain[item.end :])
        if item.value == len(held) and not item.family and counts:
            yield replace(item)


def _told_apart(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """`Two arose from GET requests`: two of the facts have what the claim says of these, and the others do not."""
    for item in (one for one in claim.quantities if not one.family and len(held) > one.value >= 1):
        rest = Passage(next(iter(clauses(claim.plain[item.end :])), ""), claim.hidden).stems - SMALL
        telling = {word for word in rest if 0 < sum(word in fact.own_stems for fact in held) < len(held)}
        if telling and sum(telling <= fact.own_stems for fact in held) == item.value:
            yield replace(item)


def _pods(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """How many pods the cited facts are of, where the claim counts pods."""
    pods = {split_ref(fact.item.object)[2] for fact in held if fact.item.object.startswith("Pod/")}
    pods |= {name for fact in held for name in _POD_TOLD.findall(fact.item.text)}
    for item in claim.quantities:
        if len(pods) > 1 and item.value == len(pods) and _COUNTS_PODS.match(claim.plain[item.end :]):
            yield replace(item)


def _sums(held: Sequence[Held]) -> Iterator[Quantity]:
    """`count=21` and `count=20`: 41 in all; of what changed, the old values and the new."""
    counts = [{match["name"]: int(match["count"]) for match in _COUNT_FIELD.finditer(fact.item.text)} for fact in held]
    for name in set.intersection(*(set(one) for one in counts)) if len(counts) > 1 else ():
        total = sum(one[name] for one in counts)
        yield Quantity(text=f"{total}", value=total)
    for match in (found for fact in held for found in _ASKED.finditer(fact.item.text)):
        asked, used = quantities(match["asked"]), quantities(match["used"])
        yield from (replace(one, value=one.value + other.value) for one in asked[:1] for other in used[:1])
    changed = [[quantities(end) for step in steps(fact.plain)[:1] for end in step] for fact in held]
    for ends in zip(*changed, strict=True) if len(held) > 1 and all(changed) else ():
        known = [end[0] for end in ends if end]
        if len(known) == len(held):
            united = next((one for fact in held for one in fact.quantities if one.family), known[0])
            yield replace(united, value=sum(one.value for one in known), roles=frozenset())


def _ready_parts(held: Sequence[Held]) -> Iterator[Quantity]:
    """Of four replicas one is ready: a quarter of them is, and three quarters are not."""
    for match in (found for fact in held if (found := _REPLICAS.search(fact.item.text))):
        share = int(match["ready"]) / max(1, int(match["all"]))
        yield from (Quantity(text="", value=part, family="share", step=0.01) for part in (share, 1 - share))


def _node_parts(held: Sequence[Held]) -> Iterator[Quantity]:
    """Of four nodes two have too little memory: half of them."""
    for fact in held:
        nodes = _NODES.search(fact.item.text)
        for match in _OF_NODES.finditer(fact.item.text) if nodes else ():
            yield Quantity(
                text="", value=int(match["some"]) / int(nodes["all"] if nodes else 1), family="share", step=0.01
            )


def _parts_of_limits(held: Sequence[Held]) -> Iterator[Quantity]:
    """One fact has what is used, another one the limit: a share."""
    numbers = [item for fact in held for item in fact.quantities if item.family in _SIZED and item.value > 0]
    for whole in (item for item in numbers if "limit" in item.roles):
        for part in (item for item in numbers if item.family == whole.family and item.value < whole.value):
            yield Quantity(text="", value=part.value / whole.value, family="share", step=0.01)
