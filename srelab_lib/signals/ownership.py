"""Who controls what: from a pod, or only its name, to the object that a fix would edit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srelab_lib.model import object_ref

Raw = Mapping[str, Any]
RawByKind = Mapping[str, Sequence[Raw]]
"""Raw API objects by their kind: `{"Pod": [...], "ReplicaSet": [...]}`, the `items` of each list as they came."""

# The alphabet of generated names (apimachinery's `rand.SafeEncodeString`): no vowels, no 0, 1, 3.
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
_REPLICASET_POD = re.compile(rf"(?P<deployment>.+)-(?P<hash>{_RANDOM}{{6,10}})-{_RANDOM}{{5}}")
_GENERATED = re.compile(rf"(?P<owner>.+)-{_RANDOM}{{5}}")
_ORDINAL = re.compile(r"(?P<owner>.+)-\d+")
# Labels of kube-state-metrics, cAdvisor and node-exporter that name an object, and its kind.
_LABELS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "cronjob": "CronJob",
    "job_name": "Job",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "ingress": "Ingress",
    "service": "Service",
    "node": "Node",
    "nodename": "Node",
    "kubernetes_node": "Node",
}
_MAX_DEPTH = 8
"""Longer chains of owners than any controller makes; a loop in ownerReferences ends here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owners:
    """The controllers of a namespace's objects.

    Attributes:
        parents: ref of an object to the ref of its controller.
        known: refs of everything that was listed.
        nodes: address of a node to its name.
    """

    parents: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    nodes: Mapping[str, str] = field(default_factory=dict)

    def top(self, ref: str) -> str:
        """The top controller of `ref`, itself when nothing controls it; a pod that is gone is mapped by its name."""
        for _ in range(_MAX_DEPTH):
            parent = self.parents.get(ref) or self._by_name(ref)
            if parent is None:
                break
            ref = parent
        return ref

    def of_pod(self, namespace: str, pod: str) -> str:
        """The top controller of a pod, which need not exist any more."""
        return self.top(object_ref("Pod", namespace, pod))

    def of_labels(self, labels: Mapping[str, str]) -> str | None:
        """The object that a metric's or an alert's labels are about, the most specific one that they name."""
        namespace = labels.get("namespace") or labels.get("exported_namespace") or ""
        if pod := labels.get("pod"):
            return self.of_pod(namespace, pod)
        for label, kind in _LABELS.items():
            if name := labels.get(label):
                return self.top(object_ref(kind, "" if kind == "Node" else namespace, name))
        node = self.nodes.get(labels.get("instance", "").rpartition(":")[0])
        return object_ref("Node", "", node) if node else None

    def _by_name(self, ref: str) -> str | None:
        """The controller of an object that is gone, when the pattern of its name leads to one that is there."""
        if ref in self.known:
            return None
        kind, namespace, name = ref.split("/", 2)
        if kind == "Pod":
            return self._first_known(namespace, _pod_owners(name)) or _deleted_deployment(namespace, name)
        if kind == "ReplicaSet":
            return self._first_known(namespace, [("Deployment", name.rpartition("-")[0])])
        if kind == "Job":
            return self._first_known(namespace, [("CronJob", name.rpartition("-")[0])])
        return None

    def _first_known(self, namespace: str, candidates: Iterable[tuple[str, str]]) -> str | None:
        refs = (object_ref(kind, namespace, name) for kind, name in candidates)
        return next((ref for ref in refs if ref in self.known), None)


def _pod_owners(name: str) -> list[tuple[str, str]]:
    """Who may have made a pod of this name, most specific first."""
    owners: list[tuple[str, str]] = []
    if match := _GENERATED.fullmatch(name):
        owners += [(kind, match["owner"]) for kind in ("ReplicaSet", "Job", "DaemonSet", "ReplicationController")]
    if match := _REPLICASET_POD.fullmatch(name):
        owners.append(("Deployment", match["deployment"]))
    if match := _ORDINAL.fullmatch(name):
        owners.append(("StatefulSet", match["owner"]))
    if match := _GENERATED.fullmatch(name):
        # <cronjob>-<minute>-<5> of a run that is gone, <job>-<index>-<5> of an indexed Job.
        parent = match["owner"].rpartition("-")[0]
        owners += [("CronJob", parent), ("Job", parent)]
    return owners


def _deleted_deployment(namespace: str, pod: str) -> str | None:
    """Hash and suffix together are a pattern that people do not choose: the Deployment was there."""
    match = _REPLICASET_POD.fullmatch(pod)
    return object_ref("Deployment", namespace, match["deployment"]) if match else None


def owners(raw: RawByKind) -> Owners:
    """Owners from everything that was listed, by kind: pods, ReplicaSets, Deployments, Jobs, nodes, ..."""
    parents: dict[str, str] = {}
    known: set[str] = set()
    nodes: dict[str, str] = {}
    for kind, item in ((kind, item) for kind, items in raw.items() for item in items):
        ref = ref_of(kind, item)
        known.add(ref)
        if parent := _controller(item):
            parents[ref] = parent
        if kind == "Node":
            nodes |= _addresses(item)
    return Owners(parents=parents, known=frozenset(known), nodes=nodes)


def ref_of(kind: str, item: Raw) -> str:
    """`Kind/namespace/name` of a raw object. The items of a list do not carry their kind."""
    meta = item.get("metadata") or {}
    return object_ref(kind, meta.get("namespace") or "", meta.get("name") or "")


def _controller(item: Raw) -> str | None:
    """The ref of the controlling owner; a node that owns its static pods is no controller."""
    meta = item.get("metadata") or {}
    references = meta.get("ownerReferences") or []
    controllers = [r for r in references if r.get("controller")] or references
    for reference in controllers:
        if reference.get("kind") not in (None, "Node"):
            return object_ref(reference["kind"], meta.get("namespace") or "", reference.get("name") or "")
    return None


def _addresses(node: Raw) -> dict[str, str]:
    name = node["metadata"]["name"]
    addresses = (node.get("status") or {}).get("addresses") or []
    return {address["address"]: name for address in addresses if address.get("address")}
