"""Finds the Prometheus of a cluster and reaches it by the API server's service proxy: no port-forward is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import SourceError
from srelab_lib.model import Missing

Address = tuple[str, str, int]
"""Namespace, Service, port."""

LAB_PROMETHEUS: Address = ("monitoring", "prometheus", 9090)
NO_METRICS = "load, latency, errors and memory over time, and when it began"
PORTS = (9090, 80)
PROBE_SECONDS = 5.0
MAX_CANDIDATES = 4

# Companions of Prometheus that carry its name and answer other questions.
_OTHERS = re.compile(
    r"alertmanager|exporter|push-?gateway|operator|adapter|kube-state-metrics|grafana|blackbox|kube-prometheus-stack-(?!prometheus)"
    r"|coredns|kube-(?:dns|etcd|scheduler|controller|proxy)|thanos-(?!query)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A Prometheus that answers, with its version and address; or none, and why."""

    client: PrometheusClient | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()


def probe(client: PrometheusClient, *, at: str) -> Found:
    """The client when it answers as Prometheus does."""
    try:
        version = str(client.buildinfo(deadline=Deadline(PROBE_SECONDS)).get("version", ""))
    except SourceError as error:
        client.close()
        reason = f"{error.message} ({at})"
        return Found(missing=(Missing(source="Prometheus", reason=reason, matters=NO_METRICS),))
    return Found(client=client, versions={"prometheus": version, "prometheus_at": at})


def find_prometheus(kubernetes: KubernetesClient) -> Found:
    """The lab's Prometheus, else the first Service of any namespace that looks like one and answers."""
    first = _probe_service(kubernetes, LAB_PROMETHEUS)
    if first.client is not None:
        return first
    try:
        services = kubernetes.list("/api/v1/services", deadline=Deadline(PROBE_SECONDS))
    except SourceError as error:
        reason = f"none at {_address(LAB_PROMETHEUS)}, and Services cannot be searched: {error.message}"
        return Found(missing=(Missing(source="Prometheus", reason=reason, matters=NO_METRICS),))
    candidates = [at for at in sorted(_candidates(services), key=_likeliest_first) if at != LAB_PROMETHEUS]
    tried = [first]
    for candidate in candidates[:MAX_CANDIDATES]:
        found = _probe_service(kubernetes, candidate)
        if found.client is not None:
            return found
        tried.append(found)
    return Found(missing=(Missing(source="Prometheus", reason=_why_none(tried, candidates), matters=NO_METRICS),))


def _probe_service(kubernetes: KubernetesClient, at: Address) -> Found:
    return probe(PrometheusClient(kubernetes.proxy(*at)), at=_address(at))


def _candidates(services: list[dict[str, Any]]) -> list[Address]:
    found = []
    for service in services:
        meta, spec = service.get("metadata") or {}, service.get("spec") or {}
        name = str(meta.get("name", ""))
        ports = [port.get("port") for port in spec.get("ports") or ()]
        port = next((known for known in PORTS if known in ports), None)
        if port and "prometheus" in name and not _OTHERS.search(name):
            found.append((str(meta.get("namespace", "")), name, port))
    return found


def _likeliest_first(at: Address) -> tuple[bool, bool, int, Address]:
    namespace, name, port = at
    known = name in {"prometheus", "prometheus-server", "prometheus-operated", "prometheus-k8s"}
    return (port != PORTS[0], not (known or name.endswith("-prometheus")), len(name), at)


def _address(at: Address) -> str:
    return f"Service {at[0]}/{at[1]}:{at[2]}"


def _why_none(tried: list[Found], candidates: list[Address]) -> str:
    reasons = [item.reason for found in tried for item in found.missing]
    if not candidates:
        return f"no Service looks like one; {reasons[0]}"
    return "; ".join(reasons)
