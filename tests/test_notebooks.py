"""The notebooks run headless through papermill itself, from the root and from notebooks/, and refuse what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ["-p", "source", "incident", "-p", "model_deadline_seconds", "0"]


def papermill(cwd: Path, notebook: str, folder: Path, *parameters: str) -> subprocess.CompletedProcess[str]:
    """Runs a notebook as a person would."""
    command = [
        sys.executable,
        "-m",
        "papermill",
        notebook,
        str(folder / "out.ipynb"),
        "-p",
        "output_dir",
        str(folder / "report"),
    ]
    environment = os.environ | {"KUBECONFIG": str(folder / "no-kubeconfig")}
    return subprocess.run(
        [*command, *parameters], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def outputs(folder: Path) -> str:
    """Everything that the output notebook shows as text."""
    cells = json.loads((folder / "out.ipynb").read_text(encoding="utf-8"))["cells"]
    return json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)


def test_from_the_root_auto_takes_the_default_incident_where_there_is_no_cluster(tmp_path: Path) -> None:
    done = papermill(ROOT, "notebooks/06_rca.ipynb", tmp_path, "-p", "model_deadline_seconds", "0")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"]["fault"] == "oom_killed"
    assert "RECORDED" in outputs(tmp_path)
    assert str(tmp_path / "report") in outputs(tmp_path)


def test_from_notebooks_with_an_incident_by_name(tmp_path: Path) -> None:
    done = papermill(ROOT / "notebooks", "06_rca.ipynb", tmp_path, *RECORDED, "-p", "incident", "healthy")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"]["outcome"] == "no_fault"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (["-p", "minuts", "5"], "did you mean 'minutes'"),
        (["-r", "minutes", "five"], "must be int"),
        (["-p", "source", "incident", "-p", "incident", "helthy"], "healthy"),
        (["-p", "source", "live", "-p", "context", "nowhere"], "nowhere"),
        (["-p", "source", "incident", "-p", "namespace", "wrong"], "wrong"),
    ],
    ids=["unknown parameter", "wrong type", "unknown incident", "unknown context", "wrong namespace"],
)
def test_what_is_wrong_is_said_with_a_hint(tmp_path: Path, parameters: list[str], words: str) -> None:
    done = papermill(ROOT, "notebooks/06_rca.ipynb", tmp_path, *parameters)
    assert done.returncode != 0
    assert words in done.stderr
    assert "hint:" in done.stderr
