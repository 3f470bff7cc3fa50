"""A snapshot: everything that the servers know of one namespace in one window, as tables. The only part that waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import SourceError
from srelab_lib.model import Missing, Snapshot, TimeWindow
from srelab_lib.signals.changes import changes_table
from srelab_lib.signals.frames import frame
from srelab_lib.signals.log_templates import log_templates_table, logs_table
from srelab_lib.signals.metrics import metrics_table
from srelab_lib.signals.onset import onsets_table
from srelab_lib.signals.ownership import Owners
from srelab_lib.signals.tables import (
    alerts_table,
    containers_table,
    events_table,
    objects_table,
    owners,
    pods_table,
    workloads_table,
)
from srelab_lib.sources.connect import Connection
from srelab_lib.sources.container_logs import read_logs
from srelab_lib.sources.gitops import deployments, no_repository
from srelab_lib.sources.objects import Objects, RawByKind, read_objects
from srelab_lib.sources.own_job import is_own_series
from srelab_lib.sources.range_queries import rate_seconds, read_metrics, warned

Progress = Callable[[str], None]
Tables = dict[str, pd.DataFrame]

ALERTS_SECONDS = 10.0


def collect(connection: Connection, *, progress: Progress = lambda _: None) -> Snapshot:
    """Reads every source; one that fails or is cut is in `missing`, and stops nothing.

    An onset at the left edge of the window has no baseline before it: metrics and logs are then read again over twice
    the window, once.

    Raises:
        SourceError: the namespace does not exist or is empty, or the API server gives nothing at all.
    """
    began = time.monotonic()
    objects = read_objects(connection.kubernetes, connection.namespace, progress=progress)
    owned = owners(objects.by_kind)
    window, rate, measured, missing = _measured(connection, owned, progress)
    until = window.end if connection.is_past else None
    pods = objects.by_kind.get("Pod", [])
    logs = read_logs(connection.kubernetes, pods, owned, window, until=until, progress=progress)
    alerts, alerts_missing = _alerts(connection, owned)
    changes, git_missing = _changes(connection, objects.by_kind, owned, window)
    stated = _stated(objects, owned)
    lines = logs_table(logs.logs, owned)
    tables = {
        **stated,
        **measured,
        "changes": changes,
        "alerts": alerts,
        "logs": lines,
        "log_templates": log_templates_table(lines, _onset(measured["onsets"], stated["events"], window, rate)),
    }
    return Snapshot(
        source=connection.info,
        namespace=connection.namespace,
        window=window,
        tables=tables,
        missing=(*connection.missing, *objects.missing, *missing, *logs.missing, *alerts_missing, *git_missing),
        seconds=round(time.monotonic() - began, 3),
        widened=window != connection.window,
    )


def _stated(objects: Objects, owned: Owners) -> Tables:
    """What the API server states."""
    pods = objects.by_kind.get("Pod", [])
    return {
        "pods": pods_table(pods, owned),
        "containers": containers_table(pods, owned),
        "workloads": workloads_table(objects.by_kind, owned),
        "events": events_table(objects.by_kind.get("Event", []), owned),
        "objects": objects_table(objects.by_kind),
    }


def _measured(
    connection: Connection, owned: Owners, progress: Progress
) -> tuple[TimeWindow, int, Tables, tuple[Missing, ...]]:
    """Metrics and their onsets, the window that they needed, and the span of their rates in seconds."""
    window, prometheus = connection.window, connection.prometheus
    if prometheus is None:
        return window, 0, {"metrics": frame("metrics"), "onsets": frame("onsets")}, ()
    # A recording holds the queries that were recorded, and no others.
    rate = connection.incident.rate_seconds if connection.incident else rate_seconds(prometheus, window)
    tables, missing = _metrics(connection, prometheus, owned, window, rate, progress)
    if _at_left_edge(tables["onsets"]):
        wide = window.widened()
        progress(f"the onset lies at the window's left edge: looking back to {wide.start:%H:%M:%S}")
        wider, still_missing = _metrics(connection, prometheus, owned, wide, rate, progress)
        if not still_missing or missing:
            return wide, rate, wider, still_missing
    return window, rate, tables, missing


def _metrics(
    connection: Connection,
    prometheus: PrometheusClient,
    owned: Owners,
    window: TimeWindow,
    rate: int,
    progress: Progress,
) -> tuple[Tables, tuple[Missing, ...]]:
    read = read_metrics(prometheus, connection.namespace, window, rate_seconds=rate, progress=progress)
    metrics = metrics_table({signal: _of_others(data) for signal, data in read.payloads.items()}, owned)
    missing = read.missing
    if metrics.empty and not missing:
        reason = f"it has no sample of namespace {connection.namespace} in this window"
        missing = (Missing(source="Prometheus", reason=reason, matters="load, latency, errors and memory over time"),)
    return {"metrics": metrics, "onsets": onsets_table(metrics, window)}, (*missing, *read.warnings)


def _of_others(data: dict[str, Any]) -> dict[str, Any]:
    """A query's answer without the series of the analysis' own Job."""
    return {**data, "result": [item for item in data["result"] if not is_own_series(item["metric"])]}


def _at_left_edge(onsets: pd.DataFrame) -> bool:
    return not onsets.empty and bool(onsets["began_before_window"].iloc[0])


def _changes(
    connection: Connection, raw: RawByKind, owned: Owners, window: TimeWindow
) -> tuple[pd.DataFrame, tuple[Missing, ...]]:
    """Rollouts and edits, with the commits of Argo CD's deployments where a repository is at hand."""
    missing: tuple[Missing, ...] = ()
    applications = raw.get("Application") or []
    try:
        deployed = deployments(applications, connection.commits)
    except SourceError as error:
        deployed = deployments(applications, no_repository)
        missing = (Missing(source="git", reason=error.message, matters="which lines a commit changed"),)
    return changes_table(raw, owned, window, deployed), missing


def _alerts(connection: Connection, owned: Owners) -> tuple[pd.DataFrame, tuple[Missing, ...]]:
    if connection.prometheus is None:
        return frame("alerts"), ()
    try:
        data = connection.prometheus.alerts(deadline=Deadline(ALERTS_SECONDS))
    except SourceError as error:
        return frame("alerts"), (Missing(source="alerts", reason=error.message, matters="what fires now"),)
    concerned = [alert for alert in data["alerts"] or () if _concerns(alert, connection.namespace)]
    missing = tuple(warned("alerts", text, "what fires now") for text in data.get("warnings", ()))
    return alerts_table(concerned, owned), missing


def _concerns(alert: dict[str, Any], namespace: str) -> bool:
    """An alert of this namespace, or of none: a node's, the cluster's; none about the analysis' own Job."""
    labels: dict[str, str] = alert["labels"]
    return labels.get("namespace", namespace) == namespace and not is_own_series(labels)


def _onset(onsets: pd.DataFrame, events: pd.DataFrame, window: TimeWindow, rate_seconds: int) -> datetime | None:
    """What log templates are new against: the strongest change point, else the first warning of the window.

    A rate shows late what has changed: by up to the span that it is taken over.
    """
    if not onsets.empty and not onsets["began_before_window"].iloc[0]:
        return onsets["time"].iloc[0].to_pydatetime() - timedelta(seconds=rate_seconds)  # type: ignore[no-any-return]
    warned = events.loc[(events["type"] == "Warning") & (events["first_seen"] >= window.start), "first_seen"]
    return None if warned.empty else warned.min().to_pydatetime()
