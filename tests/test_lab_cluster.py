"""Terraform and the cluster it makes: real Terraform throughout, and a real cluster of two nodes with its own state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.errors import SettingsError
from srelab_lib.lab.cleanup import Cleanup, CleanupSettings
from srelab_lib.lab.cluster import Infrastructure, InfrastructureSettings, node_names
from srelab_lib.lab.drift import containers
from srelab_lib.lab.leftovers import leftovers
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Phase, StepError
from srelab_lib.lab.terraform import Terraform
from srelab_lib.lab.terraform_state import FOLDER, STATE, cluster_in, secrets_in, state_file, workspace

needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no terraform here")
NAME = "srelab-test-two"
TWO_NODES = """kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
  - role: worker
"""


def copied(folder: Path) -> Path:
    """terraform/ without its state, so that no test touches the lab's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("main.tf", "variables.tf", "outputs.tf", "kind.yaml", "lab.sh"):
        shutil.copy(FOLDER / name, folder / name)
    return folder


def state_of(name: str) -> str:
    """As much of a state as tells whose it is."""
    attributes = {"input": {"value": {"name": name}}}
    return json.dumps({"version": 4, "resources": [{"name": "cluster", "instances": [{"attributes": attributes}]}]})


# --- settings and state -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Sre", "sre_lab", "-a", "a-", "a" * 49, "kind", "bridge", "a b"])
def test_a_name_that_terraform_would_refuse_is_refused_first(name: str) -> None:
    with pytest.raises(SettingsError):
        InfrastructureSettings(cluster_name=name)


@pytest.mark.parametrize("image", ["kindest/node:latest", "kindest/node", "kindest/node:1.34.3", "a b:v1.2.3"])
def test_an_image_without_a_version_is_refused(image: str) -> None:
    with pytest.raises(SettingsError, match="never latest"):
        InfrastructureSettings(node_image=image)


def test_nodes_are_called_as_kind_calls_them() -> None:
    assert node_names("sre-lab") == ["sre-lab-control-plane", "sre-lab-worker", "sre-lab-worker2"]


def test_the_usual_lab_has_the_state_of_a_plain_apply_and_others_their_own(tmp_path: Path) -> None:
    assert state_file("sre-lab", tmp_path) == tmp_path / STATE
    assert state_file("other", tmp_path) == tmp_path / f"{STATE}.d" / "other" / STATE
    (tmp_path / STATE).write_text(state_of("other"))
    assert workspace("other", tmp_path) == "default", "somebody applied it there by hand"
    assert workspace("third", tmp_path) == "third"


@pytest.mark.parametrize("command", ["plan", "apply", "destroy"])
def test_the_state_of_another_lab_is_not_touched(tmp_path: Path, command: str) -> None:
    (tmp_path / STATE).write_text(state_of("other"))
    with pytest.raises(StepError, match="is that of cluster other") as caught:
        getattr(Terraform(cluster="sre-lab", folder=tmp_path), command)()
    assert "'other'" in caught.value.hint
    assert (tmp_path / STATE).read_text() == state_of("other")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", "PEM"),
        ("client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJ", "PEM"),
        ("certificate-authority-data: AAAA", "kubeconfig"),
        ('"token": "abc"', "token"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVz", "token"),
    ],
)
def test_a_secret_is_found(text: str, kind: str) -> None:
    found = secrets_in(f'{{"a": {text}}}')
    assert any(kind in name for name in found)
    assert not any(text in name for name in found)


# --- Terraform --------------------------------------------------------------------------------------------------------


@needs_terraform
def test_init_and_plan_need_no_network_and_change_nothing(tmp_path: Path) -> None:
    terraform = Terraform(cluster="plan-only", folder=copied(tmp_path))
    assert "successfully initialized" in terraform.init()
    changes = {change.address: change.action for change in terraform.plan()}
    assert changes == dict.fromkeys(
        ("terraform_data.records", "terraform_data.network", "terraform_data.cluster"), "create"
    )
    assert terraform.outputs() == {}
    assert not state_file("plan-only", tmp_path).exists()


@needs_terraform
def test_init_would_fail_if_a_provider_had_to_be_downloaded(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / "more.tf").write_text('resource "null_resource" "x" {}\n')
    with pytest.raises(StepError, match="hashicorp/null") as caught:
        Terraform(folder=tmp_path).init()
    assert "127.0.0.1:9" in caught.value.message, "it asked by way of the port that takes no connection"
    assert not {"│", "╷", "╵"} & set(caught.value.message)


@needs_terraform
def test_terraforms_own_message_is_told_without_a_secret(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / "lab.sh").write_text("#!/bin/sh\necho password=hunter2hunter2 >&2; echo error: no room >&2; exit 1\n")
    with pytest.raises(StepError, match="no room") as caught:
        Terraform(cluster="fails", folder=tmp_path).apply()
    assert "hunter2" not in str(caught.value)


