"""Containers that end: the command, a missing variable, the program itself, or a signal from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from srelab_lib.diagnosis.checks._crash_kinds import judged, lost_variable
from srelab_lib.diagnosis.checks._endings import (
    Ending,
    Found,
    began,
    ending_facts,
    grouped_endings,
)
from srelab_lib.diagnosis.checks._evident import failed_calls
from srelab_lib.diagnosis.checks._facts import Check, Row, clipped, ended_while_new, one_each, spec_fact
from srelab_lib.diagnosis.checks._symptoms import has_recovered, symptoms
from srelab_lib.diagnosis.checks._words import missing_variable
from srelab_lib.model import Fact, Finding, Snapshot, spoken


def check_bad_command(s: Snapshot) -> Iterator[Finding]:
    """The runtime's message on a start that failed, exit codes 126 and 127, and logs that refuse the arguments."""
    for ref, items in _of_kind(s, "crash_bad_command").items():
        ending, line = items[0]
        command = ending.row["command"]
        asked = spec_fact(ref, container=ending.container, image=ending.row["image"], command=command)
        yield _finding(
            s,
            "crash_bad_command",
            items,
            f"container {ending.container} of {spoken(ref)} cannot run its command",
            _said(line) or _refusal(ending.message) or f"exit code {ending.exit_code}",
            extra=[asked] if command else [],
            strength=3 if ending.message else 2,
        )


def check_missing_env(s: Snapshot) -> Iterator[Finding]:
    """The previous container's log: a variable without a value is said to be missing, or was just removed."""
    for ref, items in _of_kind(s, "crash_missing_env").items():
        ending, line = items[0]
        named, lost = missing_variable(line["message"]) if line else None, lost_variable(s, ending)
        told = f": {_said(line)}" if line else ""
        given = ",".join(item["name"] for item in ending.row["spec"].get("env") or [])
        yield _finding(
            s,
            "crash_missing_env",
            items,
            f"container {ending.container} of {spoken(ref)} stops at once: it misses an environment variable",
            f"environment variable {named or lost} is missing{'' if named else told}" if named or lost else _said(line),
            extra=[spec_fact(ref, container=ending.container, env=given)],
        )


def check_app_exit(s: Snapshot) -> Iterator[Finding]:
    """Containers' last exit code when no signal, no probe, no memory limit and no wrong command explains it."""
    for ref, items in _of_kind(s, "crash_app_exit").items():
        lasting = [one for one in items if not (_was_new(s, one[0]) or _is_over(s, one[0]))]
        if not lasting or ref.startswith(("Job/", "CronJob/")):
            continue
        ending, line = lasting[0]
        said = f": {_said(line)}" if line else ""
        yield _finding(
            s,
            "crash_app_exit",
            lasting,
            f"container {ending.container} of {spoken(ref)} keeps ending by itself",
            f"its program ends with exit code {ending.exit_code}{said}",
        )


def check_container_killed(s: Snapshot) -> Iterator[Finding]:
    """Exit codes 137, 143 and other signals, where neither the OOM killer nor a probe sent them."""
    for ref, killed in _of_kind(s, "container_killed").items():
        items = [item for item in killed if not _is_over(s, item[0])]
        if not items:
            continue
        ending, _ = items[0]
        signal = ending.signal or "a signal"
        yield _finding(
            s,
            "container_killed",
            items,
            f"container {ending.container} of {spoken(ref)} is killed from outside",
            f"{signal} ended it (exit code {ending.exit_code}); it is not OOMKilled, and no probe killed it",
        )


def _was_new(s: Snapshot, ending: Ending) -> bool:
    return ended_while_new(s, ending.row, ending.finished_at)


def _is_over(s: Snapshot, ending: Ending) -> bool:
    """True where it has recovered, and nobody misses it."""
    return has_recovered(s, ending.row) and not symptoms(s, ending.object) and not failed_calls(s, ending.object)


def _of_kind(s: Snapshot, kind: str) -> dict[str, list[Found]]:
    """Endings of one kind by object. Init containers have a check of their own."""
    return grouped_endings((ending, line) for ending, fault, line in judged(s) if fault == kind)


def _finding(
    s: Snapshot,
    fault: str,
    items: list[Found],
    summary: str,
    cause: str,
    *,
    extra: Iterable[Fact] = (),
    strength: Literal[2, 3] = 2,
) -> Finding:
    return Finding(
        fault=fault,
        object=items[0][0].object,
        summary=summary,
        cause=cause,
        facts=one_each([*ending_facts(items), *extra]),
        since=began(s, [ending for ending, _ in items]),
        strength=strength,
    )


def _said(line: Row | None) -> str:
    return f'its log says "{clipped(line["message"])}"' if line else ""


def _refusal(message: str) -> str:
    """What the runtime says of the command, without the layers that it came through."""
    return clipped(message[message.find("exec: ") :] if "exec: " in message else message)


CHECKS: tuple[Check, ...] = (check_bad_command, check_missing_env, check_app_exit, check_container_killed)
