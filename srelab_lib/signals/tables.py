"""Raw API objects as tables. Pure: the same payloads give the same frames.

Payloads come by kind, `{"Pod": [...], "Event": [...]}`, because the items of a Kubernetes list do not carry their kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from srelab_lib.signals.events import events_table
from srelab_lib.signals.frames import frame
from srelab_lib.signals.ownership import Owners, Raw, RawByKind, owners, ref_of
from srelab_lib.signals.quantity import quantity

__all__ = [
    "alerts_table",
    "containers_table",
    "events_table",
    "objects_table",
    "owners",
    "pods_table",
    "workloads_table",
]

WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob")
"""Kinds that go to the table of workloads; Pod and Event have tables of their own, every other kind is an object."""

_REVISION = "deployment.kubernetes.io/revision"


def pods_table(pods: Sequence[Raw], owned: Owners) -> pd.DataFrame:
    """One row for each pod that exists."""
    return frame("pods", [_pod(pod, owned) for pod in pods])


def _pod(pod: Raw, owned: Owners) -> dict[str, Any]:
    meta, spec, status = _parts(pod)
    conditions = status.get("conditions") or []
    ready = _condition(conditions, "Ready")
    return {
        "namespace": meta.get("namespace"),
        "pod": meta.get("name"),
        "object": owned.top(ref_of("Pod", pod)),
        "node": spec.get("nodeName"),
        "phase": status.get("phase"),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "ready": ready.get("status") == "True",
        "created": meta.get("creationTimestamp"),
        "scheduled": _since(_condition(conditions, "PodScheduled"), "True"),
        "started": status.get("startTime"),
        "deleted": meta.get("deletionTimestamp"),
        "qos_class": status.get("qosClass"),
        "service_account": spec.get("serviceAccountName"),
        "labels": meta.get("labels") or {},
        "conditions": conditions,
        "spec": spec,
        "uid": meta.get("uid"),
    }


def containers_table(pods: Sequence[Raw], owned: Owners) -> pd.DataFrame:
    """One row for each container of each pod: init, sidecar, app and ephemeral ones, in the order of the spec."""
    return frame("containers", [row for pod in pods for row in _containers(pod, owned)])


def _containers(pod: Raw, owned: Owners) -> Iterator[dict[str, Any]]:
    meta, spec, status = _parts(pod)
    identity = {
        "namespace": meta.get("namespace"),
        "pod": meta.get("name"),
        "object": owned.top(ref_of("Pod", pod)),
    }
    for prefix, kind in (("initContainers", "init"), ("containers", "app"), ("ephemeralContainers", "ephemeral")):
        states = {state["name"]: state for state in status.get(_STATUSES[prefix]) or []}
        for container in spec.get(prefix) or []:
            sidecar = kind == "init" and container.get("restartPolicy") == "Always"
            facts = _container_spec(container) | _container_status(states.get(container["name"]) or {})
            yield identity | facts | {"kind": "sidecar" if sidecar else kind}


_STATUSES = {
    "initContainers": "initContainerStatuses",
    "containers": "containerStatuses",
    "ephemeralContainers": "ephemeralContainerStatuses",
}


def _container_spec(container: Raw) -> dict[str, Any]:
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    return {
        "container": container.get("name"),
        "image": container.get("image"),
        "cpu_request_cores": quantity(requests.get("cpu")),
        "cpu_limit_cores": quantity(limits.get("cpu")),
        "memory_request_bytes": quantity(requests.get("memory")),
        "memory_limit_bytes": quantity(limits.get("memory")),
        "image_pull_policy": container.get("imagePullPolicy"),
        "command": " ".join([*(container.get("command") or []), *(container.get("args") or [])]) or None,
        "spec": dict(container),
    }


def _container_status(status: Raw) -> dict[str, Any]:
    """State now and the last termination. `exit_code` and its neighbours are those of the state now."""
    state, now = _one_of(status.get("state"))
    _, last = _one_of(status.get("lastState"))
    ended = now if state == "terminated" else {}
    return {
        "image_id": status.get("imageID") or None,
        "ready": status.get("ready"),
        "started": status.get("started"),
        "restart_count": status.get("restartCount"),
        "state": state,
        "waiting_reason": now.get("reason") if state == "waiting" else None,
        "waiting_message": now.get("message") if state == "waiting" else None,
        "started_at": now.get("startedAt"),
        "finished_at": ended.get("finishedAt"),
        "exit_code": ended.get("exitCode"),
        "terminated_reason": ended.get("reason"),
        "terminated_message": ended.get("message"),
        "last_exit_code": last.get("exitCode"),
        "last_signal": last.get("signal"),
        "last_reason": last.get("reason"),
        "last_message": last.get("message"),
        "last_started_at": last.get("startedAt"),
        "last_finished_at": last.get("finishedAt"),
    }


def workloads_table(raw: RawByKind, owned: Owners) -> pd.DataFrame:
    """One row for each controller, old ReplicaSets too: a ReplicaSet is a revision of its Deployment."""
    rows = [_workload(kind, item, owned) for kind in WORKLOAD_KINDS for item in raw.get(kind) or ()]
    return frame("workloads", rows)


def _workload(kind: str, item: Raw, owned: Owners) -> dict[str, Any]:
    meta, spec, status = _parts(item)
    annotations = meta.get("annotations") or {}
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    template = spec.get("template") or ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")
    selector = spec.get("selector") or {}
    return {
        "kind": kind,
        "namespace": meta.get("namespace"),
        "name": meta.get("name"),
        "object": owned.top(ref_of(kind, item)),
        "ref": ref_of(kind, item),
        "revision": _whole(annotations.get(_REVISION)),
        **_replicas(kind, spec, status),
        "paused": spec.get("paused", spec.get("suspend")),
        "strategy": strategy.get("type"),
        "created": meta.get("creationTimestamp"),
        "selector": selector.get("matchLabels", selector),
        "labels": meta.get("labels") or {},
        "annotations": annotations,
        "template": template,
        "conditions": status.get("conditions") or [],
        "spec": spec,
        "status": status,
    }


def _replicas(kind: str, spec: Raw, status: Raw) -> dict[str, Any]:
    """How many are wanted and how many there are. A status omits a number that is 0; a CronJob has none."""
    if kind == "CronJob":
        return {}
    if kind == "Job":
        ready = status.get("ready", 0)
        return {"replicas": spec.get("parallelism", 1), "ready_replicas": ready, "available_replicas": ready}
    if kind == "DaemonSet":
        return {
            "replicas": status.get("desiredNumberScheduled", 0),
            "ready_replicas": status.get("numberReady", 0),
            "updated_replicas": status.get("updatedNumberScheduled", 0),
            "available_replicas": status.get("numberAvailable", 0),
        }
    return {
        "replicas": spec.get("replicas", 1),
        "ready_replicas": status.get("readyReplicas", 0),
        "updated_replicas": None if kind == "ReplicaSet" else status.get("updatedReplicas", 0),
        "available_replicas": status.get("availableReplicas", 0),
    }


def objects_table(raw: RawByKind) -> pd.DataFrame:
    """One row for each object that has no table of its own, whole in `raw`."""
    kinds = [kind for kind in raw if kind not in (*WORKLOAD_KINDS, "Pod", "Event")]
    return frame("objects", [_object(kind, item) for kind in kinds for item in raw[kind]])


def _object(kind: str, item: Raw) -> dict[str, Any]:
    meta = item.get("metadata") or {}
    return {
        "kind": kind,
        "namespace": meta.get("namespace") or "",
        "name": meta.get("name"),
        "ref": ref_of(kind, item),
        "created": meta.get("creationTimestamp"),
        "labels": meta.get("labels") or {},
        "annotations": meta.get("annotations") or {},
        "raw": dict(item),
    }


def alerts_table(alerts: Sequence[Raw], owned: Owners) -> pd.DataFrame:
    """One row for each firing alert of Prometheus' `/api/v1/alerts`."""
    return frame("alerts", [_alert(alert, owned) for alert in alerts if alert.get("state", "firing") == "firing"])


def _alert(alert: Raw, owned: Owners) -> dict[str, Any]:
    labels, annotations = alert.get("labels") or {}, alert.get("annotations") or {}
    return {
        "name": labels.get("alertname"),
        "severity": labels.get("severity"),
        "object": owned.of_labels(labels),
        "summary": annotations.get("summary") or annotations.get("description") or annotations.get("message"),
        "active_since": alert.get("activeAt"),
        "labels": dict(labels),
    }


def _parts(item: Raw) -> tuple[Raw, Raw, Raw]:
    return item.get("metadata") or {}, item.get("spec") or {}, item.get("status") or {}


def _condition(conditions: Sequence[Raw], kind: str) -> Raw:
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def _since(condition: Raw, status: str) -> Any:
    return condition.get("lastTransitionTime") if condition.get("status") == status else None


def _one_of(state: Mapping[str, Any] | None) -> tuple[str | None, Raw]:
    """`{"waiting": {...}}` -> `("waiting", {...})`."""
    return next(((name, facts or {}) for name, facts in (state or {}).items()), (None, {}))


def _whole(text: object) -> int | None:
    return int(str(text)) if text is not None and str(text).isdecimal() else None
