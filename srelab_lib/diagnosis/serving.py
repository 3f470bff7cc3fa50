"""Whether a workload that lacks pods is served all the same, as by those of the revision before."""

from __future__ import annotations

from srelab_lib.model import Snapshot


def still_served(s: Snapshot, ref: str) -> str:
    """`1 of its 2 replicas is available all the same.`; empty of what has none, or lacks none."""
    df = s["workloads"]
    for row in df[df["ref"] == ref].to_dict("records"):
        wanted, updated, available = (
            _count(row[key]) for key in ("replicas", "updated_replicas", "available_replicas")
        )
        if available and min(updated, available) < wanted:
            served = min(available, wanted)
            return f"{served} of its {wanted} replicas {'is' if served == 1 else 'are'} available all the same."
    return ""


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and value == value else 0
