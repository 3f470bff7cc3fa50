"""Who tries to connect in the proof of the air gap, and to what: pods, nodes, a machine beside them, the internet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from srelab_lib.lab.image_list import PROBE_IMAGE
from srelab_lib.lab.images import QUICK_SECONDS, nodes
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Progress
from srelab_lib.settings import LAB_CLUSTER

PROBE = "airgap-probe"
"""Namespace and DaemonSet of the pods that try to connect."""
OUTSIDE = "srelab-outside"
"""The container that stands for the outside: on the nodes' network and no node."""
OUTSIDE_PORT = 8080
OUTSIDE_SECONDS = 900
CONNECT_SECONDS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Something to connect to by TCP; `inside` when it belongs to the cluster."""

    name: str
    host: str
    port: int
    inside: bool = False


@contextmanager
def outside(cluster: str = LAB_CLUSTER) -> Iterator[str]:
    """A web server on the nodes' Docker network that is no node; yields its address. It ends itself after a while."""
    node = nodes(cluster)[0]
    form = "{{json .NetworkSettings.Networks}}"
    network = next(iter(json.loads(run("docker", "inspect", "--format", form, node, timeout_seconds=QUICK_SECONDS))))
    remove_outside()
    server = ("timeout", str(OUTSIDE_SECONDS), "httpd", "-f", "-p", str(OUTSIDE_PORT), "-h", "/tmp")  # noqa: S108
    flags = ("--detach", "--rm", "--name", OUTSIDE, "--label", "srelab=probe", "--network", network)
    try:
        run("docker", "run", *flags, "--pull=never", PROBE_IMAGE, *server, timeout_seconds=QUICK_SECONDS)
        found = json.loads(run("docker", "inspect", "--format", form, OUTSIDE, timeout_seconds=QUICK_SECONDS))
        yield str(found[network]["IPAddress"])
    finally:
        remove_outside()


def remove_outside() -> None:
    """Removes the container that stands for the outside; harmless where there is none."""
    run("docker", "rm", "--force", OUTSIDE, timeout_seconds=QUICK_SECONDS, accepted=(0, 1))


@contextmanager
def probes(kubectl: Kubectl, progress: Progress) -> Iterator[None]:
    """A pod on each node that does nothing but wait to be asked to connect."""
    try:
        kubectl.apply(_PROBES)
        flags = ("--namespace", PROBE, "--timeout=120s")
        kubectl("rollout", "status", f"daemonset/{PROBE}", *flags, timeout_seconds=130, progress=progress)
        yield
    finally:
        flags = ("--ignore-not-found", "--wait=true", "--timeout=60s")
        kubectl("delete", "namespace", PROBE, *flags, timeout_seconds=70)


def probe_pods(kubectl: Kubectl) -> list[tuple[str, str]]:
    """Node and name of each probe."""
    found = kubectl.items("pods", "--namespace", PROBE)
    return sorted((pod["spec"]["nodeName"], pod["metadata"]["name"]) for pod in found)


def from_pod(kubectl: Kubectl, pod: str, targets: list[Target]) -> dict[str, bool]:
    """Which targets a probe can connect to."""
    script = _script(targets, f"nc -w {CONNECT_SECONDS} {{host}} {{port}} -e true")
    flags = ("--namespace", PROBE, pod, "--", "sh", "-c", script)
    return _reached(kubectl("exec", *flags, timeout_seconds=QUICK_SECONDS), targets)


def from_node(node: str, targets: list[Target]) -> dict[str, bool]:
    """Which targets a node itself can connect to, as its image puller would."""
    script = _script(targets, f"timeout {CONNECT_SECONDS} bash -c '</dev/tcp/{{host}}/{{port}}'")
    return _reached(run("docker", "exec", node, "bash", "-c", script, timeout_seconds=QUICK_SECONDS), targets)


def _script(targets: list[Target], connect: str) -> str:
    """All at once, since each that is cut off takes the whole time."""
    parts = [
        f"({connect.format(host=target.host, port=target.port)} >/dev/null 2>&1 && echo reached-{number}-end) &"
        for number, target in enumerate(targets)
    ]
    return " ".join([*parts, "wait"])


def _reached(output: str, targets: list[Target]) -> dict[str, bool]:
    numbers = {int(number) for number in re.findall(r"reached-(\d+)-end", output)}
    return {target.name: number in numbers for number, target in enumerate(targets)}


_PROBES = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {PROBE}, labels: {{app.kubernetes.io/part-of: {PROBE}}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: {PROBE}, namespace: {PROBE}}}
spec:
  selector: {{matchLabels: {{app.kubernetes.io/name: {PROBE}}}}}
  template:
    metadata: {{labels: {{app.kubernetes.io/name: {PROBE}}}}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      securityContext: {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
      tolerations: [{{operator: Exists}}]
      containers:
        - name: probe
          image: {PROBE_IMAGE}
          imagePullPolicy: Never
          command: [sleep, "{OUTSIDE_SECONDS}"]
          resources:
            requests: {{cpu: 1m, memory: 4Mi}}
            limits: {{cpu: 200m, memory: 16Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
"""
