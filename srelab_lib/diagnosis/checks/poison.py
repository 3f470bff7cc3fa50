"""One item that a worker cannot handle and takes again and again, while those behind it wait."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.diagnosis.checks._facts import Check, Row, one_each
from srelab_lib.diagnosis.checks._logs import QUIET, by_workload, matching
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks.exceptions import UNREADABLE, changed_before, what_it_says
from srelab_lib.model import Finding, Snapshot, spoken

_TRIES = re.compile(
    r"\b(?P<word>attempts?|tr(?:y|ies)|retr(?:y|ies)|deliver(?:y|ies)|redeliver(?:y|ies|ed)|delivery_count|retry_count)"
    r"\W{0,3}(?P<number>\d+)",
    re.IGNORECASE,
)
"""`attempt=53`, `delivery #12`."""
_WHEN = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]+Z?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?|\b\w*(?:_ms|duration|elapsed)=\S+"
)
MANY_TRIES = 10
"""So often nobody tries what may still succeed."""


def check_poisonous_item(s: Snapshot) -> Iterator[Finding]:
    """Lines that tell of the same item with a rising count of tries, each of which ends in what cannot be read."""
    for lines in _by_item(s).values():
        hit = by_workload(s, lines)[0]
        tries = [int(match["number"]) for line in hit.lines if (match := _TRIES.search(str(line["message"])))]
        if len(hit.lines) < MANY_TRIES or not hit.ongoing or tries[-1] - tries[0] < MANY_TRIES - 1:
            continue
        if changed_before(s, hit):
            continue
        yield Finding(
            fault="bad_input",
            object=hit.object,
            summary=f"{spoken(hit.object)} is stuck on one item that it cannot handle, {tries[-1]} tries so far",
            cause=f'it takes the same one again each time, and the others wait: "{what_it_says(hit.lines[-1])}"',
            facts=one_each([*hit.facts(), *symptoms(s, hit.object)]),
            since=hit.first,
        )


def _by_item(s: Snapshot) -> dict[tuple[str, str], list[Row]]:
    """Lines of each workload that differ in nothing but their time and the count of tries."""
    found: dict[tuple[str, str], list[Row]] = {}
    for line in matching(s, UNREADABLE):
        message = str(line["message"])
        if line["level"] not in QUIET and _TRIES.search(message):
            found.setdefault((str(line["object"]), _TRIES.sub("", _WHEN.sub("", message))), []).append(line)
    return found


CHECKS: tuple[Check, ...] = (check_poisonous_item,)
