"""Pods that get no node: the decisive reason of the scheduler's message, as the fault that it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from srelab_lib.diagnosis.checks._evident import failed_calls
from srelab_lib.diagnosis.checks._facts import (
    Check,
    clipped,
    earliest,
    of_namespace,
    one_each,
    quoted,
    raw_objects,
    resource,
    spec_fact,
)
from srelab_lib.diagnosis.checks._node_fit import Node, fits, taints_of, untolerated
from srelab_lib.diagnosis.checks._placement import Reason, Unplaced, decisive, in_state, unplaced
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

Item = tuple[Unplaced, Reason]

_CAUSES = {
    "node_selector_unmatched": "no node has the labels {selector}",
    "taint_untolerated": "nodes have the taint {taint} and its pods do not tolerate it",
    "anti_affinity_unmet": "its affinity rules leave no node: {text}",
    "insufficient_cpu": "its pods request {cpu} CPU and no node has as much left: {text}",
    "insufficient_memory": "its pods request {memory} memory and no node has as much left: {text}",
    "insufficient_extended_resource": "no node has what its pods ask for: {text}",
}


def check_unschedulable(s: Snapshot) -> Iterator[Finding]:
    """Pods' condition PodScheduled False: the scheduler's reasons by node, the control plane's own taint aside."""
    for (fault, ref), items in _decided(s).items():
        if fault not in _CAUSES:
            continue
        item, reason = items[0]
        yield Finding(
            fault=fault,
            object=ref,
            summary=f"{len(items)} pod{'s' if len(items) > 1 else ''} of {spoken(ref)} cannot be scheduled",
            cause=_cause(item, reason),
            facts=one_each([*item.facts(s), _asked(ref, item), *_of_nodes(s, fault, item)]),
            since=earliest(*(entry.since for entry, _ in items)),
            strength=3,
        )


def check_node_cordoned(s: Snapshot) -> Iterator[Finding]:
    """Nodes' spec.unschedulable, where pods cannot be scheduled that the node would otherwise take."""
    for (fault, ref), items in _decided(s).items():
        if fault != "node_cordoned":
            continue
        item = items[0][0]
        nodes = raw_objects(s, "Node", namespace="")
        cordoned = sorted(name for name, node in nodes.items() if in_state(node, fault))
        fitting = [name for name in cordoned if fits(item.pod, nodes[name])] or cordoned
        refs = [object_ref("Node", "", name) for name in fitting]
        yield Finding(
            fault="node_cordoned",
            object=refs[0] if refs else ref,
            summary=f"pods of {spoken(ref)} cannot be scheduled: {', '.join(map(spoken, refs)) or 'the nodes'} "
            f"{'is' if len(refs) == 1 else 'are'} cordoned",
            cause=f"{', '.join(fitting) or 'the nodes'}: spec.unschedulable is true",
            facts=one_each(
                [*item.facts(s), *(spec_fact(node, unschedulable=True) for node in refs), _asked(ref, item)]
            ),
            since=earliest(*(entry.since for entry, _ in items)),
            strength=3,
            related=(ref, *refs[1:]),
        )


def check_daemonset_nowhere(s: Snapshot) -> Iterator[Finding]:
    """DaemonSets' status.desiredNumberScheduled 0 for want of a node, where callers fail or it was edited just now.

    Nobody schedules such a pod, so no event tells of it.
    """
    nodes = list(raw_objects(s, "Node", namespace="").values())
    for row in (one for one in of_namespace(s, "workloads") if one["kind"] == "DaemonSet"):
        ref, spec = str(row["ref"]), (row["template"] or {}).get("spec") or {}
        pod, wanted = {"spec": spec}, (row["status"] or {}).get("desiredNumberScheduled")
        if wanted != 0 or not nodes or any(fits(pod, node) for node in nodes):
            continue
        tainted = any(fits(pod, node, taints_aside=True) for node in nodes)
        failed, edited = failed_calls(s, ref), (s["changes"]["object"] == ref).any()
        if not (failed or edited):
            continue  # parked, by labels that no node has
        selector = ",".join(f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items())
        labels = selector or "that its node affinity asks for"
        yield Finding(
            fault="taint_untolerated" if tainted else "node_selector_unmatched",
            object=ref,
            summary=f"{spoken(ref)} runs on no node",
            cause="its pods do not tolerate the nodes' taints" if tainted else f"no node has the labels {labels}",
            facts=one_each(
                [
                    Fact(kind="status", object=ref, text="desiredNumberScheduled=0"),
                    spec_fact(ref, nodeSelector=selector or None, nodes=len(nodes)),
                    *failed,
                ]
            ),
            since=earliest(*(fact.time for fact in failed)),
            strength=3 if failed else 2,
        )


