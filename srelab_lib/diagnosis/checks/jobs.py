"""Jobs that fail, and CronJobs whose last run failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from srelab_lib.diagnosis.checks._endings import Found, ending_facts, endings, last_lines, telling
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    clipped,
    conditions,
    earliest,
    event_facts,
    events,
    grouped,
    in_window,
    of_namespace,
    one_each,
    quoted,
)
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_RECENT = timedelta(hours=1)
"""A Job that failed stays as it is for ever; what lies longer back is history."""
_SCHEDULING_EVENTS = (
    "FailedNeedsStart",
    "UnparseableSchedule",
    "InvalidSchedule",
    "TooManyMissedTimes",
)


def check_job_failed(s: Snapshot) -> Iterator[Finding]:
    """Jobs' condition Failed with its reason, and their count of failed pods while they still try."""
    for job in _jobs(s):
        if job["ref"] != job["object"]:
            continue
        found = _pods_of(s, job)
        if _failed_at(s, job):
            failed = conditions(job)["Failed"]
            reason = f"{failed.get('reason')}: {failed.get('message')}"
            yield _finding(s, "job_failed", job, [job], found, reason, strength=3)
        elif _keeps_failing(job, found):
            reason = f"its pods fail again and again (failed={(job['status'] or {}).get('failed', 0)})"
            yield _finding(s, "job_failed", job, [job], found, reason, strength=2)


def check_cronjob_failed(s: Snapshot) -> Iterator[Finding]:
    """CronJobs' latest finished Job and its condition Failed, or the latest run whose pods fail again and again."""
    for cronjob in (row for row in of_namespace(s, "workloads") if row["kind"] == "CronJob" and not row["paused"]):
        runs = sorted((job for job in _jobs(s) if job["object"] == cronjob["ref"]), key=lambda job: str(job["created"]))
        done = [job for job in runs if {"Failed", "Complete"} & conditions(job).keys()]
        if done and _failed_at(s, done[-1]):
            failed = conditions(done[-1])["Failed"]
            found = [item for job in runs for item in _pods_of(s, job)]
            reason = f"{failed.get('reason')}: {failed.get('message')}"
            failures = [job for job in done if _failed_at(s, job)]
            well = max((job["created"] for job in done if job not in failures), default=None)
            finding = _finding(s, "cronjob_failed", cronjob, failures, found, reason, strength=3)
            yield replace(finding, since=earliest(finding.since, *_told_failures(s, cronjob, well)))
        elif runs and _keeps_failing(runs[-1], found := _pods_of(s, runs[-1])):
            failed_pods = (runs[-1]["status"] or {}).get("failed", 0)
            reason = f"the pods of its latest run fail again and again (failed={failed_pods})"
            yield _finding(s, "cronjob_failed", cronjob, runs[-1:], found, reason, strength=2)


def check_cronjob_missed(s: Snapshot) -> Iterator[Finding]:
    """The CronJob controller's events on a schedule that it cannot keep: FailedNeedsStart, UnparseableSchedule."""
    said = [event for event in events(s, *_SCHEDULING_EVENTS) if in_window(s, event["last_seen"])]
    for ref, missed in grouped(said, "involved").items():
        yield Finding(
            fault="cronjob_failed",
            object=ref,
            summary=f"{spoken(ref)} does not start its runs",
            cause=clipped(missed[-1]["message"]),
            facts=one_each(event_facts(missed)),
            since=missed[0]["first_seen"],
            strength=3,
        )


def _jobs(s: Snapshot) -> list[Row]:
    return [row for row in of_namespace(s, "workloads") if row["kind"] == "Job"]


def _failed_at(s: Snapshot, job: Row) -> datetime | None:
    """When it failed for good, None when it did not or when that is history."""
    failed = conditions(job).get("Failed") or {}
    time = api_time(failed.get("lastTransitionTime")) if failed.get("status") == "True" else None
    return time if time and (in_window(s, time) or s.window.end - time <= _RECENT) else None


def _told_failures(s: Snapshot, cronjob: Row, after: datetime | None) -> list[datetime]:
    """When runs failed of which only events are left; those before the last good run are history."""
    said = events(s, "DeadlineExceeded", "BackoffLimitExceeded", "PodFailurePolicy")
    own = [event for event in said if re.fullmatch(rf"{re.escape(cronjob['name'])}-\d+", event["involved_name"] or "")]
    return [event["first_seen"] for event in own if after is None or event["first_seen"] > after]


def _pods_of(s: Snapshot, job: Row) -> list[Found]:
    """Endings of the Job's pods, each with the line that says most."""
    names = {pod["pod"] for pod in of_namespace(s, "pods") if (pod["labels"] or {}).get("job-name") == job["name"]}
    found = [ending for ending in endings(s, "app", "init") if ending.row["pod"] in names]
    return [(ending, telling(last_lines(s, ending))) for ending in found if ending.exit_code != 0]


def _keeps_failing(job: Row, found: Sequence[Found]) -> bool:
    """It has neither succeeded nor given up, and at least two runs of its program failed."""
    status: dict[str, Any] = job["status"] or {}
    over = {"Failed", "Complete", "SuccessCriteriaMet"} & conditions(job).keys()
    restarts = sum(int(ending.row["restart_count"] or 0) for ending, _ in found)
    return not over and bool(found) and not status.get("succeeded") and status.get("failed", 0) + restarts >= 2


def _finding(
    s: Snapshot, fault: str, about: Row, jobs: Sequence[Row], found: Sequence[Found], reason: str, *, strength: Any
) -> Finding:
    said = next((f'; its log says "{clipped(line["message"])}"' for _, line in found if line), "")
    ended = next((f", exit code {ending.exit_code}" for ending, _ in found if ending.exit_code), "")
    times = [_failed_at(s, job) for job in jobs] + [ending.finished_at for ending, _ in found]
    return Finding(
        fault=fault,
        object=about["ref"],
        summary=f"{spoken(about['ref'])} fails",
        cause=f"{clipped(reason)}{ended}{said}",
        facts=one_each([*map(_job_fact, jobs[-2:]), *ending_facts(found)]),
        since=earliest(*times),
        strength=strength,
    )


def _job_fact(job: Row) -> Fact:
    failed: dict[str, Any] = conditions(job).get("Failed") or {}
    text = quoted(
        condition="Failed" if failed else None,
        reason=failed.get("reason"),
        message=failed.get("message"),
        failed=(job["status"] or {}).get("failed"),
        backoffLimit=(job["spec"] or {}).get("backoffLimit"),
        activeDeadlineSeconds=(job["spec"] or {}).get("activeDeadlineSeconds"),
    )
    return Fact(kind="status", object=job["ref"], text=text, time=api_time(failed.get("lastTransitionTime")))


CHECKS: tuple[Check, ...] = (check_job_failed, check_cronjob_failed, check_cronjob_missed)
