"""Whether a node would take a pod: labels, taints and size, as the scheduler's filters read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from srelab_lib.diagnosis.checks._facts import Row
from srelab_lib.signals.quantity import quantity

Node = Mapping[str, Any]

CONTROL_PLANE = re.compile(r"node-role\.kubernetes\.io/(?:control-plane|master)")
_STATE_TAINTS = "node.kubernetes.io/"
"""Taints with this prefix are the cluster's: they say what state a node is in, not whom it is for."""


def fits(pod: Row, node: Node, *, taints_aside: bool = False) -> bool:
    """The node would take the pod if it were well and empty; `taints_aside`: if it had no taint either."""
    spec = pod["spec"] or {}
    labels = (node.get("metadata") or {}).get("labels") or {}
    selected = all(labels.get(key) == value for key, value in (spec.get("nodeSelector") or {}).items())
    own = [taint for taint in untolerated(pod, node) if not taint["key"].startswith(_STATE_TAINTS)]
    small_enough = not any(too_large(pod, node, resource) for resource in ("cpu", "memory"))
    return selected and _affine(spec, labels) and small_enough and (taints_aside or not own)


def chooses_nodes(pod: Row) -> bool:
    """The pod asks for nodes by their labels."""
    spec = pod["spec"] or {}
    return bool(spec.get("nodeSelector") or (spec.get("affinity") or {}).get("nodeAffinity"))


def untolerated(pod: Row, node: Node) -> list[dict[str, str]]:
    """Taints that keep the pod off the node, in their order."""
    tolerations = (pod["spec"] or {}).get("tolerations") or []
    taints = [taint for taint in taints_of(node) if taint.get("effect") != "PreferNoSchedule"]
    return [taint for taint in taints if not any(_tolerates(toleration, taint) for toleration in tolerations)]


def taints_of(node: Node) -> list[dict[str, str]]:
    """The node's taints as its spec has them."""
    return list((node.get("spec") or {}).get("taints") or [])


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    return toleration.get("key") == taint.get("key") and toleration.get("value", "") == taint.get("value", "")


def _affine(spec: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Required node affinity: one term is enough, and all of its expressions must hold."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms: Sequence[Mapping[str, Any]] = required.get("nodeSelectorTerms") or []
    return not terms or any(
        all(_holds(expression, labels) for expression in term.get("matchExpressions") or []) for term in terms
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(expression["operator"], True)


def too_large(pod: Row, node: Node, resource: str) -> bool:
    """The pod requests more of a resource than the whole node has."""
    room = quantity(((node.get("status") or {}).get("allocatable") or {}).get(resource))
    containers = (pod["spec"] or {}).get("containers") or []
    asked = [quantity(((c.get("resources") or {}).get("requests") or {}).get(resource)) or 0.0 for c in containers]
    return room is not None and sum(asked) > room
