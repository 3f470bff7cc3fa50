"""Tallies of facts: a number is said of the part that it counts, not of another part, and not of the whole."""

from __future__ import annotations

import re

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.denial import denial_in
from srelab_lib.explanation.derived import counted_parts, failed_of
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.passages import Passage
from srelab_lib.explanation.quantities import Quantity
from srelab_lib.explanation.words import clauses, stem

_TALLY = re.compile(r"(?<![\w.])(?P<key>[a-z]+)=(?P<count>\d+)(?![\w.])")
_KINDS = (
    re.compile(r"fail|err(?:or)?s?$|unsuccessful"),
    re.compile(r"ok$|succe|pass|good$"),
    re.compile(r"(?:time ?out|timed)"),
    re.compile(r"sent$|send"),
    re.compile(r"total$"),
    re.compile(r"skip"),
    re.compile(r"drop"),
    re.compile(r"lost$"),
    re.compile(r"refus"),
    re.compile(r"reject"),
    re.compile(r"retr"),
)
"""What programs count, each in the words that keys and claims have for it."""
_WELL = _KINDS[1]
_NEXT = re.compile(
    r"\s+(?:of (?:the |its |them |these |those )?)?(?P<words>[a-z-]+(?: [a-z-]+)?)(?! \d)", re.IGNORECASE
)
_BEHIND = re.compile(
    r"\s+(?:[a-z]+ )?(?:(?:of|from|to|by) (?:the )?[\w-]+ )?"
    r"(?:(?:was|were|are|is|came back|went|turned out) )?(?P<words>[a-z]+)",
    re.IGNORECASE,
)
"""`25 requests of audit-sim were ok`."""
_OF_WHOLE = re.compile(r"\b(?:of|in|among) (?:(?:the|its|all|those|these|[\w-]+'s?) )*$", re.IGNORECASE)
_LISTED = re.compile(r"\b(?:and|or|but|that|which|while|as|of|in|at|from|to|with|by)\b.*", re.IGNORECASE)


def tallies_are_of_their_key(case: Case) -> str | None:
    """`196 failed requests` of `ok=196 failed=164`: the number is that of another key."""
    tallies = [{one["key"]: int(one["count"]) for one in _TALLY.finditer(fact.item.text)} for fact in case.held]
    for item in (one for one in case.claim.quantities if not one.family):
        kind = _kind_behind(item, case.claim.plain)
        if kind is None:
            continue
        own = {count for tally in tallies for key, count in tally.items() if kind.match(key)}
        if kind is _WELL and not own:
            own = {whole - part for fact in case.held for part, whole in failed_of(fact)}
        others = {count for tally in tallies for key, count in tally.items() if not kind.match(key)}
        if own and item.value in others - own and not _is_whole_behind(item, case.claim.plain):
            return f"{item.text} does not stand so in what it cites"
    return None


def _kind_behind(item: Quantity, text: str) -> re.Pattern[str] | None:
    """What the words behind a number count: `196 failed requests`, `19 requests failed`."""
    match = _NEXT.match(text, item.end)
    behind = _BEHIND.match(text, item.end)
    said = _LISTED.sub("", match["words"].lower()).split() if match else []
    said += [behind["words"].lower()] if behind else []
    return next((kind for word in said for kind in _KINDS if kind.match(word)), None)


def _is_whole_behind(item: Quantity, text: str) -> bool:
    """`6 of the 19 requests failed`: a part of them is told."""
    return _OF_WHOLE.search(text[: item.start]) is not None


_OF_THEM = re.compile(r"(?<!all )\b\d+ of (?:the|its|their|those|these)\b[^.;]*", re.IGNORECASE)


def _tellings(text: str) -> list[str]:
    """The clauses; `72 of the answers that the log tells of have ...` is one all the same."""
    return [*clauses(text), *_OF_THEM.findall(text)]


_HAS_GONE_WRONG = re.compile(r"\b5xx\b|\bstatus\b|\bfail\w*|\berrors?\b|\btimed out\b|\brefused\b", re.IGNORECASE)


def part_is_no_whole(case: Case) -> str | None:
    """`72 of the answers have a 5xx status` of `5 of 72 answers ... have a 5xx status`."""
    pairs = [pair for fact in case.held for pair in counted_parts(fact)]
    parts = {part for part, _ in pairs}
    wholes = {whole for _, whole in pairs} - parts
    for clause in _tellings(case.claim.plain) if wholes else ():
        numbers = quantities(clause)
        told = any(item.family == "share" or item.value in parts for item in numbers)
        if told or denial_in(Passage(clause, case.claim.hidden).spread) or not _HAS_GONE_WRONG.search(clause):
            continue
        wrong = [item for item in numbers if not item.family and item.value in wholes]
        if wrong and not _is_whole_behind(wrong[0], clause):
            return f"{wrong[0].text} is the whole of which what it cites has a part"
    return None


_ALL_OF = re.compile(r"\ball (?:of )?(?:the |its |these |those )?(?P<number>\d+)(?![\w.:/-])", re.IGNORECASE)


def all_are_as_many(case: Case) -> str | None:
    """`All 169 answers` of `all 93 answers ... it was served 169 times before`."""
    held = {int(one["number"]) for fact in case.held for one in _ALL_OF.finditer(fact.item.text)}
    for match in _ALL_OF.finditer(case.claim.plain) if held else ():
        if int(match["number"]) not in held | {len(case.held)}:
            return f"{match[0]!r} does not stand so in what it cites"
    return None


_OF_NODES = re.compile(r"\b0/(?P<all>\d+) nodes are available: (?P<reasons>.*?)(?:\. |preemption|$)")
_REASON = re.compile(r"(?<![\d/])(?P<count>\d+) (?P<what>[^,\d]+)")
_ALL_NODES = re.compile(r"\b(?:all|every|each)(?: of)?(?: the| its)?(?: \w+)? nodes?\b", re.IGNORECASE)


def reasons_are_of_their_nodes(case: Case) -> str | None:
    """`All 3 nodes were ruled out by taints`, where two were, and one by its labels."""
    for clause in clauses(case.claim.plain):
        said = Passage(clause, case.claim.hidden).stems
        for told in (match for fact in case.held for match in _OF_NODES.finditer(fact.item.text)):
            reasons = [(int(one["count"]), _stems_of(one["what"])) for one in _REASON.finditer(told["reasons"])]
            meant = [
                count for count, words in reasons if any(said & words - other for _, other in reasons if other != words)
            ]
            if 0 < sum(meant) < int(told["all"]) and (_ALL_NODES.search(clause) or _counts_all(clause, told)):
                return f"it says so of all nodes, and what it cites of {sum(meant)}"
    return None


def _counts_all(clause: str, told: re.Match[str]) -> bool:
    """`Ruled out 3 nodes`, but not `2 of the 3 nodes`, nor `0 of 3 nodes`."""
    nodes = [item for item in quantities(clause) if "nodes" in item.roles and not _is_whole_behind(item, clause)]
    return [item.text for item in nodes] == [told["all"]]


def _stems_of(text: str) -> frozenset[str]:
    return Passage(text, frozenset()).stems - SMALL - {stem("node")}