def _decided(s: Snapshot) -> dict[tuple[str, str], list[Item]]:
    """Pods without a node by fault and controller."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in unplaced(s):
        reason = decisive(s, item)
        if reason is not None:
            groups.setdefault((reason.fault, str(item.pod["object"])), []).append((item, reason))
    return dict(sorted(groups.items()))


def _cause(item: Unplaced, reason: Reason) -> str:
    if "volume" in reason.text:
        return f"its volume is bound to other nodes: {reason.text}"
    cause = _CAUSES[reason.fault].format(text=reason.text, taint=reason.taint or reason.text, **_asks(item))
    over = _spread_over(item) if "spread" in reason.text else ""
    return f"{cause}; it must be spread over {over}" if over else cause


def _asks(item: Unplaced) -> dict[str, str]:
    """What the pod asks for, as its spec writes it."""
    spec = item.pod["spec"] or {}
    containers = [{"spec": container} for container in spec.get("containers") or []]
    wanted = {name: [resource(c, "requests", name) for c in containers] for name in ("cpu", "memory")}
    selector = spec.get("nodeSelector") or {}
    labels = ",".join(f"{key}={value}" for key, value in selector.items()) or "that its node affinity asks for"
    return {name: "+".join(filter(None, values)) for name, values in wanted.items()} | {"selector": labels}


def _spread_over(item: Unplaced) -> str:
    """The topology keys over which a pod has to be spread: `topology.kubernetes.io/zone`."""
    constraints = (item.pod["spec"] or {}).get("topologySpreadConstraints") or []
    return ",".join(c["topologyKey"] for c in constraints if c.get("whenUnsatisfiable") != "ScheduleAnyway")


def _asked(ref: str, item: Unplaced) -> Fact:
    spec = item.pod["spec"] or {}
    affinity = [
        kind for kind in ("nodeAffinity", "podAffinity", "podAntiAffinity") if kind in (spec.get("affinity") or {})
    ]
    asks = _asks(item)
    own = [t for t in spec.get("tolerations") or [] if not str(t.get("key", "")).startswith("node.kubernetes.io/")]
    requests: dict[str, Any] = {f"requests.{name}": asks[name] or None for name in ("cpu", "memory")}
    return spec_fact(
        ref,
        nodeSelector=asks["selector"] if spec.get("nodeSelector") else None,
        affinity=",".join(affinity) or None,
        topologySpread=_spread_over(item) or None,
        tolerations=clipped("; ".join(quoted(**toleration) for toleration in own)) or "none",
        limits=_extended(spec),
        **requests,
    )


def _extended(spec: dict[str, Any]) -> str | None:
    """Limits of resources other than CPU and memory: `nvidia.com/gpu=1`."""
    limits = [((c.get("resources") or {}).get("limits") or {}) for c in spec.get("containers") or []]
    asked = {key: value for item in limits for key, value in item.items() if "/" in key or key == "ephemeral-storage"}
    return quoted(**asked) or None


def _of_nodes(s: Snapshot, fault: str, item: Unplaced) -> list[Fact]:
    """What the nodes offer where it is a shortage, and their taints where these refuse the pod."""
    nodes = sorted(raw_objects(s, "Node", namespace="").items())
    if fault == "taint_untolerated":
        tainted = [(name, taint) for name, node in nodes if untolerated(item.pod, node) for taint in taints_of(node)]
        return [spec_fact(object_ref("Node", "", name), taint=quoted(**taint)) for name, taint in tainted]
    if not fault.startswith("insufficient"):
        return []
    return [
        Fact(kind="status", object=object_ref("Node", "", name), text=f"allocatable {quoted(**_size(node))}")
        for name, node in nodes[:3]
    ]


def _size(node: Node) -> dict[str, str]:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    return {key: value for key, value in allocatable.items() if key in ("cpu", "memory") or "." in key}


CHECKS: tuple[Check, ...] = (check_unschedulable, check_node_cordoned, check_daemonset_nowhere)
