"""Too many requests: a flood, a limit that turns them away, retries that multiply them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pandas as pd

from srelab_lib.diagnosis.checks._calls import answered, called
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, metric_fact, one_each, rows
from srelab_lib.diagnosis.checks._logs import Hits, by_workload, hits, matching
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._services import Net, net
from srelab_lib.diagnosis.checks._symptoms import (
    access_statuses,
    answers_are_fine,
    onsets_of,
    risen_signals,
    samples,
    symptoms,
)
from srelab_lib.diagnosis.checks._ties import calls_of, ties_of
from srelab_lib.diagnosis.checks.rollout import VIOLATES
from srelab_lib.model import Fact, Finding, Snapshot, spoken
from srelab_lib.signals.quantity import quantity

FLOOD_FACTOR = 2.0
LOGGED_FACTOR = 3.0
"""What a log tells is less sure: a program may not log all of its answers."""
SPAN_SECONDS = 15
"""In which the answers of an access log are counted."""
_RIGHT_AFTER = timedelta(seconds=90)
"""A rate is taken over a span, and rises as late as that after a rollout."""
_SATURATION = ("latency_p95_seconds", "error_ratio", "in_flight_requests", "waiting_requests", "cpu_throttled_ratio")

_LIMITED = re.compile(
    r"\b429\b.{0,40}too many|too many requests(?! (?:in (?:flight|progress)|pending|outstanding|open))"
    r"|rate.?limit(?:ed|ing)?\b.{0,40}(?:exceed|reach|hit|error|apply|block|reject)"
    r"|RateLimit(?:Error|Exceeded|Exception)|limiting requests, excess|\bquota exceeded\b|ThrottlingException"
    r"|TooManyRequests|RESOURCE_EXHAUSTED|requests? throttled|SlowDown\b|local_rate_limited|OVER_LIMIT"
    rf"|toomanyrequests|{answered('429')}",
    re.IGNORECASE,
)
_LIMITER = re.compile(r"limiting requests, excess|local_rate_limited|OVER_LIMIT", re.IGNORECASE)
RETRY = re.compile(
    r"\bretry(?:ing)?\b.{0,300}\battempt[= ]#?\d"
    r"|\bretry(?:ing|ies)?\b.{0,60}(?:attempt|\bin \d|again|\d+ ?/ ?\d+|#\d|times)|attempt (?:#?\d+|number \d+)"
    r"|\battempts?=(?:[2-9]|[1-9]\d)\b|\bafter (?:\d+ )?(?:retries|attempts|tries)\b"
    r"|retries (?:left|exceeded|exhausted)|will (?:be )?retr(?:y|ied)|\bRetry\(total=",
    re.IGNORECASE,
)


def check_traffic_flood(s: Snapshot) -> Iterator[Finding]:
    """request_rate, or the access log's lines, that rose several times over while the workload became saturated."""
    for ref in sorted({str(ref) for ref in [*s["onsets"]["object"], *s["logs"]["object"]] if ref}):
        facts = _flood(s, ref)
        felt = risen_signals(s, ref, *_SATURATION) or (symptoms(s, ref) if facts else ())
        if not felt or not facts or _asking_more(s, ref, facts):
            continue
        yield Finding(
            fault="traffic_flood",
            object=ref,
            summary=f"{spoken(ref)} gets far more requests than before: {facts[0].text}",
            cause="there are more requests than it has capacity for",
            facts=one_each([*facts, *felt]),
            since=facts[0].time,
            related=_callers(s, ref),
        )


def check_asks_more_often(s: Snapshot) -> Iterator[Finding]:
    """A program that calls another one several times as often since its image changed, asked as often as before."""
    for ref in sorted({str(ref) for ref in s["onsets"]["object"] if ref}):
        facts = _flood(s, ref)
        change = _asking_more(s, ref, facts) if facts else None
        if change is None or not (symptoms(s, change["object"]) or symptoms(s, ref)):
            continue
        yield Finding(
            fault="bad_deploy",
            object=str(change["object"]),
            summary=f"{spoken(change['object'])} calls {spoken(ref)} far more often since it has another image",
            cause=f"for each of its own requests it sends more to {spoken(ref)}, whose {facts[0].text}",
            facts=one_each([change_fact(change), *facts, *symptoms(s, change["object"])]),
            since=facts[0].time,
            related=(ref,),
        )


