"""The Job in the cluster finds what a run on this machine finds, over the same window, and is no part of it.

Not collected by `make test`, since it breaks something in the lab's namespace for a minute; `.ci/run` runs it.
The fault is a Deployment of its own, which Argo CD does not manage and so does not heal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from srelab_lib import collect, diagnose, explain, from_env, render
from srelab_lib.lab import agent_job
from srelab_lib.lab.agent_comparison import JobRun, as_job
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.step import Phase
from srelab_lib.model import Snapshot

PLANTED = "planted-c0ffee"
WORKLOAD = "agent-e2e"
DAMAGE_SECONDS = 60
MANIFEST = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {WORKLOAD}, namespace: default}}
spec:
  selector: {{matchLabels: {{app: {WORKLOAD}}}}}
  template:
    metadata: {{labels: {{app: {WORKLOAD}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: busybox:1.35
        command: [sh, -c, "echo login with password={PLANTED}; sleep 3; tail /dev/zero"]
        env: [{{name: DB_PASSWORD, value: {PLANTED}}}]
        resources: {{requests: {{cpu: 10m, memory: 12Mi}}, limits: {{memory: 12Mi}}}}
"""
# A model that nobody serves: the report is whole without one, and in bounded time.
SETTINGS = {
    "SRELAB_SOURCE": "auto",
    "SRELAB_CONTEXT": "kind-sre-lab",
    "SRELAB_MODEL": "nobody-has-this",
    "SRELAB_MODEL_DEADLINE_SECONDS": "20",
}


@pytest.fixture(scope="module")
def broken() -> Iterator[None]:
    """A Deployment that is killed for its memory limit again and again."""
    kubectl = Kubectl()
    kubectl.apply(MANIFEST)
    time.sleep(DAMAGE_SECONDS)
    yield
    kubectl("delete", "deployment", WORKLOAD, "--namespace", "default", "--ignore-not-found")


def analysed(folder: Path) -> tuple[Snapshot, Path]:
    """What the notebook does."""
    settings = from_env({**SETTINGS, "SRELAB_OUTPUT_DIR": str(folder)})
    diagnosis = diagnose(collect(settings))
    return diagnosis.snapshot, render(diagnosis, settings, folder, explain(diagnosis, settings))["report.json"]


def text(table: pd.DataFrame) -> str:
    return str(table.to_json(date_format="iso", default_handler=str))


@pytest.fixture(scope="module")
def run(broken: None, tmp_path_factory: pytest.TempPathFactory) -> JobRun:
    folder = tmp_path_factory.mktemp("notebook")
    began = time.monotonic()
    job = as_job(analysed(folder)[1], Phase("06_rca", folder))  # raises when they differ
    print(f"{time.monotonic() - began:.0f} s\n{job.comparison()}")
    return job


def test_the_job_found_the_fault(run: JobRun) -> None:
    assert not run.not_run, run.not_run
    assert run.job is not None
    assert list(run.comparison()["equal"])[:4] == [True] * 4
    assert run.job["verdict"]["fault"] == "oom_killed"
    assert run.job["verdict"]["object"] == f"Deployment/default/{WORKLOAD}"
    assert run.job["run"]["source"] == {"kind": "live", "context": "in-cluster"}
    # The window has passed by then, which is told; nothing else is out of its reach.
    reach = {item["source"] for item in run.job["missing"]} - {"objects of the past"}
    assert reach <= {item["source"] for item in run.notebook["missing"]}
    assert "--context in-cluster" not in json.dumps(run.job["actions"])


def test_it_is_not_run_twice_for_one_window(run: JobRun) -> None:
    step = agent_job.finished(agent_job.environment(run.notebook))
    assert step.observe().holds


def test_no_secret_is_in_log_or_report(run: JobRun) -> None:
    config_map = json.dumps(agent_job.config_map())
    assert PLANTED not in run.log
    assert PLANTED not in config_map
    assert len(config_map) < 1024 * 1024


def test_the_job_is_no_part_of_the_next_analysis(run: JobRun, tmp_path: Path) -> None:
    snapshot, path = analysed(tmp_path)
    # A node tells which images it has.
    objects = snapshot["objects"]
    tables = {**snapshot.tables, "objects": objects[objects["kind"] != "Node"]}
    for name, table in tables.items():
        assert "sre-agent" not in text(table), name
        assert "agent-code" not in text(table), name
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert report["verdict"]["object"] == f"Deployment/default/{WORKLOAD}"
    assert "sre-agent" not in json.dumps(report)


def test_it_can_be_removed(run: JobRun) -> None:
    step = agent_job.finished(agent_job.environment(run.notebook))
    assert step.undo is not None
    step.undo(print)
    assert not step.observe().holds
    kubectl = Kubectl()
    for kind in ("configmap", "serviceaccount", "role", "rolebinding", "job"):
        assert "sre-agent" not in kubectl("get", kind, "--namespace", "default", "-o", "name")
