"""Errors that a program throws while it serves: many of a new kind, or a few on input that it cannot handle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks._calls import addresses
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, Row, clipped, in_window, live_containers, one_each, rows
from srelab_lib.diagnosis.checks._logs import ANYTHING, ERROR_LEVELS, QUIET, Hits, by_workload, matching
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._services import Net, net
from srelab_lib.diagnosis.checks._silent import ANSWERED, answered_with_5xx, is_silent, log_file, passed_on
from srelab_lib.diagnosis.checks._symptoms import (
    USER_SIGNALS,
    failed_answers,
    failing_throughout,
    is_over,
    onsets_of,
    risen_signals,
    symptoms,
    users_are_fine,
)
from srelab_lib.diagnosis.checks._ties import calls_of
from srelab_lib.diagnosis.started import RESTARTED
from srelab_lib.model import Finding, Snapshot, spoken

MANY = 5
"""Fewer errors than this are an incident of one request."""
NEW_CHANGE_SECONDS = 600
_CONTRACT = timedelta(seconds=120)
"""Within this a new image serves, and who cannot read its answers says so."""
TOGETHER = timedelta(seconds=10)
"""Who sends and who cannot read it fail at the same time."""
NOT_ALTERED = rf"^created$|{RESTARTED}"
"""Fields, as a pattern, that tell of no change of what runs."""

ERROR = re.compile(
    r"^(?:[\w.$]*(?:Error|Exception|Fault|Panic)\b(?::|$| \())|\b[A-Z]\w*(?:Error|Exception)\b[:(]|\bpanic: |\bfatal\b"
    r"|unhandled (?:exception|rejection|error)|uncaught|stack ?trace|traceback|\berror\b|\bfailed\b"
    r"|\b5\d\d internal server",
    re.IGNORECASE,
)
UNREADABLE = re.compile(
    r"JSONDecodeError|UnicodeDecodeError|invalid literal for int|could not convert string to float|KeyError: '"
    r"|NumberFormatException|JsonParseException|JsonMappingException|HttpMessageNotReadable|DateTimeParseException"
    r"|SyntaxError: .{0,80}JSON|Unexpected (?:token|end of JSON)|invalid character .{1,40} looking for"
    r"|cannot unmarshal|strconv\.\w+: parsing|json: |ParseError|ValidationError|malformed"
    r"|invalid (?:json|utf-?8|date|payload|input)"
    r"|unexpected EOF while parsing|Invalid(?:Format|Argument)Exception|serde|FormatException"
    r"|(?:missing|unknown|unrecognized|no|required) (?:required )?(?:field|property|attribute)\b"
    r"|Cannot read propert|undefined is not|NoneType|NullPointerException|nil pointer",
    re.IGNORECASE,
)

_SAID = 160
_UNTOLD = "its metrics count the failures and name no reason"
_RAISED = r"(?:[A-Za-z_][\w.]*(?:Error|Exception)|\w+\.errors?\.[A-Z]\w+)\b"
_EXCEPTION = re.compile(
    rf"{_RAISED}(?:: (?:(?!: {_RAISED})(?! ?\((?:File \"|container=|Background on))[^\n]){{1,120}})?"
)
"""An exception and what it says, without the one that it is told again by, and without the place in the code."""


_PREFIX = re.compile(
    r"^(?:(?:.{0,60}?\b(?:ERROR|CRITICAL|FATAL|SEVERE|level=\w+)\b|\W*error\b|\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]+Z?"
    r"|\d+#\d+: \*\d+)[\s:;|\])>.-]*)+"
)
"""Time, level and logger before what a line says."""


@once
def check_exception_storm(s: Snapshot) -> tuple[Finding, ...]:
    """Error lines and stack traces that are new or fill the log, and the error ratio that users see."""
    return tuple(_storms(s))


def _storms(s: Snapshot) -> Iterator[Finding]:
    view = net(s)
    for hit in by_workload(s, _error_lines(s)):
        risen = risen_signals(s, hit.object, *USER_SIGNALS)
        if len(hit.lines) < MANY or _crashes(s, hit.object):
            continue
        fresh = _new_kinds(s, hit)
        if fresh is None or not evident(s, fresh) or _only_repeats(s, fresh):
            continue
        what = what_it_says(max(reversed(fresh.lines), key=lambda line: _tells(str(line["message"]))))
        yield Finding(
            fault="exception_storm",
            object=hit.object,
            summary=f"{spoken(hit.object)} logs {len(fresh.lines)} error lines",
            cause=f"it fails with {what}",
            facts=one_each([*fresh.facts(4), *symptoms(s, hit.object)]),
            since=min([fresh.first, *(fact.time for fact in risen if fact.time)]),
            related=_called(view, fresh),
        )


def _only_repeats(s: Snapshot, hit: Hits) -> bool:
    """True where its lines tell of answers, and who gave them is known and says nothing."""
    told = sum(ANSWERED.search(str(line["message"])) is not None for line in hit.lines)
    return 2 * told > len(hit.lines) and any(hit.object == finding.related[0] for finding in check_silent_errors(s))


def check_error_ratio(s: Snapshot) -> Iterator[Finding]:
    """The share of requests that fail, from its change point on."""
    for ref in dict.fromkeys(s["onsets"]["object"]):
        rises = onsets_of(s, ref, "error_ratio", "errors_per_second")
        risen = [row for row in rises if not is_over(s, ref, row["signal"], row["before"], row["after"])]
        if risen and ref and not ref.startswith("Node/"):
            shown = "{:.0%}".format if risen[0]["unit"] == "ratio" else "{:.3g} a second".format
            before, after = shown(risen[0]["before"]), shown(risen[0]["after"])
            yield Finding(
                fault="exception_storm",
                object=ref,
                summary=f"requests of {spoken(ref)} fail: {before} before, {after} after",
                cause=_UNTOLD,
                facts=one_each(risen_signals(s, ref, *USER_SIGNALS)),
                since=risen[0]["time"],
                strength=1,
            )


@once
def check_silent_errors(s: Snapshot) -> tuple[Finding, ...]:
    """Callers that are answered with 5xx by one that says nothing of it, also behind one that only passes it on."""
    return tuple(_silent(s))


def _silent(s: Snapshot) -> Iterator[Finding]:
    for hit, asked in answered_with_5xx(s):
        ref = passed_on(s, asked)
        if len(hit.lines) < MANY or not evident(s, hit) or not is_silent(s, ref):
            continue
        kept = log_file(s, ref)
        told = f"its log goes to {kept} and not to stdout" if kept else "its log gives no reason"
        yield Finding(
            fault="exception_storm",
            object=ref,
            summary=f"{spoken(ref)} answers {spoken(hit.object)} with errors",
            cause=f'{told}; {spoken(hit.object)} says "{what_it_says(hit.lines[-1])}"',
            facts=one_each([*hit.facts(), *symptoms(s, hit.object)]),
            since=hit.first,
            strength=1 if kept else 2,
            related=(hit.object, asked),
        )


def check_failing_throughout(s: Snapshot) -> Iterator[Finding]:
    """The share of requests that fail, where it was high in the whole window."""
    for ref in dict.fromkeys(s["metrics"].loc[s["metrics"]["signal"] == "error_ratio", "object"]):
        if throughout := failing_throughout(s, ref):
            yield Finding(
                fault="exception_storm",
                object=ref,
                summary=f"most requests of {spoken(ref)} fail, and did so from the start of the window",
                cause=_UNTOLD,
                facts=one_each(throughout),
                strength=1,
            )


def check_bad_input(s: Snapshot) -> Iterator[Finding]:
    """Parse errors of a new kind in a smaller part of the log, without a change of the workload before them."""
    view = net(s)
    for hit in by_workload(s, [line for line in matching(s, UNREADABLE) if line["level"] not in QUIET]):
        if len(hit.lines) < 3 or not hit.risen or not hit.ongoing or hit.dominant or _crashes(s, hit.object):
            continue
        if users_are_fine(s, hit.object) or changed_before(s, hit) or _is_an_answer(s, view, hit):
            continue
        senders = _refused_senders(s, view, hit)
        sent = f", since {spoken(senders[0])} was changed" if senders else ", and nothing was changed before"
        yield Finding(
            fault="bad_input",
            object=hit.object,
            summary=f"{spoken(hit.object)} fails on input that it cannot handle, {len(hit.lines)} times",
            cause=f"some requests carry input that ends in {what_it_says(hit.lines[-1])}{sent}",
            facts=one_each([*hit.facts(), *symptoms(s, hit.object)]),
            since=hit.first,
            related=tuple(senders),
        )


def _is_an_answer(s: Snapshot, view: Net, hit: Hits) -> bool:
    """True for what one that it calls has answered: a line names that one, or it has another image since then."""
    named = [view.service(address) for line in hit.lines for address in addresses(str(line["message"]))]
    if any(service and hit.object not in {one.ref for one in service.workloads} for service in named):
        return True
    return bool(callee_with_new_program(s, hit))


def callee_with_new_program(s: Snapshot, hit: Hits) -> Row | None:
    """The change of image or command of one that it calls, shortly before its errors began."""
    df = s["changes"]
    altered = df["field"].astype(str).str.contains(r"\]\.(?:image|command|args)$")
    own = df[df["object"].isin(calls_of(s).get(hit.object, ())) & altered]
    near = [row for row in rows(own) if row["old"] and timedelta(0) <= hit.first - row["time"] <= _CONTRACT]
    return near[-1] if near else None


def _refused_senders(s: Snapshot, view: Net, hit: Hits) -> list[str]:
    """Callers that were changed shortly before and log errors since: what they send may be what cannot be read."""
    own = [service for service in view.services.values() if hit.object in {w.ref for w in service.workloads}]
    callers = {caller.ref for service in own for caller in view.callers(service)} - {hit.object}
    return [
        other.object
        for other in by_workload(s, [line for line in _error_lines(s) if line["object"] in callers])
        if len(other.lines) >= MANY
        and other.ongoing
        and abs(other.first - hit.first) <= TOGETHER
        and changed_before(s, other)
    ]


def _called(view: Net, hit: Hits) -> tuple[str, ...]:
    """Services that the lines or the workload's settings name, and what stands behind them."""
    workload = view.workloads.get(hit.object)
    known = [address for line in hit.lines[:5] for address in addresses(str(line["message"]))]
    known += [item.address for item in view.references(workload)] if workload else []
    services = [service for address in known if (service := view.service(address))]
    return tuple(dict.fromkeys(ref for x in services for ref in (x.ref, *(w.ref for w in x.workloads))))


