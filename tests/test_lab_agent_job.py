"""The agent as a plain process, what it publishes, and the Job that the notebook runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bad_server import served, status, with_length
from kubernetes import client as kube_client

from srelab_lib import collect, diagnose, explain, from_env, render
from srelab_lib.clients.report_config_map import WRITTEN_BY, ReportConfigMap
from srelab_lib.errors import ApiError, UnreachableError
from srelab_lib.lab import agent_comparison, agent_job
from srelab_lib.lab.agent_comparison import JobRun, as_job
from srelab_lib.lab.step import Phase, StepError
from srelab_lib.reports.compact import compact
from srelab_lib.reports.document import check
from srelab_lib.settings import LAB_CONTEXT

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {"SRELAB_SOURCE": "incident", "SRELAB_INCIDENT": "oom-memory-limit", "SRELAB_MODEL_DEADLINE_SECONDS": "0"}


def agent(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """agent.py as a process that is in no pod and has no kubeconfig."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SRELAB_")}
    environment |= {"KUBECONFIG": str(folder / "none"), "SRELAB_OUTPUT_DIR": str(folder / "report"), **variables}
    command = [sys.executable, str(ROOT / "agent" / "agent.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report that the pipeline makes of the same recording."""
    folder = tmp_path_factory.mktemp("pipeline")
    settings = from_env({**SETTINGS, "SRELAB_OUTPUT_DIR": str(folder)})
    diagnosis = diagnose(collect(settings))
    return render(diagnosis, settings, folder, explain(diagnosis, settings))


def report(path: Path) -> dict[str, Any]:
    """report.json without what differs from run to run."""
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    body["run"].pop("seconds")
    body["run"]["settings"].pop("output_dir")
    return body


# --- the script -------------------------------------------------------------------------------------------------------


def test_the_script_is_short_and_its_report_is_the_pipelines(tmp_path: Path, files: dict[str, Path]) -> None:
    assert len((ROOT / "agent" / "agent.py").read_text(encoding="utf-8").splitlines()) <= 60
    done = agent(tmp_path, **SETTINGS)
    assert done.returncode == 0, done.stderr
    assert report(tmp_path / "report" / "report.json") == report(files["report.json"])
    assert (tmp_path / "report" / "report.md").read_text(encoding="utf-8") in done.stdout
    assert done.stdout.splitlines()[-1] == "Verdict: oom_killed of Deployment/default/broken-app, confidence high"
    assert "agent: pods:" in done.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [({"SRELAB_MINUTES": "x"}, "not a whole number"), ({"SRELAB_INCIDENT": "helthy"}, "healthy")],
    ids=["setting", "incident"],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    done = agent(tmp_path, **SETTINGS | variables)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_model_and_a_config_map_there_is_a_report(tmp_path: Path, files: dict[str, Path]) -> None:
    asked = {"SRELAB_MODEL_DEADLINE_SECONDS": "20", "SRELAB_OLLAMA_URL": "http://127.0.0.1:1"}
    done = agent(tmp_path, **SETTINGS | asked, AGENT_CONFIG_MAP="sre-agent-report")
    assert done.returncode == 1
    assert "no credentials of a pod" in done.stderr
    assert done.stdout.startswith("# RECORDED incident oom-memory-limit")
    body = report(tmp_path / "report" / "report.json")
    assert body["verdict"] == report(files["report.json"])["verdict"]
    assert body["analysis"] is None
    assert "127.0.0.1:1" in body["analysis_unavailable"]


def test_the_image_has_the_packages_of_the_notebooks() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        return dict(re.findall(r"^([\w-]+)==([\w.]+)", "\n".join(lines), flags=re.M))

    ours, all_of_them = pins("agent/requirements.txt"), pins("requirements.txt")
    assert ours.items() <= all_of_them.items()
    # The rest serves notebooks and the host's terraform.
    assert all_of_them.keys() - ours.keys() == {"jupyterlab", "papermill", "ipykernel", "nbconvert", "python-terraform"}


# --- what is published ------------------------------------------------------------------------------------------------


def config_map(url: str) -> ReportConfigMap:
    configuration = kube_client.Configuration(host=url)
    configuration.retries = False
    return ReportConfigMap(kube_client.ApiClient(configuration), namespace="default", name="r", writer="pod-1")


def test_one_patch_of_one_config_map() -> None:
    bodies: list[bytes] = []

    def answer(connection: Any, head: bytes) -> None:
        size = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))  # type: ignore[union-attr]
        body = head.partition(b"\r\n\r\n")[2]
        while len(body) < size:
            body += connection.recv(65536)
        bodies.append(body)
        connection.sendall(with_length(b"{}"))

    with served(answer) as server:
        config_map(server.url).write({"report.md": "# ok"})
    [head] = server.requests
    assert head.startswith(b"PATCH /api/v1/namespaces/default/configmaps/r HTTP/1.1")
    assert b"application/merge-patch+json" in head
    assert json.loads(bodies[0]) == {
        "metadata": {"annotations": {WRITTEN_BY: "pod-1"}},
        "data": {"report.md": "# ok"},
    }


