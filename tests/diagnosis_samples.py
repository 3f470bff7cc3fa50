"""Diagnoses built from the nouns, for tests of what shows them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from telemetry_samples import CHANGED, KILLED, MIB, WEB, at, oom_logs, oom_metrics, samples, snapshot

from srelab_lib.model import (
    Action,
    Analysis,
    Candidate,
    Change,
    Claim,
    Diagnosis,
    Evidence,
    EvidenceSet,
    Fact,
    Finding,
    Missing,
    Onset,
    RunInfo,
    Timeline,
    TimelineMark,
    Verdict,
)

RUN = RunInfo(
    settings={"source": "incident", "minutes": 0}, versions={"srelab": "0.1.0", "python": "3.11.9"}, seconds=8.25
)

CHANGE = Change(
    time=CHANGED,
    object=WEB,
    field="containers.app.resources.limits.memory",
    old="256Mi",
    new="10Mi",
    text="the memory limit of container app went from 256Mi to 10Mi",
    revision="4",
    commit="3f2a9c1d0b7e",
    diff=(
        "--- a/k8s/manifests/broken-app/deployment.yaml\n+++ b/k8s/manifests/broken-app/deployment.yaml\n"
        "@@ -31,7 +31,7 @@\n           resources:\n             limits:\n-              memory: 256Mi\n"
        "+              memory: 10Mi\n"
    ),
)


def oom_marks() -> tuple[TimelineMark, ...]:
    """One change, kills, back-off, a failing probe and a new log line."""
    marks = [TimelineMark(time=CHANGED, kind="change", object=WEB, text=CHANGE.text)]
    marks += [
        TimelineMark(
            time=at(9 + 60 * i),
            kind="restart",
            object=WEB,
            text="broken-app-5f6d8-abcde/app ended: OOMKilled (exit 137)",
        )
        for i in range(4)
    ]
    marks += [
        TimelineMark(
            time=at(20 + 25 * i),
            kind="event",
            object=WEB,
            text="BackOff: Back-off restarting failed container app",
        )
        for i in range(9)
    ]
    marks += [
        TimelineMark(
            time=at(30 + 100 * i),
            kind="event",
            object=WEB,
            text="Unhealthy: Readiness probe failed: connection refused",
        )
        for i in range(3)
    ]
    marks.append(
        TimelineMark(
            time=at(10), kind="log", object=WEB, text="Worker (pid:<n>) was sent SIGKILL! Perhaps out of memory?"
        )
    )
    return tuple(sorted(marks, key=lambda mark: (mark.time, mark.kind, mark.text)))


EVIDENCE = EvidenceSet(
    items=(
        Evidence(id="E1", kind="change", object=WEB, text=f"{CHANGE.text} (commit 3f2a9c1)", time=CHANGED),
        Evidence(
            id="E2",
            kind="status",
            object=WEB,
            text="container app: lastState.terminated.reason=OOMKilled exitCode=137 restartCount=4",
            time=at(189),
        ),
        Evidence(id="E3", kind="spec", object=WEB, text="resources.limits.memory=10Mi"),
        Evidence(
            id="E4",
            kind="event",
            object=WEB,
            text="BackOff: Back-off restarting failed container app in pod broken-app",
            time=at(220),
        ),
        Evidence(
            id="E5",
            kind="log",
            object=WEB,
            text="[12:03:21] [ERROR] Worker (pid:12) was sent SIGKILL! Perhaps out of memory?",
            time=at(10),
        ),
        Evidence(id="E6", kind="metric", object=WEB, text="error_ratio went from 0 to 0.381 ratio", time=at(10)),
    ),
    dropped=("event of Pod/default/broken-app-5f6d8-abcde at 12:08:01Z: Pulled: Container image already present",),
    tokens=412,
)

OOM_SUMMARY = (
    "Deployment default/broken-app cannot stay up: "
    "the kernel has killed its container 4 times for using more memory than its limit"
)
PROBE_SUMMARY = "Deployment default/broken-app is not ready: its readiness probe is refused"

FINDINGS = (
    Finding(
        fault="oom_killed",
        object=WEB,
        summary=OOM_SUMMARY,
        cause="its memory limit is 10Mi",
        facts=(Fact(kind="status", object=WEB, text=EVIDENCE["E2"].text, time=at(189)),),
        since=KILLED,
        strength=3,
    ),
    Finding(
        fault="readiness_probe_misconfigured",
        object=WEB,
        summary=PROBE_SUMMARY,
        cause="the connection is refused while the container restarts",
        facts=(Fact(kind="event", object=WEB, text="Unhealthy: connection refused", time=at(30)),),
        since=at(30),
        strength=2,
    ),
)

OOM_VERDICT = Verdict(
    outcome="fault",
    fault="oom_killed",
    object=WEB,
    summary=(
        f"{OOM_SUMMARY}. Cause: its memory limit is 10Mi; {CHANGE.text} (commit 3f2a9c1, 12:03:11 UTC), "
        "since 12:03:20 UTC. "
        "38% of requests to Deployment/default/broken-app fail since then, 0% before."
    ),
    cause="its memory limit is 10Mi",
    change=f"{CHANGE.text} (commit 3f2a9c1d0b7e)",
    since=KILLED,
    confidence="high",
    confidence_reason="a server states it; 4 independent kinds of evidence",
)

CANDIDATES = (
    Candidate(
        fault="oom_killed",
        object=WEB,
        summary=OOM_SUMMARY,
        cause="its memory limit is 10Mi",
        evidence=("E1", "E2", "E3", "E4", "E5"),
        change=CHANGE,
        since=KILLED,
        why=f"nothing found explains it; a server states it; it began after a change: {CHANGE.text}",
        effects=(PROBE_SUMMARY,),
    ),
    Candidate(
        fault="readiness_probe_misconfigured",
        object=WEB,
        summary=PROBE_SUMMARY,
        cause="the connection is refused while the container restarts",
        evidence=("E4",),
        since=at(30),
        why=f"it follows from oom_killed of {WEB}",
    ),
)

ONSETS = (
    Onset(signal="error_ratio", object=WEB, time=at(10), before=0.0, after=0.381, score=44.0, unit="ratio"),
    Onset(signal="request_rate", object=WEB, time=at(10), before=12.0, after=7.5, score=-18.0, unit="requests/s"),
    Onset(
        signal="memory_limit_bytes", object=WEB, time=at(9), before=256 * MIB, after=10 * MIB, score=-99.0, unit="bytes"
    ),
    Onset(
        signal="memory_working_set_bytes",
        object=WEB,
        time=at(9),
        before=61 * MIB,
        after=9.4 * MIB,
        score=-20.0,
        unit="bytes",
    ),
)

ACTIONS = (
    Action(
        kind="fix",
        purpose="Set the limit back to what it was",
        command="kubectl -n default set resources deployment/broken-app -c app --limits=memory=256Mi",
    ),
    Action(
        kind="fix",
        purpose="Revert the commit; Argo CD rolls it out",
        command="git revert --no-edit 3f2a9c1d0b7e && git push",
    ),
    Action(
        kind="verify",
        purpose="Watch it become ready",
        command="kubectl -n default rollout status deployment/broken-app --timeout=120s",
    ),
    Action(
        kind="inspect",
        purpose="Read what the cluster says of it",
        command="kubectl -n default describe deployment/broken-app",
    ),
)
CHECKED = (
    "image not found: `containers.waiting_reason` ErrImagePull or ImagePullBackOff.",
    "service selector mismatch: `objects.raw` of Services: a selector that no pod's labels satisfy.",
    "pvc pending: `objects.raw` of PersistentVolumeClaims: phase Pending.",
)


def oom(kind: Literal["live", "incident"] = "incident") -> Diagnosis:
    """A lowered memory limit: change, kills, restarts, failed requests."""
    rows = {
        "metrics": oom_metrics(),
        "logs": oom_logs(),
        "containers": [{"object": WEB, "container": "app", "restart_count": 4, "memory_limit_bytes": 10 * MIB}],
    }
    absent = Missing(
        source="argo applications", reason="HTTP 404: not installed", matters="which commit a change came from"
    )
    return Diagnosis(
        snapshot=snapshot(rows, kind=kind, missing=(absent,)),
        verdict=OOM_VERDICT,
        candidates=CANDIDATES,
        findings=FINDINGS,
        evidence=EVIDENCE,
        onsets=ONSETS,
        timeline=Timeline(marks=oom_marks(), onset=KILLED),
        actions=ACTIONS,
        checked=CHECKED,
    )


def no_fault(rows: Mapping[str, Iterable[Mapping[str, Any]]] | None = None) -> Diagnosis:
    """A healthy app under load."""
    healthy = {
        "metrics": [
            *samples("request_rate", lambda t: 12 + math.sin(t / 40)),
            *samples("error_ratio", lambda t: 0.0),
            *samples("latency_p95_seconds", lambda t: 0.045 + 0.004 * math.sin(t / 25)),
            *samples("memory_working_set_bytes", lambda t: (61 + math.sin(t / 90)) * MIB),
            *samples("memory_limit_bytes", lambda t: 256 * MIB),
        ]
    }
    return Diagnosis(
        snapshot=snapshot(healthy if rows is None else rows),
        verdict=outcome("no_fault", "No check found a fault.", "high", "every source answered"),
        candidates=(),
        findings=(),
        evidence=EvidenceSet(items=()),
        onsets=(),
        timeline=Timeline(marks=()),
        actions=(),
        checked=CHECKED,
    )


def inconclusive() -> Diagnosis:
    """Users suffer, and the source that would decide is missing."""
    absent = Missing(source="pods", reason="HTTP 403: pods is forbidden", matters="what containers do", deciding=True)
    rows = {"metrics": samples("error_ratio", lambda t: 0.0 if t < 10 else 0.4)}
    words = f"40% of requests to {WEB} fail since then, 0% before. The cause cannot be told: pods could not be read."
    return replace(
        no_fault(),
        snapshot=snapshot(rows, missing=(absent,)),
        verdict=outcome("inconclusive", words, "low", "pods: HTTP 403: pods is forbidden"),
        onsets=ONSETS[:1],
        timeline=Timeline(marks=(), onset=at(10)),
    )


def outcome(
    name: Literal["fault", "no_fault", "inconclusive"],
    summary: str,
    confidence: Literal["high", "medium", "low"],
    reason: str,
) -> Verdict:
    """A verdict without a fault."""
    return Verdict(
        outcome=name,
        fault=None,
        object=None,
        summary=summary,
        cause="",
        change=None,
        since=None,
        confidence=confidence,
        confidence_reason=reason,
    )


ANALYSIS = Analysis(
    model="phi3",
    choice="C1",
    agrees=True,
    claims=(
        Claim(text="The memory limit of container app went from 256Mi to 10Mi.", evidence=("E1",), status="kept"),
        Claim(text="The container was OOMKilled 4 times.", evidence=("E2",), status="kept"),
        Claim(
            text="The node sre-lab-worker ran out of disk at 90 %.",
            evidence=("E4",),
            status="struck",
            reason="E4 names no node sre-lab-worker and holds no 90 %",
        ),
    ),
    digest="sha256:633fc5be925f",
    prompt_tokens=1480,
    output_tokens=162,
    seconds=41.5,
)
NO_MODEL = Analysis(
    model="phi3", unavailable="No model answered at http://localhost:11434: connection refused. Run: ollama pull phi3"
)


def many_series(count: int, *, name: str = "service-{}") -> Diagnosis:
    """Many objects with all signals."""
    rows: list[dict[str, Any]] = []
    for i in range(count):
        ref = f"Deployment/default/{name.format(i)}"
        rows += samples("request_rate", lambda t, i=i: 5.0 + i, ref=ref, step=60)
        rows += samples("error_ratio", lambda t, i=i: 0.001 * i, ref=ref, step=60)
        rows += samples("memory_working_set_bytes", lambda t, i=i: (40 + i) * MIB, ref=ref, step=60)
    return no_fault({"metrics": rows})


def with_marks(diagnosis: Diagnosis, marks: Iterable[TimelineMark]) -> Diagnosis:
    """The same with other marks."""
    return replace(diagnosis, timeline=Timeline(marks=tuple(marks), onset=diagnosis.timeline.onset))
