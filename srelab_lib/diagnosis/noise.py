"""Errors in logs that no check took for a fault: what an all-clear has set aside, so that a reader can judge it."""

from __future__ import annotations

from srelab_lib.model import Snapshot, spoken

_LEVELS = ("error", "critical")
_SHOWN = 3


def set_aside(s: Snapshot) -> str:
    """`54 error lines of Deployment shop/web, 3 of others`, the most first; empty when the namespace has none."""
    df = s["logs"]
    df = df[(df["namespace"] == s.namespace) & df["level"].isin(_LEVELS)]
    counts = sorted(df.groupby("object").size().items(), key=lambda item: (-item[1], str(item[0])))
    told = [f"{count} of {spoken(str(ref))}" for ref, count in counts[:_SHOWN]]
    told += [f"{sum(count for _, count in counts[_SHOWN:])} of others"] if len(counts) > _SHOWN else []
    return ", ".join(told).replace(" of ", " error lines of ", 1)


def users_are_measured(s: Snapshot) -> bool:
    """True when metrics tell how requests fare."""
    df = s["metrics"]
    return bool((df["signal"] == "error_ratio").any())
