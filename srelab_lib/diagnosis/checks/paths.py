"""Paths that are no longer served: answered before, and only refused since an edit of who answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks._edits import edits
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, log_fact, one_each, rows
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._symptoms import STATUS
from srelab_lib.diagnosis.checks._ties import settings_read
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_PATH = r"(/[\w./%~-]{0,120})"
_REQUEST = re.compile(rf"\"(?:GET|POST|PUT|PATCH|DELETE|HEAD) {_PATH}|\b(?:path|uri|route)[\"']?[=:] ?\"?{_PATH}")
_NUMBER = re.compile(r"(?<=/)(?:\d+|[0-9a-f]{8,}[0-9a-f-]*)(?=/|\Z)")
_REFUSED = frozenset({400, 403, 404, 405, 410})
_RUNS = re.compile(r"\]\.(?:image|command|args)\Z|\]\.env\[")
"""What decides which paths a program serves."""
_AT_ONCE = timedelta(seconds=90)
_IN_FLIGHT = timedelta(seconds=10)
_FEW = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    line: Row
    status: int

    @property
    def time(self) -> datetime:
        return self.line["time"]  # type: ignore[no-any-return]


def check_path_lost(s: Snapshot) -> Iterator[Finding]:
    """Access logs: a path that was served, and that nobody serves since an edit of one who refuses it."""
    df = s["changes"]
    programs = rows(df[df["old"].notna() & df["field"].astype(str).str.contains(_RUNS)])
    told: set[tuple[str, str]] = set()
    for row in sorted([*edits(s), *programs], key=lambda row: row["time"], reverse=True):
        readers = {ref for ref, read in settings_read(s).items() if row["object"] in read} | {row["object"]}
        for path, answers in _answers(s).items():
            lost = _lost(answers, row["time"], readers)
            if lost and (lost[0].line["object"], path) not in told:
                told.add((lost[0].line["object"], path))
                served = sum(one.status < min(_REFUSED) and one.time < row["time"] for one in answers)
                yield _finding(row, path, lost, served)


def _lost(answers: list[_Answer], changed: datetime, readers: set[str]) -> list[_Answer]:
    """What the readers refuse since a change, where the path was served before it, and nobody serves it after."""
    served = [one.time for one in answers if one.status < min(_REFUSED)]
    refused = [one for one in answers if one.status in _REFUSED and one.line["object"] in readers]
    since = [one for one in refused if one.time >= changed]
    before = [time for time in served if time < changed]
    at_once = since and since[0].time <= changed + _AT_ONCE
    enough = min(len(since), len(before)) >= _FEW and len(since) == len(refused)
    return since if at_once and enough and max(served) <= since[0].time + _IN_FLIGHT else []


@once
def _answers(s: Snapshot) -> dict[str, list[_Answer]]:
    """The answers in access logs of the namespace by path, oldest first; numbers in a path do not tell paths apart."""
    df = s["logs"]
    df = df[(df["namespace"] == s.namespace) & df["time"].notna()]
    examples = df.drop_duplicates("template")
    wanted = [bool(STATUS.search(str(message)) and _REQUEST.search(str(message))) for message in examples["message"]]
    found: dict[str, list[_Answer]] = {}
    for row in rows(df[df["template"].isin(examples["template"][wanted])].sort_values("time", kind="stable")):
        request, status = _REQUEST.search(str(row["message"])), STATUS.search(str(row["message"]))
        if request and status:
            path = _NUMBER.sub("…", request[1] or request[2])
            found.setdefault(path, []).append(_Answer(line=row, status=int(status[1] or status[2])))
    return found


def _finding(row: Row, path: str, lost: list[_Answer], served: int) -> Finding:
    ref, status = str(lost[0].line["object"]), lost[-1].status
    edited = str(row["object"]).startswith("ConfigMap/")
    since = f"since the edit of {spoken(row['object'])}" if edited else "since its program was changed"
    told = f"all {len(lost)} answers to {path} are {status} since then; it was served {served} times before"
    count = Fact(kind="log", object=ref, text=told)
    return Finding(
        fault="configmap_wrong_value" if edited else "bad_deploy",
        object=str(row["object"]),
        summary=f"{spoken(ref)} answers {path} with {status} {since}",
        cause=f"{path} was served before, and nobody serves it any more",
        facts=one_each([change_fact(row), log_fact(lost[0].line), log_fact(lost[-1].line), count]),
        since=lost[0].time,
        related=(ref,),
    )


CHECKS: tuple[Check, ...] = (check_path_lost,)
