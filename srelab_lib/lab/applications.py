"""Argo CD's Applications: their state in words, and steps that wait for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from srelab_lib.errors import SourceError
from srelab_lib.lab.git_clone import NAMESPACE
from srelab_lib.lab.image_list import is_optional
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.pods import WAITS_FOR_IMAGE
from srelab_lib.lab.process import CommandError
from srelab_lib.lab.step import Observation, Progress, Step
from srelab_lib.settings import LAB_CONTEXT

KIND = "applications.argoproj.io"
REFRESH = "argocd.argoproj.io/refresh"
"""Annotation that asks Argo CD to look at git; it takes it away when it has."""
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
COLUMNS = ("application", "sync", "health", "revision", "message", "explained")
HEALTHY_SECONDS = 300.0
SYNC_SECONDS = 90.0
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})

Application = dict[str, Any]


def application_states(*, context: str = LAB_CONTEXT) -> pd.DataFrame:
    """One row for each Application: what Argo CD says of it, and what that means.

    Columns, all text: application, sync, health, revision (8 characters), message (Argo CD's words, empty when it has
    none), explained.
    """
    kubectl = Kubectl(context=context)
    rows = [_row(kubectl, item) for item in applications(context=context)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COLUMNS, "str"))


def argocd_installed(kubectl: Kubectl) -> bool:
    """Whether the cluster knows the kind Application."""
    return bool(kubectl("get", "crd", KIND, "--ignore-not-found", "--output=name").strip())


def applications(*names: str, context: str = LAB_CONTEXT) -> list[Application]:
    """The named Applications, or all of them.

    Raises:
        SourceError: one is not there, or Argo CD is not.
    """
    try:
        found = Kubectl(context=context).items(KIND, "--namespace", NAMESPACE)
    except CommandError as error:
        if "the server doesn't have a resource type" not in error.output:
            raise
        raise SourceError("Argo CD is not installed", source=context, hint="run 02_gitops.ipynb") from error
    by_name = {item["metadata"]["name"]: item for item in found}
    absent = [name for name in names if name not in by_name]
    if absent:
        raise SourceError(f"no Application {', '.join(absent)}", source=NAMESPACE, hint="k8s/apps/ has a file for each")
    return [by_name[name] for name in names or sorted(by_name)]


def refresh(application: str, *, context: str = LAB_CONTEXT) -> None:
    """Tells Argo CD to look at git now rather than at its next round, which comes within half a minute."""
    arguments = ("annotate", KIND, application, f"{REFRESH}=normal", "--overwrite")
    Kubectl(context=context)(*arguments, "--namespace", NAMESPACE)


def applications_healthy(names: Sequence[str] = (), *, context: str = LAB_CONTEXT) -> Step:
    """The step: these Applications, or all but the optional, are Synced and Healthy."""

    def observe() -> Observation:
        found = [item for item in applications(*names, context=context) if names or not is_optional(item)]
        states = {item["metadata"]["name"]: _state(item) for item in found}
        waiting = [f"{name} {' '.join(state)}" for name, state in states.items() if state != ("Synced", "Healthy")]
        return Observation(holds=bool(states) and not waiting, text=", ".join(waiting or states) or "no Application")

    return Step(
        title=f"{', '.join(names) or 'every Application'}: Synced and Healthy",
        expected="Synced and Healthy",
        reason="Synced: the cluster is what git says. Healthy: and it works.",
        hint=f"kubectl --context {context} -n {NAMESPACE} describe application {' '.join(names)}".strip(),
        observe=observe,
        timeout_seconds=HEALTHY_SECONDS,
    )


def all_synced(*, context: str = LAB_CONTEXT) -> Step:
    """The step: what git asks for is created, for every Application but the optional, whether it works or not."""

    def observe() -> Observation:
        found = [item for item in applications(context=context) if not is_optional(item)]
        waiting = [f"{item['metadata']['name']} {_state(item)[0]}" for item in found if _state(item)[0] != "Synced"]
        return Observation(holds=bool(found) and not waiting, text=", ".join(waiting) or f"{len(found)} Applications")

    return Step(
        title="every Application is Synced",
        expected="what git asks for exists in the cluster",
        reason="From here on nothing is applied by hand.",
        hint="gitops.application_states() has Argo CD's own words in its column message",
        observe=observe,
        timeout_seconds=SYNC_SECONDS,
    )


def synced_to(application: str, sha: str, *, context: str = LAB_CONTEXT) -> Step:
    """The step: a commit is rolled out. `ensure` tells Argo CD of it first, `verify` waits for its next round.

    It holds as well when a later commit is rolled out and this one is in the Application's history.
    """

    def observe() -> Observation:
        [item] = applications(application, context=context)
        status = item.get("status") or {}
        synced = (status.get("sync") or {}).get("revision") or ""
        rolled_out = {synced, *(entry.get("revision", "") for entry in status.get("history") or ())}
        phase = (status.get("operationState") or {}).get("phase", "")
        text = f"{_state(item)[0]} at {synced[:8] or 'no commit'}{', a sync is running' if phase == 'Running' else ''}"
        return Observation(holds=_state(item)[0] == "Synced" and sha in rolled_out and phase != "Running", text=text)

    def apply(progress: Progress) -> None:
        progress(f"       telling Argo CD to look at git for {application}")
        refresh(application, context=context)

    return Step(
        title=f"{application} is synced to {sha[:8]}",
        expected=f"Synced at {sha[:8]}",
        reason="A commit acts when Argo CD has rolled it out, not when it is pushed.",
        hint=f"kubectl --context {context} -n {NAMESPACE} describe application {application}: see its conditions",
        observe=observe,
        apply=apply,
        timeout_seconds=SYNC_SECONDS,
    )


def _row(kubectl: Kubectl, item: Application) -> tuple[str, ...]:
    status = item.get("status") or {}
    revision = (status.get("sync") or {}).get("revision") or ""
    message = _message(status)
    return (item["metadata"]["name"], *_state(item), revision[:8], message, explained(kubectl, item, message))


def _state(item: Application) -> tuple[str, str]:
    status = item.get("status") or {}
    return tuple((status.get(part) or {}).get("status") or "Unknown" for part in ("sync", "health"))  # type: ignore[return-value]


def _message(status: dict[str, Any]) -> str:
    operation = status.get("operationState") or {}
    words = [condition.get("message", "") for condition in status.get("conditions") or ()]
    if operation.get("phase") not in {None, "Succeeded"}:
        words.append(operation.get("message", ""))
    return "; ".join(dict.fromkeys(word for word in words if word))


def explained(kubectl: Kubectl, item: Application, message: str) -> str:
    """What sync and health mean, with the reasons of the pods that wait; `message` is Argo CD's own."""
    sync, health = _state(item)
    if is_optional(item) and health == "Missing":
        return "it is optional, and nobody has asked for it"
    words = [_sync_words(sync, message, heals=heals(item))]
    if health not in {"Healthy", "Unknown"}:
        waits = _waiting(kubectl, item)
        words.append("; ".join(waits) or _HEALTH_WORDS.get(health, health))
    elif sync == "Synced":
        words.append("and it works")
    if not heals(item):
        words.append("self-heal is paused: an edit by hand stays")
    return ", ".join(word for word in words if word)


