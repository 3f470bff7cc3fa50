"""Since when a finding holds, where a controller knows it better than the sign by which a check found it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from srelab_lib.diagnosis.causality import SLACK
from srelab_lib.diagnosis.checks._facts import api_time, conditions, of_namespace
from srelab_lib.model import Finding, Snapshot


def dated(findings: Iterable[Finding], s: Snapshot) -> list[Finding]:
    """The findings, those of a workload that has long been down dated from when it went down, or never came up.

    Its pods are younger than the outage where they were made again, and so are the changes that did not help.
    """
    down = dict(_down_since(s))
    return [_from(finding, down.get(finding.object)) for finding in findings]


def _from(finding: Finding, down: datetime | None) -> Finding:
    earlier = down is not None and finding.since is not None and down < finding.since - SLACK
    return replace(finding, since=down) if earlier else finding


def _down_since(s: Snapshot) -> Iterable[tuple[str, datetime]]:
    for row in of_namespace(s, "workloads"):
        available = conditions(row).get("Available") or {}
        since = api_time(available.get("lastTransitionTime"))
        if available.get("status") == "False" and since is not None:
            yield row["ref"], since
