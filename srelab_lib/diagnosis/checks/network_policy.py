"""NetworkPolicies that forbid a connection which a workload tries to make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from srelab_lib.diagnosis.checks._calls import Failure, failures
from srelab_lib.diagnosis.checks._facts import Check, in_window, one_each, raw_objects, spec_fact
from srelab_lib.diagnosis.checks._logs import complaints_since
from srelab_lib.diagnosis.checks._policies import Direction, Peer, Policy, allowed, policies_on
from srelab_lib.diagnosis.checks._services import Net, Service, Workload, net
from srelab_lib.diagnosis.checks._symptoms import risen_signals, symptoms
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_DNS = Peer(labels={"k8s-app": "kube-dns"}, namespace="kube-system", port=53, port_name="dns", protocol="UDP",
            namespace_labels={"kubernetes.io/metadata.name": "kube-system"})  # fmt: skip
_AT_ONCE = timedelta(seconds=60)
"""From a policy to the first complaint that it explains."""
_DNS_KINDS = ("no_such_name", "no_dns_answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocked:
    """A connection that policies forbid: by which, on whose side, and to what."""

    policy: Policy
    direction: Direction
    pod: str
    what: str
    target: Service | None = None


def blocked(s: Snapshot, view: Net, call: Failure) -> Blocked | None:
    """The policy that forbids a failed call, or None when nothing forbids it."""
    caller = view.workloads.get(call.caller)
    if caller is None:
        return None
    if call.kind in _DNS_KINDS:
        return _denied(s, caller, "Egress", _DNS, "DNS, port 53")
    services = [view.service(call.address)] if call.address else view.called(caller)
    for service in filter(None, services):
        found = _between(s, view, caller, service, call.address.port if call.address else None)
        if found:
            return found
    if call.address and not any(services):
        outside = Peer(labels={}, namespace="", namespace_labels={}, port=call.address.port)
        return _denied(s, caller, "Egress", outside, f"{call.address.host}")
    return None


def _between(s: Snapshot, view: Net, caller: Workload, service: Service, port: int | None) -> Blocked | None:
    """The policy that stands between a workload and the pods of a Service which are ready."""
    for target in service.workloads:
        if not target.ready:
            continue
        number, name = _target_port(service, target, port)
        to = Peer(labels=target.labels, namespace=s.namespace, namespace_labels=_namespace_labels(s), port=number,
                  port_name=name)  # fmt: skip
        by = Peer(labels=caller.labels, namespace=s.namespace, namespace_labels=_namespace_labels(s), port=number,
                  port_name=name)  # fmt: skip
        found = _denied(s, target, "Ingress", by, f"{spoken(caller.ref)}", service)
        found = found or _denied(s, caller, "Egress", to, f"{spoken(service.ref)}", service)
        if found:
            return found
    return None


def _denied(
    s: Snapshot, pod: Workload, direction: Direction, peer: Peer, what: str, target: Service | None = None
) -> Blocked | None:
    on = policies_on(s, pod.labels, direction)
    if allowed(on, direction, peer, own_namespace=s.namespace):
        return None
    return Blocked(policy=on[0], direction=direction, pod=pod.ref, what=what, target=target)


def _target_port(service: Service, target: Workload, port: int | None) -> tuple[int | None, str]:
    """Number and name of the pod's port behind a Service's port; policies speak of the pod's."""
    chosen = next((item for item in service.ports if port in (None, item.get("port"))), {})
    wanted = chosen.get("targetPort", chosen.get("port"))
    ports = target.ports()
    if isinstance(wanted, str) and not wanted.isdigit():
        return next(((number, name) for number, name in ports.items() if name == wanted), (None, wanted))
    number = int(wanted) if wanted is not None else None
    return number, ports.get(number or 0, "")


def _namespace_labels(s: Snapshot) -> dict[str, str]:
    raw = raw_objects(s, "Namespace").get(s.namespace, {})
    labels = (raw.get("metadata") or {}).get("labels") or {}
    return {"kubernetes.io/metadata.name": s.namespace, **labels}


def check_policy_blocks(s: Snapshot) -> Iterator[Finding]:
    """NetworkPolicy rules against the connections that failed by the log lines of the callers."""
    view = net(s)
    groups: dict[tuple[str, str, Direction], list[tuple[Blocked, Failure]]] = {}
    for call in failures(s):
        found = blocked(s, view, call) if call.hits.ongoing and len(call.hits.lines) > 1 else None
        if found:
            groups.setdefault((found.policy.ref, found.pod, found.direction), []).append((found, call))
    for pairs in groups.values():
        calls = [call for _, call in pairs]
        lines = [fact for call in calls[:2] for fact in call.hits.facts(2)]
        yield _finding(
            s, pairs[0][0], lines, min(call.hits.first for call in calls), [call.caller for call in calls], 3
        )


