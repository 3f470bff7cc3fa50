"""Pods that wait for an image or run an old one, and workloads whose pods are all made anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from srelab_lib.errors import SourceError
from srelab_lib.lab.images import QUICK_SECONDS, full_name, nodes
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Observation, Progress, Step, wait_for
from srelab_lib.settings import LAB_CLUSTER

WAITS_FOR_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
LASTING = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet"})
"""Owners that make a pod again; a Job's pod or one without an owner is never deleted here."""
DELETE_SECONDS = 90
READY_SECONDS = 300.0

Pod = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PodName:
    """A pod's name, its namespace, and why it is named here."""

    namespace: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} ({self.reason})"


def outdated(kubectl: Kubectl, namespaces: Iterable[str], cluster: str = LAB_CLUSTER) -> list[PodName]:
    """Pods that wait for an image, and pods that run another image than their node now has under that name.

    A rebuild under the same tag changes no manifest, so nothing would restart such a pod by itself.
    """
    there = {node: _contents(node) for node in nodes(cluster)}
    found: list[PodName] = []
    for namespace in namespaces:
        for pod in lasting(kubectl, namespace):
            reason = _image_trouble(pod, there.get(pod["spec"].get("nodeName", ""), {}))
            if reason:
                found.append(PodName(namespace=namespace, name=pod["metadata"]["name"], reason=reason))
    return found


def lasting(kubectl: Kubectl, namespace: str) -> list[Pod]:
    """Pods of ReplicaSets, StatefulSets and DaemonSets, without those that are on their way out."""
    return [
        pod
        for pod in kubectl.items("pods", "--namespace", namespace)
        if not pod["metadata"].get("deletionTimestamp")
        and any(owner["kind"] in LASTING for owner in pod["metadata"].get("ownerReferences") or ())
    ]


def up_to_date(kubectl: Kubectl, namespaces: Iterable[str], cluster: str = LAB_CLUSTER) -> Step:
    """The step: no pod waits for an image or runs an old one. A pod that does is deleted and comes up at once.

    Without that, the kubelet waits up to five minutes between two tries.
    """
    names = list(namespaces)

    def observe() -> Observation:
        found = outdated(kubectl, names, cluster)
        if not found:
            return Observation(holds=True, text=f"no pod in {', '.join(names)} waits for an image or runs an old one")
        return Observation(holds=False, text=", ".join(map(str, found)))

    def apply(progress: Progress) -> None:
        for pod in outdated(kubectl, names, cluster):
            progress(f"       deleting pod {pod}: its controller makes another")
            delete(kubectl, pod.namespace, [pod.name])

    return Step(
        title="every pod runs the image that was side-loaded",
        expected="no ImagePullBackOff, no pod from before the image",
        reason="The kubelet tries again only after up to five minutes, and a rebuilt tag restarts nothing.",
        hint=f"kubectl --context {kubectl.context} get pods -A; kind load docker-image IMAGE --name {cluster}",
        observe=observe,
        apply=apply,
        timeout_seconds=READY_SECONDS,
    )


def delete(kubectl: Kubectl, namespace: str, names: list[str]) -> None:
    """Deletes pods and waits until they are gone."""
    if names:
        flags = ("--namespace", namespace, "--ignore-not-found", f"--timeout={DELETE_SECONDS}s")
        kubectl("delete", "pod", *names, *flags, timeout_seconds=DELETE_SECONDS + 10)


def restart(kubectl: Kubectl, namespace: str, progress: Progress, seconds: float = READY_SECONDS) -> int:
    """Deletes every lasting pod of a namespace and waits until as many others are Ready; returns how many.

    Raises:
        SourceError: they were not Ready in time; it names those that are not.
    """
    old = lasting(kubectl, namespace)
    before = {pod["metadata"]["uid"] for pod in old}

    def observe() -> Observation:
        new = [pod for pod in lasting(kubectl, namespace) if pod["metadata"]["uid"] not in before]
        waiting = [pod["metadata"]["name"] for pod in new if not ready(pod)]
        text = f"{len(new) - len(waiting)} of {len(old)} new pods Ready"
        text += f", not yet {', '.join(waiting)}" if waiting else ""
        return Observation(holds=len(new) - len(waiting) >= len(old) and not waiting, text=text)

    delete(kubectl, namespace, [pod["metadata"]["name"] for pod in old])
    step = Step(
        title=f"{namespace} comes up again",
        expected=f"{len(old)} new pods Ready",
        reason="A pod that needs anything from outside stays down in an air gap.",
        hint=f"kubectl --context {kubectl.context} --namespace {namespace} describe pods",
        observe=observe,
        timeout_seconds=seconds,
    )
    seen = wait_for(step, progress)
    if not seen.holds:
        raise SourceError(f"{step.title}: {seen.text} after {seconds:.0f} s", source=namespace, hint=step.hint)
    return len(old)


def ready(pod: Pod) -> bool:
    """Whether its condition Ready is True."""
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _image_trouble(pod: Pod, there: dict[str, set[str]]) -> str:
    statuses = pod.get("status", {})
    for status in [*(statuses.get("initContainerStatuses") or ()), *(statuses.get("containerStatuses") or ())]:
        reason = ((status.get("state") or {}).get("waiting") or {}).get("reason", "")
        if reason in WAITS_FOR_IMAGE:
            return str(reason)
    # By the pod's spec: an image that has lost its tag to another is called by its bare id in the status.
    asked = {item["name"]: item["image"] for item in pod["spec"]["containers"]}
    for status in statuses.get("containerStatuses") or ():
        image = asked.get(status["name"], "")
        current = there.get(full_name(image))
        if current and status.get("imageID") and status["imageID"] not in current:
            return f"runs an older {image}"
    return ""


def _contents(node: str) -> dict[str, set[str]]:
    """Image name -> every id by which a pod's status may call its contents."""
    answer = run("docker", "exec", node, "crictl", "images", "-o", "json", timeout_seconds=QUICK_SECONDS)
    names: dict[str, set[str]] = {}
    for image in json.loads(answer).get("images") or ():
        for tag in image.get("repoTags") or ():
            names[tag] = {image["id"], *(image.get("repoDigests") or ())}
    return names
