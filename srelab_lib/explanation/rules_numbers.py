"""Numbers, times and wholes of a claim must stand in its facts, or follow from them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.passages import Held, times_of
from srelab_lib.explanation.quantities import Quantity, between, folds, missing_counts, unsupported
from srelab_lib.explanation.relations import steps

_LACKING = re.compile(
    r"\b(?:missing|unavailable|not (?:yet )?(?:ready|available)|unready|lacking|short|down|left|"
    r"remaining|free|fail\w*)\b",
    re.IGNORECASE,
)
_LATER = re.compile(r"\b(?:later|after|before|earlier|within|apart|following)\b", re.IGNORECASE)


def numbers_stand_in_facts(case: Case) -> str | None:
    """Every number stands in the facts, in its unit and role."""
    wrong = unsupported(case.claim.quantities, held_quantities(case, case.held))
    return f"{wrong[0].text} does not stand so in what it cites" if wrong else None


def held_quantities(case: Case, held: Sequence[Held]) -> list[Quantity]:
    """The numbers of facts, and what follows from them where the claim asks for it: how much later, how many less."""
    found = [quantity for fact in held for quantity in fact.quantities]
    if _LATER.search(case.claim.plain):
        found += between(times_of(case.held))
    if _LACKING.search(case.claim.plain):
        found += [one for fact in held for one in missing_counts(fact.quantities)]
    pairs = [(quantities(old), quantities(new)) for fact in held for old, new in steps(fact.plain)]
    return [*found, *folds((old[0].value, new[0].value) for old, new in pairs if old and new)]


def times_stand_in_facts(case: Case) -> str | None:
    """Every time of day stands in the facts."""
    held = {time for fact in case.held for time in fact.times}
    wrong = [
        time
        for time in case.claim.times
        if time not in held and not any(known.startswith(time + ":") for known in held)
    ]
    return f"the time {wrong[0]} does not stand in what it cites" if wrong else None


_ALL = re.compile(
    r"\b(?:all|every|each|none|no(?! (?:more|longer))|any) (?:of )?(?:the |its |their |single )?(?:\w+ )?(requests?|"
    r"users?|pods?|replicas?|nodes?|clients?|callers?)\b"
)
_SHARE_OF = re.compile(
    r"(?:%|percent|share|most|part|third|half|quarter|number|fraction|not|almost|"
    r"nearly) (?:of )?(?:all|every|each)\b"
)
_WHOLE = re.compile(
    r"\b(?:all|every|each|no|none)\b|\b0/\d|\b100 ?%|\bratio\W+1\b|\bto 1(?:\.0+)? ratio|\bto 0(?![.\d])|"
    r"\b([1-9]\d*)/\1\b|replicas\W?0\b|\b0 replicas|no endpoints|replicas=(\d+) (?:.* )?(?:ready|"
    r"available|updated|unavailable) replicas=\2\b"
)


def whole_is_whole(case: Case) -> str | None:
    """It says `all` only where the facts do."""
    found = _ALL.search(_SHARE_OF.sub(" ", case.claim.spread))
    if found and not any(_WHOLE.search(fact.spread) for fact in case.held):
        return f"it says {found[0]!r}, and what it cites does not"
    return None
