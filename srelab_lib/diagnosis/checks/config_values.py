"""A ConfigMap whose value is wrong: it was edited before the trouble, or the errors name what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from srelab_lib.diagnosis.checks import database
from srelab_lib.diagnosis.checks._calls import addresses, failures
from srelab_lib.diagnosis.checks._crash_kinds import judged
from srelab_lib.diagnosis.checks._edits import edits, read_since
from srelab_lib.diagnosis.checks._endings import Ending, began
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    change_fact,
    earliest,
    in_window,
    log_fact,
    one_each,
    quoted,
    raw_objects,
    rows,
)
from srelab_lib.diagnosis.checks._logs import Hits, by_workload, hits, matching
from srelab_lib.diagnosis.checks._services import Net, Workload, net
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks._ties import calls_of
from srelab_lib.diagnosis.checks.exceptions import ERROR, what_it_says
from srelab_lib.diagnosis.started import spoken_of
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

SLACK = timedelta(seconds=10)
"""Clocks of the API server and of nodes differ by less."""

COMPLAINT = re.compile(
    r"invalid|not a valid|cannot|can't|could not|couldn't|failed|failure|unknown|unsupported|illegal"
    r"|unexpected|malformed"
    r"|unrecogni[sz]ed|must be|out of range|error|exception|refused|timed? ?out|not found|denied|\bemerg\b|parse",
    re.IGNORECASE,
)
_REJECTED = re.compile(
    r"invalid|not a valid|unknown|unsupported|illegal|unexpected|malformed|unrecogni[sz]ed|must be"
    r"|out of range|expected"
    r"|could ?n[o']t (?:convert|parse)|(?:cannot|failed to|unable to) (?:parse|convert|decode|unmarshal)|parse error"
    r"|parsing|syntax error|NumberFormatException|ValueError|for input string",
    re.IGNORECASE,
)


_UPSTREAM = re.compile(r"^\s*upstream\s+([\w.-]+)\s*\{", re.MULTILINE)
"""What nginx's configuration calls a group of servers: a name of its own, not of a host."""
_QUOTED = re.compile(r"['\"`]([^'\"`\s]{3,80})['\"`]")
_LIMITED = re.compile(
    rf"{COMPLAINT.pattern}|not allowed|not permitted|exceed|too (?:many|large|big|long)|limit|full\b", re.IGNORECASE
)
_DIRECTIVE = re.compile(r"^\s*['\"]?([A-Za-z][\w.-]{4,})(?=['\"]?\s*[:=\s])", re.MULTILINE)
"""What a line of a file begins with: `maxmemory 1mb`, `max_connections = 20`."""
_ONE_KEY = re.compile(r"data\[[^\]]+\]$")
_OWN_CHANGES = ("rollout", "image")
AFTER_EDIT = timedelta(seconds=180)
"""Mounted files reach a pod within two minutes of an edit, and a restart takes its time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setting:
    """One entry of a ConfigMap, and the workload that reads it."""

    workload: Workload
    configmap: str
    key: str
    value: str


def check_wrong_value(s: Snapshot) -> Iterator[Finding]:
    """Errors that name a ConfigMap's key or value, with an edit of it before them or a value that they reject."""
    view = net(s)
    complaints = matching(s, COMPLAINT)
    for setting in _settings(view):
        lines = [row for row in complaints if row["object"] == setting.workload.ref and _names(setting, row["message"])]
        if not lines:
            continue
        hit = by_workload(s, lines)[0]
        edit = _edit(s, setting, hit.first, key=setting.key)
        rejected = [row for row in lines if _REJECTED.search(row["message"]) and _holds(row["message"], setting.value)]
        failed = evident(s, hit) or bool(symptoms(s, hit.object))
        if failed and (edit or rejected or _leads_nowhere(view, setting)):
            yield _finding(s, setting, rejected or lines, edit)


def check_refused_by_setting(s: Snapshot) -> Iterator[Finding]:
    """Callers of a server that complain, by its name, of a directive in a file that was edited: `'maxmemory'`."""
    view, direct = net(s), calls_of(s)
    named = [row for row in matching(s, _LIMITED) if _QUOTED.search(row["message"])]
    for setting in _settings(view) if named else ():
        words = set(_DIRECTIVE.findall(setting.value)) if "\n" in setting.value.strip() else {setting.key}
        lines = [
            row
            for row in named
            if setting.workload.ref in direct.get(row["object"], ()) and words & set(_QUOTED.findall(row["message"]))
        ]
        hit = by_workload(s, lines)[0] if lines else None
        edit = _edit(s, setting, hit.first, key=setting.key) if hit else None
        if hit and edit and evident(s, hit):
            yield _finding(s, setting, lines, edit)


