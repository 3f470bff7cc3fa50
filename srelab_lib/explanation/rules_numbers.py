"""Numbers, times and wholes of a claim must stand in its facts, or follow from them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.dates import days_in, is_of
from srelab_lib.explanation.derived import beside, counted_parts, following
from srelab_lib.explanation.passages import Held, times_of
from srelab_lib.explanation.quantities import Quantity, unsupported


def numbers_stand_in_facts(case: Case) -> str | None:
    """Every number stands in the facts, in its unit and role."""
    wrong = beyond(case.claim.quantities, held_quantities(case, case.held), case)
    return f"{wrong[0].text} does not stand so in what it cites" if wrong else None


def beyond(claimed: Sequence[Quantity], held: Sequence[Quantity], case: Case) -> list[Quantity]:
    """Those that none of the held ones equals, and that are no part of a name or path of the facts."""
    return [item for item in unsupported(claimed, held) if not (_names(item, case) or _is_part_of_path(item, case))]


_NAME_DIGITS = 3
"""So many digits of a number that counts nothing may be part of a name: `/spool/111`, `nightly-29928584`."""


def _names(item: Quantity, case: Case) -> bool:
    """True for a bare number that is part of a name in the facts."""
    bare = not (item.family or item.roles or item.manner) and re.fullmatch(rf"\d{{{_NAME_DIGITS},}}", item.text)
    part = re.compile(rf"(?<=[/_-]){item.text}(?![\w.])")
    return bool(bare) and any(part.search(fact.plain) for fact in case.held)


def _is_part_of_path(item: Quantity, case: Case) -> bool:
    """`Customer 1`, where a fact has `/customers/1`; `the balance of account 39`: `/accounts/39/balance`."""
    before = re.search(r"(?P<noun>[a-z]{3,}) $", case.claim.plain[: item.start], re.IGNORECASE)
    if before is None or item.family or not item.text.isdigit():
        return False
    noun = before["noun"].lower().removesuffix("s")
    path = re.compile(rf"/{re.escape(noun)}\w{{0,2}}/{item.text}(?![\w.])", re.IGNORECASE)
    return any(path.search(fact.plain) for fact in case.held)


def held_quantities(case: Case, held: Sequence[Held]) -> list[Quantity]:
    """The numbers of facts, and what follows from them where the claim asks for it: how much later, how many less."""
    return [*(quantity for fact in held for quantity in fact.quantities), *following(case.claim, held)]


_BETWEEN = re.compile(r"\bbetween (\d\d:\d\d(?::\d\d)?) and (\d\d:\d\d(?::\d\d)?)")


def _enclose(pair: tuple[str, str], case: Case) -> bool:
    """True for two times between which everything lies that is cited."""
    clocks = [f"{time:%H:%M:%S}" for time in times_of(case.held)]
    return bool(clocks) and pair[0] <= min(clocks) and max(clocks) <= pair[1] + ":59"


_NEARLY = re.compile(
    r"\b(?:(?:shortly|just|right|soon|moments) (?:before|after)|about|around|roughly|towards?) "
    r"(?P<time>\d\d:\d\d)(?!:?\d)",
    re.IGNORECASE,
)
_NEXT_TO = re.compile(
    r"\b(?:(?:shortly|just|right|moments) (?P<side>before|after)|about|around|roughly) (?P<time>\d\d:\d\d:\d\d)",
    re.IGNORECASE,
)
NEAR_MINUTES = 1
NEAR_SECONDS = 2


def _is_near(time: str, held: set[str]) -> bool:
    """True for a time that is only said about, within a minute of one that the facts have."""
    minutes = 60 * int(time[:2]) + int(time[3:])
    known = [60 * int(one[:2]) + int(one[3:5]) for one in held]
    return any(abs(minutes - one) <= NEAR_MINUTES for one in known)


def _is_next_to(match: re.Match[str], held: set[str]) -> bool:
    """True for `just before 21:55:21` where the facts have 21:55:20."""
    gaps = [_seconds(one) - _seconds(match["time"]) for one in held if len(one) == len(match["time"])]
    sides = {"before": (-NEAR_SECONDS, 0), "after": (0, NEAR_SECONDS)}
    low, high = sides.get((match["side"] or "").lower(), (-NEAR_SECONDS, NEAR_SECONDS))
    return any(low <= gap <= high for gap in gaps)


def _seconds(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return 3600 * hours + 60 * minutes + seconds


def times_stand_in_facts(case: Case) -> str | None:
    """Every time of day stands in the facts."""
    held = {time for fact in case.held for time in fact.times}
    around = {time for pair in _BETWEEN.findall(case.claim.plain) if _enclose(pair, case) for time in pair}
    near = {match["time"] for match in _NEARLY.finditer(case.claim.plain) if _is_near(match["time"], held)}
    near |= {match["time"] for match in _NEXT_TO.finditer(case.claim.plain) if _is_next_to(match, held)}
    wrong = [
        time
        for time in case.claim.times
        if time not in held | around | near and not any(known.startswith(time + ":") for known in held)
    ]
    return f"the time {wrong[0]} does not stand in what it cites" if wrong else None


def days_stand_in_facts(case: Case) -> str | None:
    """Every day of the calendar is one of the facts'."""
    wrong = [day for day in days_in(case.text) if not is_of(day, case.held)]
    return f"the {wrong[0].day}. {wrong[0].month}. is not the day of what it cites" if wrong else None


