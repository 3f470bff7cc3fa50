"""What the cluster shows of the app: signs of damage, how long it has been well, and whether it answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from srelab_lib.lab.applications import applications
from srelab_lib.lab.chaos_commit import APPLICATION
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.pods import ready
from srelab_lib.lab.process import CommandError
from srelab_lib.lab.step import Observation, Step

IN_DEFAULT = ("--namespace", "default")
PART = "app.kubernetes.io/part-of=broken-app"
APPS = frozenset({"broken-app", "inventory"})
DAMAGE_SECONDS = 300.0
BASELINE_ROUND = 15
REQUESTS = 2
QUIET = timedelta(seconds=60)
PAGES = ("/", "/api/products", "/api/orders")
LOG_LINES = 300
"""What a server says when it starts is soon far up in its log."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Raw = dict[str, Any]


def damaged(kubectl: Kubectl, sign: str, lasting_seconds: int, before: Collection[str] = ()) -> Step:
    """The step: the cluster shows a sign, and has done so for a while.

    Args:
        kubectl: of the lab's cluster.
        sign: a pattern on what `signs` yields.
        lasting_seconds: how long ago it has to be seen for the first time.
        before: signs of before the break: a restart of yesterday says nothing of it.
    """
    first: list[tuple[float, str]] = []

    def observe() -> Observation:
        if not first:
            fresh = (text for text in signs(kubectl) if text not in before)
            first.extend((time.monotonic(), text[:160]) for text in fresh if re.search(sign, text))
        if not first:
            return Observation(holds=False, text="no sign of it yet")
        since, text = first[0]
        lasted = time.monotonic() - since >= lasting_seconds
        return Observation(holds=lasted, text=text if lasted else f"{text} (and now it lasts {lasting_seconds} s)")

    return Step(
        title="the damage shows",
        expected=f"a pod, an event, a log or a Service that shows {sign!r}",
        reason="An analysis before the damage has nothing to find; metrics and back-off need a while to show it.",
        hint=f"kubectl --context {kubectl.context} get pods,events",
        observe=observe,
        timeout_seconds=DAMAGE_SECONDS + lasting_seconds,
    )


def signs(kubectl: Kubectl) -> Iterator[str]:
    """One text for each thing that the cluster says of the app's objects as they are now."""
    pods = app_pods(kubectl)
    for pod in pods:
        yield from _pod_signs(pod)
    for item in kubectl.items("deployments", *IN_DEFAULT, f"--selector={PART}"):
        name, replicas = item["metadata"]["name"], item["spec"]["replicas"]
        yield f"Deployment {name} asks for {replicas} replicas"
        yield from (f"Deployment {name}: {c.get('message', '')}" for c in item.get("status", {}).get("conditions", ()))
    slices = kubectl.items("endpointslices", *IN_DEFAULT, "--selector=kubernetes.io/service-name=broken-app")
    if not any(item.get("endpoints") for item in slices):
        yield "Service broken-app has no endpoint"
    names = {pod["metadata"]["name"] for pod in pods}
    for event in kubectl.items("events", *IN_DEFAULT, "--field-selector=type=Warning"):
        if event["involvedObject"]["name"] in names:
            yield f"{event['involvedObject']['name']}: {event.get('reason')}: {event.get('message')}"
    for pod in pods:
        yield from _log_signs(kubectl, pod["metadata"]["name"])


