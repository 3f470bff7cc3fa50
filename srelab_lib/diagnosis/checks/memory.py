"""The kernel kills for memory: seen in status, in the runtime's message, in cAdvisor's count, in a parent's log."""

from __future__ import annotations

from collections.abc import Iterator

from srelab_lib.diagnosis.checks._crash_kinds import is_oom, oom_counted
from srelab_lib.diagnosis.checks._endings import (
    Ending,
    began,
    ending_facts,
    endings,
    grouped_endings,
)
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    ended_while_new,
    event_facts,
    events,
    first_seen,
    grouped,
    in_window,
    live_containers,
    log_fact,
    log_rows,
    metric_fact,
    one_each,
    resource,
    spec_fact,
)
from srelab_lib.diagnosis.checks._symptoms import RUNS_WELL, USER_SIGNALS
from srelab_lib.diagnosis.checks._words import OOM_AT_START
from srelab_lib.model import Finding, Snapshot, spoken

_CHILD_KILLED = r"(?:sent|by|on) (?:signal 9\b|sigkill)|out of memory: killed process|perhaps out of memory|^killed$"


def check_oom_killed(s: Snapshot) -> Iterator[Finding]:
    """Containers' last termination: reason OOMKilled, or a start that the runtime calls OOM-killed."""
    found = [ending for ending in endings(s) if is_oom(s, ending) and not _is_over(s, ending)]
    for ref, items in grouped_endings((ending, None) for ending in found).items():
        killed = [ending for ending, _ in items]
        yield Finding(
            fault="oom_killed",
            object=ref,
            summary=f"the kernel kills container {killed[0].container} of {spoken(ref)} for the memory it uses",
            cause=_cause(killed[0].row),
            facts=one_each([*ending_facts(items), *event_facts(_node_events(s, killed))]),
            since=began(s, killed),
            strength=3,
        )


def check_oom_at_start(s: Snapshot) -> Iterator[Finding]:
    """Events of pods that never started: `container init was OOM-killed (memory limit too low?)`."""
    said = events(s, "FailedCreatePodSandBox", "Failed", message=OOM_AT_START.pattern)
    down = {row["pod"]: row for row in live_containers(s) if row["state"] != "running" and _limit(row)}
    for ref, items in grouped(event for event in said if event["involved_name"] in down).items():
        row = down[items[0]["involved_name"]]
        yield Finding(
            fault="oom_killed",
            object=ref,
            summary=f"{spoken(ref)} cannot start: the kernel kills container {row['container']} before it runs",
            cause=_cause(row),
            facts=one_each([*event_facts(items), spec_fact(ref, container=row["container"], memory_limit=_limit(row))]),
            since=first_seen(items),
            strength=3,
        )


def check_oom_events(s: Snapshot) -> Iterator[Finding]:
    """CAdvisor's container_oom_events_total and the log of a parent process whose child was killed."""
    counted = oom_counted(s)
    logged = grouped(row for row in log_rows(s, _CHILD_KILLED, quiet=True) if in_window(s, row["time"]))
    limited = {row["object"]: row for row in live_containers(s) if resource(row, "limits", "memory")}
    for ref in sorted((counted.keys() | logged.keys()) & limited.keys()):
        lines, sample = logged.get(ref, []), counted.get(ref)
        value = (
            metric_fact(ref, sample["signal"], f"{sample['value']:.3g} events/s", sample["time"]) if sample else None
        )
        limit = spec_fact(ref, container=limited[ref]["container"], memory_limit=_limit(limited[ref]))
        times = [line["time"] for line in lines] + ([sample["time"]] if sample else [])
        yield Finding(
            fault="oom_killed",
            object=ref,
            summary=f"the kernel kills processes of {spoken(ref)} for the memory they use",
            cause=_cause(limited[ref]),
            facts=one_each([value, *map(log_fact, lines[:2]), limit]),
            since=min(times),
            strength=2,
        )


def _is_over(s: Snapshot, ending: Ending) -> bool:
    """It was killed while it started, ran well for long, and what users feel began after that."""
    df, started = s["onsets"], ending.row["started_at"]
    felt = df[df["signal"].isin(USER_SIGNALS) & df["time"].notna()]["time"]
    late = started is not None and not felt.empty and felt.min() - started >= RUNS_WELL
    return bool(late) and ended_while_new(s, ending.row, ending.finished_at)


def _limit(row: Row) -> str | None:
    return resource(row, "limits", "memory")


def _cause(row: Row) -> str:
    limit = _limit(row)
    if limit is None:
        return f"container {row['container']} has no memory limit and its node ran out of memory"
    return f"container {row['container']} needs more memory than its limit of {limit}"


def _node_events(s: Snapshot, items: list[Ending]) -> list[Row]:
    """OOM events of the nodes, where a container without a limit of its own was hit."""
    if any(_limit(item.row) for item in items):
        return []
    return [event for event in events(s, "OOMKilling", "SystemOOM") if in_window(s, event["last_seen"])]


CHECKS: tuple[Check, ...] = (check_oom_killed, check_oom_at_start, check_oom_events)
