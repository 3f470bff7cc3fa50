"""Kubernetes quantities (`250m`, `64Mi`, `1e3`) as numbers, and bytes as a person writes them."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?")
_BINARY = {suffix: 1024.0**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_FACTOR = _BINARY | _DECIMAL


def quantity(value: object) -> float | None:
    """A quantity in its base unit (cores, bytes), or None when there is none or it is not a quantity.

    The grammar is apimachinery's `resource.Quantity`: `E` is 10^18, `1E3` is an exponent, `Ki` is 1024.
    """
    match = _QUANTITY.fullmatch(str(value).strip()) if value is not None else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    if exponent:
        return float(number + exponent)
    return float(number) * (_FACTOR[suffix] if suffix else 1.0)
