"""What a walk through the notebooks left behind: `pytest tests/e2e/walked.py` after `python -m srelab_lib.lab.walk`.

Not collected by `make test`: it reads the walk in runs/walk, and the lab that the walk built.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from srelab_lib import Settings, collect, diagnose
from srelab_lib.lab.walk import CLEANUP, notebooks
from srelab_lib.settings import DEFAULT_INCIDENT, LAB_CONTEXT

WALK = Path(__file__).resolve().parents[2] / "runs" / "walk"
ALL_BUT_CLEANUP = [path for number, path in notebooks().items() if number != CLEANUP]
TWICE = ("01", "02", "03", "04")
EXPERIMENTS = (
    "terraform init without a network",
    "another terraform apply changes nothing",
    "a plan shows what somebody changed by hand",
    "an edit by hand is reverted",
    "the proof of the air gap was made",
    "answers in the schema",
    "survives a restart",
)
"""Words from the titles of steps that do something to show it, in every run."""
SECRETS = {
    "argocd-initial-admin-secret": "argocd",
    "git-credentials": "argocd",
    "prometheus-grafana": "monitoring",
}
"""Name -> namespace of every Secret that a notebook may read into memory."""


def summary(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((WALK / name / "summary.json").read_text(encoding="utf-8"))
    return content


def passwords() -> Iterator[str]:
    for name, namespace in SECRETS.items():
        command = [
            "kubectl",
            "--context",
            LAB_CONTEXT,
            "-n",
            namespace,
            "get",
            "secret",
            name,
            "-o",
            "json",
            "--ignore-not-found",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        data = json.loads(done.stdout)["data"] if done.stdout else {}  # Grafana is optional, and so is its Secret
        values = {key: base64.b64decode(value).decode() for key, value in data.items()}
        yield from (value for key, value in values.items() if "password" in key)


@pytest.mark.parametrize("path", ALL_BUT_CLEANUP, ids=lambda path: path.stem)
def test_each_notebook_says_that_all_its_steps_hold(path: Path) -> None:
    found = summary(path.stem)
    assert found["notebook"] == path.stem
    assert found["status"] == "ok"
    assert found["steps"]


@pytest.mark.parametrize("path", [notebooks()[number] for number in TWICE], ids=lambda path: path.stem)
def test_a_second_run_finds_its_work_done(path: Path) -> None:
    steps = [step for step in summary(f"{path.stem}-again")["steps"] if step["action"] == "ensure"]
    acted = [step["title"] for step in steps if step["status"] != "already"]
    assert len(acted) < len(steps)
    assert [title for title in acted if not any(words in title for words in EXPERIMENTS)] == []


def test_scenario_b_has_the_verdict_of_its_recording() -> None:
    live = json.loads((WALK / "07_chaos" / "B" / "report.json").read_text(encoding="utf-8"))
    recorded = diagnose(collect(Settings(source="incident", incident=DEFAULT_INCIDENT))).verdict
    assert live["run"]["source"]["kind"] == "live"
    assert live["verdict"]["outcome"] == recorded.outcome
    assert live["verdict"]["fault"] == recorded.fault
    assert live["verdict"]["object"] == recorded.object
    assert "10Mi" in live["verdict"]["change"]


def test_no_password_is_in_anything_that_a_walk_keeps() -> None:
    texts = {file: file.read_text(encoding="utf-8", errors="replace") for file in WALK.rglob("*") if file.is_file()}
    assert texts
    for password in passwords():
        assert [str(file) for file, text in texts.items() if password in text] == []
