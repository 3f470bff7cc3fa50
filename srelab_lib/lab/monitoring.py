"""Ollama says `Read timed out` when the CPU has no time left: monitoring is scaled down for a while, and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from srelab_lib.errors import DeadlineError
from srelab_lib.lab.applications import applications, argocd_installed, heals
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.self_heal import pause_self_heal, resume_self_heal
from srelab_lib.lab.step import POLL_SECONDS, Observation, Progress, Step
from srelab_lib.lab.ticking import ticking
from srelab_lib.settings import LAB_CONTEXT

NAMESPACE = "monitoring"
APPLICATION = "prometheus"
KINDS = "deployments,statefulsets"
"""DaemonSets have no replicas; node-exporter's is small."""
REPLICAS = "srelab/replicas"
"""Annotation of a workload that was scaled down: what it had."""
BACK_SECONDS = 180.0


def paused(*, context: str = LAB_CONTEXT, namespace: str = NAMESPACE) -> Step:
    """The step: no Deployment or StatefulSet of `monitoring` runs. Its undo scales them back and waits for them.

    Argo CD would undo a plain scale within seconds, so the Application's self-heal is off meanwhile.
    """
    kubectl = Kubectl(context=context)

    def observe() -> Observation:
        running = [
            _named(item) for item in _workloads(kubectl, namespace) if (item.get("status") or {}).get("replicas")
        ]
        text = f"running: {', '.join(running)}" if running else "scaled down; self-heal of its Application is off"
        return Observation(holds=not running, text=text)

    def apply(progress: Progress) -> None:
        if _argo_cd_heals(context):
            pause_self_heal(APPLICATION, context=context)
        _scale_down(kubectl, namespace, progress)

    def undo(progress: Progress) -> None:
        for item in _workloads(kubectl, namespace):
            replicas = (item["metadata"].get("annotations") or {}).get(REPLICAS)
            if replicas is not None:
                kubectl("scale", _named(item), f"--replicas={int(replicas)}", "--namespace", namespace)
                kubectl("annotate", _named(item), f"{REPLICAS}-", "--namespace", namespace)
        if _argo_cd_heals(context) is False:
            resume_self_heal(APPLICATION, context=context)
        _wait(lambda: _waiting(kubectl, namespace), progress)

    return Step(
        title="monitoring leaves the CPU to the model",
        expected="no replica of a Deployment or StatefulSet in namespace monitoring",
        reason="`Read timed out` from Ollama means that the CPU is overloaded, and monitoring is what can wait.",
        hint=f"kubectl --context {context} -n {namespace} get deployments,statefulsets,pods",
        observe=observe,
        apply=apply,
        undo=undo,
        timeout_seconds=60.0,
    )


def _workloads(kubectl: Kubectl, namespace: str) -> list[dict[str, Any]]:
    return kubectl.items(KINDS, "--namespace", namespace)


def _named(item: dict[str, Any]) -> str:
    return f"{item['kind'].lower()}/{item['metadata']['name']}"


def _scale_down(kubectl: Kubectl, namespace: str, progress: Progress) -> None:
    """What each had is kept as an annotation."""
    asked = [(_named(item), item["spec"].get("replicas", 1)) for item in _workloads(kubectl, namespace)]
    for name, replicas in ((name, replicas) for name, replicas in asked if replicas):
        kubectl("annotate", name, f"{REPLICAS}={replicas}", "--overwrite", "--namespace", namespace)
        progress(f"       kubectl scale {name} --replicas=0 --namespace {namespace}")
        kubectl("scale", name, "--replicas=0", "--namespace", namespace)


def _waiting(kubectl: Kubectl, namespace: str) -> list[str]:
    """Workloads that are not back yet."""
    found = [(item, item.get("status") or {}) for item in _workloads(kubectl, namespace)]
    return [_named(item) for item, status in found if not status.get("readyReplicas", 0)]


def _wait(waiting: Callable[[], list[str]], progress: Progress) -> None:
    clock = time.monotonic()
    with ticking(progress, "waiting until monitoring is back"):
        while names := waiting():
            if time.monotonic() - clock > BACK_SECONDS:
                raise DeadlineError(f"not back after {BACK_SECONDS:.0f} s: {', '.join(names)}", source=NAMESPACE)
            time.sleep(POLL_SECONDS)


def _argo_cd_heals(context: str) -> bool | None:
    """Whether self-heal of monitoring's Application is on; None where there is none."""
    found = applications(context=context) if argocd_installed(Kubectl(context=context)) else []
    return next((heals(item) for item in found if item["metadata"]["name"] == APPLICATION), None)
