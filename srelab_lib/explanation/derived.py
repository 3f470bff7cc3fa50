"""Numbers that follow from those of the facts: how much later, how many less, how large a part, how long in all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from srelab_lib.explanation.aggregates import from_several
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.passages import Held, Passage, times_of
from srelab_lib.explanation.quantities import DIFFERENCE, Quantity, between, folds, missing_counts, unsupported
from srelab_lib.explanation.relations import steps
from srelab_lib.explanation.units import UNIT
from srelab_lib.signals.edits import time_of

_LACKING = re.compile(
    r"\b(?:missing|unavailable|not (?:yet )?(?:ready|available)|unready|lacking|short|down|left|"
    r"remaining|free|fail\w*|not)\b",
    re.IGNORECASE,
)
_REST = re.compile(
    r"\b(?:not|n't|no|all but|success\w*|succeed\w*|others?|remaining|rest|left|fine|well|free|without|ok|through)\b",
    re.IGNORECASE,
)
"""What says that those are meant which a fact does not count."""
_LATER = re.compile(
    r"\b(?:later|after|before|earlier|within|apart|following|for|took|takes|last(?:s|ed|ing)?|until|between|from then|"
    r"ahead|older|newer|sooner|preced\w*|separat\w*|since|over|span\w*|elaps\w*|pass(?:es|ed)?|afterwards?|beforehand|previously|behind|"
    r"(?:seconds?|minutes?|hours?|s|min) (?:on|in|into|prior|past|old)|past (?:the|its|that)|"
    r"(?:with)?in (?=(?:about |some |under |less than |just )?(?:an?|one|two|three|half|[\d.]+)\b[\w. -]{0,20}?"
    r"(?:second|minute|hour)))\b",
    re.IGNORECASE,
)
_BY_HOW_MUCH = re.compile(
    r"\b(?:over|above|beyond|under|below|more|fewer|less|additional|extra|higher|lower|by|gain\w*|los[et]\w*|differ\w*|"
    r"add\w*|tak(?:es?|en|ing)|took|remov\w*|shav\w*|shed|cut\w*|grow\w*|grew|grown)\b",
    re.IGNORECASE,
)
_DIFFERENCE = frozenset({DIFFERENCE})
_ROOM = re.compile(
    r"\b(?:(?:over|above|beyond) (?:the|its|that)|headroom|remain\w*|left|spare|short of|within|below|"
    r"shy of|under|away from)\b",
    re.IGNORECASE,
)
_LIST = re.compile(r"=(?P<items>[\w.-]+(?:,[\w.-]+)+)(?![\w=])")
_NAMED_UNIT = re.compile(
    r"\b(?:[A-Z][A-Z0-9_]*_(?P<unit>SECONDS|SECS?|MS|MILLIS|MINUTES|BYTES|PERCENT|MB|MIB|GB|GIB)|"
    r"[a-z]\w*(?P<seconds>Seconds)|data\[\w+_(?P<key>ms|millis|secs?|seconds|minutes|bytes|percent|kb|mb|mib|gb|gib)\])(?!\w)"
    r"(?!=)"
)
_UNIT_FIELD = re.compile(
    r"\b(?:[\w.]*_(?P<unit>ms|millis|s|secs?|seconds|minutes|bytes|percent)|"
    r"(?P<bare>ms|millis|secs|seconds|minutes)|[a-z]\w*(?P<camel>Ms|Millis))[\"']?[=:] ?\"?(?P<number>\d+(?:\.\d+)?)\b"
)
_COUNT = re.compile(r"\b(?P<key>[a-z]\w*)=(?P<value>\d+(?:\.\d+)?)\b(?!\w)")
_FIELD = re.compile(r"\b(?P<name>periodSeconds|failureThreshold|initialDelaySeconds)=(?P<value>\d+)")
_EVERY = re.compile(r"\bevery\b", re.IGNORECASE)
_PERIOD, _THRESHOLD = "periodSeconds", "failureThreshold"
_OF = re.compile(r"\b(?P<part>\d+) (?:out )?of (?:the )?(?P<whole>\d+)\b")
_BESIDE = re.compile(
    r"\b(?P<did>\d+) [a-z]+(?:,| and|;|,? but) (?P<not>\d+) (?:were |was )?"
    r"(?:not|failed|unanswered|refused|lost|dropped)\b",
    re.IGNORECASE,
)
_STAMP = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")
_PARTS_OF = ("bytes", "cores")


_TOLD_RATIO = re.compile(r"\bratio\b[^,;=]{0,40}? (?P<number>\d+(?:\.\d+)?)(?![\w.])")
"""`Provided ratio is 4.000000`: 4 times the other."""
_AS_LONG = re.compile(r"\b(?:as (?:long|slow)|longer|slower)\b", re.IGNORECASE)


def following(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """What follows from the numbers of facts, where the claim asks for it."""
    yield from spans(claim, held)
    for fact in held:
        if (_REST if counted_parts(fact) else _LACKING).search(claim.plain):
            yield from missing_counts(fact.quantities)
    for fact in held:
        yield from _in_named_units(fact)
        yield from _counted_parts(fact, rest=_REST.search(claim.plain) is not None)
        yield from rest_of(fact) if _REST.search(claim.plain) else ()
        if not _EVERY.search(claim.plain):
            yield from _probe_spans(fact)
    yield from _former_probe_spans(held)
    if any(item.family == "share" for item in claim.quantities):
        yield from _parts(claim, held)
    if any(item.family == "fold" for item in claim.quantities):
        yield from _compared(held)
        yield from (
            Quantity(text="", value=float(one["number"]), family="fold")
            for fact in held
            for one in _TOLD_RATIO.finditer(fact.item.text)
        )
        numbers = [one for fact in held for one in (*fact.quantities, *_in_named_units(fact))]
        if _AS_LONG.search(claim.plain):
            lasted = [one.value for one in numbers if one.family == "seconds" and one.value > 0]
            yield from folds((one, other) for one in lasted for other in lasted)
        told = [item for item in claim.quantities if not unsupported([item], numbers)]
        yield from folds((one.value, other.value) for one in told for other in told if one.family == other.family)
    yield from from_several(claim, held)
    if _BY_HOW_MUCH.search(claim.plain):
        yield from _gaps(claim, held)
        yield from (one for fact in held for one in _differences(fact))
    if _ROOM.search(claim.plain):
        sized = [item for fact in held for item in fact.quantities if item.family in _PARTS_OF]
        yield from (replace(a, value=a.value - b.value) for a in sized for b in sized if a.value > b.value)
    yield from _versions(claim, held)
    yield from _listed(held)
    yield from _changed(held)


def spans(claim: Passage, held: Sequence[Held]) -> list[Quantity]:
    """How long it was from one fact to another, where the claim asks for it."""
    if not _LATER.search(claim.plain):
        return []
    told = between([*times_of(held), *_told_times(held)])
    # A line may tell of its own time, some milliseconds before it was taken down.
    return [*between(times_of(held)), *(span for span in told if span.value >= 1)]


def _told_times(held: Sequence[Held]) -> list[datetime]:
    """Times that facts tell of, such as when a certificate ended."""
    told = [time_of(found) for fact in held for found in _STAMP.findall(fact.item.text)]
    return [time for time in told if time is not None]


def _versions(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """`busybox 1.35` of the image busybox:1.35; `version 1` of any."""
    for item in claim.quantities:
        name = re.search(r"([\w./-]+) $", claim.plain[: item.start])
        image = (
            r"[\w-]"
            if name and name[1].lower() in {"version", "tag", "release"}
            else re.escape(name[1] if name else "")
        )
        tag = re.compile(rf"{image}:v?{re.escape(item.text)}(?![\w.])") if name else None
        if tag and any(tag.search(fact.plain) for fact in held):
            yield replace(item)


def _gaps(claim: Passage, held: Sequence[Held]) -> Iterator[Quantity]:
    """It asks for 64 cores where a node has 2: 62 more than that."""
    numbers = [item for fact in held for item in (*fact.quantities, *_in_named_units(fact))]
    for said in claim.quantities:
        for one in (item for item in numbers if item.value == said.value):
            for other in (item for item in numbers if item.family == one.family and item.value != one.value):
                gap = replace(one, value=abs(one.value - other.value), roles=_DIFFERENCE)
                yield from (gap, replace(gap, per=""))


def _differences(fact: Held) -> Iterator[Quantity]:
    """From 2.64 to 3.93 requests/s: 1.29 requests/s more."""
    united = [item for item in (*fact.quantities, *_in_named_units(fact)) if item.family]
    for old, new in ((quantities(old), quantities(new)) for old, new in steps(fact.plain)):
        for item in united if old and new else ():
            if new[0].family in {"", item.family} and new[0].value == item.value:
                yield replace(item, value=abs(item.value - old[0].value), step=item.step / 1000, roles=_DIFFERENCE)
        if old and new:
            gap = abs(new[0].value - old[0].value)
            yield replace(new[0], value=gap, roles=_DIFFERENCE)
            if old[0].value > 0:
                yield Quantity(text="", value=gap / old[0].value, family="share", step=0.01, roles=_DIFFERENCE)


def _listed(held: Sequence[Held]) -> Iterator[Quantity]:
    """`services=frontend,catalog`: two."""
    for match in (found for fact in held for found in _LIST.finditer(fact.item.text)):
        yield Quantity(text="", value=1 + match["items"].count(","))


def _changed(held: Sequence[Held]) -> Iterator[Quantity]:
    """Of 256Mi 10Mi are left: how many times the one is the other, what part is left, what part is gone."""
    pairs = [(quantities(old), quantities(new)) for fact in held for old, new in steps(fact.plain)]
    values = [(old[0].value, new[0].value) for old, new in pairs if old and new]
    yield from folds(values)
    for old, new in values:
        if old > new >= 0:
            yield Quantity(text="", value=new / old, family="share", step=0.01)
            yield Quantity(text="", value=1 - new / old, family="share", step=0.01, roles=_DIFFERENCE)


_COMPARED = re.compile(
    rf"(?<![\w.])\d+(?:\.\d+)? ?(?P<unit>{UNIT})(?![\w/])[^;:=]{{0,30}}?[,(] ?(?:the |its )?"
    r"(?:limit|max(?:imum)?|threshold|allowed|budget|cap|ceiling)(?: of| is|:|=)? ?(?P<bare>\d+(?:\.\d+)?)(?![\w.%])"
    r"(?! [a-z]+s\b)",
    re.IGNORECASE,
)
"""`Is 152 s old, limit 150`: what is compared has one unit."""
_CPU_STEP = re.compile(r"^cpu (?:request|limit) of .*? from (\S+) to (\S+)")
"""`From 500m to 2`: of a CPU."""
_SETTING_ROLES = frozenset({"limit", "request", "timeout", "period"})
_UNITS = {"millis": "ms", "sec": "s", "secs": "s"}


def _in_named_units(fact: Held) -> Iterator[Quantity]:
    """`DELAY_SECONDS changed from 0.05 to 8`, `(timeoutSeconds) lowered from 5 to 1`: the unit stands in the name."""
    for match in _UNIT_FIELD.finditer(fact.item.text):
        unit = match["unit"] or match["bare"] or match["camel"].lower()
        yield from quantities(f"{match['number']} {_UNITS.get(unit, unit)}")
    for match in _CPU_STEP.finditer(fact.item.text):
        yield from (one for end in match.groups() if end.isdigit() for one in quantities(f"{end} cores"))
    for match in _COMPARED.finditer(fact.item.text):
        yield from quantities(f"{match['bare']} {match['unit']}")
    named = _NAMED_UNIT.search(fact.item.text)
    written = (named["unit"] or named["seconds"] or named["key"]).lower() if named else ""
    unit = _UNITS.get(written, written)
    for item in fact.quantities if named else ():
        if not item.family and not item.roles - _SETTING_ROLES:
            found = quantities(f"{item.text} {unit}")
            yield from (replace(one, start=item.start, end=item.end) for one in found[:1])


_FAILING = re.compile(r"\b(?:error_ratio went from \S+ to|volume_used_ratio) (?P<share>0\.\d+)\b")


def rest_of(fact: Held) -> Iterator[Quantity]:
    """Of an error ratio the share of those that succeed, of a volume what is not used."""
    for match in _FAILING.finditer(fact.item.text):
        yield Quantity(text="", value=1 - float(match["share"]), family="share", step=0.01)


def _counted_parts(fact: Held, *, rest: bool) -> Iterator[Quantity]:
    """`161 of 276 answers`: a share, and that of the rest."""
    for did, did_not in beside(fact):
        yield Quantity(text="", value=did + did_not)
    for _, whole in failed_of(fact):
        yield Quantity(text="", value=whole)
    for part, whole in counted_parts(fact):
        yield Quantity(text="", value=part / whole, family="share", step=0.01)
        if rest:
            yield Quantity(text="", value=whole - part)
            yield Quantity(text="", value=1 - part / whole, family="share", step=0.01)


def counted_parts(fact: Held) -> list[tuple[int, int]]:
    """`161 of 276 answers`: each part and its whole."""
    pairs = [(int(match["part"]), int(match["whole"])) for match in _OF.finditer(fact.item.text)]
    pairs += [pair for bad, whole in failed_of(fact) for pair in ((bad, whole), (whole - bad, whole))]
    for good, bad in beside(fact):
        pairs += [(good, good + bad), (bad, good + bad)]
    return [(part, whole) for part, whole in pairs if 0 < part <= whole]


_FAILED_OF = re.compile(
    r"(?<![\w.])(?:(?P<whole>sent|total|requests|calls|attempts|n)=(?P<all>\d+)|(?:ok|succeeded|"
    r"answered)=(?P<good>\d+)),? "
    r"(?:[a-z]+=\d+,? ){0,2}?(?:failed|errors?|failures|lost)=(?P<bad>\d+)(?![\w.])"
)


def failed_of(fact: Held) -> list[tuple[int, int]]:
    """`sent=30 failed=21`, `ok=196 failed=164`: how many failed, and of how many."""
    found = [(int(match["bad"]), match) for match in _FAILED_OF.finditer(fact.item.text)]
    return [(bad, int(match["all"]) if match["whole"] else int(match["good"]) + bad) for bad, match in found]


def beside(fact: Held) -> list[tuple[int, int]]:
    """`14 answered, 11 not`: how many did, and how many did not."""
    return [(int(match["did"]), int(match["not"])) for match in _BESIDE.finditer(fact.item.text)]


def _probe_spans(fact: Held) -> Iterator[Quantity]:
    """How long a probe is given: its period as often as it may fail, after the first delay."""
    fields = {match["name"]: float(match["value"]) for match in _FIELD.finditer(fact.item.text)}
    if {_PERIOD, _THRESHOLD} <= fields.keys():
        span = fields[_PERIOD] * fields[_THRESHOLD]
        for seconds in (span, span + fields.get("initialDelaySeconds", 0.0)):
            yield Quantity(text=f"{seconds:g} s", value=seconds, family="seconds")


def _former_probe_spans(held: Sequence[Held]) -> Iterator[Quantity]:
    """How long a probe was given before its threshold was changed, where another fact has its period."""
    periods = {
        float(one["value"]) for fact in held for one in _FIELD.finditer(fact.item.text) if one["name"] == _PERIOD
    }
    olds = [old for fact in held if _THRESHOLD in fact.item.text for old, _ in steps(fact.plain)]
    for number in (found[0].value for old in olds if (found := quantities(old))):
        for period in periods:  # `15 seconds instead of 100`: the unit may be named once
            yield from (Quantity(text="", value=number * period, family=family) for family in ("seconds", ""))


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


def _compared(held: Sequence[Held]) -> Iterator[Quantity]:
    """A request of 900Gi where a node has 24Gi, `used: pods=4 limited: pods=2`: how many times the one is the other."""
    sized = [item for fact in held for item in fact.quantities if item.family in _PARTS_OF and item.value > 0]
    yield from folds((one.value, other.value) for one in sized for other in sized if one.family == other.family)
    for fact in held:
        counts = [(match["key"], float(match["value"])) for match in _COUNT.finditer(fact.item.text)]
        yield from folds((one, other) for key, one in counts for same_key, other in counts if key == same_key)
