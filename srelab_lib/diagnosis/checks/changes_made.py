"""A change just before users were hurt: named when no more specific cause is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks._calls import kind_of
from srelab_lib.diagnosis.checks._edits import edits
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, one_each, rows
from srelab_lib.diagnosis.checks._logs import Hits, complaints_since, hits
from srelab_lib.diagnosis.checks._relay import own_words
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.diagnosis.checks._symptoms import onsets_of, symptoms
from srelab_lib.diagnosis.checks._ties import settings_read, ties_of
from srelab_lib.diagnosis.checks.exceptions import (
    ERROR,
    UNREADABLE,
    callee_with_new_program,
    changed_before,
    check_exception_storm,
    what_it_says,
)
from srelab_lib.model import Fact, Finding, Snapshot, split_ref, spoken

REACH = timedelta(minutes=10)
SLACK = timedelta(seconds=30)
"""How much earlier than the change that brought it about something may be seen."""
RIGHT_AFTER = timedelta(seconds=60)
"""What came into being within this time before a change may be as well what did it."""
FELT_AFTER = timedelta(seconds=120)
"""So long others may go on with what they had, before they miss what came from the readers of an edited ConfigMap."""
FELT_SECONDS = 0.25
"""Requests that take less than this became slower and hurt nobody."""
_ROLLOUT_KINDS = ("rollout", "image", "argo")


def check_bad_deploy(s: Snapshot) -> Iterator[Finding]:
    """Rollouts of the window, and what became worse right after them."""
    df, told_of = s["changes"], {finding.object for finding in check_new_image(s)}
    for ref, change in _latest(rows(df[df["kind"].isin(_ROLLOUT_KINDS)])).items():
        told = _worse(s, ref, change["time"]) if ref not in told_of else []
        if told:
            yield _finding("bad_deploy", ref, change, told, f"the rollout of {spoken(ref)} made things worse", ())


def check_new_image(s: Snapshot) -> Iterator[Finding]:
    """Errors that a program logs since it has another image: it brought them itself."""
    df = s["changes"]
    images = _latest(rows(df[df["field"].astype(str).str.endswith("].image") & df["old"].notna()]))
    for storm in check_exception_storm(s):
        change = images.get(storm.object)
        if change and storm.since and _follows(storm.since, change["time"]):
            yield replace(
                storm,
                fault="bad_deploy",
                summary=f"{spoken(storm.object)} logs errors since it has another image",
                facts=one_each([change_fact(change), *storm.facts]),
                related=(),
            )


def check_answers_otherwise(s: Snapshot) -> Iterator[Finding]:
    """Errors of a caller that was not changed, on what one answers that runs another program since right before."""
    for hit in (*hits(s, UNREADABLE), *hits(s, ERROR)):
        change = (
            callee_with_new_program(s, hit) if hit.risen and evident(s, hit) and not changed_before(s, hit) else None
        )
        if change is None or not _is_about(hit, split_ref(change["object"])[2]):
            continue
        says, who = what_it_says(hit.lines[-1]), spoken(change["object"])
        yield Finding(
            fault="bad_deploy",
            object=str(change["object"]),
            summary=f"{spoken(hit.object)} fails on the answers of {who} since its program was changed",
            cause=f'since then {spoken(hit.object)} says "{says}"',
            facts=one_each([change_fact(change), *hit.facts(), *symptoms(s, hit.object)]),
            since=hit.first,
            related=(hit.object,),
        )


def _is_about(hit: Hits, name: str) -> bool:
    """True for lines that cannot read something, or that name somebody of whom they got an answer."""
    named = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    return all(
        UNREADABLE.search(message) or (named.search(message) and kind_of(own_words(message)) is None)
        for message in (str(line["message"]) for line in hit.lines)
    )


def check_bad_config_edit(s: Snapshot) -> Iterator[Finding]:
    """Edits of ConfigMaps in the window, and what became worse right after them in what reads them."""
    view = net(s)
    for ref, change in _latest(edits(s)).items():
        name = split_ref(ref)[2]
        readers = [w.ref for w in view.workloads.values() if any(c == name for c, _, _ in view.configured(w))]
        told = [fact for reader in readers for fact in _worse(s, reader, change["time"])]
        if told:
            summary = f"after the edit of {spoken(ref)}, {', '.join(map(spoken, readers))} became worse"
            yield _finding("bad_config_edit", ref, change, told, summary, tuple(readers))


def check_edit_felt_by_others(s: Snapshot) -> Iterator[Finding]:
    """An edit of a ConfigMap right before those fail who wait for what reads it, which itself says nothing.

    They call it, or something that it calls, too, such as the queue that it no longer empties. It is the only change
    then, or they name the reader.
    """
    for ref, change in _latest(edits(s)).items():
        readers = {one for one, read in settings_read(s).items() if ref in read}
        felt = felt_by_others(s, readers, change["time"])
        if felt and not _is_alone(s, change, {ref, *readers}, min(hit.first for hit in felt)):
            felt = [hit for hit in felt if _names_one(str(hit.lines[-1]["message"]), readers)]
        if not felt or any(_worse(s, reader, change["time"]) for reader in readers):
            continue
        readers_named = ", ".join(map(spoken, sorted(readers)))
        yield Finding(
            fault="configmap_wrong_value",
            object=ref,
            summary=f"{spoken(felt[0].object)} fails since the edit of {spoken(ref)}, which {readers_named} reads",
            cause=f"{spoken(felt[0].object)} depends on {readers_named}, and logs since the edit "
            f'"{what_it_says(felt[0].lines[-1])}"',
            facts=one_each([change_fact(change), *(fact for hit in felt for fact in hit.facts(2))]),
            since=min(hit.first for hit in felt),
            related=(*sorted(readers), *(hit.object for hit in felt)),
        )


def _names_one(message: str, refs: set[str]) -> bool:
    """True for a line that tells who did not serve it: `web answered 503`."""
    return any(re.search(rf"(?<![\w-]){re.escape(split_ref(ref)[2])}(?![\w-])", message) for ref in refs)


def felt_by_others(s: Snapshot, readers: set[str], changed: datetime) -> list[Hits]:
    """Errors right after a change, of those who call what the readers are or call; first who is nearest to it."""
    calls = ties_of(s).calls
    used = readers.union(*(calls.get(reader, frozenset()) for reader in readers))
    waiting = {ref for ref, reached in calls.items() if ref not in readers and reached & used}
    fresh = {one.object: one for one in complaints_since(s, changed) if ERROR.search(str(one.lines[-1]["message"]))}
    failed = [hit if hit.first >= changed else fresh.get(hit.object, hit) for hit in hits(s, ERROR)]
    felt = [
        hit
        for hit in failed
        if hit.object in waiting and changed <= hit.first <= changed + FELT_AFTER and evident(s, hit)
    ]
    failing = {hit.object for hit in felt}
    return sorted(felt, key=lambda hit: (len(calls[hit.object] & failing), hit.first))


def _is_alone(s: Snapshot, change: Row, own: set[str], felt: datetime) -> bool:
    """True where nothing else was changed in the REACH before or until others felt it, nor came right before.

    What is only noted down beside an object (an annotation) changes nothing.
    """
    reach = {True: RIGHT_AFTER, False: REACH}
    made = [row for row in rows(s["changes"]) if not str(row["field"]).startswith("metadata.")]
    near = [row for row in made if change["time"] - reach[row["field"] == "created"] <= row["time"] <= felt]
    return all(str(row["object"]) in own for row in near)


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


CHECKS: tuple[Check, ...] = (
    check_bad_deploy,
    check_new_image,
    check_answers_otherwise,
    check_bad_config_edit,
    check_edit_felt_by_others,
)
