"""What a pod asks for and what a node has: it fits where the one is not more than the other."""

from __future__ import annotations

import re

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.denial import is_denied
from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.quantities import Quantity, unsupported

_ALLOCATABLE = re.compile(r"\ballocatable\b[^.;]*")
_SIZES = {"cores": "cores", "milli": "cores", "": "cores", "bytes": "bytes"}
"""What sizes are of; `2500m` of a CPU is two and a half cores, and a bare number may be so many."""
_FITS = re.compile(r"\bfit(?:s|ted)?\b (?:on|onto|in|into|the|any|a)\b")


def fits_where_there_is_room(case: Case) -> str | None:
    """`Would fit on the node`, where the pod asks for more than the node has."""
    match = _FITS.search(case.claim.spread)
    if match and outgrows(case) and not is_denied(case.claim.spread, match):
        return f"it says {match[0]!r}, and what it cites has less room than that"
    return None


def outgrows(case: Case) -> bool:
    """True where it names what a pod asks for and the smaller size of a node that it does not fit on."""
    sizes = [item for fact in case.held for text in _ALLOCATABLE.findall(fact.item.text) for item in quantities(text)]
    asked = [item for fact in case.held if "request" in fact.item.text for item in fact.quantities]
    said = [item for item in case.claim.quantities if item.family in _SIZES]
    given = [item for item in said if not unsupported([item], sizes)]
    wanted = [item for item in said if item not in given and not unsupported([item], asked)]
    pairs = [(one, other) for one in wanted for other in given if _are_alike(one, other)]
    return bool(pairs) and all(one.value > other.value for one, other in pairs)


def _are_alike(one: Quantity, other: Quantity) -> bool:
    return _SIZES[one.family] == _SIZES[other.family]
