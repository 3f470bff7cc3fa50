"""How containers end: the last termination or failed start of each, and which kind of fault it is.

The kinds exclude each other, so that one ending gives one finding. What a server states (OOMKilled, StartError, a probe
that killed) goes before exit codes, and those before the words of a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks import _words as words
from srelab_lib.diagnosis.checks._facts import (
    Row,
    earliest,
    events,
    in_window,
    live_containers,
    live_pods,
    log_fact,
    one_each,
    resource,
    rows,
    status_fact,
)
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.model import Fact, Snapshot

Found = tuple["Ending", Row | None]
"""An ending and the log line that decides what it is, where one does."""

_START_FAILURES = frozenset({"RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun"})
_LOST = frozenset({"ContainerStatusUnknown", "Unknown"})
"""Reasons of a container whose node went away: nothing is known of its end."""
REMOVED = frozenset({"Evicted", "NodeShutdown", "Terminated"})
"""Status reasons of a pod that its kubelet ended: its containers did nothing wrong."""
_OUTSIDE = {137: "SIGKILL", 143: "SIGTERM", 130: "SIGINT", 129: "SIGHUP", 131: "SIGQUIT"}
"""Exit codes of signals that others send; SIGSEGV, SIGABRT and their like are the program's own doing."""
_KILL_DELAY = timedelta(seconds=90)
_START_UP = timedelta(minutes=2)
_LAST_LINES = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """The last time that a container ended or could not be started."""

    row: Row
    reason: str
    message: str
    exit_code: int | None
    finished_at: datetime | None

    @property
    def object(self) -> str:
        return str(self.row["object"])

    @property
    def container(self) -> str:
        return str(self.row["container"])

    @property
    def signal(self) -> str | None:
        """Name of the signal from outside, or None."""
        return _OUTSIDE.get(self.exit_code or 0)

    def fact(self) -> Fact:
        """`container=app last_reason=OOMKilled exit_code=137 restart_count=4 memory_limit=10Mi`."""
        now = self.row["state"] == "terminated"
        named = {"terminated_reason" if now else "last_reason": self.reason or None}
        return status_fact(
            self.row,
            time=self.finished_at,
            **named,
            exit_code=self.exit_code,
            restart_count=self.row["restart_count"],
            waiting_reason=self.row["waiting_reason"],
            memory_limit=resource(self.row, "limits", "memory"),
            message=self.message[:400] or None,
        )


def endings(s: Snapshot, *kinds: str) -> list[Ending]:
    """Endings that are a fault and not history: of the window, or of a container that is still down."""
    pods = {pod["pod"]: pod for pod in live_pods(s)}
    found = (_last(row) for row in live_containers(s, *kinds))
    return [ending for ending in found if ending and _counts(s, ending, pods[ending.row["pod"]])]


def _last(row: Row) -> Ending | None:
    if row["state"] == "terminated":
        return Ending(
            row=row,
            reason=row["terminated_reason"] or "",
            message=row["terminated_message"] or "",
            exit_code=row["exit_code"],
            finished_at=row["finished_at"],
        )
    failed_start = row["waiting_reason"] in _START_FAILURES
    if not failed_start and row["last_exit_code"] is None:
        return None
    return Ending(
        row=row,
        reason=row["waiting_reason"] if failed_start else row["last_reason"] or "",
        message=(row["waiting_message"] if failed_start else row["last_message"]) or "",
        exit_code=row["last_exit_code"],
        finished_at=row["last_finished_at"],
    )


def _counts(s: Snapshot, ending: Ending, pod: Row) -> bool:
    """A clean exit counts only where the container is meant to run for ever."""
    row = ending.row
    for_ever = row["kind"] == "sidecar" or (
        row["kind"] == "app" and (pod["spec"] or {}).get("restartPolicy") == "Always"
    )
    clean = ending.exit_code == 0 and ending.reason != "OOMKilled"
    if pod["reason"] in REMOVED or (clean and not (for_ever and row["restart_count"])):
        return False
    still_down = row["state"] != "running" and pod["phase"] != "Failed"
    return still_down or in_window(s, ending.finished_at)


@once
def judged(s: Snapshot) -> list[tuple[Ending, str, Row | None]]:
    """Endings of app containers and sidecars with the kind of each, and the log line that decides it."""
    return [(ending, *kind_of(s, ending)) for ending in endings(s, "app", "sidecar")]


def kind_of(s: Snapshot, ending: Ending) -> tuple[str, Row | None]:
    """Fault id of an ending, with the log line that decides where one does; "" when it is no fault of the container."""
    if is_oom(s, ending):
        return "oom_killed", None
    if ending.reason in _LOST:
        return "", None
    if fault := words.of_start_message(ending.message):
        return fault, None
    if probe_kills(s, ending):
        return "probe", None
    return _kind_from_log(s, ending)


