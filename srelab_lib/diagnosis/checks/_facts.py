"""What every check needs: rows without nulls of pandas, and facts quoted with the API's field names.

A check reads frames through `rows`, `events` and `log_rows`, and states what it saw through `status_fact`, `spec_fact`,
`event_fact`, `log_fact` and `metric_fact`. All of them keep to the namespace under analysis.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from srelab_lib.diagnosis.checks._once import once
from srelab_lib.model import Fact, Finding, Snapshot, object_ref

Check = Callable[[Snapshot], Iterable[Finding]]
"""Reads a snapshot and names what it proves. Its docstring's first line tells the reader which field it reads."""

Row = Mapping[str, Any]
"""One row of a table: a null is None, a time is an aware datetime."""

MAX_FACTS = 8
"""Facts of one finding: pods of one controller say the same thing."""
CLOCKS = timedelta(seconds=10)
"""Clocks of the API server and of nodes differ by less."""
_START_UP = timedelta(minutes=2)

_OF_VARIABLE = re.compile(r"\.env\[([^\]]+)\]$")
_ASIDE = re.compile(r' \((?:File "[^"]*", line \d+(?:, in [^)]*)?|Background on this error at: [^)]*)\)')
_QUIET_LEVELS = frozenset({"debug", "info"})


def rows(table: pd.DataFrame) -> list[Row]:
    """The table's rows as plain Python values: a null is None, a time is an aware datetime."""
    columns = [str(name) for name in table.columns]
    values = ([_plain(value) for value in table[name]] for name in columns)
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list | str):
        return value
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        # Nanoseconds are dropped: a datetime has none, and warns about it.
        return value.to_pydatetime(warn=False)
    return value.item() if isinstance(value, np.generic) else value


@once
def _read(s: Snapshot) -> dict[str, list[Row]]:
    """Tables of the snapshot that were read as rows so far."""
    return {}


def of_namespace(s: Snapshot, table: str) -> list[Row]:
    """Rows of one table in the namespace under analysis, and of what has no namespace."""
    read = _read(s)
    if table not in read:
        df = s[table]
        read[table] = rows(df[df["namespace"].isin([s.namespace, "", None])])
    return read[table]


def grouped(items: Iterable[Row], key: str = "object") -> dict[str, list[Row]]:
    """Rows by the value of one column, sorted by it: the pods of one controller make one finding."""
    groups: dict[str, list[Row]] = {}
    for item in items:
        groups.setdefault(str(item[key]), []).append(item)
    return dict(sorted(groups.items()))


def live_pods(s: Snapshot) -> list[Row]:
    """Pods that are meant to be there: not on their way out, not finished well."""
    return [pod for pod in of_namespace(s, "pods") if pod["deleted"] is None and pod["phase"] != "Succeeded"]


def ended_while_new(s: Snapshot, row: Row, ended: datetime | None) -> bool:
    """A container ended while its pod was new, as one that waits for others to come up, and runs and is ready now."""
    created = next((pod["created"] for pod in live_pods(s) if pod["pod"] == row["pod"]), None)
    early = created is not None and ended is not None and ended - created < _START_UP
    return bool(early and row["ready"] and row["state"] == "running")


def live_containers(s: Snapshot, *kinds: str) -> list[Row]:
    """Containers of `live_pods`; of all kinds (`init`, `sidecar`, `app`) or of those named."""
    names = {pod["pod"] for pod in live_pods(s)}
    return [row for row in of_namespace(s, "containers") if row["pod"] in names and (not kinds or row["kind"] in kinds)]


@once
def events(s: Snapshot, *reasons: str, message: str = "") -> list[Row]:
    """Events of the namespace and of nodes, oldest first.

    Args:
        s: the snapshot.
        reasons: the event's `reason` is one of them; none given: any.
        message: a regular expression that is found in the message, case aside.
    """
    df = s["events"]
    df = df[(df["namespace"] == s.namespace) | (df["involved_kind"] == "Node")]
    if reasons:
        df = df[df["reason"].isin(reasons)]
    if message:
        df = df[_found(df["message"], message)]
    present = {row["pod"]: row["uid"] for row in live_pods(s)}
    return [
        row
        for row in rows(df.sort_values("last_seen", kind="stable"))
        if row["reason"] != "Unhealthy" or _is_of_the_present(row, present)
    ]


def _is_of_the_present(event: Row, uids: Mapping[str, str]) -> bool:
    """False for what a probe said of a pod whose name another one has now, as a StatefulSet gives it again."""
    of, now = event["involved_uid"], uids.get(event["involved_name"])
    return event["involved_kind"] != "Pod" or not of or not now or of == now


def log_rows(s: Snapshot, pattern: str, *, quiet: bool = False) -> list[Row]:
    """Log lines of the namespace in which the pattern is found, case aside, oldest first.

    Args:
        s: the snapshot.
        pattern: a regular expression, without capturing groups.
        quiet: also lines of level debug and info, where a match on an error's words is mostly none.
    """
    df = s["logs"]
    df = df[df["namespace"] == s.namespace]
    if not quiet:
        df = df[~df["level"].isin(_QUIET_LEVELS)]
    return rows(df[_found(df["message"], pattern)].sort_values("time", kind="stable"))


def _found(column: pd.Series[Any], pattern: str) -> pd.Series[Any]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return pd.Series([bool(compiled.search(value)) if isinstance(value, str) else False for value in column],
                     index=column.index, dtype=bool)  # fmt: skip