def test_a_refusal_says_what_to_apply() -> None:
    def answer(connection: Any, head: bytes) -> None:
        connection.sendall(status("404 Not Found", b'{"message": "configmaps r not found"}'))

    with served(answer) as server, pytest.raises(ApiError, match="not found") as caught:
        config_map(server.url).write({"report.md": "# ok"})
    assert caught.value.status == 404
    assert "k8s/agent-job.yaml" in caught.value.hint
    with pytest.raises(UnreachableError):
        config_map("http://127.0.0.1:1").write({"report.md": "# ok"})


def test_a_report_is_made_to_fit_and_says_so(tmp_path: Path, files: dict[str, Path]) -> None:
    whole = compact(files, max_bytes=1_000_000)
    assert whole == {name: files[name].read_text(encoding="utf-8") for name in ("report.md", "report.json")}
    body = json.loads(files["report.json"].read_text(encoding="utf-8"))
    body["timeline"]["marks"] *= 40
    big = {name: tmp_path / name for name in ("report.md", "report.json")}
    big["report.json"].write_text(json.dumps(body), encoding="utf-8")
    big["report.md"].write_text("é" * 50_000, encoding="utf-8")
    fitted = compact(big, max_bytes=60_000)
    assert sum(len(text.encode()) for text in fitted.values()) <= 60_000
    small = json.loads(fitted["report.json"])
    check(small)
    assert small["verdict"] == body["verdict"]
    assert any("items of marks in this file" in note for note in small["dropped"])
    assert fitted["report.md"].endswith("(cut here: 100000 bytes in all)\n")


# --- the Job ----------------------------------------------------------------------------------------------------------


def live(**run: Any) -> dict[str, Any]:
    """What a notebook's report.json tells of its run, and its verdict."""
    return {
        "verdict": {
            "outcome": "fault",
            "fault": "oom_killed",
            "object": "Deployment/default/web",
            "confidence": "high",
        },
        "missing": [],
        "run": {
            "source": {"kind": "live", "context": LAB_CONTEXT},
            "namespace": "default",
            "window": {"end": "2026-01-31T12:00:00Z"},
            "settings": {"minutes": 0, "model": "phi3", "model_deadline_seconds": 30, "job_deadline_seconds": 60},
            **run,
        },
    }


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"source": {"kind": "incident", "incident": "healthy"}}, "no live cluster"),
        ({"source": {"kind": "live", "context": "prod"}}, LAB_CONTEXT),
        ({"namespace": "shop"}, "namespace default alone"),
        ({"settings": {"job_deadline_seconds": 0}}, "job_deadline_seconds is 0"),
    ],
    ids=["recording", "another cluster", "another namespace", "no time"],
)
def test_it_is_not_run_elsewhere(tmp_path: Path, run: dict[str, Any], words: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(live(**run)), encoding="utf-8")
    phase = Phase("06_rca", tmp_path)
    job = as_job(path, phase)
    assert str(job).startswith("Not run: ")
    assert words in str(job)
    assert job.comparison().empty
    assert job.excerpt() == str(job)
    assert phase.results == []


def test_the_job_gets_the_notebooks_window() -> None:
    variables = agent_job.environment(live())
    objects = agent_job.manifests(variables, frozenset({"default"}))
    assert "argocd" not in {item["metadata"].get("namespace") for item in objects}
    [job] = [item for item in objects if item["kind"] == "Job"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    values = {item["name"]: item["value"] for item in container["env"]}
    assert variables.items() <= values.items()
    assert values["SRELAB_END"] == "2026-01-31T12:00:00Z"
    assert from_env(values).model_deadline_seconds == 30
    assert from_env(values).source == "live"
    assert len(agent_job.manifests(variables, frozenset({"default", "argocd"}))) == len(objects) + 2


def test_a_difference_fails_the_phase(tmp_path: Path) -> None:
    other = live()
    other["verdict"] = {**other["verdict"], "fault": "memory_leak"}
    run = JobRun(notebook=live(), job=other, log="a\nb\nc")
    assert run.differences == ["fault: notebook oom_killed, Job memory_leak"]
    assert list(run.comparison()["equal"]) == [True, False, True, True, True]
    assert run.excerpt(lines=1).splitlines() == ["a", "... 2 more lines ...", "c"]
    phase = Phase("06_rca", tmp_path)
    with pytest.raises(StepError, match="memory_leak"):
        phase.verify(agent_comparison._agrees(run))
    assert JobRun(notebook=live(), job=live()).differences == []