def _asking_more(s: Snapshot, ref: str, flood: list[Fact]) -> Row | None:
    """The change of a caller's image right before a flood, where the caller is not asked more often itself."""
    df = s["changes"]
    images = df[df["field"].astype(str).str.endswith("].image") & df["old"].notna()]
    callers = {caller for caller, called in calls_of(s).items() if ref in called}
    for row in rows(images[images["object"].isin(callers)]):
        right_after = flood[0].time is not None and timedelta(0) <= flood[0].time - row["time"] <= _RIGHT_AFTER
        measured = not samples(s, row["object"], "request_rate").empty
        if right_after and measured and not onsets_of(s, row["object"], "request_rate"):
            return row
    return None


def _callers(s: Snapshot, ref: str) -> tuple[str, ...]:
    view = net(s)
    own = [service for service in view.services.values() if ref in {workload.ref for workload in service.workloads}]
    return tuple(dict.fromkeys(caller.ref for service in own for caller in view.callers(service)))


@once
def _flood(s: Snapshot, ref: str) -> list[Fact]:
    """The rise of the request rate to FLOOD_FACTOR and more, by metrics, else by the access log."""
    risen = [row for row in onsets_of(s, ref, "request_rate") if row["after"] >= FLOOD_FACTOR * max(row["before"], 0.1)]
    measured = not samples(s, ref, "request_rate").empty
    counted = None if measured else _access_flood(s, ref)
    return risen_signals(s, ref, "request_rate") if risen else [counted] if counted else []


def _access_flood(s: Snapshot, ref: str) -> Fact | None:
    """Answers of the access log, where the latest third of it has several times as many at once as the first one.

    Spans without any are left out: before its users came a program was not at its usual rate. Where good answers became
    few, the program may only log its failures more than those. Of a log with a hole only what follows it is counted.
    """
    logs = s["logs"]
    holes = logs[(logs["object"] == ref) & logs["after_hole"]]["time"].dropna()
    statuses = access_statuses(s, ref)
    statuses = statuses[statuses.index >= holes.max()] if len(holes) else statuses
    counts = statuses.sort_index().resample(f"{SPAN_SECONDS}s").count()
    busy = counts[counts > 0]
    third = len(busy) // 3
    if len(statuses) < 100 or third * SPAN_SECONDS < 60:
        return None
    before, after = busy.iloc[:third].median(), busy.iloc[-third:].median()
    good = (statuses.sort_index() < 500).resample(f"{SPAN_SECONDS}s").sum()[counts > 0]
    if after < LOGGED_FACTOR * max(before, 1.0) or good.iloc[-third:].median() < good.iloc[:third].median() / 2:
        return None
    calm = busy.iloc[:-third]
    began = calm.index[calm <= (before + after) / 2][-1] + pd.Timedelta(seconds=SPAN_SECONDS)
    text = f"went from {before / SPAN_SECONDS:.2g} to {after / SPAN_SECONDS:.2g} answers/s"
    return metric_fact(ref, "access log", text, pd.Timestamp(began).to_pydatetime(warn=False))