def check_dead_address(s: Snapshot) -> Iterator[Finding]:
    """Failed calls of a workload whose ConfigMap holds an address that no Service of the namespace has."""
    view = net(s)
    by_ref: dict[str, list[_Setting]] = {setting.workload.ref: [] for setting in _settings(view)}
    for setting in _settings(view):
        if _leads_nowhere(view, setting):
            by_ref[setting.workload.ref].append(setting)
    for failure in failures(s):
        wrong = by_ref.get(failure.caller, [])
        if failure.address is None and len(wrong) == 1 and failure.hits.ongoing:
            edit = _edit(s, wrong[0], failure.hits.first, key=wrong[0].key)
            yield _finding(s, wrong[0], list(failure.hits.lines), edit)


def check_failed_after_edit(s: Snapshot) -> Iterator[Finding]:
    """Edits of a ConfigMap, and readers of it that began to fail right after, without another change of theirs."""
    view, told = net(s), {finding.object for finding in check_wrong_value(s)}
    for setting in {(x.workload.ref, x.configmap): x for x in _settings(view)}.values():
        ref = object_ref("ConfigMap", s.namespace, setting.configmap)
        for hit in hits(s, ERROR) if ref not in told else ():
            if hit.object != setting.workload.ref or not evident(s, hit):
                continue
            edit = _edit(s, setting, hit.first, said=str(hit.lines[-1]["message"]))
            if not edit or not edit.time or not edit.time <= hit.first <= edit.time + AFTER_EDIT:
                continue
            if _is_told_by_database(s, hit):
                continue
            if _ONE_KEY.search(edit.text.partition(" ")[0]) and _calls_elsewhere(hit, edit.text):
                continue
            said = f'the log of {spoken(hit.object)} says "{what_it_says(hit.lines[-1])}"'
            if not _changed_otherwise(s, hit.object, edit.time, hit.first):
                yield Finding(
                    fault="configmap_wrong_value",
                    object=ref,
                    summary=f"{spoken(hit.object)} fails since {spoken(ref)} was edited",
                    cause=f"since the edit {said}",
                    facts=one_each([edit, *hit.facts(), *symptoms(s, hit.object)]),
                    since=hit.first,
                    related=(hit.object,),
                )


def _is_told_by_database(s: Snapshot, hit: Hits) -> bool:
    """True where a database tells at the same time why those who use it fail."""
    return any(
        finding.object != hit.object and hit.object in finding.related and finding.since - SLACK <= hit.first
        for check in database.CHECKS
        for finding in check(s)
        if finding.since
    )


def _calls_elsewhere(hit: Hits, edited: str) -> bool:
    """True when the last line, or a third of them, tells of an address that an edit of one key did not speak of."""
    asked = [addresses(str(line["message"])) for line in hit.lines]
    elsewhere = [bool(hosts) and not any(address.host in edited for address in hosts) for hosts in asked]
    return elsewhere[-1] or 3 * sum(elsewhere) >= len(elsewhere)


def _changed_otherwise(s: Snapshot, ref: str, edited: datetime, failed: datetime) -> bool:
    """True when the reader itself was changed about then; a restart that only sets an annotation is none."""
    df = s["changes"]
    near = df[(df["object"] == ref) & df["time"].between(edited - AFTER_EDIT, failed + SLACK)]
    return any(not str(row["field"]).startswith("annotations") for row in rows(near[near["kind"].isin(_OWN_CHANGES)]))


def _settings(view: Net) -> list[_Setting]:
    return [
        _Setting(workload=workload, configmap=name, key=key, value=value)
        for workload in view.workloads.values()
        for name, key, value in view.configured(workload)
    ]


def _names(setting: _Setting, message: str) -> bool:
    """True when a line names the key, the value, or an address that the value holds."""
    key = len(setting.key) > 3 and re.search(rf"(?<![\w-]){re.escape(setting.key)}(?![\w-])", message)
    hosts = {(address.host, address.port) for address in addresses(setting.value)}
    return bool(key) or _holds(message, setting.value) or any((a.host, a.port) in hosts for a in addresses(message))


def _holds(message: str, value: str) -> bool:
    """True when a short value stands in a line as a word of its own; one letter or digit would stand anywhere.

    Of a whole file, a value of it must stand in the line in quotes.
    """
    value = value.strip()
    if "\n" in value:
        return any(_is_value(word, value) for word in _QUOTED.findall(message))
    return 2 < len(value) < 120 and re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", message) is not None


def _is_value(word: str, text: str) -> bool:
    """True when a word stands behind a `:`, `=` or the like at the end of a line of a text."""
    return re.search(rf"(?m)(?:[:=]\s*[\"']?|[;,|\t]){re.escape(word)}[\"']?\s*(?:$|[;|\t])", text) is not None


