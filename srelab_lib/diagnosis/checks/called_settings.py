"""A setting of a server that was altered, as its callers tell of it: the server itself may say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, change_fact, clipped, log_fact, one_each, rows
from srelab_lib.diagnosis.checks._logs import hits
from srelab_lib.diagnosis.checks._services import Net, net
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks._ties import settings_read
from srelab_lib.diagnosis.checks.config_values import COMPLAINT, SLACK
from srelab_lib.model import Finding, Snapshot, spoken

_WORD = re.compile(r"[A-Za-z][\w-]{4,}\w")
_SETTING = re.compile(r"^\s*[\"']?([A-Za-z][\w.-]{4,}\w)[\"']?(?:\s*[:=]\s*|\s+)\S")


def check_setting_of_called(s: Snapshot) -> Iterator[Finding]:
    """Errors of a caller that name a setting which was altered before in a ConfigMap of whom it calls."""
    view, df = net(s), s["changes"]
    for row in rows(df[df["object"].str.startswith("ConfigMap/") & df["old"].notna() & df["new"].notna()]):
        altered = _altered(row["old"], row["new"])
        servers = dict(_callers_of_readers(s, view, row["object"])) if altered else {}
        for hit in hits(s, COMPLAINT) if servers else ():
            lines = [line for line in hit.lines if altered & set(_WORD.findall(line["message"]))]
            if hit.object not in servers or not lines or lines[0]["time"] < row["time"] - SLACK or not evident(s, hit):
                continue
            name = min(altered & set(_WORD.findall(lines[-1]["message"])))
            yield Finding(
                fault="configmap_wrong_value",
                object=row["object"],
                summary=f"{spoken(hit.object)} is refused by {spoken(servers[hit.object])}",
                cause=f"{name} was altered in {spoken(row['object'])}, "
                f'and since then it is told "{clipped(lines[-1]["message"])}"',
                facts=one_each([change_fact(row), *map(log_fact, [lines[0], lines[-1]]), *symptoms(s, hit.object)]),
                since=lines[0]["time"],
                related=(hit.object, servers[hit.object]),
            )


def _altered(old: str, new: str) -> set[str]:
    """Names of the settings of which both texts have a line, and not the same one."""
    before, after = (
        {match[1]: line for line in text.splitlines() if (match := _SETTING.match(line))} for text in (old, new)
    )
    return {name for name in before.keys() & after.keys() if before[name] != after[name]}


def _callers_of_readers(s: Snapshot, view: Net, configmap: str) -> Iterator[tuple[str, str]]:
    """(a workload that calls it, a workload that reads the ConfigMap)."""
    readers = {ref for ref, read in settings_read(s).items() if configmap in read}
    for service in view.services.values():
        for workload in service.workloads:
            if workload.ref in readers:
                yield from ((caller.ref, workload.ref) for caller in view.callers(service) if caller.ref not in readers)


CHECKS: tuple[Check, ...] = (check_setting_of_called,)