def check_new_policy(s: Snapshot) -> Iterator[Finding]:
    """A NetworkPolicy made in the window against the Services that unwell workloads are set to call."""
    view = net(s)
    for caller in view.workloads.values():
        unwell = symptoms(s, caller.ref)
        for service in {item.ref: item for item in view.called(caller)}.values():
            found = _between(s, view, caller, service, None)
            if found and unwell and in_window(s, found.policy.created):
                yield _finding(s, found, unwell, found.policy.created, [caller.ref], 2)


def check_closed_by_policy(s: Snapshot) -> Iterator[Finding]:
    """A NetworkPolicy made in the window that lets in nobody who is there: who complains since, and what is quiet."""
    view = net(s)
    for workload in view.workloads.values():
        on = policies_on(s, workload.labels, "Ingress")
        new = next((policy for policy in on if in_window(s, policy.created)), None)
        if new is None or any(_may_enter(s, on, other) for other in view.workloads.values()):
            continue
        quiet = risen_signals(s, workload.ref, "request_rate", "target_up", rising=False)
        complaints = [hit for hit in complaints_since(s, new.created) if hit.object != workload.ref and workload.ready]
        if complaints or quiet:
            closed = Blocked(policy=new, direction="Ingress", pod=workload.ref, what="any workload that is there")
            told = [*(fact for hit in complaints for fact in hit.facts(2)), *quiet]
            first = min((hit.first for hit in complaints), default=new.created)
            yield _finding(s, closed, told, first, [hit.object for hit in complaints], 2)


def check_closed_to_others(s: Snapshot) -> Iterator[Finding]:
    """A NetworkPolicy made in the window that lets a workload out to some only, and its complaints since then."""
    view = net(s)
    for workload in view.workloads.values():
        on = policies_on(s, workload.labels, "Egress")
        new = next((policy for policy in on if in_window(s, policy.created)), None)
        if new is None or _goes_anywhere(on):
            continue
        for hit in complaints_since(s, new.created):
            if hit.object == workload.ref and hit.first <= new.created + _AT_ONCE:
                closed = Blocked(
                    policy=new, direction="Egress", pod=workload.ref, what="other destinations than it lists"
                )
                yield _finding(s, closed, hit.facts(2), hit.first, [], 2)
                break


def _goes_anywhere(policies: Sequence[Policy]) -> bool:
    """True when the policies let a pod out to whomever it likes."""
    return any(not rule for policy in policies for rule in policy.spec.get("egress") or [])


def _may_enter(s: Snapshot, policies: Sequence[Policy], other: Workload) -> bool:
    """True when the policies have an ingress rule for a workload, on whatever port."""
    peer = Peer(labels=other.labels, namespace=s.namespace, namespace_labels=_namespace_labels(s), port=None)
    return allowed(policies, "Ingress", peer, own_namespace=s.namespace)


def _finding(
    s: Snapshot, found: Blocked, told: Sequence[Fact], since: datetime, callers: list[str], strength: Any
) -> Finding:
    policy = found.policy
    side = "to" if found.direction == "Ingress" else "from"
    end = "from" if found.direction == "Ingress" else "to"
    what = f"it selects {spoken(found.pod)} and has no {found.direction.lower()} rule for {found.what}"
    # In the words of the table of changes: one fact, told once.
    named = policy.ref.rpartition("/")[2]
    made = Fact(kind="change", object=policy.ref, text=f"NetworkPolicy {named} created", time=policy.created)
    target = [found.target.ref, *(item.ref for item in found.target.workloads)] if found.target else []
    return Finding(
        fault="network_policy_blocks",
        object=policy.ref,
        summary=f"{spoken(policy.ref)} blocks traffic {side} {spoken(found.pod)} {end} {found.what}",
        cause=what,
        facts=one_each(
            [
                spec_fact(
                    policy.ref,
                    podSelector=policy.spec.get("podSelector") or {},
                    policyTypes=",".join(policy.spec.get("policyTypes") or ["Ingress"]),
                    ingress=policy.spec.get("ingress"),
                    egress=policy.spec.get("egress"),
                ),
                *([made] if in_window(s, policy.created) else []),
                *told,
            ]
        ),  # fmt: skip
        since=since,
        strength=strength,
        related=tuple(dict.fromkeys([found.pod, *callers, *target])),
    )


CHECKS: tuple[Check, ...] = (check_policy_blocks, check_new_policy, check_closed_by_policy, check_closed_to_others)