_HEALTH_WORDS = {
    "Progressing": "its pods are starting",
    "Degraded": "its pods do not become Ready in time",
    "Missing": "not everything is created yet",
    "Suspended": "it is paused",
}


def _sync_words(sync: str, message: str, *, heals: bool) -> str:
    if "app path does not exist" in message:
        return "its folder is not in git"
    if "unable to resolve" in message or "repository is empty" in message:
        return "the repository has no commit yet"
    if sync == "Unknown":
        return "Argo CD cannot compare it: see the message" if message else "Argo CD has not looked at it yet"
    if sync == "Synced":
        return "the cluster is what git says"
    return f"the cluster differs from git{': Argo CD is at it' if heals else ''}"


def heals(item: Application) -> bool:
    """Whether its self-heal is on."""
    automated = (item["spec"].get("syncPolicy") or {}).get("automated")
    return automated is None or (bool(automated.get("selfHeal")) and automated.get("enabled") is not False)


def is_busy(item: Application) -> bool:
    """Whether Argo CD is asked to compare it and has not yet, or syncs it."""
    phase = ((item.get("status") or {}).get("operationState") or {}).get("phase")
    is_asked = REFRESH in (item["metadata"].get("annotations") or {})
    return is_asked or "operation" in item or phase == "Running"


def _waiting(kubectl: Kubectl, item: Application) -> list[str]:
    """Why its containers do not run, each reason once."""
    found: list[str] = []
    for resource in (item.get("status") or {}).get("resources") or ():
        if resource.get("kind") in _WORKLOADS and (resource.get("health") or {}).get("status") != "Healthy":
            found += _waiting_pods(kubectl, resource)
    return list(dict.fromkeys(found))


def _waiting_pods(kubectl: Kubectl, resource: dict[str, Any]) -> Iterator[str]:
    namespace = ("--namespace", resource["namespace"])
    workload = kubectl.get(f"{resource['kind']}/{resource['name']}", *namespace, "--ignore-not-found")
    labels = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    for pod in kubectl.items("pods", *namespace, f"--selector={selector}") if selector else ():
        yield from waiting_reasons(pod)


def waiting_reasons(pod: dict[str, Any]) -> Iterator[str]:
    """Why a pod's containers do not run: status.conditions (not scheduled) and status.containerStatuses (waiting)."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "Unschedulable":
            yield f"no node has room: {condition.get('message', '')}"
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason", "")
        if reason in WAITS_FOR_IMAGE:
            yield f"{reason}: {container['image']} is not on the node yet, 03_airgap brings it"
        elif reason and reason not in _STARTING:
            yield f"{container['name']}: {reason}"
