"""The air gap: what counts as a proof, and on the real cluster a cut that is undone whatever becomes of its program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from srelab_lib.errors import SettingsError
from srelab_lib.lab import egress, pods
from srelab_lib.lab.airgap import CONNECTIONS, AirgapProof, AirgapSettings, judged, namespaces
from srelab_lib.lab.airgap_probes import OUTSIDE, OUTSIDE_PORT, Target, from_node, outside
from srelab_lib.lab.images import nodes, side_loaded
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import run, silent
from srelab_lib.lab.step import Phase

CONTROL, INTERNET, API = "a machine beside the nodes", "the internet", "the cluster's own API"
KILLED = """
import time
from srelab_lib.lab import egress
from srelab_lib.lab.kubectl import Kubectl
egress.WATCHDOG_SECONDS = {seconds}
with egress.cut(Kubectl(), lambda _: None):
    print("cut", flush=True)
    time.sleep(300)
"""


def table(*rows: tuple[str, str]) -> pd.DataFrame:
    """(target, "yes no yes"), seen from one place."""
    words = {"yes": "reached", "no": "not reached"}
    full = [("pod", target, "1.2.3.4:5", *(words[word] for word in seen.split())) for target, seen in rows]
    return pd.DataFrame(full, columns=list(CONNECTIONS)).astype(CONNECTIONS)


def test_a_control_that_goes_and_comes_back_is_a_proof() -> None:
    seen = judged(table((CONTROL, "yes no yes"), (INTERNET, "yes no yes"), (API, "yes yes yes")))
    assert (seen.holds, seen.text) == (True, "2 connections worked before and after, and failed during the cut")


def test_without_internet_the_control_alone_proves_and_it_is_said() -> None:
    seen = judged(table((CONTROL, "yes no yes"), (INTERNET, "no no no"), (API, "yes yes yes")))
    assert seen.holds
    assert "this machine had no internet before either" in seen.text


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        (CONTROL, "no no no"),  # never reachable: its absence proves nothing
        (CONTROL, "yes yes yes"),  # a cut that cuts nothing
        (CONTROL, "yes no no"),  # a cut that was not undone
        (INTERNET, "yes yes yes"),
        (INTERNET, "no yes no"),
        (API, "yes no yes"),  # a cut that breaks the cluster itself
    ],
)
def test_what_is_no_proof_is_named(target: str, seen: str) -> None:
    rows = {CONTROL: "yes no yes", INTERNET: "no no no", API: "yes yes yes", target: seen}
    found = judged(table(*rows.items()))
    assert not found.holds
    assert target in found.text


def test_nothing_tried_proves_nothing() -> None:
    assert not judged(table()).holds
    assert not judged(table((INTERNET, "no no no"), (API, "yes yes yes"))).holds


def test_parameters_are_checked() -> None:
    with pytest.raises(SettingsError, match="prove='no' is str"):
        AirgapSettings(prove="no")  # type: ignore[arg-type]


def pod(reason: str = "", image_id: str = "sha256:new") -> pods.Pod:
    state = {"waiting": {"reason": reason}} if reason else {"running": {}}
    status = {"name": "web", "image": "sha256:old", "imageID": image_id, "state": state}
    return {
        "spec": {"containers": [{"name": "web", "image": "shop:v1"}]},
        "status": {"containerStatuses": [status]},
    }


@pytest.mark.parametrize(
    ("seen", "trouble"),
    [
        (pod("ImagePullBackOff", ""), "ImagePullBackOff"),
        (pod("ErrImageNeverPull", ""), "ErrImageNeverPull"),
        (pod("CrashLoopBackOff"), ""),
        (pod(), ""),
        (pod(image_id="docker.io/library/import@sha256:new"), ""),
        (pod(image_id="sha256:old"), "runs an older shop:v1"),
    ],
)
def test_pods_that_need_a_nudge(seen: pods.Pod, trouble: str) -> None:
    there = {"docker.io/library/shop:v1": {"sha256:new", "docker.io/library/import@sha256:new"}}
    assert pods._image_trouble(seen, there) == trouble


@pytest.fixture
def cluster() -> Iterator[Kubectl]:
    """The lab's cluster, with its egress given back afterwards whatever a test did."""
    yield Kubectl()
    egress.restore()


def reached(address: str) -> list[bool]:
    target = Target(name=CONTROL, host=address, port=OUTSIDE_PORT)
    return [from_node(node, [target])[CONTROL] for node in nodes()]


@pytest.mark.cluster
def test_ctrl_c_in_the_cut_undoes_it(cluster: Kubectl) -> None:
    with outside() as address:
        with suppress(KeyboardInterrupt), egress.cut(cluster, silent):
            assert reached(address) == [False] * 3
            assert len(cluster.items("nodes")) == 3, "answers to who asks from outside are let through"
            assert set(egress.leftovers()) == set(nodes())
            raise KeyboardInterrupt
        assert reached(address) == [True] * 3
    assert egress.leftovers() == {}
    assert not run("docker", "ps", "-aq", "--filter", f"name={OUTSIDE}", timeout_seconds=20).strip()