_ALL = re.compile(
    r"\b(?:all|every(?! (?:second|other|third|fourth)\b)|each|none|no(?! (?:more|longer))|"
    r"any) (?:of )?(?:the |its |their |"
    r"single )?(?:[\w·]+ ){0,2}?((?<!cpu )(?<!memory )(?<!resource )requests?|"
    r"users?|pods?|replicas?|nodes?|clients?|callers?|answers?|responses?)\b"
)
_SHARE_OF = re.compile(
    r"(?:%|percent|share|most|part|third|half|quarter|number|fraction|not|almost|"
    r"nearly) (?:of )?(?:all|every|each)\b"
)
_WHOLE = re.compile(
    r"\b(?:all|every|each|no|none)\b|\b0/\d|\b100 ?%|\bratio\W+1\b|\bto 1(?:\.0+)? ratio|\bto 0(?![.\d])|"
    r"\b([1-9]\d*)(?:/| of )\1\b|replicas\W?0\b|\b0 replicas|no endpoints|replicas=(\d+) (?:.* )?(?:ready|"
    r"available|updated|unavailable) replicas=\2\b"
)
_ALL_OF = re.compile(r"\b([1-9]\d*) of \1\b")
_NONE = re.compile(
    r"(?<!restart count)(?<!exit code)\W0\b(?![.\d/])|\b(?:no|none|not found|forbidden|error creating)\b|"
    r"\btime ?out\b|\btimed out\b|\bdeadline\b"
)
_SOME = re.compile(r"\b(?:ready|available) replicas=[1-9]")
_PART = re.compile(r"(?<!updated )(?<!ready )(?<!available )replicas=(\d+)\b.*?\b(?:ready|available) replicas=(?!\1\b)")


def whole_is_whole(case: Case) -> str | None:
    """It says `all` only where the facts do."""
    found = _ALL.search(_SHARE_OF.sub(" ", case.claim.spread))
    counted_all = {number for fact in case.held for number in _ALL_OF.findall(fact.item.text)}
    if found and found[0].startswith("none") and counted_all & set(re.findall(r"\d+", found[0])):
        return f"it says {found[0]!r}, and what it cites has all of them"
    if found and found[0].startswith(("no", "any")) and any(_NONE.search(fact.item_spread) for fact in case.held):
        return None
    if found and re.search(r"(?<!not )(?<!un)\b(?:ready|available|up)\b", case.claim.spread[found.end() :]):
        counted = _SOME if found[0].startswith("no") else _PART
        part = any(counted.search(fact.item_spread) for fact in case.held)
        return f"it says {found[0]!r}, and what it cites has a part" if part else None
    if found and (_counts_them(found, case) or any(_has_all_or_none(fact) for fact in case.held)):
        return None
    if found and not any(_WHOLE.search(fact.spread) for fact in case.held):
        return f"it says {found[0]!r}, and what it cites does not"
    return None


def _has_all_or_none(fact: Held) -> bool:
    """`sent=30 failed=30`, `14 answered, 0 not`."""
    return any(0 in pair for pair in beside(fact)) or any(part == whole for part, whole in counted_parts(fact))


def _counts_them(found: re.Match[str], case: Case) -> bool:
    """`All three requests`: one for each fact."""
    return any(item.text in found[0] and item.value == len(case.held) > 1 for item in case.claim.quantities)
