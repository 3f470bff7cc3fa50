"""Numbers with their units and roles, and whether a fact says the number that a claim says.

Units are compared by value: 256Mi, 256 MiB and 268435456 bytes are one, 10Mi and 10 MB are two, 38 % is 0.38. A number
keeps the role that its words give it: a claim's four restarts are not a fact's exit code 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

EXACT = 1e-9
"""What floating point numbers lose."""
WHOLE_GAP = 0.002
"""How near to a whole a share must be that a bare 1 stands for."""
TIMES_STEP_SECONDS = 1.0
"""Servers date most things to the second."""
ABOUT_RATIO, ROUNDED_RATIO, OTHER_BASE_RATIO = 0.06, 0.025, 0.005
"""How far a claim's value may lie from the fact's: when it says "about", when it is rounded, when MB stands for MiB."""
UNDER_RATIO, UNDER_SPAN_RATIO, ABOUT_SPAN_RATIO = 0.75, 0.5, 0.1
"""How far a fact's value may lie below what a claim has it under; of spans claims speak less exactly."""
SHORT_SECONDS = 1.0
"""A span that claims name no part of: `within a second`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """A number as a text gives it.

    Attributes:
        value: in the base unit of its family: bytes, seconds, cores, 0 to 1 for shares.
        family: `bytes`, `bytes/s`, `seconds`, `cores`, `share`, `rate`, `milli` (`5m`: minutes or thousandths), or "".
        base: `binary` or `decimal` for bytes, `span` for the time between two facts, `unwritten` for seconds of which
            only the key tells (`timeout=2.0`), else "".
        step: half of it is what rounding may have taken.
        per: the span of time that it is counted for where its unit does not say: `MiB per minute`.
        roles: what its words say it counts.
        manner: `about`, `over`, `under`, `within`, `not` (any other number than this one), or "".
    """

    text: str
    value: float
    family: str = ""
    base: str = ""
    step: float = 1.0
    per: str = ""
    roles: frozenset[str] = frozenset()
    manner: str = ""
    start: int = 0
    end: int = 0


def unsupported(claimed: Iterable[Quantity], held: Sequence[Quantity]) -> list[Quantity]:
    """Those of the claimed quantities that none of the held ones equals."""
    return [item for item in claimed if not any(same(item, other) for other in held)]


DIFFERENCE = "difference"
"""The role of a number by which another one rose or fell: `raised by 4`."""
_NAMING_ROLES = frozenset({"revision", "exit"})
"""Numbers that count nothing: a claim must say of which kind its number is."""


def same(claimed: Quantity, held: Quantity) -> bool:
    """True when a fact's number says what the claim's number says."""
    if DIFFERENCE in claimed.roles - held.roles and held.base != "span" and not held.per:
        return False
    counted = held.roles - {DIFFERENCE}
    if held.family == "seconds" and "timeout" in counted:
        counted |= {"limit"}
    if claimed.roles - {DIFFERENCE} and counted and not claimed.roles & counted:
        return False
    if held.roles & _NAMING_ROLES and not claimed.roles:
        return False
    return any(_equal(one, other) for one in _readings(claimed) for other in _readings(held) if _comparable(one, other))


def between(times: Sequence[datetime]) -> list[Quantity]:
    """The spans between times, in seconds: a claim may say how much later something happened."""
    spans = {abs((one - other).total_seconds()) for one in times for other in times if one != other}
    return [Quantity(text=f"{span:g} s", value=span, family="seconds", base="span") for span in sorted(spans)]


def folds(steps: Iterable[tuple[float, float]]) -> list[Quantity]:
    """How many times old and new value of a step are each other, the larger over the smaller."""
    ratios = [max(old, new) / min(old, new) for old, new in steps if min(old, new) > 0]
    return [Quantity(text=f"{ratio:.3g}-fold", value=ratio, family="fold") for ratio in ratios]


def missing_counts(held: Sequence[Quantity]) -> list[Quantity]:
    """Differences of the counts of one fact: of 5 replicas 3 are ready, so 2 are not."""
    counts = sorted({item.value for item in held if not item.family})
    return [Quantity(text=f"{b - a:g}", value=b - a) for a in counts for b in counts if b > a]


def _readings(item: Quantity) -> list[Quantity]:
    """`5m` is five minutes or five thousandths of a core."""
    if item.family != "milli":
        return [item]
    minutes = replace(item, family="seconds", value=item.value * 60_000, step=item.step * 60_000)
    return [replace(item, family="cores"), minutes]


def _comparable(claimed: Quantity, held: Quantity) -> bool:
    if claimed.per != held.per:
        return False
    if claimed.family == held.family or (not claimed.family and claimed.value == 0):
        return True
    # A bare 0.38 may be a share, a bare 4 four cores; a bare 3 is no 3 seconds and no 3 MiB.
    if claimed.family == "" and held.family == "cores":
        return claimed.roles <= held.roles
    if claimed.family == "" and held.base == "unwritten":
        return bool(claimed.roles & held.roles)
    bare_share = {claimed.family, held.family} == {"", "share"}
    return bare_share and 0 <= (held.value if not held.family else claimed.value) <= 1


def _equal(claimed: Quantity, held: Quantity) -> bool:
    gap = abs(claimed.value - held.value)
    size = abs(held.value)
    if claimed.manner == "not":
        return gap > 0
    if gap <= EXACT * max(1.0, size):
        return True
    if claimed.manner == "over":
        return claimed.value < held.value <= 1.3 * claimed.value
    if claimed.manner == "under":
        least = UNDER_SPAN_RATIO if held.base == "span" else UNDER_RATIO
        least = 0.0 if held.base == "span" and claimed.value <= SHORT_SECONDS else least
        return least * claimed.value <= held.value + EXACT and held.value < claimed.value
    if claimed.manner == "within" and held.base == "span":
        return UNDER_SPAN_RATIO * claimed.value <= held.value < claimed.value + TIMES_STEP_SECONDS
    if (
        not claimed.family
        and held.value == int(held.value)
        and claimed.value == int(claimed.value)
        and not claimed.manner
    ):
        return False
    if held.family == "share" and not claimed.family and claimed.value == int(claimed.value) and not claimed.manner:
        return gap <= WHOLE_GAP
    if claimed.base and held.base and claimed.base != held.base:
        return gap <= OTHER_BASE_RATIO * size
    if held.base == "span":
        about = ABOUT_SPAN_RATIO * size if claimed.manner == "about" else 0.0
        return gap <= max(claimed.step / 2, about) or gap < TIMES_STEP_SECONDS
    if claimed.manner == "about" or claimed.family == "share" and "." not in claimed.text and claimed.step == 0.04:
        return gap <= max(ABOUT_RATIO * size, claimed.step / 2)
    return gap <= claimed.step / 2 * 1.001 and gap <= ROUNDED_RATIO * size
