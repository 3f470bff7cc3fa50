"""Errors in logs that no check took for a fault: what an all-clear has set aside, so that a reader can judge it."""

from __future__ import annotations

from srelab_lib.diagnosis.checks._logs import ERROR_LEVELS
from srelab_lib.model import Snapshot, spoken

_SHOWN = 3


def set_aside(s: Snapshot) -> str:
    """`error lines of Deployment shop/web (54), others (3)`, the most first; empty when there are none."""
    df = s["logs"]
    df = df[(df["namespace"] == s.namespace) & df["level"].isin(ERROR_LEVELS)]
    counts = sorted(df.groupby("object").size().items(), key=lambda item: (-item[1], str(item[0])))
    told = [f"{spoken(str(ref))} ({count})" for ref, count in counts[:_SHOWN]]
    told += [f"others ({sum(count for _, count in counts[_SHOWN:])})"] if len(counts) > _SHOWN else []
    return f"error lines of {', '.join(told)}" if told else ""


def users_are_measured(s: Snapshot) -> bool:
    """True when metrics tell how requests fare."""
    df = s["metrics"]
    return bool((df["signal"] == "error_ratio").any())
