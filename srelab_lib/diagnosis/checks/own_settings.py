"""A variable of a program that was altered, and of which its own log tells since then."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, log_fact, one_each, rows, variable_of
from srelab_lib.diagnosis.checks._logs import ANYTHING, Hits, by_workload, matching
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks.changes_made import felt_by_others
from srelab_lib.diagnosis.checks.config_values import COMPLAINT, SLACK
from srelab_lib.diagnosis.checks.exceptions import what_it_says
from srelab_lib.model import Finding, Snapshot, spoken

_IDLE = re.compile(
    r"\b(?:idle|nothing|empty|waiting for|no (?:new )?(?:messages?|jobs?|tasks?|events?|records?|rows?|items?|orders?|"
    r"work|data|results?|match\w*)|0 (?:messages?|jobs?|tasks?|events?|records?|rows?|items?|results?))\b",
    re.IGNORECASE,
)
"""What a program says that finds nothing to do."""
_PATIENCE = re.compile(r"time_?out|deadline|(?:^|_)(?:ttl|wait|patience)(?:_|$)", re.IGNORECASE)
_GAVE_UP = re.compile(
    r"time-?d? ?out|deadline exceeded|\b(?:read|connect|request|socket|client)[ _]?timeout", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SPAN = re.compile(r"(?<![\w.])(?P<number>\d+(?:\.\d+)?) ?(?P<unit>ms|millis\w*|s|secs?|seconds?)?(?![\w.])")
_IN_MS = re.compile(r"(?:^|_)(?:ms|millis\w*)$", re.IGNORECASE)
_FEW = 3


def check_own_setting(s: Snapshot) -> Iterator[Finding]:
    """Variables of a rollout whose new value a program's own complaints hold, or that it finds nothing to do with."""
    df = s["changes"]
    for row in rows(df[df["new"].notna()]):
        for pattern in (COMPLAINT, _IDLE) if variable_of(row) else ():
            for hit in by_workload(s, _told(s, row, pattern)):
                felt = felt_by_others(s, {hit.object}, row["time"])
                hurt = felt if pattern is _IDLE else evident(s, hit)
                if hurt and hit.ongoing:
                    yield _finding(s, row, hit, felt)


def _told(s: Snapshot, change: Row, pattern: re.Pattern[str]) -> list[Row]:
    """Lines of a kind that tell of a change; none where most that have the new value are of another kind: a label."""
    lines, others = (
        [line for line in matching(s, one, quiet=True) if _tells(line, change)] for one in (pattern, ANYTHING)
    )
    return lines if len(lines) >= max(_FEW, len(others) / 2) else []


def _tells(line: Row, change: Row) -> bool:
    """True for a line since the change that holds its new value, or that ran into the patience that it cut."""
    if line["object"] != change["object"] or line["time"] < change["time"] - SLACK:
        return False
    new, message = str(change["new"]).strip(), str(line["message"])
    if _NUMBER.fullmatch(new):
        return _is_cut(change) and bool(_GAVE_UP.search(message)) and _seconds(change) in _spans(message)
    return 3 < len(new) < 120 and re.search(rf"(?<![\w.-]){re.escape(new)}(?![\w-])", message) is not None


def _is_cut(change: Row) -> bool:
    old, new = str(change["old"]).strip(), str(change["new"])
    shorter = _NUMBER.fullmatch(old) is not None and float(new) < float(old)
    return shorter and _PATIENCE.search(variable_of(change)) is not None


def _seconds(change: Row) -> float:
    """The new number of a variable in seconds: `TIMEOUT_MS` has a thousandth of them."""
    return float(change["new"]) / (1000 if _IN_MS.search(variable_of(change)) else 1)


def _spans(message: str) -> set[float]:
    """Spans that a line tells, in seconds; a bare number may be seconds or milliseconds."""
    found: set[float] = set()
    for match in _SPAN.finditer(message):
        number, unit = float(match["number"]), (match["unit"] or "").lower()
        found |= {number / 1000} if unit.startswith("m") else {number} if unit else {number, number / 1000}
    return found


def _finding(s: Snapshot, change: Row, hit: Hits, felt: list[Hits]) -> Finding:
    return Finding(
        fault="bad_deploy",
        object=hit.object,
        summary=f"{spoken(hit.object)} does not do its work since {variable_of(change)} was altered",
        cause=f'since then it says "{what_it_says(hit.lines[-1])}"',
        facts=one_each(
            [
                change_fact(change),
                *map(log_fact, [hit.lines[0], hit.lines[-1]]),
                *symptoms(s, hit.object),
                *(fact for other in felt for fact in other.facts(1)),
            ]
        ),
        since=min([hit.first, *(other.first for other in felt)]),
        related=tuple(other.object for other in felt),
    )


CHECKS: tuple[Check, ...] = (check_own_setting,)
