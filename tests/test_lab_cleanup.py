"""Clean-up of half-built labs made of real parts: containers with kind's label, a network, volumes, a kubeconfig."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from srelab_lib.errors import SettingsError, UnreachableError
from srelab_lib.lab import kept, leftovers
from srelab_lib.lab.airgap_probes import OUTSIDE
from srelab_lib.lab.cleanup import Cleanup, CleanupSettings, end_process
from srelab_lib.lab.cluster import engine_answers
from srelab_lib.lab.image_list import PROBE_IMAGE
from srelab_lib.lab.inotify import INSTANCES, WATCHES
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Phase, StepError
from srelab_lib.lab.terraform_state import FOLDER, STATE
from srelab_lib.lab.tuning import Tuning, TuningSettings

NAME = "srelab-test-end"
OTHER = "srelab-test-end-2"
"""Begins with the other's name: whoever compares by prefix takes its things."""


def docker(*arguments: str) -> str:
    return run("docker", *arguments, timeout_seconds=60).strip()


def kubeconfig(*names: str) -> str:
    """What kind writes, without a real key."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": f"kind-{names[-1]}" if names else "",
            "clusters": [{"name": f"kind-{n}", "cluster": {"server": "https://127.0.0.1:9"}} for n in names],
            "users": [{"name": f"kind-{n}", "user": {"username": "x"}} for n in names],
            "contexts": [
                {"name": f"kind-{n}", "context": {"cluster": f"kind-{n}", "user": f"kind-{n}"}} for n in names
            ],
        }
    )


def cleaned(folder: Path, *, name: str = NAME) -> Cleanup:
    """All steps of the notebook, in its order."""
    end, phase = Cleanup(settings=CleanupSettings(cluster_name=name), folder=folder), Phase("test", folder / "run")
    end.look()
    for step in (end.processes_ended(), end.proof_undone(), end.destroyed(), end.rest_removed(), end.files_removed()):
        phase.ensure(step)
    phase.verify(end.nothing_left())
    assert not end.proof()["left now"].any()
    return end


# --- without an engine ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "kind", "A"])
def test_a_name_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError):
        CleanupSettings(cluster_name=value)


def test_without_docker_it_says_so_and_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("docker") is None:
        pytest.skip("there is no docker here")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (tmp_path / STATE).write_text("{}")
    with pytest.raises(UnreachableError, match="does not answer") as caught:
        leftovers.leftovers(NAME, tmp_path)
    assert "start Docker" in caught.value.hint
    with pytest.raises(StepError, match="does not answer"):
        Phase("test", tmp_path / "run").verify(engine_answers())
    assert (tmp_path / STATE).exists()


@pytest.mark.parametrize(
    ("command", "alone", "mine"),
    [
        (f"kubectl --context kind-{NAME} port-forward svc/a 8080:443", False, True),
        (f"/usr/bin/kubectl --context=kind-{NAME} logs -f x", False, True),
        (f"kubectl --context kind-{OTHER} port-forward svc/a 8080:443", False, False),
        ("kubectl port-forward svc/argocd-server -n argocd 8080:443", True, True),
        ("kubectl port-forward svc/argocd-server -n argocd 8080:443", False, False),
        (f"terraform apply -no-color -var=cluster_name={NAME}", False, True),
        (f"terraform apply -no-color -var=cluster_name={OTHER}", False, False),
        (f"kind create cluster --name {NAME}", False, True),
        (f"kind delete cluster --name={OTHER}", False, False),
        (f"papermill 99_cleanup.ipynb out.ipynb -p cluster_name {NAME}", True, False),
        (f"vim {NAME}", True, False),
    ],
)
def test_a_process_belongs_to_the_lab_that_it_names(command: str, alone: bool, mine: bool) -> None:
    assert leftovers._works_on(command.split(), NAME, alone=alone) is mine


def test_a_process_is_ended_by_force_where_it_does_not_listen() -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end_process(process.pid, "kubectl port-forward")
        assert process.wait(timeout=5) == -signal.SIGKILL


def test_a_process_that_is_gone_is_no_error() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait(timeout=5)
    end_process(process.pid, "kubectl")


def test_limits_go_back_to_the_oldest_note(tmp_path: Path) -> None:
    """Raised twice: 128 to 512 in the first run, 256 to 512 in a later one."""
    sysctls, runs = tmp_path / "inotify", tmp_path / "runs"
    for number, before in enumerate((128, 256)):
        folder = runs / f"2026010{number}T000000Z-05_tuning"
        folder.mkdir(parents=True)
        note = f"512, was {before}; back: sudo sysctl fs.inotify.max_user_instances={before}"
        (folder / "summary.json").write_text(json.dumps({"steps": [{"observed": note}]}))
    sysctls.mkdir()
    (sysctls / INSTANCES).write_text("512\n")
    (sysctls / WATCHES).write_text("524288\n")
    tuned, phase = Tuning(settings=TuningSettings(cluster=NAME), folder=sysctls), Phase("test", tmp_path / "run")
    assert phase.ensure(kept.sysctl_reset(runs, asked=False, tuned=tuned)).status == "already"
    assert (sysctls / INSTANCES).read_text() == "512\n"
    phase.ensure(kept.sysctl_reset(runs, asked=True, tuned=tuned))
    assert ((sysctls / INSTANCES).read_text(), (sysctls / WATCHES).read_text()) == ("128\n", "524288\n")


# --- with a real engine -----------------------------------------------------------------------------------------------


@pytest.fixture
def half_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A node that is stopped, one that was deleted by hand and left its volume, a helper, and another lab beside it."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "kubeconfig").write_text(kubeconfig(NAME, OTHER))
    volume = "none"
    try:
        for name in (NAME, OTHER):
            docker("network", "create", "--label", f"srelab={name}", name)
            label = ("--label", f"io.x-k8s.kind.cluster={name}", "--label", "io.x-k8s.kind.role=worker")
            start = ("run", "--detach", "--network", name, "--pull=never", "--volume", "/var")
            docker(*start, *label, "--name", f"{name}-worker", PROBE_IMAGE, "sleep", "300")
        docker(*start[:2], "--network", NAME, "--pull=never", "--rm", "--name", OUTSIDE, PROBE_IMAGE, "sleep", "300")
        docker("kill", f"{NAME}-worker")
        volume = docker("volume", "create")
        (tmp_path / ".records").mkdir()
        note = {"endpoint": "https://127.0.0.1:9", "volumes": f"{volume} gone-long-ago", "watched": {}}
        (tmp_path / ".records" / f"{NAME}.cluster.json").write_text(json.dumps(note))
        (tmp_path / ".records" / f"{OTHER}.cluster.json").write_text("{}")
        yield tmp_path
    finally:
        run(
            "docker",
            "rm",
            "-f",
            "-v",
            f"{NAME}-worker",
            f"{OTHER}-worker",
            OUTSIDE,
            timeout_seconds=60,
            accepted=(0, 1),
        )
        run("docker", "network", "rm", NAME, OTHER, timeout_seconds=60, accepted=(0, 1))
        run("docker", "volume", "rm", "-f", volume, timeout_seconds=60, accepted=(0, 1))


@pytest.mark.cluster
def test_a_half_built_lab_is_removed_whole_and_the_one_beside_it_stays(half_built: Path) -> None:
    others = leftovers.leftovers(OTHER, half_built)
    end = cleaned(half_built)
    kinds = [item.kind for item in end.found]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "container": 2, "network": 1, "volume": 2, "kubeconfig entry": 3, "file": 1,
    }  # fmt: skip
    assert leftovers.leftovers(OTHER, half_built) == others
    assert len(others) == 7
    assert cleaned(half_built).found == [], "a second time there is nothing to do"


@pytest.mark.cluster
def test_a_damaged_state_and_one_of_what_is_gone_are_no_obstacle(half_built: Path) -> None:
    """Terraform cannot destroy what it cannot read: the rest goes all the same, and the step says why."""
    for name in ("main.tf", "variables.tf", "outputs.tf", "kind.yaml", "lab.sh"):
        shutil.copy(FOLDER / name, half_built / name)
    state = half_built / f"{STATE}.d" / NAME / STATE
    state.parent.mkdir(parents=True)
    state.write_text('{"version": 4, "resources": [')
    cleaned(half_built)
    [step] = [
        step
        for step in json.loads((half_built / "run" / "summary.json").read_text())["steps"]
        if step["title"] == "terraform destroy"
    ]
    assert "no state that Terraform wrote" in step["observed"]
    assert not state.parent.exists()


@pytest.mark.cluster
def test_a_port_forward_is_found_with_its_port_and_ended(half_built: Path) -> None:
    """A program called kubectl that holds a port stands for it: there is no API server to forward to."""
    program, port = half_built / "kubectl", 28_443
    program.write_text(
        f"#!{sys.executable}\nimport socket, time\ns = socket.create_server(('', {port}))\ntime.sleep(60)\n"
    )
    program.chmod(0o755)
    with subprocess.Popen([program, "--context", f"kind-{NAME}", "port-forward", "svc/a", f"{port}:443"]) as process:
        until = time.monotonic() + 10
        while not leftovers.listening(port) and time.monotonic() < until:
            time.sleep(0.1)
        end = cleaned(half_built)
        assert process.wait(timeout=5) == -signal.SIGTERM
    assert f"127.0.0.1:{port} (process {process.pid})" in [item.name for item in end.found]


@pytest.mark.cluster
def test_images_stay_unless_asked_and_then_while_a_container_uses_them(tmp_path: Path) -> None:
    """An image of one layer more, so that no other tag of it is in use."""
    image, phase = "srelab-test-image:1", Phase("test", tmp_path)
    build = f"FROM {PROBE_IMAGE}\nLABEL srelab.test=1\n"
    run("docker", "build", "--quiet", "--tag", image, "-", stdin=build, timeout_seconds=60)
    try:
        assert phase.ensure(kept.images_removed([image], asked=False)).observed == "1 kept: remove_images = False"
        assert kept.kept([image], tmp_path)["name"].tolist()[0] == image
        docker("run", "--detach", "--name", "srelab-test-user", image, "sleep", "60")
        assert "1 stay" in phase.ensure(kept.images_removed([image], asked=True)).observed
        docker("rm", "--force", "srelab-test-user")
        phase.ensure(kept.images_removed([image], asked=True))
        assert kept.images_here([image]) == []
    finally:
        run("docker", "rm", "--force", "srelab-test-user", timeout_seconds=60, accepted=(0, 1))
        run("docker", "image", "rm", "--force", image, timeout_seconds=60, accepted=(0, 1))
