"""Log lines as a table, and their templates: what varies is masked, so that equal things count as one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from srelab_lib.signals.frames import frame
from srelab_lib.signals.log_levels import level_of, parse_json
from srelab_lib.signals.log_lines import ContainerLog, Record, cut, records
from srelab_lib.signals.ownership import Owners

__all__ = ["ContainerLog", "log_templates_table", "logs_table", "template_of"]

_MAX_TEMPLATE = 300
_SEVERITY = ("debug", "info", "warning", "error", "critical")

# What is masked, first match first. `keep` is what must not be: placeholders of secrets, and the status of a request.
_VARIABLE = re.compile(
    r"(?P<keep><secret:[0-9a-f]+>|(?<=HTTP/\d\.\d\" )\d{3}\b|\b(?:status|code|exit code|status_code)[=: ]+\d{1,3}\b)"
    r"|(?P<time>\b\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?"
    r"|\b\d\d/\w{3}/\d{4}(?::\d\d:\d\d:\d\d)?(?: [+-]\d{4})?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?)"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b|\[[0-9a-fA-F:]{2,39}\](?::\d{1,5})?)"
    r"|(?P<id>(?<=-)[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b)"
    r"|(?P<hex>\b0x[0-9a-fA-F]+\b|\b(?=[a-fA-F]{0,31}[0-9])[0-9a-fA-F]{8,}\b)"
    r"|(?P<query>(?<=\S)\?[\w%.~+&=;-]+)"
    r"|(?P<num>(?<![A-Za-z\d])\d+(?:\.\d+)?|(?<=^[IWEF])\d{4}(?= \d))"
)


def template_of(message: str) -> str:
    """The message with numbers, ids, addresses and times masked; linear in its length."""
    return cut(_VARIABLE.sub(_mask, message), at=_MAX_TEMPLATE)


def _mask(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "keep" else f"<{match.lastgroup}>"


_NO_LOG = "unable to retrieve container logs for "
"""What the kubelet answers, as if it were the log, where the runtime has it no more."""


def logs_table(logs: Sequence[ContainerLog], owned: Owners) -> pd.DataFrame:
    """One row for each record of each log, by time.

    A container that has ended gives the same log as current and as previous: its lines are then previous, once.
    """
    seen: set[tuple[str, str, str, str | None, str]] = set()
    rows: list[dict[str, Any]] = []
    for log in sorted(logs, key=lambda log: not log.previous):
        for row in _rows(log, owned):
            key = (log.namespace, log.pod, log.container, row["time"], row["message"])
            if log.previous or key not in seen:
                rows.append(row)
            if log.previous:
                seen.add(key)
    return frame("logs", rows).sort_values("time", kind="stable", ignore_index=True, na_position="first")


def _rows(log: ContainerLog, owned: Owners) -> Iterator[dict[str, Any]]:
    identity = {
        "namespace": log.namespace,
        "pod": log.pod,
        "object": owned.of_pod(log.namespace, log.pod),
        "container": log.container,
        "previous": log.previous,
    }
    for record in records("" if log.text.startswith(_NO_LOG) else log.text):
        level, message = _judged(record)
        said = {"time": record.time, "level": level, "message": message, "template": template_of(message)}
        yield identity | said | {"after_hole": record.after_hole}


def _judged(record: Record) -> tuple[str | None, str]:
    """Level and message of a record."""
    message = record.message
    if record.is_trace:
        return ("critical" if message.startswith(("panic: ", "fatal error: ")) else "error"), cut(message)
    level, said = parse_json(message) or (level_of(message), message)
    return level, cut(said)


def log_templates_table(logs: pd.DataFrame, onset: datetime | None) -> pd.DataFrame:
    """One row for each template of each object's containers, most frequent first.

    `is_new`: first seen at or after the onset, while the log of that container reaches back before it. Without an onset
    nothing is new and all counts are before.
    """
    moment = pd.Timestamp(onset) if onset is not None else pd.Timestamp.max.tz_localize("UTC")
    begins = logs.groupby(["object", "container"])["time"].min()
    long_enough = {key for key, first in begins.items() if first < moment}
    rows = [
        _template(key, group, moment, reaches_back=tuple(key)[:2] in long_enough)
        for key, group in logs.groupby(["object", "container", "template"], sort=True)
    ]
    rows.sort(key=lambda row: (-row["count"], row["object"], row["container"], row["template"]))
    return frame("log_templates", rows)


def _template(key: Any, group: pd.DataFrame, onset: pd.Timestamp, *, reaches_back: bool) -> dict[str, Any]:
    times = group["time"]
    after = int((times >= onset).sum())
    return {
        "object": key[0],
        "container": key[1],
        "template": key[2],
        "level": max(group["level"].dropna(), key=_SEVERITY.index, default=None),
        "count": len(group),
        "first_seen": times.min(),
        "last_seen": times.max(),
        "count_before": len(group) - after,
        "count_after": after,
        "is_new": reaches_back and bool(times.min() >= onset),
        "previous": bool(group["previous"].any()),
        "example": group["message"].iloc[-1],
    }
