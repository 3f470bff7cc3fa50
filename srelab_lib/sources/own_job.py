"""The analysis that runs as a Job in the namespace is no part of what it analyses: how its traces are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from srelab_lib.settings import AGENT_CODE, AGENT_JOB, AGENT_NAME, AGENT_REPORT

_JOB_LABELS = ("job-name", "batch.kubernetes.io/job-name")


def is_own(kind: str, item: Mapping[str, Any]) -> bool:
    """Whether an API object is the agent's, made by its Job, or an event about it."""
    meta = item.get("metadata") or {}
    labels = meta.get("labels") or {}
    if kind == "Event":
        involved = item.get("involvedObject") or {}
        return is_own_name(str(involved.get("kind", "")), str(involved.get("name", "")))
    return (
        labels.get("app.kubernetes.io/name") == AGENT_NAME
        or any(labels.get(label) == AGENT_JOB for label in _JOB_LABELS)
        or is_own_name(kind, str(meta.get("name", "")))
    )


def is_own_name(kind: str, name: str) -> bool:
    """Whether an object of this kind and name is the agent's; an event's or a metric's object may be gone."""
    if kind == "ConfigMap":
        return name in {AGENT_CODE, AGENT_REPORT}  # `kubectl create configmap` makes the first without a label
    return kind in {"Job", "Pod"} and (name == AGENT_JOB or name.startswith(f"{AGENT_JOB}-"))


def is_own_series(labels: Mapping[str, str]) -> bool:
    """Whether a series or an alert is about the Job or its pods."""
    return is_own_name("Pod", labels.get("pod", "")) or labels.get("job_name") == AGENT_JOB
