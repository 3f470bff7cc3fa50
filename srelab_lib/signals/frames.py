"""The tables: which columns, which dtypes, which units. A frame has its schema also when it is empty.

Times are `datetime64[ns, UTC]`; a column that ends in `_bytes`, `_seconds`, `_cores` or `_ratio` is in that unit;
`object` is the top controller as `Kind/namespace/name` (the pod itself when nothing controls it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from srelab_lib.errors import SrelabError

TIME = "datetime64[ns, UTC]"
TEXT = "object"  # str, or None where the API has no such field
INT = "Int64"
FLOAT = "float64"
BOOL = "boolean"
JSON = "object"  # dict or list as the API gave it, redacted

_FIRST = pd.Timestamp("1700-01-01", tz="UTC")
_LAST = pd.Timestamp("2200-01-01", tz="UTC")

SCHEMAS: dict[str, dict[str, str]] = {
    # one row for each pod that exists
    "pods": {
        "namespace": TEXT, "pod": TEXT, "object": TEXT, "node": TEXT, "phase": TEXT, "reason": TEXT, "message": TEXT,
        "ready": BOOL, "created": TIME, "scheduled": TIME, "started": TIME, "deleted": TIME, "qos_class": TEXT,
        "service_account": TEXT, "labels": JSON, "conditions": JSON, "spec": JSON, "uid": TEXT,
    },
    # one row for each container of each pod; kind is init, sidecar or app; state is waiting, running or terminated
    "containers": {
        "namespace": TEXT, "pod": TEXT, "object": TEXT, "container": TEXT, "kind": TEXT, "image": TEXT,
        "image_id": TEXT, "ready": BOOL, "started": BOOL, "restart_count": INT, "state": TEXT, "waiting_reason": TEXT,
        "waiting_message": TEXT, "started_at": TIME, "finished_at": TIME, "exit_code": INT, "terminated_reason": TEXT,
        "terminated_message": TEXT, "last_exit_code": INT, "last_signal": INT, "last_reason": TEXT,
        "last_message": TEXT, "last_started_at": TIME, "last_finished_at": TIME,
        "cpu_request_cores": FLOAT, "cpu_limit_cores": FLOAT,
        "memory_request_bytes": FLOAT, "memory_limit_bytes": FLOAT,
        "image_pull_policy": TEXT, "command": TEXT, "spec": JSON,
    },
    # Deployment, StatefulSet, DaemonSet, ReplicaSet (also old revisions), Job, CronJob
    "workloads": {
        "kind": TEXT, "namespace": TEXT, "name": TEXT, "object": TEXT, "ref": TEXT, "revision": INT, "replicas": INT,
        "ready_replicas": INT, "updated_replicas": INT, "available_replicas": INT, "paused": BOOL, "strategy": TEXT,
        "created": TIME, "selector": JSON, "labels": JSON, "annotations": JSON, "template": JSON, "conditions": JSON,
        "spec": JSON, "status": JSON,
    },
    # one row for each event (series joined); `object` is the top controller of what the event is about
    "events": {
        "first_seen": TIME, "last_seen": TIME, "type": TEXT, "reason": TEXT, "message": TEXT, "namespace": TEXT,
        "involved_kind": TEXT, "involved_name": TEXT, "involved": TEXT, "involved_uid": TEXT, "object": TEXT,
        "count": INT, "component": TEXT, "host": TEXT,
    },
    # everything else, one row for each object: Service, EndpointSlice, Ingress, IngressClass, NetworkPolicy,
    # PersistentVolumeClaim, PersistentVolume, StorageClass, ResourceQuota, LimitRange, HorizontalPodAutoscaler,
    # PodDisruptionBudget, PriorityClass, ValidatingWebhookConfiguration, MutatingWebhookConfiguration, ServiceAccount,
    # Role, RoleBinding, ClusterRole, ClusterRoleBinding, ConfigMap, Node, Namespace, Application; `raw` is the whole
    # object, redacted
    "objects": {
        "kind": TEXT, "namespace": TEXT, "name": TEXT, "ref": TEXT, "created": TIME, "labels": JSON,
        "annotations": JSON, "raw": JSON,
    },
    # one row for each log line; level is debug, info, warning, error, critical or None
    "logs": {
        "time": TIME, "namespace": TEXT, "pod": TEXT, "object": TEXT, "container": TEXT, "previous": BOOL,
        "level": TEXT, "message": TEXT, "template": TEXT, "after_hole": BOOL,
    },
    # one row for each (object, container, template); is_new: first seen at or after the onset, and the log reaches
    # back before it
    "log_templates": {
        "object": TEXT, "container": TEXT, "template": TEXT, "level": TEXT, "count": INT, "first_seen": TIME,
        "last_seen": TIME, "count_before": INT, "count_after": INT, "is_new": BOOL, "previous": BOOL, "example": TEXT,
    },
    # long form, one row for each sample; signal and its unit are in signals.promql.CATALOGUE; series: the other labels
    "metrics": {
        "signal": TEXT, "object": TEXT, "pod": TEXT, "container": TEXT, "series": TEXT, "time": TIME, "value": FLOAT,
    },
    # one row for each altered field; kind is rollout, config, scale, image, argo or object; old is None when not known;
    # rolled_back_to is the earlier revision that came back, revision_before what a rollback of this one goes to
    "changes": {
        "time": TIME, "kind": TEXT, "object": TEXT, "field": TEXT, "old": TEXT, "new": TEXT, "text": TEXT,
        "revision": TEXT, "rolled_back_to": TEXT, "revision_before": TEXT, "commit": TEXT, "diff": TEXT,
    },
    # firing alerts
    "alerts": {
        "name": TEXT, "severity": TEXT, "object": TEXT, "summary": TEXT, "active_since": TIME, "labels": JSON,
    },
    # change points of metrics, strongest first
    "onsets": {
        "signal": TEXT, "object": TEXT, "series": TEXT, "time": TIME, "before": FLOAT, "after": FLOAT, "score": FLOAT,
        "unit": TEXT, "began_before_window": BOOL,
    },
}  # fmt: skip


def frame(table: str, rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Rows as a frame of that table's schema: a missing column is filled with nulls, an unknown one is an error."""
    schema = SCHEMAS[table]
    rows = list(rows)
    unknown = {key for row in rows for key in row} - schema.keys()
    if unknown:
        raise SrelabError(f"table {table!r} has no column {sorted(unknown)}", source="frames")
    columns = {name: _column([row.get(name) for row in rows], dtype) for name, dtype in schema.items()}
    return pd.DataFrame(columns, columns=list(schema))


def _column(values: list[Any], dtype: str) -> pd.Series[Any]:
    if dtype == TIME:
        times = pd.to_datetime(pd.Series(values, dtype="object"), utc=True, errors="coerce", format="ISO8601")
        # Year 1 is Go's zero time: it means "not set", and nanoseconds cannot hold it.
        return times.where(times.between(_FIRST, _LAST)).dt.as_unit("ns")
    if dtype == TEXT:
        return pd.Series(values, dtype="object")
    column: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return column


def check(table: str, df: pd.DataFrame) -> pd.DataFrame:
    """The frame itself when columns and dtypes are as declared, else an error that names the difference."""
    actual = {str(name): str(dtype) for name, dtype in df.dtypes.items()}
    if actual != SCHEMAS[table]:
        wrong = {k for k in actual.keys() | SCHEMAS[table].keys() if actual.get(k) != SCHEMAS[table].get(k)}
        raise SrelabError(f"table {table!r} differs from its schema in {sorted(wrong)}", source="frames")
    return df
