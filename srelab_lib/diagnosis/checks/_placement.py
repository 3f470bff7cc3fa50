"""Why a pod has no node: the scheduler's message read clause by clause, and which of them decides.

The scheduler gives for each node the first filter that refused it, in the order cordon, taint, selector, ports,
resources, affinity. A node that got further fits the pod better: its clause says what is really missing. A node that is
cordoned, not ready or tainted may be refused by something else too, hidden behind it: that is looked up in the nodes.
Since Kubernetes 1.34 the message does not name taints any more ("had untolerated taint(s)"): these too are looked up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from srelab_lib.diagnosis.checks._facts import (
    Row,
    api_time,
    conditions,
    event_facts,
    events,
    first_seen,
    live_pods,
    raw_objects,
    status_fact,
)
from srelab_lib.diagnosis.checks._node_fit import (
    CONTROL_PLANE,
    Node,
    chooses_nodes,
    fits,
    taints_of,
    too_large,
    untolerated,
)
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.model import Fact, Snapshot

_PREEMPTION = re.compile(r"(?:no new claims to deallocate, )?preemption:")
_NAMED_TAINT = re.compile(r"taint(?:\(s\))? (?P<taint>\{[^}]+\})")

_CLAUSES = tuple(
    (re.compile(pattern), fault, stage)
    for pattern, fault, stage in (
        (r"were unschedulable|taint.*node\.kubernetes\.io/unschedulable", "node_cordoned", 0),
        (r"taint.*(?:node|cloudprovider)\.kubernetes\.io/(?:not-ready|unreachable|uninit)", "node_not_ready", 0),
        (r"taint.*node\.kubernetes\.io/(?:memory|disk|pid)-pressure", "node_pressure", 0),
        (r"taint", "taint_untolerated", 1),
        (r"node affinity|node selector|requested (?:node|host) ?name", "node_selector_unmatched", 2),
        (r"free ports", "insufficient_extended_resource", 4),
        (r"Insufficient cpu", "insufficient_cpu", 5),
        (r"Insufficient memory", "insufficient_memory", 5),
        (r"Insufficient |Too many pods", "insufficient_extended_resource", 5),
        (r"affinity|topology spread", "anti_affinity_unmet", 6),
    )
)
_STAGE_OF_FITTING_TAINT = 3
"""A tainted node that fits but for its taint goes before nodes that the selector does not want."""
_STATES = frozenset({"node_cordoned", "node_not_ready", "node_pressure"})
_SHORTAGES = {"insufficient_cpu": "cpu", "insufficient_memory": "memory"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One clause of the message: on how many nodes, which fault, how far the nodes got (`stage`)."""

    nodes: int
    text: str
    fault: str
    stage: int
    taint: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unplaced:
    """A pod that the scheduler finds no node for."""

    pod: Row
    message: str
    since: datetime | None
    reasons: tuple[Reason, ...]

    def facts(self, s: Snapshot) -> list[Fact]:
        """The pod's condition and the scheduler's latest event where that says something else."""
        said = [e for e in events(s, "FailedScheduling") if e["involved_name"] == self.pod["pod"]]
        stated = status_fact(
            self.pod, time=self.since, condition="PodScheduled", reason="Unschedulable", message=self.message
        )
        return [stated, *event_facts([event for event in said if event["message"] != self.message], 1)]


@once
def unplaced(s: Snapshot) -> list[Unplaced]:
    """Pods with condition PodScheduled False, reason Unschedulable; or only an event of it."""
    nodes = raw_objects(s, "Node", namespace="")
    found = []
    for pod in live_pods(s):
        if pod["node"] or pod["phase"] != "Pending":
            continue
        condition = conditions(pod).get("PodScheduled") or {}
        said = [e for e in events(s, "FailedScheduling") if e["involved_name"] == pod["pod"]]
        message = condition.get("message") if condition.get("reason") == "Unschedulable" else None
        message = message or (said[-1]["message"] if said else None)
        if message:
            since = api_time(condition.get("lastTransitionTime")) or first_seen(said)
            found.append(Unplaced(pod=pod, message=message, since=since, reasons=read(message, pod, nodes)))
    return found


