"""How containers end: the last termination or failed start of each, when that began, and what was logged before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

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
from srelab_lib.diagnosis.checks._logs import ERROR_LEVELS
from srelab_lib.model import Fact, Snapshot

Found = tuple["Ending", Row | None]
"""An ending and the log line that decides what it is, where one does."""

_START_FAILURES = frozenset({"RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun"})
REMOVED = frozenset({"Evicted", "NodeShutdown", "Terminated"})
"""Status reasons of a pod that its kubelet ended: its containers did nothing wrong."""
_OUTSIDE = {137: "SIGKILL", 143: "SIGTERM", 130: "SIGINT", 129: "SIGHUP", 131: "SIGQUIT"}
"""Exit codes of signals that others send; SIGSEGV, SIGABRT and their like are the program's own doing."""
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
    if pod["reason"] in (*REMOVED, "DeadlineExceeded") or (clean and not (for_ever and row["restart_count"])):
        return False
    still_down = row["state"] != "running" and pod["phase"] != "Failed"
    return still_down or in_window(s, ending.finished_at)


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


def last_lines(s: Snapshot, ending: Ending) -> list[Row]:
    """The last lines that the container wrote before it ended, oldest first."""
    df = s["logs"]
    df = df[(df["pod"] == ending.row["pod"]) & (df["container"] == ending.row["container"])]
    if ending.row["state"] == "running":
        df = df[df["previous"].fillna(False).astype(bool)]
    return rows(df.sort_values("time", kind="stable", na_position="first").tail(_LAST_LINES))


def telling(lines: list[Row]) -> Row | None:
    """The line that says most about an end: the last that speaks of an error, and not only of the end itself."""
    said = [line for line in lines if (line["message"] or "").strip()]
    bad = [line for line in said if line["level"] in ERROR_LEVELS or words.ERROR.search(line["message"])]
    best = [line for line in bad if not words.ENDED.search(line["message"])] or bad or said
    return best[-1] if best else None


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