def _error_lines(s: Snapshot) -> list[Row]:
    return [line for line in matching(s, ANYTHING) if line["level"] in ERROR_LEVELS]


def _new_kinds(s: Snapshot, hit: Hits) -> Hits | None:
    """The lines of templates that the log did not have from its start, or all where users feel them.

    What a workload has logged from its start is a fault where it is seen to be unwell or was just changed; it is noise
    where it is well, however much of it there is. Beside many lines of success, users feel errors that rose, or that
    fail their requests since a change.
    """
    if hit.dominant and not hit.risen:
        return hit if symptoms(s, hit.object) or changed_before(s, hit) else None
    first: dict[str, datetime] = {}
    for line in hit.lines:
        first.setdefault(line["template"], line["time"])
    late = [line for line in hit.lines if first[line["template"]] > hit.log_start + (hit.log_end - hit.log_start) / 20]
    fresh = [item for item in by_workload(s, late) if item.risen and len(item.lines) >= MANY]
    felt = risen_signals(s, hit.object, *USER_SIGNALS) or (changed_before(s, hit) and failed_answers(s, hit.object))
    return fresh[0] if fresh else (hit if felt else None)


def _tells(message: str) -> int:
    """How much a line tells of what failed: an exception by name, words for an error, or only a level."""
    return 2 * bool(_EXCEPTION.search(message)) + bool(ERROR.search(message))