def _leads_nowhere(view: Net, setting: _Setting) -> bool:
    """True when the value is an address of this namespace that no Service has, while one is near."""
    own = set(_UPSTREAM.findall(setting.value))
    for address in (one for one in addresses(setting.value) if one.host not in own):
        service = view.service(address)
        if service and service.routed and address.port and address.port not in [p.get("port") for p in service.ports]:
            return True
        name = view.local_name(address.host)
        if not service and name and view.meaning(address) == "missing" and view.near_service(name):
            return True
    return False


def _edit(s: Snapshot, setting: _Setting, first: datetime, *, key: str = "", said: str = "") -> Fact | None:
    """The last edit of the ConfigMap in the window, not after the errors began: of the changes, or of managedFields.

    With a key, those that are known to have altered other ones do not count. Of several keys at once it is the one
    that is most spoken of.
    """
    ref = object_ref("ConfigMap", s.namespace, setting.configmap)
    made = [row for row in edits(s) if row["object"] == ref and row["time"] <= first + SLACK]
    made += rows(_replacing(s, setting, first))
    known = [row for row in made if not key or f"[{key}]" in row["field"] or not _ONE_KEY.match(row["field"])]
    known.sort(key=lambda row: (-spoken_of(str(row["field"]), said), str(row["text"])))
    told = [change_fact(row) for row in known]
    meta = raw_objects(s, "ConfigMap").get(setting.configmap, {}).get("metadata") or {}
    created, written = api_time(meta.get("creationTimestamp")), _written(meta)
    rewritten = created and written and created + SLACK < written <= first + SLACK and in_window(s, written)
    if not made and written and rewritten and read_since(s, setting.configmap, written):
        told = [Fact(kind="change", object=ref, text=f"ConfigMap {setting.configmap} was edited", time=written)]
    return max(told, key=lambda fact: fact.time or s.window.start, default=None)


def _replacing(s: Snapshot, setting: _Setting, first: datetime) -> pd.DataFrame:
    """Rollouts that brought a ConfigMap in the place of one with another hash in its name, as kustomize makes them."""
    df, stem = s["changes"], setting.configmap.rpartition("-")[0]
    own = df[(df["object"] == setting.workload.ref) & (df["time"] <= first + SLACK)]
    named = own["new"].astype(str).str.contains(setting.configmap, regex=False)
    before = own["old"].astype(str).str.contains(rf"\b{re.escape(stem)}-[a-z0-9]{{6,12}}\b")
    return own[named & before] if stem else own[:0]


def _written(meta: Mapping[str, Any]) -> datetime | None:
    return max((time for f in meta.get("managedFields") or [] if (time := api_time(f.get("time")))), default=None)


def _finding(s: Snapshot, setting: _Setting, lines: list[Row], edit: Fact | None) -> Finding:
    ref, teller = object_ref("ConfigMap", s.namespace, setting.configmap), str(lines[-1]["object"])
    shown = _shown(setting.value, str(lines[-1]["message"]))
    told = f'"{shown}" in {setting.key}' if "\n" in setting.value.strip() else f"{setting.key}={shown}"
    held = Fact(kind="spec", object=ref, text=quoted(**{setting.key: shown}))
    return Finding(
        fault="configmap_wrong_value",
        object=ref,
        summary=f"{spoken(teller)} fails on the value of {setting.key} in {spoken(ref)}",
        cause=f'ConfigMap {setting.configmap} holds {told}; the log says "{what_it_says(lines[-1])}"',
        facts=one_each(
            [edit, held, *map(log_fact, [lines[0], *reversed(lines)][:3]), *symptoms(s, teller)]
        ),  # fmt: skip
        since=earliest(lines[0]["time"], began(s, _endings_of(s, setting.workload.ref))),
        related=tuple(dict.fromkeys([setting.workload.ref, teller])),
    )


def _shown(value: str, message: str) -> str:
    """The line of a file that a complaint speaks of: of what it has in quotes; else the first one."""
    lines = [line.strip() for line in value.splitlines() if line.strip()]
    hosts = {address.host for address in addresses(message)}
    words = [word for word in _QUOTED.findall(message) if word not in hosts]
    named = (line for word in words for line in lines if _is_value(word, line) or word in _DIRECTIVE.findall(line))
    return next(named, lines[0] if lines else "")[:120]


def _endings_of(s: Snapshot, ref: str) -> list[Ending]:
    """Of a container that ends again and again the log of its first end is gone."""
    return [ending for ending, fault, _ in judged(s) if ending.object == ref and fault == "crash_app_exit"]


CHECKS: tuple[Check, ...] = (
    check_wrong_value,
    check_refused_by_setting,
    check_dead_address,
    check_failed_after_edit,
)
