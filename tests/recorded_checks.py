"""Snapshots from the payloads in data/checks and data/checks_b, which were recorded on a real cluster."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from srelab_lib.model import Finding, Snapshot, SourceInfo, TimeWindow
from srelab_lib.redact import redact_json
from srelab_lib.signals.changes import changes_table
from srelab_lib.signals.frames import SCHEMAS, frame
from srelab_lib.signals.log_templates import ContainerLog, log_templates_table, logs_table
from srelab_lib.signals.metrics import metrics_table
from srelab_lib.signals.onset import onsets_table
from srelab_lib.signals.tables import (
    containers_table,
    events_table,
    objects_table,
    owners,
    pods_table,
    workloads_table,
)

DATA = Path(__file__).parent / "data"


def payload(name: str) -> dict[str, Any]:
    """A recording as the servers gave it, redacted as clients redact it."""
    (path,) = DATA.glob(f"checks*/{name}.json.gz")
    data: dict[str, Any] = redact_json(json.loads(gzip.decompress(path.read_bytes())))
    return data


def recorded(
    name: str,
    alter: Callable[[dict[str, Any]], None] | None = None,
    window: TimeWindow | None = None,
    **tables: pd.DataFrame,
) -> Snapshot:
    """The recording as a snapshot; `alter` changes the payloads first, `tables` replace whole tables."""
    data = payload(name)
    if alter:
        alter(data)
    raw, owned = data["raw"], owners(data["raw"])
    logs = logs_table([ContainerLog(**log) for log in data["logs"]], owned)
    whole = TimeWindow(start=datetime.fromisoformat(data["start"]), end=datetime.fromisoformat(data["end"]))
    window = window or whole
    metrics = metrics_table(data.get("metrics") or {}, owned)
    made = {
        "pods": pods_table(raw["Pod"], owned),
        "containers": containers_table(raw["Pod"], owned),
        "workloads": workloads_table(raw, owned),
        "events": events_table(raw["Event"], owned),
        "objects": objects_table(raw),
        "changes": changes_table(raw, owned, window),
        "metrics": metrics,
        "onsets": onsets_table(metrics, window),
        "logs": logs,
        "log_templates": log_templates_table(logs, None),
    }
    return Snapshot(
        source=SourceInfo(kind="incident", name=name),
        namespace=data["namespace"],
        window=window,
        tables={table: frame(table) for table in SCHEMAS} | made | tables,
    )


def found(s: Snapshot, checks: Iterable[Callable[[Snapshot], Iterable[Finding]]]) -> list[Finding]:
    """Everything that the checks find."""
    return [finding for check in checks for finding in check(s)]


def by_fault(findings: Sequence[Finding]) -> Mapping[str, Finding]:
    """Findings by fault; the last one of each."""
    return {finding.fault: finding for finding in findings}


def cited(finding: Finding, words: Sequence[str]) -> list[str]:
    """Those of the words that the finding's facts hold."""
    return [word for word in words if any(word in fact.text for fact in finding.facts)]


def told(name: str, checks: Iterable[Callable[[Snapshot], Iterable[Finding]]]) -> str:
    """The cause that the strongest finding on a recording gives."""
    return max(found(recorded(name), checks), key=lambda finding: finding.strength).cause
