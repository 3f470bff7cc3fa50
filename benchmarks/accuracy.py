"""Root causes: our diagnosis against three simple rules that people go by, on the same snapshots in the same run.

These recordings are regression data: the checks have seen them, were mended on them, and the tests demand that each is
right. So our figures here say that nothing has broken, and not how good the checks are on what they have not seen; that
is in ARCHITECTURE.md, "What the checks are worth", as measured at first contact. The rules have seen nothing.

A rule names an object and no fault, so the objects are compared: with every object that the author of the recording
lets count, and in a column of its own by name alone (the Deployment of a Service that is at fault). The rules read our
tables: levels, owners and changes are as we see them. Most recordings were made minutes after a change set off their
fault, which is kind to the rule that blames the latest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.recordings import recordings, snapshot
from benchmarks.side_by_side import table
from srelab_lib.diagnosis import diagnose
from srelab_lib.model import Snapshot
from srelab_lib.sources.incidents import Incident, load_incident


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one side says of one recording: an object, and, where it knows of faults, the first three of them."""

    object: str | None
    fault: str | None = None
    first_faults: tuple[str, ...] = ()
    found: bool = False
    """Whether it finds anything wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How many recordings one side got right, of `faults` with a fault and `controls` without one."""

    faults: int
    controls: int
    objects: int
    names: int
    faults_and_objects: int
    among_three: int
    false_alarms: int


def ours(seen: Snapshot) -> Answer:
    """The verdict, and the faults of the first three candidates."""
    diagnosis = diagnose(seen)
    verdict = diagnosis.verdict
    return Answer(
        object=verdict.object,
        fault=verdict.fault,
        first_faults=tuple(candidate.fault for candidate in diagnosis.candidates[:3]),
        # "Inconclusive" accuses nobody, whatever has led to it.
        found=bool(diagnosis.findings) if verdict.outcome == "no_fault" else verdict.fault is not None,
    )


def most_error_lines(seen: Snapshot) -> Answer:
    """The workload that has logged the most lines of level error or critical."""
    logs = seen["logs"]
    return _first(logs.loc[logs["level"].isin(["error", "critical"])].groupby("object").size())


def most_warnings(seen: Snapshot) -> Answer:
    """The object of the most frequent Warning events in the window."""
    events = seen["events"]
    late = events.loc[(events["type"] == "Warning") & (events["last_seen"] >= seen.window.start)]
    return _first(late.groupby("object")["count"].sum())


def latest_change(seen: Snapshot) -> Answer:
    """What was changed last before the window ends."""
    changes = seen["changes"]
    return _first(changes.loc[changes["time"] <= seen.window.end].groupby("object")["time"].max())


def _first(ranked: pd.Series[Any]) -> Answer:
    """The object with the highest value, the first by name among equals; none where there is no row."""
    name = None if ranked.empty else str(ranked.sort_index().sort_values(ascending=False, kind="stable").index[0])
    return Answer(object=name, found=name is not None)


SIDES: dict[str, Callable[[Snapshot], Answer]] = {
    "our diagnosis": ours,
    "most error lines": most_error_lines,
    "most warning events": most_warnings,
    "latest change": latest_change,
}


def measure(folders: Sequence[Path]) -> dict[str, Score]:
    """The score of each side over these recordings, ours first."""
    pairs = [(load_incident(folder), snapshot(folder)) for folder in folders]
    return {name: _score([(truth, side(seen)) for truth, seen in pairs]) for name, side in SIDES.items()}


def _score(answers: Sequence[tuple[Incident, Answer]]) -> Score:
    faulty = [(truth.accepted, answer) for truth, answer in answers if truth.truth["outcome"] == "fault"]
    well = [answer for truth, answer in answers if truth.truth["outcome"] != "fault"]
    return Score(
        faults=len(faulty),
        controls=len(well),
        objects=sum(answer.object in {object_ for _, object_ in accepted} for accepted, answer in faulty),
        names=sum(_name(answer.object) in _names(object_ for _, object_ in accepted) for accepted, answer in faulty),
        faults_and_objects=sum((answer.fault, answer.object) in accepted for accepted, answer in faulty),
        among_three=sum(any(fault in answer.first_faults for fault, _ in accepted) for accepted, answer in faulty),
        false_alarms=sum(answer.found for answer in well),
    )


def _names(objects: Iterable[str]) -> set[str]:
    return {_name(object_) for object_ in objects}


def _name(object_: str | None) -> str:
    return (object_ or "").partition("/")[2]


def report() -> str:
    """Everything measured, as text."""
    scores = measure(recordings())
    first = scores["our diagnosis"]
    header = ("root causes", "object", "or its name", "fault and object", "fault among 3", "false alarms")
    return "\n\n".join(
        (
            f"Root causes, {first.faults} faults and {first.controls} controls, which the checks have seen before:",
            table(header, [(name, *_cells(score, ours=score is first)) for name, score in scores.items()]),
        )
    )


def _cells(score: Score, *, ours: bool) -> tuple[object, ...]:
    faults = (score.faults_and_objects, score.among_three) if ours else ("-", "-")
    return score.objects, score.names, *faults, score.false_alarms


if __name__ == "__main__":
    print(report())