@once
def raw_objects(s: Snapshot, kind: str, *, namespace: str | None = None) -> dict[str, dict[str, Any]]:
    """Objects of one kind as the API gave them, by name. `namespace`: the one under analysis unless named."""
    df = s["objects"]
    df = df[(df["kind"] == kind) & df["namespace"].isin([s.namespace if namespace is None else namespace, "", None])]
    return {str(row["name"]): row["raw"] or {} for row in rows(df)}


def conditions(row_or_status: Row) -> dict[str, dict[str, Any]]:
    """`conditions` by their type."""
    return {str(item.get("type")): item for item in row_or_status.get("conditions") or []}


def api_time(value: Any) -> datetime | None:
    """A time of a raw payload (`2026-01-31T12:00:00Z`), or None where the field is absent."""
    if not isinstance(value, str) or not value:
        return None
    return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)


def earliest(*times: datetime | None) -> datetime | None:
    """The first of the times that are known."""
    return min((time for time in times if time is not None), default=None)


def in_window(s: Snapshot, time: datetime | None) -> bool:
    """True when the time is known and not before the window."""
    return time is not None and time >= s.window.start


def resource(container: Row, group: Literal["limits", "requests"], name: str) -> str | None:
    """A quantity as the spec writes it (`10Mi`), or None."""
    resources = (container.get("spec") or {}).get("resources") or {}
    value = (resources.get(group) or {}).get(name)
    return None if value is None else str(value)


def quoted(**fields: Any) -> str:
    """`last_reason=OOMKilled exit_code=137`; what is None is left out, a text with spaces stands in quotes."""
    return " ".join(f"{name}={_value(value)}" for name, value in fields.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else " ".join(str(value).split())
    return f'"{text}"' if " " in text or not text else text


def status_fact(row: Row, *, time: datetime | None = None, **fields: Any) -> Fact:
    """A fact of a pod's or container's status; `row` is of the table `pods` or `containers`."""
    pod = object_ref("Pod", str(row["namespace"]), str(row["pod"]))
    named = {"container": row["container"]} if "container" in row else {}
    return Fact(kind="status", object=pod, text=quoted(**named, **fields), time=time)


def spec_fact(ref: str, *, time: datetime | None = None, **fields: Any) -> Fact:
    """A fact of what an object asks for."""
    return Fact(kind="spec", object=ref, text=quoted(**fields), time=time)


def condition_fact(ref: str, condition: Mapping[str, Any]) -> Fact:
    """A condition of an object's status, as the API server has it."""
    named_fields = {key: condition.get(key) for key in ("status", "reason", "message")}
    text = quoted(condition=condition.get("type"), **named_fields)
    # Progressing changes its reason and message while its status stays True.
    time = condition.get("lastUpdateTime") if condition.get("type") == "Progressing" else None
    return Fact(kind="status", object=ref, text=text, time=api_time(time or condition.get("lastTransitionTime")))


def event_fact(row: Row) -> Fact:
    """An event's reason and message, word for word."""
    text = quoted(reason=row["reason"], message=row["message"], count=row["count"])
    return Fact(kind="event", object=str(row["involved"]), text=text, time=row["last_seen"])


def log_fact(row: Row) -> Fact:
    """A log line, word for word, with the container that wrote it."""
    where = quoted(container=row["container"], previous=True if row["previous"] else None)
    pod = object_ref("Pod", str(row["namespace"]), str(row["pod"]))
    return Fact(kind="log", object=pod, text=f"{row['message'].strip()} ({where})", time=row["time"])


def variable_of(change: Row) -> str:
    """The name of the environment variable that a rollout altered; empty where it altered something else."""
    found = _OF_VARIABLE.search(str(change["field"]))
    return found[1] if found else ""


def change_fact(row: Row) -> Fact:
    """A row of `changes`, in its own words."""
    return Fact(kind="change", object=row["object"], text=row["text"], time=row["time"])


def metric_fact(ref: str, signal: str, text: str, time: datetime | None = None) -> Fact:
    """A measured value with its unit: `metric_fact(ref, "memory_working_set_bytes", "peak 9.8 MiB")`."""
    return Fact(kind="metric", object=ref, text=f"{signal} {text}", time=time)


def one_each(facts: Iterable[Fact | None], limit: int = MAX_FACTS) -> tuple[Fact, ...]:
    """The first `limit` facts that differ in their text: replicas repeat each other."""
    seen: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        if fact is not None:
            seen.setdefault((fact.kind, fact.text), fact)
    return tuple(seen.values())[:limit]


def event_facts(items: Sequence[Row], limit: int = 2) -> list[Fact]:
    """The latest events as facts, one for each message."""
    latest = {str(item["message"]): item for item in items}
    return [event_fact(item) for item in list(latest.values())[-limit:]]


def first_seen(items: Iterable[Row]) -> datetime | None:
    """When the first of the events was first seen."""
    return earliest(*(item["first_seen"] or item["last_seen"] for item in items))


def clipped(text: str, length: int = 200) -> str:
    """One line of at most `length` characters, without a traceback's frame, for a sentence; facts quote in full."""
    line = _ASIDE.sub("", " ".join(text.split()))
    return line if len(line) <= length else f"{line[: length - 1]}…"