@needs_terraform
def test_ctrl_c_lets_terraform_write_its_state_and_the_next_apply_goes_on(tmp_path: Path) -> None:
    """While the cluster is being made: lab.sh cleans up, the state has the network, no program is left."""
    copied(tmp_path)
    script = """#!/bin/bash
[ "$1" = create-cluster ] && [ ! -e go ] || exit 0
trap 'kill $!; sleep 6; touch cleaned; exit 130' INT
sleep 300 & echo $$ > at-work; wait
"""
    (tmp_path / "lab.sh").write_text(script)
    terraform, before = Terraform(cluster="cut", folder=tmp_path), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt_when, args=(tmp_path / "at-work",), daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            terraform.apply()
    finally:
        signal.signal(signal.SIGINT, before)
    number = (tmp_path / "at-work").read_text().strip()
    state = run("ps", "-o", "stat=", "-p", number, timeout_seconds=5, accepted=(0, 1)).strip()
    assert state[:1] in {"", "Z"}, "lab.sh still runs"
    assert (tmp_path / "cleaned").exists(), "lab.sh had the time to put things in order"
    assert cluster_in(terraform.state) == "cut"
    (tmp_path / "go").touch()
    assert {change.address for change in terraform.plan()} == {"terraform_data.cluster"}
    assert terraform.apply()[0] == 1


def interrupt_when(file: Path) -> None:
    """Ctrl-C, once the program is at work."""
    while not (file.exists() and file.read_text().strip()):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


# --- a real cluster ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """Two nodes, with a kubeconfig and a state of their own."""
    folder = copied(tmp_path_factory.mktemp("terraform"))
    (folder / "kind.yaml").write_text(TWO_NODES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
        yield Infrastructure(settings=InfrastructureSettings(cluster_name=NAME), folder=folder)
        run("kind", "delete", "cluster", "--name", NAME, timeout_seconds=60)
        run("docker", "network", "rm", NAME, timeout_seconds=60, accepted=(0, 1))


@pytest.mark.cluster
def test_from_nothing_to_ready_and_then_nothing_to_do(lab: Infrastructure, tmp_path: Path) -> None:
    phase = Phase("test", tmp_path)
    phase.ensure(lab.initialised())
    assert phase.ensure(lab.applied()).status == "done"
    assert phase.verify(lab.nodes_ready()).ok
    assert phase.ensure(lab.unchanged()).observed == "0 added, 0 changed, 0 destroyed; the same 2 containers"
    assert contexts() == ((f"kind-{NAME}",), f"kind-{NAME}")
    assert lab.plan().empty


@pytest.mark.cluster
def test_a_stopped_node_is_in_the_plan_and_comes_back_as_it_was(lab: Infrastructure, tmp_path: Path) -> None:
    before = containers(NAME)
    Phase("test", tmp_path).ensure(lab.drift_shown())
    assert lab.drift is not None
    assert [(c.action, c.address, c.because) for c in lab.drift.planned] == [
        ("replace", "terraform_data.cluster", f"{NAME}-worker is not running")
    ]
    assert (lab.drift.after, containers(NAME)) == ((), before)


@pytest.mark.cluster
def test_a_node_that_was_left_stopped_is_started_and_not_rebuilt(lab: Infrastructure, tmp_path: Path) -> None:
    before = containers(NAME)
    run("docker", "stop", "--time", "1", f"{NAME}-worker", timeout_seconds=60)
    phase = Phase("test", tmp_path)
    assert phase.ensure(lab.running()).status == "done"
    assert phase.ensure(lab.applied()).status == "already"
    assert containers(NAME) == before


@pytest.mark.cluster
def test_a_lost_context_is_written_again(lab: Infrastructure, tmp_path: Path) -> None:
    run("kubectl", "config", "delete-context", f"kind-{NAME}", timeout_seconds=20)
    phase = Phase("test", tmp_path)
    assert phase.ensure(lab.context_there()).status == "done"
    assert str(lab.terraform.outputs()["endpoint"]) in phase.results[-1].observed


@pytest.mark.cluster
def test_a_cluster_that_terraform_has_forgotten_is_taken_over(lab: Infrastructure, tmp_path: Path) -> None:
    before = containers(NAME)
    shutil.rmtree(lab.terraform.state.parent)
    shutil.rmtree(lab.folder / ".records")
    phase = Phase("test", tmp_path)
    assert phase.ensure(lab.applied()).status == "done"
    assert containers(NAME) == before
    assert phase.verify(lab.no_secret()).ok


@pytest.mark.cluster
def test_all_of_it_is_removed_and_nothing_of_others(lab: Infrastructure, tmp_path: Path) -> None:
    """One node is deleted by hand first, which leaves its volume behind."""
    others = set(run("docker", "ps", "--all", "--format", "{{.Names}}", timeout_seconds=20).split())
    others -= set(containers(NAME))
    run("docker", "rm", "--force", f"{NAME}-worker", timeout_seconds=60)
    end, phase = Cleanup(settings=CleanupSettings(cluster_name=NAME), folder=lab.folder), Phase("test", tmp_path)
    found = end.look()["kind"].tolist()
    assert {"container", "network", "kubeconfig entry", "port", "file"} <= set(found)
    assert found.count("volume") == 2
    for step in (end.processes_ended(), end.proof_undone(), end.destroyed(), end.rest_removed(), end.files_removed()):
        phase.ensure(step)
    assert phase.verify(end.nothing_left()).ok
    assert leftovers(NAME, lab.folder) == []
    assert set(run("docker", "ps", "--all", "--format", "{{.Names}}", timeout_seconds=20).split()) >= others
    assert {file.name for file in lab.folder.iterdir()} - {"kubeconfig"} == {
        "main.tf", "variables.tf", "outputs.tf", "kind.yaml", "lab.sh",
    }  # fmt: skip
