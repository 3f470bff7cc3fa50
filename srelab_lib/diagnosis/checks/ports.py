"""Services that send their calls to a port on which nothing listens, and callers of a port that they do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from srelab_lib.diagnosis.checks._calls import Failure, all_failures, failures
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, earliest, one_each, rows, spec_fact
from srelab_lib.diagnosis.checks._policies import policies_on
from srelab_lib.diagnosis.checks._services import Net, Service, Workload, calls_to, net
from srelab_lib.diagnosis.checks._ties import settings_read
from srelab_lib.diagnosis.checks.config_values import AFTER_EDIT, SLACK
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_LISTENS = re.compile(
    r"(?:listening|running|serving|started|bound|available|ready|server)\b.{0,60}?"
    r"(?::|\bport[ =:]+|\bport\(s\):? )(\d{3,5})\b",
    re.IGNORECASE,
)


def call_facts(calls: list[Failure], limit: int = 2) -> list[Fact]:
    """Lines of the first failed calls."""
    return [fact for call in calls[:2] for fact in call.hits.facts(limit)]


def changes_of(s: Snapshot, *refs: str) -> list[Row]:
    """Changes of the objects in the window, their creation among them."""
    df = s["changes"]
    return [row for row in rows(df[df["object"].isin(refs)]) if row["time"] >= s.window.start]


def edited(s: Snapshot, ref: str) -> list[datetime]:
    """When a Service was edited; when it came, where it is as it came."""
    found = changes_of(s, ref)
    edits = [row for row in found if re.search(r"selector|port", row["field"], re.IGNORECASE)]
    return [row["time"] for row in edits or found]


def _sent_there(s: Snapshot, calls: list[Failure], port: Mapping[str, Any]) -> Row | None:
    """The change by which a caller, or a ConfigMap that it reads, came to name the port, shortly before it failed."""
    reads, number = settings_read(s), re.compile(rf"(?<!\d){port.get('port')}(?!\d)")
    for call in calls:
        for row in changes_of(s, call.caller, *reads.get(call.caller, ())):
            before = row["time"] - SLACK <= call.hits.first <= row["time"] + AFTER_EDIT
            if before and row["old"] and number.search(str(row["new"])) and not number.search(row["old"]):
                return row
    return None


def check_wrong_port(s: Snapshot) -> Iterator[Finding]:
    """Service.spec.ports against the ports of its pods, and refused calls of it while its pods are ready."""
    view, failed = net(s), all_failures(s)
    for service in view.services.values():
        workload = next((item for item in service.workloads if item.ready), None)
        if not service.routed or workload is None:
            continue
        calls = [call for call in calls_to(view, failed, service) if call.hits.ongoing]
        for port in service.ports:
            reason = _wrong_port(s, port, workload, calls)
            sent = _sent_there(s, calls, port) if reason else None
            if sent:
                yield _sent_finding(s, service, port, sent, calls)
            elif reason:
                yield _port_finding(s, view, service, port, workload, calls, reason)


def _wrong_port(
    s: Snapshot, port: Mapping[str, Any], workload: Workload, calls: list[Failure]
) -> tuple[str, int] | None:
    """Why the port cannot work, and how sure that is. Declared ports bind nobody: alone they prove nothing."""
    target, declared = port.get("targetPort", port.get("port")), workload.ports()
    if isinstance(target, str) and not target.isdigit():
        missing = target not in declared.values()
        return (f"no container of {spoken(workload.ref)} names a port {target}", 3) if missing else None
    refused = [call for call in calls if call.kind == "refused" and _of_port(call, port) and evident(s, call.hits)]
    heard = {*_probed(workload), *_listening(s, workload)}
    if int(str(target or 0)) in {*declared, *heard} or port.get("protocol", "TCP") != "TCP":
        return None
    if calls and not refused:
        return None  # Who is refused nothing, and fails, was answered there.
    if heard and (refused or declared):
        ports = ", ".join(map(str, sorted({*declared, *heard})))
        return f"the pods of {spoken(workload.ref)} listen on {ports}, not on {target}", 3 if refused else 2
    if refused and not policies_on(s, workload.labels):
        return f"the pods of {spoken(workload.ref)} are ready and refuse connections on {target}", 2
    return None


def _of_port(call: Failure, port: Mapping[str, Any]) -> bool:
    """True unless the line names another port of the Service."""
    named_port = call.address.port if call.address else None
    return named_port in (None, port.get("port"), port.get("targetPort"))


def _probed(workload: Workload) -> set[int]:
    """Ports that a readiness or liveness probe asks: the pods are ready, so they answer there."""
    found = set()
    for container in workload.containers():
        for probe in (container.get("readinessProbe"), container.get("livenessProbe"), container.get("startupProbe")):
            for form in ("httpGet", "tcpSocket", "grpc"):
                asked = ((probe or {}).get(form) or {}).get("port")
                names = {p.get("name"): p["containerPort"] for p in container.get("ports") or []}
                number = str(names.get(asked, asked))
                found |= {int(number)} if number.isdigit() else set()
    return found


def _listening(s: Snapshot, workload: Workload) -> set[int]:
    """Ports that the program says it listens on, in the first lines of its log."""
    df = s["logs"]
    messages = df.loc[df["object"] == workload.ref, "message"].head(60)
    return {int(match.group(1)) for message in messages if (match := _LISTENS.search(str(message)))}


def _port_finding(s: Snapshot, view: Net, service: Service, port: Mapping[str, Any], workload: Workload,
                  calls: list[Failure], reason: tuple[str, int]) -> Finding:  # fmt: skip
    why, strength = reason
    probes = ",".join(map(str, sorted(_probed(workload)))) or None
    declared = ",".join(f"{number} {name}".strip() for number, name in sorted(workload.ports().items())) or None
    target = port.get("targetPort", port.get("port"))
    return Finding(
        fault="service_wrong_port",
        object=service.ref,
        summary=f"{spoken(service.ref)} sends its port {port.get('port')} to port {target}, where nothing listens",
        cause=why,
        facts=one_each(
            [
                spec_fact(service.ref, port=port.get("port"), targetPort=target, ready_endpoints=service.ready),
                spec_fact(workload.ref, containerPort=declared, probe_port=probes),
                *call_facts(calls),
            ]
        ),  # fmt: skip
        since=earliest(*(call.hits.first for call in calls), *edited(s, service.ref)),
        strength=3 if strength == 3 else 2,
        related=tuple(
            dict.fromkeys(
                [workload.ref, *(item.ref for item in view.callers(service)), *(call.caller for call in calls)]
            )
        ),  # fmt: skip
    )


def _sent_finding(s: Snapshot, service: Service, port: Mapping[str, Any], sent: Row, calls: list[Failure]) -> Finding:
    """The Service has a port that never worked; who was changed to call it is where it broke."""
    is_setting, number = sent["object"].startswith("ConfigMap/"), port.get("port")
    return Finding(
        fault="configmap_wrong_value" if is_setting else "service_wrong_port",
        object=sent["object"],
        summary=f"{spoken(calls[0].caller)} calls port {number} of {spoken(service.ref)}, where nothing listens",
        cause=f"{spoken(sent['object'])} names port {number} since it was changed, and no pod listens there",
        facts=one_each(
            [
                change_fact(sent),
                *call_facts(calls),
                spec_fact(service.ref, port=number, targetPort=port.get("targetPort", number)),
            ]
        ),
        since=earliest(*(call.hits.first for call in calls)),
        strength=3,
        related=tuple(dict.fromkeys([*(call.caller for call in calls), service.ref])),
    )


def check_called_port(s: Snapshot) -> Iterator[Finding]:
    """Failed calls to a port that the called Service does not have, where the caller's own definition names it."""
    view = net(s)
    for call in failures(s, "refused", "timeout", "unreachable"):
        service = view.service(call.address)
        port = call.address.port if call.address else None
        workload = view.workloads.get(call.caller)
        if not service or not service.routed or not workload or not port or not call.hits.ongoing:
            continue
        own = [item for item in view.references(workload) if item.address == call.address and not item.configmap]
        offered = [item.get("port") for item in service.ports]
        if port in offered or not own or len(call.hits.lines) < 2:
            continue
        ports = ", ".join(map(str, offered))
        yield Finding(
            fault="service_wrong_port",
            object=call.caller,
            summary=f"{spoken(call.caller)} calls port {port} of {spoken(service.ref)}, which has no such port",
            cause=f"it is set to {own[0].text}, and {spoken(service.ref)} has port {ports}",
            facts=one_each(
                [*call.hits.facts(), spec_fact(call.caller, setting=own[0].text), spec_fact(service.ref, port=ports)]
            ),  # fmt: skip
            since=call.hits.first,
            related=(service.ref,),
        )


CHECKS: tuple[Check, ...] = (check_wrong_port, check_called_port)
