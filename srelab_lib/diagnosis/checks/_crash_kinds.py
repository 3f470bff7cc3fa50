"""Which kind of fault a container's ending is.

The kinds exclude each other, so that one ending gives one finding. What a server states (OOMKilled, StartError, a probe
that killed) goes before exit codes, and those before the words of a log.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks import _words as words
from srelab_lib.diagnosis.checks._endings import Ending, endings, last_lines, telling
from srelab_lib.diagnosis.checks._facts import Row, events, rows, variable_of
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.model import Snapshot

_LOST = frozenset({"ContainerStatusUnknown", "Unknown"})
"""Reasons of a container whose node went away: nothing is known of its end."""
_USAGE_CODES = (2, 64)
"""What getopt's users and sysexits.h end with after a wrong argument."""
_WHAT_RUNS = re.compile(r"\.(?:env|envFrom|image|command|args|volumeMounts|securityContext)\b")
"""Fields that decide what a program does."""
_KILL_DELAY = timedelta(seconds=90)


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
    if line := _first(lines, words.BAD_ARGUMENTS) or _usage(ending, lines):
        return "crash_bad_command", line
    if ending.signal or (ending.exit_code == 0 and _first(lines, words.SIGNAL_RECEIVED)):
        return "container_killed", _first(lines, words.SIGNAL_RECEIVED)
    return "crash_missing_env" if lost_variable(s, ending) else "crash_app_exit", telling(lines)


def lost_variable(s: Snapshot, ending: Ending) -> str | None:
    """The variable that the last rollout took away from a program which ends since then, where it altered nothing else.

    Programs say that in any words: `cannot read properties of undefined`.
    """
    df = s["changes"]
    own = rows(df[(df["object"] == ending.object) & (df["kind"] == "rollout") & (df["time"] >= s.window.start)])
    last = [row for row in own if row["revision"] == own[-1]["revision"]]
    if not last or (ending.finished_at and ending.finished_at < last[0]["time"]):
        return None
    removed = [variable_of(row) for row in last if row["old"] and not row["new"] and variable_of(row)]
    altered = [row for row in last if _WHAT_RUNS.search(row["field"])]
    return removed[0] if removed and len(altered) == len(removed) else None


def _usage(ending: Ending, lines: list[Row]) -> Row | None:
    """The usage that a program prints when it does not understand its arguments."""
    return _first(lines, words.USAGE) if ending.exit_code in _USAGE_CODES else None


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


def _first(lines: list[Row], pattern: re.Pattern[str]) -> Row | None:
    return next((line for line in lines if pattern.search(line["message"] or "")), None)