def app_pods(kubectl: Kubectl) -> list[Raw]:
    """Pods of the app, the inventory and their users, without those on their way out."""
    found = kubectl.items("pods", *IN_DEFAULT, f"--selector={PART}")
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def _pod_signs(pod: Raw) -> Iterator[str]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    yield f"{name}: {'Ready' if ready(pod) else 'not Ready'}"
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "Unschedulable":
            yield f"{name}: {condition.get('message', '')}"
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        ended = (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated")
        text = f"{name}: restarts {container.get('restartCount', 0)}"
        if ended:
            text += f", ended {ended.get('reason', '')} with exit code {ended.get('exitCode')}"
        if waiting:
            text += f", waiting {waiting.get('reason', '')} {waiting.get('message', '')}"
        yield text


def _log_signs(kubectl: Kubectl, pod: str) -> Iterator[str]:
    try:
        log = kubectl("logs", pod, *IN_DEFAULT, f"--tail={LOG_LINES}", "--request-timeout=10s")
    except CommandError:  # its container has not started
        return
    yield from (f"{pod} logs: {line}" for line in _COLOUR.sub("", log).splitlines())


def healthy_since(kubectl: Kubectl) -> datetime | None:
    """Since when all pods of the app are Ready and git is unchanged; None where they are not."""
    pods = app_pods(kubectl)
    if not pods or not all(map(ready, pods)):
        return None
    conditions = [c for pod in pods for c in pod["status"]["conditions"] if c["type"] == "Ready"]
    times = [condition["lastTransitionTime"] for condition in conditions]
    [item] = applications(APPLICATION, context=kubectl.context)
    times += [entry["deployedAt"] for entry in (item.get("status") or {}).get("history") or ()]
    return max(map(datetime.fromisoformat, times))


def baseline(kubectl: Kubectl, seconds: int) -> Step:
    """The step: the app has been healthy for so long."""

    def observe() -> Observation:
        since = healthy_since(kubectl)
        if since is None:
            return Observation(holds=False, text="not every pod of the app is Ready")
        lasted = (datetime.now(UTC) - since).total_seconds()
        shown = int(lasted) // BASELINE_ROUND * BASELINE_ROUND
        return Observation(holds=lasted >= seconds, text=f"healthy since {since:%H:%M:%S} UTC, {shown} s and more")

    return Step(
        title=f"the app was healthy for {seconds} s",
        expected=f"every pod Ready and nothing changed for {seconds} s",
        reason="What is unusual shows only beside what is usual: the analysis needs both in its window.",
        hint=f"kubectl --context {kubectl.context} get pods; raise or lower baseline_seconds",
        observe=observe,
        timeout_seconds=seconds + 180.0,
    )


def answering(kubectl: Kubectl) -> Step:
    """The step: the shop answers each of some requests, and no container of it has ended lately."""

    def observe() -> Observation:
        pods = [pod for pod in app_pods(kubectl) if pod["metadata"]["labels"]["app.kubernetes.io/name"] in APPS]
        restarts = _lately_ended(pods, datetime.now(UTC) - QUIET)
        failed = [page for page in PAGES * REQUESTS if not _answers(kubectl, page)] if all(map(ready, pods)) else PAGES
        count = len(PAGES) * REQUESTS
        text = f"{count - len(failed)} of {count} requests answered, {restarts} restarts of {len(pods)} pods lately"
        return Observation(holds=bool(pods) and not failed and not restarts, text=text)

    return Step(
        title="the shop answers again",
        expected="every request answered, no restart in the last minute",
        reason="Synced and Healthy are words of the platform; a user's request is the proof.",
        hint=f"kubectl --context {kubectl.context} logs deployment/broken-app",
        observe=observe,
        timeout_seconds=60.0,
    )


def _lately_ended(pods: list[Raw], since: datetime) -> int:
    """Containers that ended and were started again; an old restart says nothing of now."""
    statuses = [status for pod in pods for status in pod["status"].get("containerStatuses") or ()]
    ended = [(status.get("lastState") or {}).get("terminated") for status in statuses]
    return sum(datetime.fromisoformat(item["finishedAt"]) >= since for item in ended if item)


def _answers(kubectl: Kubectl, page: str) -> bool:
    path = f"/api/v1/namespaces/default/services/broken-app:80/proxy{page}"
    try:
        return isinstance(json.loads(kubectl("get", "--raw", path, timeout_seconds=20)), dict)
    except (CommandError, ValueError):
        return False