def killed_in_the_cut(seconds: int) -> None:
    command = [sys.executable, "-c", KILLED.format(seconds=seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.readline() == b"cut\n"
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.cluster
def test_the_cut_of_a_killed_run_is_found_and_undone(cluster: Kubectl) -> None:
    killed_in_the_cut(seconds=600)
    step = egress.open_to_the_world()
    assert not step.observe().holds
    assert step.apply is not None
    step.apply(silent)
    assert step.observe().holds
    step.apply(silent)


@pytest.mark.cluster
def test_the_nodes_undo_the_cut_of_a_killed_run_by_themselves(cluster: Kubectl) -> None:
    killed_in_the_cut(seconds=15)
    assert egress.leftovers()
    until = time.monotonic() + 45
    while egress.leftovers() and time.monotonic() < until:
        time.sleep(1)
    assert egress.leftovers() == {}


@pytest.mark.cluster
def test_pods_on_each_node_and_the_nodes_themselves_prove_the_gap(cluster: Kubectl) -> None:
    proof = AirgapProof(cluster)
    proof._restart = lambda progress: proof.restarts  # type: ignore[method-assign]  # the notebook restarts the real pods
    proof.run(silent)
    assert judged(proof.connections).holds
    assert set(proof.connections["from"]) == {f"{kind} {node}" for node in nodes() for kind in ("pod on", "node")}
    assert not any(name.startswith("airgap") for name in namespaces(cluster))
    assert not cluster.items("namespaces", "--field-selector=metadata.name=airgap-probe")


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{{name: web, image: "{image}", imagePullPolicy: {policy}, command: [sleep, "600"]}}]
"""


@pytest.mark.cluster
def test_a_restart_waits_for_new_pods_and_a_missing_image_is_told(cluster: Kubectl) -> None:
    namespace = "srelab-restart-test"
    cluster("create", "namespace", namespace)
    try:
        cluster.apply(DEPLOYMENT.format(namespace=namespace, image="busybox:1.35", policy="Never"))
        status = ("rollout", "status", "deployment/web", "--namespace", namespace, "--timeout=60s")
        cluster(*status, timeout_seconds=70)
        before = {item["metadata"]["uid"] for item in pods.lasting(cluster, namespace)}
        assert pods.restart(cluster, namespace, silent, seconds=60) == 2
        after = pods.lasting(cluster, namespace)
        assert not before & {item["metadata"]["uid"] for item in after}
        assert all(pods.ready(item) for item in after)
        assert pods.outdated(cluster, [namespace]) == []
        cluster.apply(DEPLOYMENT.format(namespace=namespace, image="srelab-never-loaded:1", policy="Never"))
        assert waiting_for(cluster, namespace) == {"ErrImageNeverPull"}
    finally:
        cluster("delete", "namespace", namespace, "--wait=false")


@pytest.mark.cluster
def test_an_image_that_no_node_has_is_side_loaded_and_its_pods_come_up(cluster: Kubectl, tmp_path: Path) -> None:
    namespace, image = "srelab-pull-test", "srelab-pull-test:1"
    file = f"FROM busybox:1.35\nLABEL made={time.time()}\n"
    run("docker", "build", "-q", "-t", image, "-", stdin=file, timeout_seconds=60)
    cluster("create", "namespace", namespace)
    try:
        cluster.apply(DEPLOYMENT.format(namespace=namespace, image=image, policy="IfNotPresent"))
        assert waiting_for(cluster, namespace) <= {"ErrImagePull", "ImagePullBackOff"}
        phase, come_up = Phase("cure", tmp_path, progress=silent), pods.up_to_date(cluster, [namespace])
        assert not come_up.observe().holds
        assert phase.ensure(side_loaded([image])).status == "done"
        # On a slow machine the kubelet may have tried again by itself in between.
        assert phase.ensure(come_up).status in {"done", "already"}
        status = ("rollout", "status", "deployment/web", "--namespace", namespace, "--timeout=60s")
        cluster(*status, timeout_seconds=70)
    finally:
        cluster("delete", "namespace", namespace, "--wait=false")
        for node in nodes():
            run("docker", "exec", node, "crictl", "rmi", image, timeout_seconds=30, accepted=(0, 1))
        run("docker", "rmi", "--force", image, timeout_seconds=30, accepted=(0, 1))


def waiting_for(cluster: Kubectl, namespace: str) -> set[str]:
    """Why pods of the namespace wait, once they do."""
    until = time.monotonic() + 60
    while not (found := pods.outdated(cluster, [namespace])) and time.monotonic() < until:
        time.sleep(0.5)
    assert found
    return {item.reason for item in found}
