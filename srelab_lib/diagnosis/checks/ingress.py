"""Ingresses that no controller takes, or that point to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from srelab_lib.diagnosis.checks._facts import Check, api_time, in_window, one_each, raw_objects, spec_fact
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.model import Finding, Snapshot, object_ref, spoken


def check_class_missing(s: Snapshot) -> Iterator[Finding]:
    """Ingress.spec.ingressClassName against the IngressClasses."""
    if any(re.search(r"ingress-?_?class", item.source, re.IGNORECASE) for item in s.missing):
        return
    classes = raw_objects(s, "IngressClass")
    for name, raw in raw_objects(s, "Ingress").items():
        wanted = (raw.get("spec") or {}).get("ingressClassName")
        ref = object_ref("Ingress", s.namespace, name)
        if not wanted or wanted in classes:
            continue
        known = ", ".join(sorted(classes)) or "none"
        yield Finding(
            fault="ingress_class_missing",
            object=ref,
            summary=f"no controller serves {spoken(ref)}: IngressClass {wanted} does not exist",
            cause=f"IngressClass {wanted} does not exist; there is {known}",
            facts=one_each(
                [
                    spec_fact(ref, ingressClassName=wanted),
                    spec_fact(object_ref("IngressClass", "", wanted), ingress_classes=known),
                ]
            ),  # fmt: skip
            since=_since(s, raw),
            strength=3 if _since(s, raw) else 2,
            related=tuple(object_ref("Service", s.namespace, item["name"]) for _, item in _backends(raw)),
        )


def check_backend_missing(s: Snapshot) -> Iterator[Finding]:
    """Ingress backends against the Services and their ports."""
    services = net(s).services
    for name, raw in raw_objects(s, "Ingress").items():
        ref = object_ref("Ingress", s.namespace, name)
        for path, backend in _backends(raw):
            service, port = services.get(backend["name"]), backend.get("port") or {}
            target = object_ref("Service", s.namespace, backend["name"])
            wanted = port.get("number") or port.get("name")
            if service is not None and (not wanted or wanted in _offered(service.ports)):
                continue
            offered = ", ".join(map(str, _offered(service.ports))) if service else ""
            what = (
                f"Service {backend['name']} has no port {wanted}"
                if service
                else f"Service {backend['name']} does not exist"
            )
            near = net(s).near_service(backend["name"]) if service is None else None
            yield Finding(
                fault="ingress_backend_missing",
                object=ref,
                summary=f"{spoken(ref)} sends {path} to nothing: {what}",
                cause=f"{what}{f', it has {offered}' if offered else ''}{f'; a Service {near} exists' if near else ''}",
                facts=one_each(
                    [
                        spec_fact(ref, path=path, service=backend["name"], port=wanted),
                        spec_fact(
                            target, ports=offered or None, services_in_namespace=",".join(sorted(services)) or "none"
                        ),
                    ]
                ),  # fmt: skip
                since=_renamed(s, near) or _since(s, raw),
                strength=3,
                related=(target,),
            )


def _renamed(s: Snapshot, near: str | None) -> datetime | None:
    """When a Service came in the window that has nearly the missing one's name."""
    meta = (raw_objects(s, "Service").get(near or "") or {}).get("metadata") or {}
    created = api_time(meta.get("creationTimestamp"))
    return created if in_window(s, created) else None


def _backends(raw: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(host and path, service backend) of an Ingress."""
    spec = raw.get("spec") or {}
    if (spec.get("defaultBackend") or {}).get("service"):
        yield "the default", spec["defaultBackend"]["service"]
    for rule in spec.get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            if (path.get("backend") or {}).get("service"):
                yield f"{rule.get('host', '')}{path.get('path', '/')}", path["backend"]["service"]


def _offered(ports: list[dict[str, Any]]) -> list[Any]:
    return [value for item in ports for value in (item.get("port"), item.get("name")) if value]


def _since(s: Snapshot, raw: Mapping[str, Any]) -> Any:
    """When the Ingress was last written, where that lies in the window."""
    meta = raw.get("metadata") or {}
    times = [
        api_time(meta.get("creationTimestamp")),
        *(api_time(f.get("time")) for f in meta.get("managedFields") or []),
    ]
    last = max((time for time in times if time), default=None)
    return last if in_window(s, last) else None


CHECKS: tuple[Check, ...] = (check_class_missing, check_backend_missing)