def read(message: str, pod: Row, nodes: Mapping[str, Node]) -> tuple[Reason, ...]:
    """`0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu.` by clause.

    A control plane's own taint is left out, unless nothing else refuses the pod or the pod chose that node.
    """
    head = _PREEMPTION.split(message)[0].partition("available:")[2].strip().rstrip(".")
    clauses = [re.fullmatch(r"(\d+) (.+)", clause.strip(), re.DOTALL) for clause in re.split(r", (?=\d+ )", head)]
    found = [reason for clause in clauses if clause for reason in _reasons(int(clause[1]), clause[2], pod, nodes)]
    usual = [reason for reason in found if not CONTROL_PLANE.search(reason.taint)]
    return tuple(found if _chose_control_plane(pod, nodes) else usual or found)


def _reasons(nodes: int, text: str, pod: Row, known: Mapping[str, Node]) -> Iterator[Reason]:
    match = next(((fault, stage) for pattern, fault, stage in _CLAUSES if pattern.search(text)), None)
    if match is None:
        return
    taint = _NAMED_TAINT.search(text)
    unnamed = "taint" in text and taint is None
    taints = _unnamed_taints(pod, known) if unnamed else {}
    if not taints:
        yield Reason(nodes=nodes, text=text, fault=match[0], stage=match[1], taint=taint["taint"] if taint else "")
    for name, count in taints.items():
        for reason in _reasons(count, f"node(s) had untolerated taint {name}", pod, known):
            yield replace(reason, text=text)


def _unnamed_taints(pod: Row, nodes: Mapping[str, Node]) -> Counter[str]:
    """The first taint of each node that keeps the pod off it, as older schedulers write it; cordons count elsewhere."""
    taints = [untolerated(pod, node) for node in nodes.values() if not in_state(node, "node_cordoned")]
    return Counter(f"{{{first[0]['key']}: {first[0].get('value', '')}}}" for first in taints if first)


def _chose_control_plane(pod: Row, nodes: Mapping[str, Node]) -> bool:
    control = [node for node in nodes.values() if any(CONTROL_PLANE.search(taint["key"]) for taint in taints_of(node))]
    return chooses_nodes(pod) and any(fits(pod, node, taints_aside=True) for node in control)


def decisive(s: Snapshot, item: Unplaced) -> Reason | None:
    """The clause that a fix must remove."""
    nodes = raw_objects(s, "Node", namespace="")
    states = [reason for reason in item.reasons if reason.fault in _STATES]
    for reason in states:
        if not nodes or any(fits(item.pod, node) for node in nodes.values() if in_state(node, reason.fault)):
            return reason
    lasting = [reason for reason in item.reasons if reason.fault not in _STATES]
    return max(lasting or states, key=lambda reason: _weight(item.pod, nodes, reason), default=None)


def _weight(pod: Row, nodes: Mapping[str, Node], reason: Reason) -> tuple[int, bool, int]:
    """How near the nodes of a clause came to taking the pod; a request larger than any node goes before a full one."""
    resource = _SHORTAGES.get(reason.fault)
    impossible = bool(nodes and resource) and all(too_large(pod, node, str(resource)) for node in nodes.values())
    tainted = [node for node in nodes.values() if untolerated(pod, node)]
    nearly = reason.fault == "taint_untolerated" and any(fits(pod, node, taints_aside=True) for node in tainted)
    return (_STAGE_OF_FITTING_TAINT if nearly else reason.stage), impossible, reason.nodes


def in_state(node: Node, fault: str) -> bool:
    """The node is cordoned, not ready or under pressure, by its spec and taints."""
    if fault == "node_cordoned":
        return bool((node.get("spec") or {}).get("unschedulable"))
    words = ("not-ready", "unreachable") if fault == "node_not_ready" else ("pressure",)
    return any(word in taint.get("key", "") for taint in taints_of(node) for word in words)