def what_it_says(line: Row) -> str:
    """`ZeroDivisionError: division by zero` of a line, or the line without its time and level."""
    message = clipped(str(line["message"]), 2000)
    match = _EXCEPTION.search(message)
    plain = _PREFIX.sub("", message)
    said = (match[0] if match else plain.strip() or message).strip()
    return said.rstrip(" :;,(") if len(said) <= _SAID else f"{said[: _SAID - 1].rstrip(' :;,(')}…"


def _crashes(s: Snapshot, ref: str) -> bool:
    """True when the program ends of its errors: that is another fault, with its own facts."""
    return any(
        row["object"] == ref
        and row["restart_count"]
        and in_window(s, row["last_finished_at"])
        and row["last_exit_code"]
        for row in live_containers(s, "app")
    )


def changed_before(s: Snapshot, hit: Hits) -> bool:
    """True when the workload was changed shortly before the errors began; the same pods started anew are no change."""
    df = s["changes"]
    altered = (df["object"] == hit.object) & ~df["field"].astype(str).str.contains(NOT_ALTERED)
    times = [row["time"] for row in rows(df[altered])]
    return any(0 <= (hit.first - time).total_seconds() <= NEW_CHANGE_SECONDS for time in times)


CHECKS: tuple[Check, ...] = (
    check_exception_storm,
    check_error_ratio,
    check_silent_errors,
    check_failing_throughout,
    check_bad_input,
)
