"""From tables to ranked candidates, evidence, timeline and verdict. Pure: same snapshot, same answer, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from srelab_lib.diagnosis.actions import suggest
from srelab_lib.diagnosis.checks import CHECKS, Check
from srelab_lib.diagnosis.checks._edits import unread_edits
from srelab_lib.diagnosis.checks._silent import log_file
from srelab_lib.diagnosis.checks._symptoms import is_over
from srelab_lib.diagnosis.checks._ties import ties_of
from srelab_lib.diagnosis.dating import dated
from srelab_lib.diagnosis.evidence import ids_of, number
from srelab_lib.diagnosis.noise import set_aside, users_are_measured
from srelab_lib.diagnosis.rank import Ranked, rank
from srelab_lib.diagnosis.serving import still_served
from srelab_lib.diagnosis.timeline import build_timeline, changes_of, onsets_of, user_onsets
from srelab_lib.diagnosis.verdict import judge
from srelab_lib.model import Candidate, Diagnosis, EvidenceSet, Finding, Missing, Snapshot, spoken

_NEVER = datetime.max.replace(tzinfo=UTC)
_SAYS_THAT_IT_CHANGED = frozenset({"bad_deploy", "bad_config_edit"})
"""As effects of a candidate with its change they are that change once more."""

MAX_CANDIDATES = 8
MAX_ONSETS_AS_EVIDENCE = 4


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Runs every check over the snapshot, orders what they found and judges it.

    Args:
        snapshot: all tables of one window, with what could not be read in `missing`.

    Returns:
        Candidates with the root cause first, the findings they come from, and a verdict; also when nothing is found.
    """
    onsets, changes, unread = onsets_of(snapshot), changes_of(snapshot), unread_edits(snapshot)
    began = _first(*(onset.time for onset in user_onsets(onsets)))
    lasting = [one for one in onsets if not is_over(snapshot, one.object, one.signal, one.before, one.after)]
    found, quiet = _run_checks(snapshot)
    ranked = rank(
        dated(found, snapshot),
        [change for change in changes if (change.object, change.time) not in unread],
        began,
        snapshot.window.start,
        ties=ties_of(snapshot),
    )
    aside, measured = set_aside(snapshot), users_are_measured(snapshot)
    serving = still_served(snapshot, ranked[0].finding.object) if ranked else ""
    snapshot = replace(snapshot, missing=(*snapshot.missing, *_unwritten(snapshot, ranked)))
    verdict = judge(ranked, lasting, snapshot.missing, aside=aside, measured=measured, serving=serving)
    beside = next((item for item in ranked if item.apart), None)
    evidence = number(ranked, user_onsets(lasting)[:MAX_ONSETS_AS_EVIDENCE])
    return Diagnosis(
        snapshot=snapshot,
        verdict=verdict,
        candidates=tuple(_candidate(item, evidence) for item in ranked[:MAX_CANDIDATES]),
        findings=tuple(item.finding for item in ranked),
        evidence=evidence,
        onsets=onsets,
        timeline=build_timeline(snapshot, ranked, changes, _first(verdict.since, began)),
        actions=suggest(ranked[0] if ranked else None, verdict, snapshot, beside=beside),
        checked=quiet,
    )


def _unwritten(snapshot: Snapshot, ranked: Sequence[Ranked]) -> Iterator[Missing]:
    """The log of who fails and says nothing, where it goes to a file: no API of the cluster has it."""
    top = ranked[0].finding if ranked else None
    if top is not None and top.strength == 1 and (kept := log_file(snapshot, top.object)):
        yield Missing(
            source=f"the log of {spoken(top.object)}",
            reason=f"it goes to {kept} in the container and not to stdout",
            matters="why it fails",
            deciding=True,
        )


def _first(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _run_checks(snapshot: Snapshot) -> tuple[list[Finding], tuple[str, ...]]:
    found: list[Finding] = []
    quiet: list[str] = []
    for check in CHECKS:
        findings = list(check(snapshot))
        found.extend(findings)
        if not findings:
            quiet.append(_title(check))
    return found, tuple(quiet)


def _title(check: Check) -> str:
    name = check.__name__.removeprefix("check_").replace("_", " ")
    return f"{name}: {(check.__doc__ or '').strip().splitlines()[0]}"


def _candidate(item: Ranked, evidence: EvidenceSet) -> Candidate:
    finding = item.finding
    effects = [effect for effect in item.effects if not (item.change and effect.fault in _SAYS_THAT_IT_CHANGED)]
    effects.sort(key=lambda effect: (effect.since or _NEVER, effect.summary))
    return Candidate(
        fault=finding.fault,
        object=finding.object,
        summary=finding.summary,
        cause=finding.cause,
        evidence=ids_of(item, evidence),
        change=item.change,
        since=finding.since,
        why=item.why,
        effects=tuple(effect.summary for effect in effects),
    )
