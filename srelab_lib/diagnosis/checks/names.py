"""Names that do not resolve: of a Service that does not exist, or of one that does, when DNS itself fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from srelab_lib.diagnosis.checks._calls import Address, Failure, Kind, failures
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    in_window,
    log_fact,
    of_namespace,
    one_each,
    raw_objects,
    spec_fact,
    status_fact,
)
from srelab_lib.diagnosis.checks._facts import rows as plain_rows
from srelab_lib.diagnosis.checks._logs import pauses
from srelab_lib.diagnosis.checks._services import Net, Workload, is_pod, net
from srelab_lib.diagnosis.checks.network_policy import blocked
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, split_ref, spoken

_CLUSTER_DNS = "Deployment/kube-system/coredns"
_SILENCE = timedelta(seconds=60)
_STEADY_LINES = 20
"""From so many lines on a log has a rhythm that can end."""
_DNS_KINDS: tuple[Kind, ...] = ("no_such_name", "no_dns_answer")


def check_service_missing(s: Snapshot) -> Iterator[Finding]:
    """Names in failed calls, and in the caller's settings, that no Service of the namespace has."""
    view = net(s)
    for call in failures(s):
        address = _meant(view, call)
        absent = address is not None and _absent(view, address, call)
        if (
            not absent
            or address is None
            or not call.hits.ongoing
            or blocked(s, view, call)
            or _dns_is_broken(s, view, call)
        ):
            continue
        yield _missing(s, view, call, address)


def _meant(view: Net, call: Failure) -> Address | None:
    """The address that the lines name, or the only one of the caller's settings that names no Service."""
    if call.address is not None or call.kind not in (*_DNS_KINDS, "refused", "timeout"):
        return call.address
    workload = view.workloads.get(call.caller)
    named_here = {item.address for item in view.references(workload)} if workload else set()
    absent = [address for address in named_here if view.meaning(address) == "missing"]
    return absent[0] if len(absent) == 1 and call.kind in _DNS_KINDS else None


def _absent(view: Net, address: Address, call: Failure) -> bool:
    """True for a name of this namespace without a Service; of another one only when DNS says that there is none."""
    meaning = view.meaning(address)
    if meaning == "missing":
        return call.kind in _DNS_KINDS or view.near_service(view.local_name(address.host) or "") is not None
    return meaning == "elsewhere" and call.kind == "no_such_name" and not address.host.replace(".", "").isdigit()


def _missing(s: Snapshot, view: Net, call: Failure, address: Address) -> Finding:
    name = view.local_name(address.host) or address.host
    ref = object_ref("Service", s.namespace, name)
    pods = [item.ref for item in view.workloads.values() if split_ref(item.ref)[2] == name]
    workload = view.workloads.get(call.caller)
    settings = [item for item in view.references(workload) if item.address.host == address.host] if workload else []
    near, silent = view.near_service(name), _fell_silent(s, view, pods, call)
    meant = f"; a Service {near} exists" if near else ""
    renamed = _renamed(s, view, pods)
    new = [object_ref("Service", s.namespace, renamed)] if renamed else []
    if renamed:
        meant = f"; Service {renamed}, which selects the pods of that name, is new: it was renamed"
    elif silent and not near:
        behind = spoken(silent["object"])
        meant = f"; {behind}, which has that name, is ready and was at work until then: the Service was deleted"
    return Finding(
        fault="service_missing",
        object=ref if pods else call.caller,
        summary=f"{spoken(call.caller)} calls {address.host}, and no such Service exists",
        cause=f"Service {name} does not exist in namespace {s.namespace}{meant}",
        facts=one_each(
            [
                *call.hits.facts(),
                *(spec_fact(item.where, setting=item.text) for item in settings[:2]),
                log_fact(silent) if silent else None,
                spec_fact(ref, services_in_namespace=",".join(sorted(view.services)) or "none"),
            ]
        ),  # fmt: skip
        since=call.hits.first,
        strength=3 if len(call.hits.lines) > 1 else 2,
        related=tuple(dict.fromkeys([call.caller, ref, *pods, *new, *(item.where for item in settings)])),
    )


def _renamed(s: Snapshot, view: Net, pods: Sequence[str]) -> str | None:
    """A Service that came in the window, later than the pods that it selects and that have the missing one's name."""
    for service in view.services.values():
        created = api_time((raw_objects(s, "Service")[service.name].get("metadata") or {}).get("creationTimestamp"))
        own = [pod["created"] for workload in service.workloads if workload.ref in pods for pod in workload.pods]
        if own and created and in_window(s, created) and created - min(own) > _SILENCE:
            return service.name
    return None


