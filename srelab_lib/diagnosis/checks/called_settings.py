"""A setting of a server that was altered, as its callers tell of it: the server itself may say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.diagnosis.checks._edits import edits
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, clipped, log_fact, one_each, rows
from srelab_lib.diagnosis.checks._logs import Hits, hits
from srelab_lib.diagnosis.checks._services import Net, net
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks._ties import settings_read
from srelab_lib.diagnosis.checks.config_values import COMPLAINT, SLACK
from srelab_lib.model import Finding, Snapshot, spoken

_WORD = re.compile(r"[A-Za-z][\w-]{4,}\w")
_SETTING = re.compile(r"^\s*[\"']?([A-Za-z][\w.-]{4,}\w)[\"']?(?:\s*[:=]\s*|\s+)\S.*", re.MULTILINE)
"""A line of a file of settings, and its name."""
_FLAG = re.compile(r"(?<!\S)--?([A-Za-z][\w.-]{4,}\w)[= ]+\S+")
_VARIABLE = re.compile(r"\.env\[([^\]]{6,})\]")


def check_setting_of_called(s: Snapshot) -> Iterator[Finding]:
    """Errors of a caller that name a setting which was altered before in a ConfigMap of whom it calls."""
    view = net(s)
    for row in edits(s):
        if row["new"] is None:
            continue
        altered = _altered(_SETTING, row["old"], row["new"])
        readers = {ref for ref, read in settings_read(s).items() if row["object"] in read}
        for hit, lines, name, server in _told_of(s, view, row, altered, readers):
            yield Finding(
                fault="configmap_wrong_value",
                object=row["object"],
                summary=f"{spoken(hit.object)} is refused by {spoken(server)}",
                cause=_cause(name, lines[-1], row),
                facts=one_each([change_fact(row), *map(log_fact, [lines[0], lines[-1]]), *symptoms(s, hit.object)]),
                since=lines[0]["time"],
                related=(hit.object, server),
            )


def check_flag_of_called(s: Snapshot) -> Iterator[Finding]:
    """Errors of a caller that name a flag or a variable with which one that it calls was rolled out before."""
    view, df = net(s), s["changes"]
    own = df[df["object"].isin(view.workloads) & df["field"].str.contains(r"\.(?:args|command)$|\.env\[")]
    for row in rows(own[own["old"].notna() & own["new"].notna()]):
        variable = _VARIABLE.search(row["field"])
        altered = {variable[1]} if variable else _altered(_FLAG, row["old"], row["new"])
        for hit, lines, name, server in _told_of(s, view, row, altered, {row["object"]}):
            yield Finding(
                fault="bad_deploy",
                object=server,
                summary=f"{spoken(hit.object)} is refused by {spoken(server)} since the last rollout there",
                cause=_cause(name, lines[-1], row),
                facts=one_each([change_fact(row), *map(log_fact, [lines[0], lines[-1]]), *symptoms(s, hit.object)]),
                since=lines[0]["time"],
                related=(hit.object,),
            )


def _cause(name: str, line: Row, row: Row) -> str:
    said, what = clipped(line["message"]), "was altered" if row["old"] is not None else "is set, which was edited"
    return f'in {spoken(row["object"])} {name} {what}, and since then it is told "{said}"'


def _told_of(
    s: Snapshot, view: Net, row: Row, altered: set[str], servers: set[str]
) -> Iterator[tuple[Hits, list[Row], str, str]]:
    """Callers of servers whose lines since a change name what it altered: (all they say, these lines, name, server)."""
    callers = dict(_callers(view, servers)) if altered else {}
    for hit in hits(s, COMPLAINT) if callers else ():
        lines = [line for line in hit.lines if altered & set(_WORD.findall(line["message"]))]
        if hit.object in callers and lines and lines[0]["time"] >= row["time"] - SLACK and evident(s, hit):
            yield hit, lines, min(altered & set(_WORD.findall(lines[-1]["message"]))), callers[hit.object]


def _altered(setting: re.Pattern[str], old: str | None, new: str) -> set[str]:
    """Names of the settings that both texts have, and not with the same value; all where the old text is not known."""
    before, after = ({match[1]: match[0] for match in setting.finditer(text or "")} for text in (old, new))
    if old is None:
        return set(after)
    return {name for name in before.keys() & after.keys() if before[name] != after[name]}


def _callers(view: Net, servers: set[str]) -> Iterator[tuple[str, str]]:
    """(a workload that calls it, one of the servers)."""
    for service in view.services.values():
        for workload in service.workloads:
            if workload.ref in servers:
                yield from ((caller.ref, workload.ref) for caller in view.callers(service) if caller.ref not in servers)


CHECKS: tuple[Check, ...] = (check_setting_of_called, check_flag_of_called)
