"""Who reads which Secret, by the definitions of workloads: no Secret is ever read."""

from __future__ import annotations

from collections.abc import Iterator

from srelab_lib.diagnosis.checks._services import Net, Workload


def secrets_of(workload: Workload) -> Iterator[tuple[str, str]]:
    """(Secret, the setting that reads it) of a workload's containers and volumes."""
    for container in workload.containers():
        for variable in container.get("env") or []:
            chosen = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if chosen:
                yield chosen["name"], f"env {variable['name']} from Secret {chosen['name']} key {chosen['key']}"
        for source in container.get("envFrom") or []:
            if source.get("secretRef"):
                yield source["secretRef"]["name"], f"envFrom Secret {source['secretRef']['name']}"
    for volume in workload.spec.get("volumes") or []:
        if volume.get("secret"):
            yield (
                volume["secret"]["secretName"],
                f"volume {volume['name']} from Secret {volume['secret']['secretName']}",
            )


def holders_of(view: Net, ref: str, secrets: set[str]) -> list[str]:
    """What serves with a Secret that another one has, too, and calls nobody itself: that one logs in to it."""
    serving = {workload.ref: workload for service in view.services.values() for workload in service.workloads}
    return [
        one.ref
        for one in serving.values()
        if one.ref != ref and not view.references(one) and secrets & {name for name, _ in secrets_of(one)}
    ]