def _fell_silent(s: Snapshot, view: Net, pods: Sequence[str], call: Failure) -> Row | None:
    """The last line of a ready workload of that name whose log, steady before, ends where the calls begin to fail."""
    for ref in pods:
        if not view.workloads[ref].ready:
            continue
        said = [row for row in of_namespace(s, "logs") if row["object"] == ref and row["time"]]
        said.sort(key=lambda row: row["time"])
        if len(said) < _STEADY_LINES:
            continue
        pause, last = max(pauses(said)), said[-1]["time"]
        ended = abs(call.hits.first - last) <= max(2 * pause, timedelta(seconds=5))
        if ended and s.window.end - last >= max(_SILENCE, 5 * pause):
            return said[-1]
    return None


def check_dns_failure(s: Snapshot) -> Iterator[Finding]:
    """Failed name resolutions of Services that exist, with the pod's dnsPolicy and dnsConfig."""
    view = net(s)
    groups: dict[str, list[Failure]] = {}
    for call in failures(s, *_DNS_KINDS):
        if call.hits.ongoing and len(call.hits.lines) > 1 and _of_existing(view, call) and not blocked(s, view, call):
            own = _own_dns(view.workloads.get(call.caller))
            # That there is no such name is an answer: of a name that no line has, it may be true.
            named = own or call.address or call.kind != "no_such_name"
            if named and (own or s.window.end - call.hits.last <= _SILENCE):
                groups.setdefault(call.caller if own else _CLUSTER_DNS, []).append(call)
    for ref, calls in groups.items():
        own = _own_dns(view.workloads.get(ref))
        callers = list(dict.fromkeys(call.caller for call in calls))
        names = list(dict.fromkeys(address.host for call in calls for address in _asked_for(view, call)))
        exist = "the Service exists" if len(names) == 1 else "the Services exist"
        yield Finding(
            fault="dns_failure",
            object=ref,
            summary=f"{spoken(callers[0])} cannot resolve {', '.join(names)}, although {exist}",
            cause=f"its pods ask other name servers: {own[0].text}" if own else "the cluster's DNS does not answer",
            facts=one_each([*(f for call in calls[:3] for f in call.hits.facts(2)), *own, *_dns_pods(s)]),
            since=min(call.hits.first for call in calls),
            related=tuple(callers),
        )


def _of_existing(view: Net, call: Failure) -> bool:
    """True when the name is of a Service with an address: a headless one has those of its ready pods."""
    asked = [(address, view.service(address)) for address in _asked_for(view, call)]
    return bool(asked) and all(
        one is not None and (one.spec.get("clusterIP") != "None" or (one.ready and not is_pod(address.host)))
        for address, one in asked
    )


def _asked_for(view: Net, call: Failure) -> list[Address]:
    """The address that a failed call names, else those that the caller's definition does."""
    if call.address:
        return [call.address]
    workload = view.workloads.get(call.caller)
    return [item.address for item in view.references(workload)] if workload else []


def _own_dns(workload: Workload | None) -> list[Fact]:
    """What a pod's spec says about DNS, where that is not the cluster's own."""
    if workload is None:
        return []
    policy: Any = workload.spec.get("dnsPolicy", "ClusterFirst")
    servers = ",".join((workload.spec.get("dnsConfig") or {}).get("nameservers") or []) or None
    host_network = workload.spec.get("hostNetwork") and policy == "ClusterFirst"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and not servers and not host_network:
        return []
    return [
        spec_fact(workload.ref, dnsPolicy=policy, nameservers=servers, hostNetwork=workload.spec.get("hostNetwork"))
    ]


def _dns_is_broken(s: Snapshot, view: Net, call: Failure) -> bool:
    """True when the caller cannot resolve names that exist either: then the name proves nothing."""
    others = (other for other in failures(s, *_DNS_KINDS) if other.caller == call.caller and other.address)
    return any(_of_existing(view, other) for other in others)


def _dns_pods(s: Snapshot) -> list[Fact]:
    """The cluster's DNS pods that are not ready, where they are in sight."""
    pods = s["pods"]
    found = plain_rows(pods[(pods["namespace"] == "kube-system") & (pods["object"] == _CLUSTER_DNS)])
    return [status_fact(pod, phase=pod["phase"], ready=pod["ready"]) for pod in found if not pod["ready"]]


CHECKS: tuple[Check, ...] = (check_service_missing, check_dns_failure)
