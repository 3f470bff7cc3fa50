"""Errors in logs that no check took for a fault: what an all-clear has set aside, so that a reader can judge it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from srelab_lib.diagnosis.checks._logs import ERROR_LEVELS
from srelab_lib.model import Snapshot, TimeWindow, spoken

_SHOWN = 3
_EDGE = 0.25
"""Of the window: what stands in its first and its last part was there all the while."""


def set_aside(s: Snapshot) -> str:
    """`error lines of Deployment shop/web (54, all the while), others (3)`, the most first; empty for none."""
    df = s["logs"]
    df = df[(df["namespace"] == s.namespace) & df["level"].isin(ERROR_LEVELS)]
    groups = sorted(df.groupby("object")["time"], key=lambda item: (-len(item[1]), str(item[0])))
    told = [f"{spoken(str(ref))} ({len(times)}, {_when(times, s.window)})" for ref, times in groups[:_SHOWN]]
    told += [f"others ({sum(len(times) for _, times in groups[_SHOWN:])})"] if len(groups) > _SHOWN else []
    return f"error lines of {', '.join(told)}" if told else ""


def _when(times: pd.Series[Any], window: TimeWindow) -> str:
    """Since when, and until when, where they do not go on from one end of the window to the other."""
    first, last, edge = times.min(), times.max(), (window.end - window.start) * _EDGE
    since = f"since {first:%H:%M} UTC" if first > window.start + edge else ""
    until = f"until {last:%H:%M} UTC" if last < window.end - edge else ""
    return " ".join(filter(None, (since, until))) or "all the while"


def users_are_measured(s: Snapshot) -> bool:
    """True when metrics tell how requests fare."""
    df = s["metrics"]
    return bool((df["signal"] == "error_ratio").any())
