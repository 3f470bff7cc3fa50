"""Who fails and says nothing of it: its errors are seen by its callers only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.diagnosis.checks._calls import addresses, all_failures
from srelab_lib.diagnosis.checks._facts import rows
from srelab_lib.diagnosis.checks._logs import ANYTHING, ERROR_LEVELS, Hits, by_workload, matching
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.diagnosis.checks._symptoms import STATUS, failed_answers, symptoms
from srelab_lib.diagnosis.checks._ties import calls_of
from srelab_lib.model import Snapshot

ANSWERED = re.compile(
    r"\b(?:returned|answered|responded|replied|got|received)(?: with)?(?: an?)?(?: HTTP| status)? 5\d\d\b", re.I
)
_TO_FILE = re.compile(
    r"\b(?:log(?:ging|s)?|error_log|access_log|log(?:[_ -]?(?:file|path))?)\b"
    r"(?: (?:output|file|is|are|goes|written|set))*"
    r"(?: (?:to|into|in|at))?[ =:]+[\"']?(?P<path>/(?!dev/|proc/)[\w./-]*\w)",
    re.IGNORECASE,
)
"""`Logging to /opt/grants/logs/grants.log (daily, 14 kept)`."""


def answered_with_5xx(s: Snapshot) -> Iterator[tuple[Hits, str]]:
    """Lines of callers that were answered so, and the workload that they asked: by its address, or the only one."""
    view, direct = net(s), calls_of(s)
    for call in all_failures(s):
        service = view.service(call.address) if call.kind == "answered" else None
        if service is not None and len(service.workloads) == 1:
            yield call.hits, service.workloads[0].ref
    nameless = [line for line in matching(s, ANSWERED) if not addresses(str(line["message"]))]
    for hit in by_workload(s, nameless):
        asked = direct.get(hit.object, set())
        if len(asked) == 1 and not any(STATUS.search(str(line["message"])) for line in hit.lines):
            yield hit, next(iter(asked))


def is_silent(s: Snapshot, ref: str) -> bool:
    """True for a workload that shows no symptom, logs no error, and calls nobody that does."""
    return not any(one in _telling(s) or symptoms(s, one) for one in (ref, *calls_of(s).get(ref, ())))


def passed_on(s: Snapshot, ref: str) -> str:
    """Whom a proxy asks: of one whose access log has answers of 5xx, and no error of its own, the only one it calls."""
    asked = calls_of(s).get(ref, set())
    passes = ref not in _telling(s) and failed_answers(s, ref) and len(asked) == 1
    return next(iter(asked)) if passes else ref


def log_file(s: Snapshot, ref: str) -> str:
    """The file to which a program says that it logs; empty where it does not say so."""
    df = s["logs"]
    found = [match for line in rows(df[df["object"] == ref]) if (match := _TO_FILE.search(str(line["message"])))]
    return found[-1]["path"] if found else ""


@once
def _telling(s: Snapshot) -> frozenset[str]:
    """Workloads whose errors are more than what an access log tells of each answer."""
    lines = [line for line in matching(s, ANYTHING) if line["level"] in ERROR_LEVELS]
    return frozenset(line["object"] for line in lines if not STATUS.search(str(line["message"])))
