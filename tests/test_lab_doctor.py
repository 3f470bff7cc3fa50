"""The doctor: what this machine has, and the command that mends what lacks; all is looked at, nothing is changed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from srelab_lib.errors import SettingsError, SourceError, UnreachableError
from srelab_lib.lab import doctor_steps, host
from srelab_lib.lab.doctor import IN_CLUSTER, NOTEBOOKS, RECORDED, Check, Doctor, DoctorSettings
from srelab_lib.lab.host import Engine
from srelab_lib.lab.image_list import builds
from srelab_lib.lab.process import silent
from srelab_lib.lab.step import PROJECT, Observation, Phase, Step, StepError
from srelab_lib.lab.tools import TOOLS, Tool, installed, version_in

ENGINE = Engine(version="26.1.5+dfsg1", memory_bytes=8 * 10**9, cpu_count=2, folder="/none/docker", cgroup_version="1")


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Docker version 24.0.7, build afdd53b", (24, 0)),
        ("Terraform v1.5.0\non linux_amd64", (1, 5)),
        ("Client Version: v1.34.3\nKustomize Version: v5.7.1", (1, 34)),
        ("kind v0.33.0 go1.26.8 linux/amd64", (0, 33)),
        ("git version 2.39.5 (Apple Git-154)", (2, 39)),
        ("Docker version 28.0-rc1", (28, 0)),
    ],
)
def test_versions_are_read(said: str, version: tuple[int, int]) -> None:
    assert version_in(said) == version


def test_what_tells_no_version_is_an_error() -> None:
    with pytest.raises(SourceError, match="no version in 'dev'"):
        version_in("dev")


def tool(name: str, *minimum: int) -> Tool:
    return Tool(name=name, ask=("--version",), minimum=(minimum[0], minimum[1]), reason="", mend="get it")


def test_a_program_is_new_enough_too_old_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kindly"
    program.write_text("#!/bin/sh\necho kindly v0.20.1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert installed(tool("kindly", 0, 20)).observe() == Observation(holds=True, text="0.20.1")
    assert installed(tool("kindly", 0, 21)).observe() == Observation(holds=False, text="0.20.1")
    assert installed(tool("kindly", 0, 9)).observe().holds, "20 is more than 9: versions are no text"
    assert installed(tool("no-such-program", 1, 0)).observe() == Observation(holds=False, text="not on the PATH")


def test_the_walkthroughs_versions_are_asked_for() -> None:
    wanted = {"docker": "24.0", "terraform": "1.5", "kubectl": "1.27", "kind": "0.20", "git": "2.30"}
    assert {item.name: item.wanted for item in TOOLS} == wanted


# The machine.


def info(**changes: object) -> str:
    told = {"ServerVersion": "24.0.7", "MemTotal": 1, "NCPU": 4, "DockerRootDir": "/d", "CgroupVersion": "2"}
    return json.dumps(told | changes)


def test_the_engine_tells_what_it_has() -> None:
    assert host.read_engine(info()).cgroup_version == "2"
    with pytest.raises(UnreachableError, match="Is the docker daemon running") as caught:
        host.read_engine(info(ServerErrors=["Cannot connect. Is the docker daemon running?"]))
    assert "systemctl start docker" in caught.value.hint
    for answer in ("", "[]", "{}", "null"):
        with pytest.raises(SourceError):
            host.read_engine(answer)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("permission denied while trying to connect to the Docker daemon socket", "usermod -aG docker"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "systemctl start docker"),
        ("docker is not on the PATH", "get-docker"),
        ("", "systemctl start docker"),
    ],
)
def test_why_no_engine_answers_decides_what_mends_it(said: str, hint: str) -> None:
    error = host.unreachable(said)
    assert hint in error.hint
    step = doctor_steps.engine_answers(error)
    assert (step.observe().holds, step.hint) == (False, error.hint)


@pytest.mark.parametrize(("version", "holds"), [("23.0.6", False), ("24.0.0", True), ("29.1", True), ("dev", False)])
def test_an_old_engine_is_told(version: str, holds: bool) -> None:
    engine = Engine(version=version, memory_bytes=0, cpu_count=0, folder="", cgroup_version="")
    assert doctor_steps.engine_answers(engine).observe().holds is holds


def test_too_little_is_told_with_the_amount() -> None:
    assert doctor_steps.memory(ENGINE).observe() == Observation(holds=False, text="8.0 GB seen by the engine")
    assert doctor_steps.processors(ENGINE).observe() == Observation(holds=False, text="2 seen by the engine")
    large = Engine(version="24.0", memory_bytes=15_700_000_000, cpu_count=4, folder="", cgroup_version="2")
    assert doctor_steps.memory(large).observe().holds, "a machine with 16 GB shows less than 16"
    assert doctor_steps.processors(large).observe().holds


def test_without_an_engine_this_machine_is_measured(tmp_path: Path) -> None:
    assert host.memory(None).value > 10**8
    assert host.processors(None).value == os.cpu_count()
    assert abs(host.disk(None, tmp_path).value - shutil.disk_usage(tmp_path).free) < 10**9
    assert "Docker's own machine" in host.disk(ENGINE, tmp_path).where, "a folder that is not here"


def test_control_groups_are_told_by_the_engine_or_by_the_mount(tmp_path: Path) -> None:
    assert host.cgroup_version(ENGINE, tmp_path) == "1"
    assert host.cgroup_version(None, tmp_path) == "1"
    (tmp_path / "cgroup.controllers").touch()
    assert host.cgroup_version(None, tmp_path) == "2"
    assert host.cgroup_version(None, tmp_path / "none") == ""


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        step = doctor_steps.port_free(port, "Grafana")
        assert not step.observe().holds
        assert f"iTCP:{port}" in step.hint
    assert step.observe().holds


def test_without_an_engine_the_bases_of_what_is_built_are_asked_for() -> None:
    assert doctor_steps.bases(builds(), None) == ["debian:12-slim", "python:3.11-slim"]


# The whole.


def fixed(title: str, *, holds: bool) -> Step:
    return Step(
        title=title,
        expected="",
        reason="",
        hint=f"mend {title}",
        observe=lambda: Observation(holds=holds, text="seen"),
    )


def looked(strict: bool, folder: Path) -> tuple[Doctor, Phase]:
    """One thing well, one too little, one missing."""
    doctor, phase = Doctor(settings=DoctorSettings(strict=strict)), Phase("00_doctor", folder, progress=silent)

    def group() -> list[Check]:
        return [
            Check(step=fixed("python", holds=True), notebooks=NOTEBOOKS),
            Check(step=fixed("disk", holds=False), notebooks=("05_tuning", "07_chaos")),
            Check(step=fixed("kind", holds=False), notebooks=("07_chaos", "99_cleanup"), impossible=lambda: True),
        ]

    table = doctor.look(phase, group, progress=silent)
    assert table[""].to_list() == ["✔", "!", "✘"]
    assert table["what mends it"].to_list() == ["", "mend disk", "mend kind"]
    return doctor, phase


def test_everything_is_looked_at_before_a_missing_program_is_an_error(tmp_path: Path) -> None:
    doctor, phase = looked(True, tmp_path)
    assert phase.status == "ok", "so far these are warnings"
    states = doctor.ready().set_index("notebook")
    assert states["state"].to_dict() == dict.fromkeys(NOTEBOOKS, "ready") | {
        "05_tuning": "ready, with a warning",
        "07_chaos": "not ready",
        "99_cleanup": "not ready",
    }
    assert states.loc["07_chaos", "because this does not hold"] == "kind"
    with pytest.raises(StepError, match="no: kind: seen") as caught:
        phase.verify(doctor.possible())
    assert "mend kind" in caught.value.hint
    assert "disk" not in caught.value.hint
    assert phase.status == "failed"


def test_without_strict_it_is_told_and_no_error(tmp_path: Path) -> None:
    doctor, phase = looked(False, tmp_path)
    assert phase.verify(doctor.possible()).observed == "no: kind: seen"
    assert phase.status == "ok"


def test_no_check_can_change_anything() -> None:
    doctor = Doctor(settings=DoctorSettings())
    groups = (doctor.tools, doctor.machine, doctor.ports, doctor.images, doctor.earlier)
    assert [check.step.title for group in groups for check in group() if check.step.apply or check.step.undo] == []


@pytest.mark.parametrize("parameters", [{"strict": 1}, {"cluster": ""}, {"cluster": "-x"}])
def test_parameters_are_checked(parameters: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        DoctorSettings(**parameters)  # type: ignore[arg-type]


def run_notebook(folder: Path, *parameters: str) -> subprocess.CompletedProcess[str]:
    """Runs it where the PATH has no program but git."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    git = shutil.which("git")
    if git and not (programs / "git").exists():
        (programs / "git").symlink_to(git)
    command = [sys.executable, "-m", "papermill", "notebooks/00_doctor.ipynb", str(folder / "out.ipynb")]
    environment = {**os.environ, "PATH": str(programs), "KUBECONFIG": str(folder / "none")}
    return subprocess.run(
        [*command, "-p", "output_dir", str(folder / "run"), *parameters],
        cwd=PROJECT, env=environment, check=False, timeout=180, capture_output=True, text=True,
    )  # fmt: skip


