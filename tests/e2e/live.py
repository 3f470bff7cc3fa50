"""Scenario B on the real cluster: the notebook finds live what it finds in the recording.

On the cluster of `cluster.sh up`, where no Argo CD heals it. Not collected by `make test`, since it breaks the app for
some minutes: `pytest tests/e2e/live.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.settings import DEFAULT_INCIDENT, LAB_CONTEXT

ROOT = Path(__file__).resolve().parent.parent.parent
APP = ROOT / "k8s" / "manifests" / "broken-app"
CLUSTER_GOES = "SRELAB_CLUSTER_GOES"
"""Set where the whole cluster is deleted right after, and need not be healed."""
BASELINE_SECONDS = 120
DAMAGE_SECONDS = 80
LIMIT = (
    '{"spec": {"template": {"spec": {"containers": [{"name": "broken-app",'
    ' "resources": {"limits": {"memory": "10Mi"}, "requests": {"memory": "10Mi"}}}]}}}}'
)


def kubectl(*arguments: str) -> str:
    command = ["kubectl", "--context", LAB_CONTEXT, "--namespace", "default", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout


def run_notebook(folder: Path, *parameters: str) -> dict[str, Any]:
    """Runs 06_rca headless and reads its report."""
    command = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / "06_rca.ipynb"), str(folder / "out.ipynb")]
    values = ["-p", "output_dir", str(folder), "-p", "model_deadline_seconds", "0"]
    done = subprocess.run([*command, *values, *parameters], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def running_seconds() -> float:
    """For how long all pods of the app have run."""
    times = kubectl(
        "get", "pods", "-l", "app.kubernetes.io/name=broken-app", "-o", "jsonpath={.items[*].status.startTime}"
    )
    return (datetime.now(UTC) - max(map(datetime.fromisoformat, times.split()))).total_seconds()


@pytest.fixture(scope="module")
def broken_at() -> Iterator[float]:
    """When the app's limit was lowered, after a healthy while (monotonic seconds); it is healed afterwards."""
    kubectl("apply", "-k", str(APP))
    kubectl("rollout", "status", "deployment/broken-app", "--timeout=240s")
    time.sleep(max(0.0, BASELINE_SECONDS - running_seconds()))
    kubectl("patch", "deployment/broken-app", "--patch", LIMIT)
    yield time.monotonic()
    if os.environ.get(CLUSTER_GOES):
        return
    kubectl("replace", "--force", "-k", str(APP))
    kubectl("rollout", "status", "deployment/broken-app", "--timeout=240s")


def test_live_and_recorded_verdicts_agree(tmp_path: Path, broken_at: float) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "recorded").mkdir()
    minutes = str((BASELINE_SECONDS + DAMAGE_SECONDS) // 60)
    recorded = run_notebook(tmp_path / "recorded", "-p", "source", "incident", "-p", "incident", DEFAULT_INCIDENT)
    time.sleep(max(0.0, DAMAGE_SECONDS - (time.monotonic() - broken_at)))
    live = run_notebook(tmp_path / "live", "-p", "minutes", minutes)
    assert live["run"]["source"] == {"kind": "live", "context": LAB_CONTEXT}
    for key in ("outcome", "fault", "object"):
        assert live["verdict"][key] == recorded["verdict"][key]
    assert "10Mi" in live["verdict"]["change"]
    assert "10Mi" in recorded["verdict"]["change"]
