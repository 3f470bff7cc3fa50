"""Diagnoses built from the nouns, for tests of what shows them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

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
    Snapshot,
    SourceInfo,
    Timeline,
    TimelineMark,
    TimeWindow,
    Verdict,
)
from srelab_lib.signals.frames import SCHEMAS, frame

END = datetime(2026, 1, 31, 12, 10, tzinfo=UTC)
WINDOW = TimeWindow.last(minutes=15, now=END)
CHANGED = datetime(2026, 1, 31, 12, 3, 11, tzinfo=UTC)
KILLED = datetime(2026, 1, 31, 12, 3, 20, tzinfo=UTC)
WEB = "Deployment/default/broken-app"
MIB = 2.0**20
RUN = RunInfo(
    settings={"source": "incident", "minutes": 0}, versions={"srelab": "0.1.0", "python": "3.11.9"}, seconds=8.25
)


def at(seconds: float) -> datetime:
    """That many seconds after the change."""
    return CHANGED + timedelta(seconds=seconds)


def snapshot(
    rows: Mapping[str, Iterable[Mapping[str, Any]]] = {},
    *,
    kind: Literal["live", "incident"] = "incident",
    missing: tuple[Missing, ...] = (),
) -> Snapshot:
    """A snapshot of the fixed window with the given rows, all other tables empty."""
    name = "oom-memory-limit" if kind == "incident" else "kind-sre-lab"
    return Snapshot(
        source=SourceInfo(kind=kind, name=name, versions={"kubernetes": "v1.34.3", "prometheus": "3.5.0"}),
        namespace="default",
        window=WINDOW,
        tables={table: frame(table, rows.get(table, ())) for table in SCHEMAS},
        missing=missing,
        seconds=4.2,
    )


def samples(
    signal: str, function: Any, *, ref: str = WEB, pod: str | None = None, step: int = 10
) -> list[dict[str, Any]]:
    """A series over the window; where the function gives None there is a gap."""
    rows = []
    for offset in range(0, int(WINDOW.seconds) + 1, step):
        time = WINDOW.start + timedelta(seconds=offset)
        value = function((time - CHANGED).total_seconds())
        if value is not None:
            rows.append({"signal": signal, "object": ref, "pod": pod, "series": "", "time": time, "value": value})
    return rows


def oom_metrics() -> list[dict[str, Any]]:
    """What a lowered memory limit does to an app under load."""
    noise = random.Random(7)  # noqa: S311

    def wobble(value: float, share: float) -> float:
        return value * (1 + noise.uniform(-share, share))

    def memory(t: float) -> float | None:
        if t < 5:
            return wobble(61 * MIB, 0.02)
        return None if t % 60 > 40 else wobble(9.4 * MIB, 0.06)

    return [
        *samples("request_rate", lambda t: wobble(12.0, 0.06) if t < 10 else wobble(7.5, 0.15)),
        *samples("error_ratio", lambda t: 0.0 if t < 10 else wobble(0.38, 0.1)),
        *samples(
            "latency_p95_seconds", lambda t: wobble(0.045, 0.1) if t < 10 else None if t % 90 > 60 else wobble(0.4, 0.3)
        ),
        *samples("memory_working_set_bytes", memory, pod="broken-app-5f6d8-abcde"),
        *samples("memory_limit_bytes", lambda t: (256 if t < 5 else 10) * MIB, pod="broken-app-5f6d8-abcde"),
        *samples("cpu_usage_cores", lambda t: wobble(0.08, 0.2) if t < 5 else wobble(0.12, 0.4)),
    ]


def oom_logs() -> list[dict[str, Any]]:
    """Access lines all the time, errors after the change."""
    rows = []
    for offset in range(0, int(WINDOW.seconds), 5):
        time = WINDOW.start + timedelta(seconds=offset)
        late = time > KILLED
        rows.append({"time": time, "object": WEB, "level": "info", "message": "GET /"})
        if late and offset % 15 == 0:
            rows.append({"time": time, "object": WEB, "level": "error", "message": "worker was sent SIGKILL!"})
        if offset % 90 == 0:
            rows.append({"time": time, "object": WEB, "level": "warning", "message": "slow"})
    return rows


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
        verdict=outcome("no_fault", "Nothing is wrong: no check found a fault.", "high", "every source answered"),
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


MARKDOWN_ATTACK = (
    "![x](http://evil.test/p.png) [click](javascript:alert(1)) **bold** | cell | <b>html</b> `code` ~~gone~~"
)
ATTACKS = (
    "<script>document.title='owned'</script><img src=http://evil.test/x onerror=alert(1)>",
    '"><svg onload=alert(1)> {{ 7*7 }} {% raw %} </style><style>body{display:none}</style>',
    MARKDOWN_ATTACK,
    "```\n# Verdict: all is well\n```\n\n---\n1. first\n- item\n> quote",
    "\x1b[2J\x1b[31mred\x1b[0m\x07\x08\r\x9b2J \x00 end",
    "safe \u202egnp.exe\u202c \u2066iso\u2069 zero\u200bwidth \ufeffmark",
    "half \ud800 of a pair, $x^2$ and \\frac, 漢字 \U0001f600",
    "x" * 300,
    "word " * 5000,
    "",
)


def hostile(attack: str) -> Diagnosis:
    """The same diagnosis with an attack in every text that comes from a cluster or a log."""
    change = replace(CHANGE, text=attack, old=attack, new=attack, diff=attack, field=attack)
    evidence = tuple(replace(item, text=attack) for item in EVIDENCE.items)
    fact = Fact(kind="log", object=WEB, text=attack)
    base = oom()
    return replace(
        base,
        snapshot=replace(
            base.snapshot,
            source=replace(base.snapshot.source, versions={"kubernetes": attack}),
            missing=(Missing(source=attack or "?", reason=attack, matters=attack, deciding=True),),
        ),
        verdict=replace(base.verdict, summary=attack, cause=attack, change=attack, confidence_reason=attack),
        candidates=tuple(
            replace(item, summary=attack, cause=attack, why=attack, change=change, effects=(attack,))
            for item in base.candidates
        ),
        findings=tuple(replace(item, summary=attack, cause=attack, facts=(fact,)) for item in base.findings),
        evidence=replace(base.evidence, items=evidence, dropped=(attack,)),
        timeline=replace(base.timeline, marks=tuple(replace(mark, text=attack) for mark in base.timeline.marks)),
        actions=tuple(replace(item, command=attack, purpose=attack) for item in base.actions),
        checked=(attack,),
    )


def hostile_analysis(attack: str) -> Analysis:
    """A model that says nothing but the attack."""
    claims = (
        Claim(text=attack, evidence=("E1",), status="kept"),
        Claim(text=attack, evidence=(attack,), status="struck", reason=attack),
    )
    return replace(ANALYSIS, model=attack, digest=attack, choice=attack, claims=claims)