def _kind_from_log(s: Snapshot, ending: Ending) -> tuple[str, Row | None]:
    lines = last_lines(s, ending)
    if line := _first(lines, words.WRONG_ARCH):
        return "image_wrong_arch", line
    if ending.exit_code in (126, 127):
        return "crash_bad_command", _first(lines, words.NOT_RUNNABLE)
    if line := _missing_variable(ending, lines):
        return "crash_missing_env", line
    if line := _first(lines, words.BAD_ARGUMENTS):
        return "crash_bad_command", line
    if ending.signal or (ending.exit_code == 0 and _first(lines, words.SIGNAL_RECEIVED)):
        return "container_killed", _first(lines, words.SIGNAL_RECEIVED)
    return "crash_app_exit", telling(lines)


def _missing_variable(ending: Ending, lines: list[Row]) -> Row | None:
    """The line that says that a variable is missing which the container's spec gives no value to."""
    given = {item["name"] for item in ending.row["spec"].get("env") or [] if item.get("value") or item.get("valueFrom")}
    before = ""
    for line in lines:
        name = words.missing_variable(line["message"] or "", before)
        if name is not None and name not in given:
            return line
        before = line["message"] or ""
    return None


def is_oom(s: Snapshot, ending: Ending) -> bool:
    """The kernel killed it for its memory: the runtime says so, or cAdvisor counted it and the signal fits."""
    if ending.reason == "OOMKilled" or words.OOM_AT_START.search(ending.message):
        return True
    return ending.exit_code == 137 and ending.object in oom_counted(s)


@once
def oom_counted(s: Snapshot) -> dict[str, Row]:
    """The first sample above zero of the counter of OOM events, by object."""
    df = s["metrics"]
    df = df[(df["signal"] == "oom_events_per_second") & (df["value"] > 0)].sort_values("time", kind="stable")
    return {str(row["object"]): row for row in reversed(rows(df))}


def probe_kills(s: Snapshot, ending: Ending) -> list[Row]:
    """Events of the kubelet that killed this container for a failed probe."""
    killed = events(s, "Killing", message=rf"container {re.escape(ending.container)} failed (liveness|startup) probe")
    own = [event for event in killed if event["involved_name"] == ending.row["pod"]]
    by_signal = ending.exit_code == 0 or ending.signal is not None
    return [event for event in own if by_signal or _shortly_after(event["last_seen"], ending.finished_at)]


def _shortly_after(event: datetime | None, end: datetime | None) -> bool:
    return event is not None and end is not None and timedelta(seconds=-5) <= end - event <= _KILL_DELAY


def began(s: Snapshot, found: Iterable[Ending]) -> datetime | None:
    """When the endings began: the first known end, or the first back-off that followed an earlier one."""
    times: list[datetime | None] = []
    for ending in found:
        backoffs = [
            event["first_seen"]
            for event in events(s, "BackOff", "Failed", message=r"restarting failed|^error: ")
            if event["involved_name"] == ending.row["pod"]
        ]
        times += [ending.finished_at, *backoffs]
    return earliest(*times)


def recovered_from_start(s: Snapshot, ending: Ending) -> bool:
    """It ended while its pod was new and has run well since: it only waited for something else to come up."""
    created = next((pod["created"] for pod in live_pods(s) if pod["pod"] == ending.row["pod"]), None)
    early = created is not None and ending.finished_at is not None and ending.finished_at - created < _START_UP
    return bool(early and ending.row["ready"] and ending.row["state"] == "running")


def last_lines(s: Snapshot, ending: Ending) -> list[Row]:
    """The last lines that the container wrote before it ended, oldest first."""
    df = s["logs"]
    df = df[(df["pod"] == ending.row["pod"]) & (df["container"] == ending.row["container"])]
    if ending.row["state"] == "running":
        df = df[df["previous"].fillna(False).astype(bool)]
    return rows(df.sort_values("time", kind="stable", na_position="first").tail(_LAST_LINES))


def telling(lines: list[Row]) -> Row | None:
    """The line that says most about an end: the last that speaks of an error, else the last one."""
    said = [line for line in lines if (line["message"] or "").strip()]
    bad = [line for line in said if line["level"] in ("error", "critical") or words.ERROR.search(line["message"])]
    best = bad or said
    return best[-1] if best else None


def _first(lines: list[Row], pattern: re.Pattern[str]) -> Row | None:
    return next((line for line in lines if pattern.search(line["message"] or "")), None)


def grouped_endings(found: Iterable[Found]) -> dict[str, list[Found]]:
    """Endings by the object that a fix would edit."""
    groups: dict[str, list[Found]] = {}
    for ending, line in found:
        groups.setdefault(ending.object, []).append((ending, line))
    return dict(sorted(groups.items()))


def ending_facts(found: Iterable[Found]) -> tuple[Fact, ...]:
    """Status and log line of each ending, replicas once."""
    facts: list[Fact | None] = []
    for ending, line in found:
        facts += [ending.fact(), log_fact(line) if line else None]
    return one_each(facts)
