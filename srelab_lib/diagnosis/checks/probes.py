"""Probes that ask the wrong thing, kill a program that works, or do not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from srelab_lib.diagnosis.checks._crash_kinds import probe_kills
from srelab_lib.diagnosis.checks._endings import Ending, endings, last_lines, telling
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    change_fact,
    clipped,
    earliest,
    event_facts,
    first_seen,
    in_window,
    log_fact,
    one_each,
)
from srelab_lib.diagnosis.checks._probes import (
    LISTENS,
    Probe,
    altered,
    changes_of_probe,
    failing,
    served,
    worked,
    wrong_question,
)
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_SETTLED = timedelta(seconds=30)
"""A container that runs for less may simply not be ready yet."""
_STOP_SECONDS = 40
"""What a kill takes beyond the probe's patience: one more period and the grace of a program that ignores SIGTERM."""


def check_readiness_probe(s: Snapshot) -> Iterator[Finding]:
    """Events Unhealthy of readiness probes where containers run and are not ready, against ports, log and Services."""
    for ref, probes in _by_object(_unready(s)).items():
        judged = [(probe, wrong_question(s, probe) or altered(s, probe)) for probe in probes]
        probe, wrong = next(((p, w) for p, w in judged if w), judged[0])
        why, facts = wrong or (f'its readiness probe fails: "{clipped(probe.message)}"', [])
        yield Finding(
            fault="readiness_probe_misconfigured",
            object=ref,
            summary=f"pods of {spoken(ref)} run but get no traffic: their readiness probe fails",
            cause=why,
            facts=one_each([*probe.facts(), *facts, *(f for p in probes for f in event_facts(p.failures, 1))]),
            since=earliest(*(first_seen(p.failures) for p in probes)),
            strength=2 if wrong else 1,
        )


def check_liveness_probe(s: Snapshot) -> Iterator[Finding]:
    """Events Unhealthy and Killing of liveness probes, against ports, log, Services and the container's life span."""
    ended = {(e.row["pod"], e.container): e for e in endings(s, "app", "sidecar")}
    for ref, probes in _by_object(failing(s, "liveness")).items():
        probe = probes[0]
        ending = ended.get((probe.row["pod"], probe.row["container"]))
        kills = [kill for kill in probe_kills(s, ending) if "liveness" in kill["message"].lower()] if ending else []
        wrong = wrong_question(s, probe) or altered(s, probe)
        wrong = wrong or _too_hasty(s, probe, ending, kills) or _tightened(s, probe, kills)
        if not wrong and not kills:
            continue
        why, facts = wrong or (f'the program stopped answering its liveness probe: "{clipped(probe.message)}"', [])
        yield Finding(
            fault="liveness_probe_misconfigured",
            object=ref,
            summary=f"the kubelet restarts container {probe.row['container']} of {spoken(ref)} for its liveness probe",
            cause=why,
            facts=one_each([*event_facts(kills), *probe.facts(), *facts]),
            since=earliest(first_seen(probe.failures), first_seen(kills)),
            strength=2 if wrong else 1,
        )


def check_startup_probe(s: Snapshot) -> Iterator[Finding]:
    """Events Killing of startup probes, against failureThreshold x periodSeconds."""
    ended = {(e.row["pod"], e.container): e for e in endings(s, "app", "sidecar")}
    for ref, probes in _by_object(failing(s, "startup")).items():
        probe = probes[0]
        ending = ended.get((probe.row["pod"], probe.row["container"]))
        kills = [kill for kill in probe_kills(s, ending) if "startup" in kill["message"].lower()] if ending else []
        if not ending or not kills or probe.row["started"]:
            continue
        wrong = wrong_question(s, probe)
        line = telling(last_lines(s, ending))
        yield Finding(
            fault="startup_probe_too_short",
            object=ref,
            summary=f"the kubelet kills container {probe.row['container']} of {spoken(ref)} before it has started",
            cause=wrong[0] if wrong else _too_short(probe),
            facts=one_each([*event_facts(kills), *probe.facts(), log_fact(line) if line else None]),
            since=earliest(first_seen(probe.failures), first_seen(kills)),
            strength=2,
        )


def _too_short(probe: Probe) -> str:
    threshold, period = probe.spec.get("failureThreshold", 3), probe.spec.get("periodSeconds", 10)
    return (
        f"its startup probe waits {probe.patience_seconds} s (failureThreshold {threshold} x periodSeconds {period}) "
        "and the program is not up by then"
    )


def _by_object(probes: list[Probe]) -> dict[str, list[Probe]]:
    groups: dict[str, list[Probe]] = {}
    for probe in probes:
        groups.setdefault(str(probe.row["object"]), []).append(probe)
    return dict(sorted(groups.items()))


def _unready(s: Snapshot) -> list[Probe]:
    """Readiness probes of containers that have run for a while, did not crash, and are not ready."""
    return [
        probe
        for probe in failing(s, "readiness")
        if probe.row["state"] == "running"
        and not probe.row["ready"]
        and probe.row["started"] is not False
        and not in_window(s, probe.row["last_finished_at"])
        and (probe.row["started_at"] is None or s.window.end - probe.row["started_at"] >= _SETTLED)
    ]


def _too_hasty(s: Snapshot, probe: Probe, ending: Ending | None, kills: list[Row]) -> tuple[str, list[Fact]] | None:
    """The probe kills a program that still starts, or one that answers others meanwhile.

    One that listens and lets the probe wait may hang: that is no proof.
    """
    if not ending or not kills:
        return None
    if "exceeded" in probe.message or "timeout" in probe.message.lower():
        return None
    if answered := served(s, probe):
        return "its liveness probe fails while the program answers requests", [log_fact(answered[-1])]
    began, over = ending.row["last_started_at"], ending.finished_at
    lived = (over - began).total_seconds() if began and over else float("inf")
    lines = last_lines(s, ending)
    if lived > probe.patience_seconds + _STOP_SECONDS or any(LISTENS.search(line["message"] or "") for line in lines):
        return None
    why = f"its liveness probe gives the program {probe.patience_seconds} s to start; it was killed after {lived:.0f} s"
    return why, [log_fact(line) for line in lines[-1:]]


def _tightened(s: Snapshot, probe: Probe, kills: list[Row]) -> tuple[str, list[Fact]] | None:
    """The probe was changed, with the program, which does not hang: it goes on with its work until it is killed."""
    own = changes_of_probe(s, probe) if kills else []
    at_work = [line for kill in kills for line in worked(s, probe, kill["last_seen"])] if own else []
    if not at_work:
        return None
    return "the probe was changed, and kills a program that is at work", [*map(change_fact, own), log_fact(at_work[-1])]


CHECKS: tuple[Check, ...] = (check_readiness_probe, check_liveness_probe, check_startup_probe)
