"""A change just before users were hurt: named when no more specific cause is seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, one_each, rows
from srelab_lib.diagnosis.checks._logs import hits
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.diagnosis.checks._symptoms import onsets_of, symptoms
from srelab_lib.diagnosis.checks.exceptions import ERROR
from srelab_lib.model import Fact, Finding, Snapshot, split_ref, spoken

REACH = timedelta(minutes=10)
SLACK = timedelta(seconds=30)
FELT_SECONDS = 0.25
"""Requests that take less than this became slower and hurt nobody."""
_ROLLOUT_KINDS = ("rollout", "image", "argo")


def check_bad_deploy(s: Snapshot) -> Iterator[Finding]:
    """Rollouts of the window, and what became worse right after them."""
    df = s["changes"]
    for ref, change in _latest(rows(df[df["kind"].isin(_ROLLOUT_KINDS)])).items():
        told = _worse(s, ref, change["time"])
        if told:
            yield _finding("bad_deploy", ref, change, told, f"the rollout of {spoken(ref)} made things worse", ())


def check_bad_config_edit(s: Snapshot) -> Iterator[Finding]:
    """Edits of ConfigMaps in the window, and what became worse right after them in what reads them."""
    df, view = s["changes"], net(s)
    edits = df[df["object"].astype(str).str.startswith("ConfigMap/") & (df["field"] != "created")]
    for ref, change in _latest(rows(edits)).items():
        name = split_ref(ref)[2]
        readers = [w.ref for w in view.workloads.values() if any(c == name for c, _, _ in view.configured(w))]
        told = [fact for reader in readers for fact in _worse(s, reader, change["time"])]
        if told:
            summary = f"after the edit of {spoken(ref)}, {', '.join(map(spoken, readers))} became worse"
            yield _finding("bad_config_edit", ref, change, told, summary, tuple(readers))


def _latest(changes: list[Row]) -> dict[str, Row]:
    """The last change of each object."""
    return {str(change["object"]): change for change in sorted(changes, key=lambda change: change["time"])}


def _worse(s: Snapshot, ref: str, changed: datetime) -> list[Fact]:
    """Symptoms and new errors that began between the change and REACH after it."""
    slow = {row["time"] for row in onsets_of(s, ref, "latency_p95_seconds") if row["after"] < FELT_SECONDS}
    facts = [
        fact
        for fact in symptoms(s, ref)
        if (fact.time is None or _follows(fact.time, changed))
        and not (fact.time in slow and fact.text.startswith("latency_p95_seconds"))
    ]
    new = [hit for hit in hits(s, ERROR) if hit.object == ref and _follows(hit.first, changed) and evident(s, hit)]
    return [*facts, *(fact for hit in new for fact in hit.facts(2))]


def _follows(time: datetime, changed: datetime) -> bool:
    return changed - SLACK <= time <= changed + REACH


def _finding(fault: str, ref: str, change: Row, told: list[Fact], summary: str, related: tuple[str, ...]) -> Finding:
    made = change_fact(change)
    return Finding(
        fault=fault,
        object=ref,
        summary=summary,
        cause=change["text"],
        facts=one_each([made, *told]),
        since=change["time"],
        strength=1,
        related=related,
    )


CHECKS: tuple[Check, ...] = (check_bad_deploy, check_bad_config_edit)
