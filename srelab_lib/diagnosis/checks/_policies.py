"""NetworkPolicies: which select a pod, and whether they let a connection through (networking.k8s.io/v1 semantics)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from srelab_lib.diagnosis.checks._facts import api_time, raw_objects
from srelab_lib.model import Snapshot, object_ref

Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """One NetworkPolicy."""

    ref: str
    spec: Mapping[str, Any]
    created: Any

    def applies_to(self, direction: Direction) -> bool:
        """`policyTypes`, or its default: Ingress always, Egress when there are egress rules."""
        types = self.spec.get("policyTypes") or ["Ingress", *(["Egress"] if self.spec.get("egress") else [])]
        return direction in types

    def rules(self, direction: Direction) -> list[Mapping[str, Any]]:
        return list(self.spec.get(direction.lower()) or [])


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """The other end of a connection, and the port on the side of the server."""

    labels: Mapping[str, str]
    namespace: str
    namespace_labels: Mapping[str, str]
    port: int | None
    port_name: str = ""
    protocol: str = "TCP"


def policies_on(s: Snapshot, labels: Mapping[str, str], direction: Direction | None = None) -> list[Policy]:
    """Policies that select pods with these labels, newest first."""
    found = [
        Policy(
            ref=object_ref("NetworkPolicy", s.namespace, name),
            spec=raw.get("spec") or {},
            created=api_time((raw.get("metadata") or {}).get("creationTimestamp")),
        )  # fmt: skip
        for name, raw in raw_objects(s, "NetworkPolicy").items()
    ]
    on = [policy for policy in found if matches(policy.spec.get("podSelector") or {}, labels)]
    on = [policy for policy in on if direction is None or policy.applies_to(direction)]
    return sorted(on, key=lambda policy: (policy.created or s.window.start, policy.ref), reverse=True)


def allowed(policies: Iterable[Policy], direction: Direction, peer: Peer, *, own_namespace: str) -> bool:
    """True when no policy selects the pod, or one of them has a rule for the peer and the port."""
    policies = list(policies)
    rules = [rule for policy in policies for rule in policy.rules(direction)]
    return not policies or any(_lets_through(rule, direction, peer, own_namespace) for rule in rules)


def _lets_through(rule: Mapping[str, Any], direction: Direction, peer: Peer, own_namespace: str) -> bool:
    ends = rule.get("from" if direction == "Ingress" else "to") or []
    ports = rule.get("ports") or []
    peer_fits = not ends or any(_is_end(end, peer, own_namespace) for end in ends)
    return peer_fits and (not ports or any(_is_port(port, peer) for port in ports))


def _is_end(end: Mapping[str, Any], peer: Peer, own_namespace: str) -> bool:
    """A block of addresses is taken to hold a pod only when it holds everything, or private addresses."""
    if end.get("ipBlock"):
        return str(end["ipBlock"].get("cidr", "")).startswith(("0.0.0.0/0", "10."))
    if end.get("namespaceSelector") is None:
        return peer.namespace == own_namespace and matches(end.get("podSelector") or {}, peer.labels)
    in_namespace = matches(end["namespaceSelector"], peer.namespace_labels)
    return in_namespace and matches(end.get("podSelector") or {}, peer.labels)


def _is_port(port: Mapping[str, Any], peer: Peer) -> bool:
    if port.get("protocol", "TCP") != peer.protocol:
        return False
    wanted = port.get("port")
    if wanted is None or peer.port is None:
        return True
    if isinstance(wanted, str) and not wanted.isdigit():
        return wanted == peer.port_name
    return int(wanted) <= peer.port <= int(port.get("endPort") or wanted)


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector with matchLabels and matchExpressions; an empty one matches everything."""
    exact = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return exact and all(_expression(item, labels) for item in selector.get("matchExpressions") or [])


def _expression(item: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    has, values = item.get("key") in labels, item.get("values") or []
    value = labels.get(str(item.get("key")))
    match item.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return has
        case _:
            return not has
