"""Drift: what differs from terraform/ because somebody changed it by hand, shown with one worker and undone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pandas as pd

from srelab_lib.errors import DeadlineError
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.leftovers import ask_docker, node_containers
from srelab_lib.lab.process import run
from srelab_lib.lab.step import POLL_SECONDS, Progress
from srelab_lib.lab.terraform import Change, Terraform
from srelab_lib.lab.terraform_state import record
from srelab_lib.lab.ticking import ticking

DOCKER_SECONDS = 60.0
STOP_SECONDS = 10
"""What a node gets to shut down, before Docker kills it."""
BACK_SECONDS = 120.0
OWN_NAMESPACES = frozenset({"kube-system", "local-path-storage"})
"""Namespaces whose pods come with the cluster."""
COLUMNS = ["address", "action", "because"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A node was stopped, looked at by a plan, and started again.

    Attributes:
        node: which; empty where none could be stopped.
        planned: what an apply would have done in between.
        after: what an apply would do now; nothing, when all is as before.
        rebuilt: whether the containers are others now.
        back_seconds: from the start until the node reported to the API server.
    """

    node: str = ""
    planned: tuple[Change, ...] = ()
    after: tuple[Change, ...] = ()
    rebuilt: bool = False
    back_seconds: float = 0.0

    @property
    def shown_and_undone(self) -> bool:
        """Whether the plan had something to say, and has nothing to say now."""
        return bool(self.planned) and not self.after and not self.rebuilt

    def __str__(self) -> str:
        seen = "; ".join(f"{change.action} {change.address}: {change.because}" for change in self.planned)
        left = f"{len(self.after)} changes" if self.after else "nothing to change"
        same = "other containers" if self.rebuilt else "the same containers"
        back = f"it reported again after {self.back_seconds:.0f} s, {left}, {same}"
        return f"{self.node} stopped, the plan was: {seen or 'empty'}; started, {back}"


def table(changes: Sequence[Change]) -> pd.DataFrame:
    """One row for each change, with COLUMNS; also when there is none."""
    return pd.DataFrame([asdict(change) for change in changes], columns=COLUMNS).astype("string")


def containers(cluster: str) -> dict[str, str]:
    """Node -> id of its container: another id is another container."""
    names = [node.name for node in node_containers(cluster)]
    ids = ask_docker("inspect", "--format", "{{.Id}}", *names).split() if names else []
    return dict(zip(names, ids, strict=True))


def lost(terraform: Terraform) -> list[str]:
    """Nodes that do not run, where a plan cannot see that by itself: see main.tf on Docker Desktop."""
    watched = record(terraform.cluster, "cluster", terraform.folder).get("watched", {})
    running = {node.name for node in node_containers(terraform.cluster) if node.running}
    return [name for name, file in watched.items() if not file and name not in running]


def idle_worker(kubectl: Kubectl, cluster: str) -> str:
    """A worker that runs and has no pod of the lab; empty where there is none."""
    pods = kubectl.items("pods", "--all-namespaces")
    busy = {pod["spec"].get("nodeName") for pod in pods if pod["metadata"]["namespace"] not in OWN_NAMESPACES}
    workers = [node.name for node in node_containers(cluster) if node.running and "control-plane" not in node.name]
    return next((name for name in workers if name not in busy), "")


def stop_and_start(terraform: Terraform, kubectl: Kubectl, progress: Progress) -> Drift:
    """Stops an idle worker, makes a plan, and starts it again, however this ends.

    Raises:
        StepError: Terraform made no plan.
        DeadlineError: the node was started, and did not report to the API server in time.
    """
    node = idle_worker(kubectl, terraform.cluster)
    if not node:
        return Drift()
    before = containers(terraform.cluster)
    try:
        with ticking(progress, f"docker stop {node}"):
            run("docker", "stop", "--time", str(STOP_SECONDS), node, timeout_seconds=DOCKER_SECONDS)
        planned = terraform.plan(lost(terraform), progress)
    finally:
        progress(f"       docker start {node}")
        started, clock = datetime.now(UTC), time.monotonic()
        run("docker", "start", node, timeout_seconds=DOCKER_SECONDS)
    with ticking(progress, f"{node} starts, until it reports to the API server"):
        _reports(kubectl, node, started)
    back_seconds = time.monotonic() - clock
    return Drift(
        node=node,
        planned=tuple(planned),
        after=tuple(terraform.plan(lost(terraform), progress)),
        rebuilt=before != containers(terraform.cluster),
        back_seconds=back_seconds,
    )


def _reports(kubectl: Kubectl, node: str, since: datetime) -> None:
    """Waits for the node's lease, which its kubelet renews: its condition stays Ready for 40 s after it is gone."""
    until = time.monotonic() + BACK_SECONDS
    while True:
        lease = kubectl.get("lease", node, "--namespace", "kube-node-lease")
        if datetime.fromisoformat(lease["spec"]["renewTime"]) > since:
            return
        if time.monotonic() > until:
            hint = f"docker logs {node} | tail"
            raise DeadlineError(f"{node} was started and does not report after {BACK_SECONDS:.0f} s", hint=hint)
        time.sleep(POLL_SECONDS)