def check_rate_limited(s: Snapshot) -> Iterator[Finding]:
    """Log lines and answers that say 429 or name a rate limit."""
    view = net(s)
    said = by_workload(s, [line for line in matching(s, _LIMITED) if not VIOLATES.search(str(line["message"]))])
    found = [hit for hit in said if len(hit.lines) > 2 and hit.ongoing]
    targets: dict[str, list[Hits]] = {}
    for hit in found:
        target = _limiter(view, hit)
        if target != hit.object or _LIMITER.search(str(hit.lines[-1]["message"])) or evident(s, hit):
            targets.setdefault(target, []).append(hit)
    passed_on = {ref for ref in targets if ties_of(s).calls.get(ref, frozenset()) & targets.keys()}
    for ref, items in targets.items():
        if ref in passed_on or not any(evident(s, hit) for hit in items):
            continue
        callers = [hit.object for hit in items if hit.object != ref]
        whom = f"requests of {', '.join(map(spoken, callers))}" if callers else "requests"
        who = (
            spoken(ref)
            if callers or _LIMITER.search(str(items[0].lines[-1]["message"]))
            else f"a limit that {spoken(ref)} met"
        )
        yield Finding(
            fault="rate_limited",
            object=ref,
            summary=f"{who} refuses {whom} by a rate limit",
            cause="there are more requests than the rate limit lets through",
            facts=one_each([*(fact for hit in items for fact in hit.facts(2)), *_refusals(s, ref)]),
            since=min(hit.first for hit in items),
            related=tuple(dict.fromkeys(callers)),
        )


def _limiter(view: Net, hit: Hits) -> str:
    """The workload whose limit it is: that of the called Service where the lines or the only setting name one."""
    if _LIMITER.search(str(hit.lines[-1]["message"])):
        return hit.object
    workload = view.workloads.get(hit.object)
    known = {item.address for item in view.references(workload)} if workload else set()
    address = called(str(hit.lines[-1]["message"]), "refused") or (next(iter(known)) if len(known) == 1 else None)
    service = view.service(address)
    return service.workloads[0].ref if service and service.workloads else hit.object


def _refusals(s: Snapshot, ref: str) -> list[Fact]:
    statuses = access_statuses(s, ref)
    refused = int((statuses == 429).sum())
    text = f"{refused} of {len(statuses)} answers in the access log have status 429"
    return [Fact(kind="log", object=ref, text=text)] if refused else []


def check_retry_storm(s: Snapshot) -> Iterator[Finding]:
    """Retries in the log that began to multiply, with the rate of requests that rose with them."""
    view = net(s)
    for hit in hits(s, RETRY):
        workload = view.workloads.get(hit.object)
        services = [x for item in view.references(workload) if (x := view.service(item.address))] if workload else []
        targets = list(dict.fromkeys(item.ref for service in services for item in service.workloads))
        targets = targets or sorted(calls_of(s).get(hit.object, ()))
        louder = [fact for ref in [*targets, hit.object] for fact in risen_signals(s, ref, "request_rate")]
        louder += [fact for ref in targets for fact in _answered_in_vain(s, ref)] if hit.dominant else []
        raised = _raised_retries(s, hit)
        louder += raised
        if len(hit.lines) < 10 or not louder or not (hit.risen or raised) or not evident(s, hit):
            continue
        yield Finding(
            fault="retry_storm",
            object=hit.object,
            summary=f"{spoken(hit.object)} multiplies its requests: {len(hit.lines)} retries",
            cause="failed requests are sent again, which adds to the load that made them fail",
            facts=one_each([*hit.facts(), *louder, *symptoms(s, hit.object)]),
            since=hit.first,
            related=tuple(targets),
        )


def _answered_in_vain(s: Snapshot, ref: str) -> list[Fact]:
    """What its access log tells of one that is called again and again, and answers well: its callers did not wait."""
    statuses = access_statuses(s, ref)
    text = f"{int((statuses < 400).sum())} of {len(statuses)} answers in its access log are no failures"
    return [Fact(kind="log", object=ref, text=text)] if answers_are_fine(s, ref) else []


def _raised_retries(s: Snapshot, hit: Hits) -> list[Fact]:
    """Changes that let the workload try more often, made before it did."""
    df = s["changes"]
    own = rows(df[(df["object"] == hit.object) & df["field"].str.contains(r"retr(?:y|ies)|attempts", case=False)])
    raised = [row for row in own if row["time"] <= hit.first and _grew(row["old"], row["new"])]
    return [change_fact(row) for row in raised]


def _grew(old: str | None, new: str | None) -> bool:
    before, after = quantity(old), quantity(new)
    return before is not None and after is not None and after > before


CHECKS: tuple[Check, ...] = (check_traffic_flood, check_asks_more_often, check_rate_limited, check_retry_storm)