def test_the_notebook_without_any_program_looks_at_everything_and_ends_with_the_hint(tmp_path: Path) -> None:
    done = run_notebook(tmp_path)
    assert done.returncode != 0
    assert "kind.sigs.k8s.io" in done.stderr.split("hint:")[-1]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    statuses = {step["title"]: step["status"] for step in summary["steps"]}
    assert len(statuses) == 20
    assert statuses["port 8080 is free"] in {"holds", "warning"}
    assert [title for title, status in statuses.items() if status == "failed"] == [
        "the lab is possible on this machine"
    ]
    output = (tmp_path / "out.ipynb").read_text(encoding="utf-8")
    assert RECORDED in output
    assert output.count("not ready") >= len(IN_CLUSTER)


@pytest.mark.cluster
def test_a_lab_that_runs_is_well_and_where_there_is_none_there_is_nothing() -> None:
    doctor = Doctor(settings=DoctorSettings())
    seen = doctor.earlier()[0].step.observe()
    expected = "the lab runs: 3 nodes Ready" if doctor_steps.running("sre-lab") else "parts of a lab: "
    assert seen.text.startswith(expected)
    nothing = doctor_steps.earlier_lab("srelab-test-none", doctor.engine()).observe()
    assert nothing == Observation(holds=True, text="nothing of an earlier run")
