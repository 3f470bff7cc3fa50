"""Chaos: edits of the real manifests, commits in a real repository, reports right and wrong, and the cluster."""

from __future__ import annotations

import difflib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from srelab_lib import pipeline
from srelab_lib.errors import SettingsError, SourceError
from srelab_lib.faults import FAULTS
from srelab_lib.lab import git_clone
from srelab_lib.lab.chaos import ChaosSettings, Experiment
from srelab_lib.lab.chaos_commit import PREFIX, in_force, revert_all
from srelab_lib.lab.chaos_names import catalogue, named, recorded_only
from srelab_lib.lab.chaos_rca import proofs, subject_of
from srelab_lib.lab.chaos_scenarios import BY_NAME, FOLDER, SCENARIOS, Edit, Scenario
from srelab_lib.lab.chaos_signs import answering, damaged, signs
from srelab_lib.lab.git_clone import Clone
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import silent
from srelab_lib.lab.step import Phase, StepError, StepResult
from srelab_lib.lab.yaml_edit import field_of, with_field

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / FOLDER
EDITED = [scenario for scenario in SCENARIOS if scenario.edit]


def edited(edit: Edit) -> tuple[str, str]:
    """The file before and after."""
    text = (APP / edit.file).read_text(encoding="utf-8")
    return text, with_field(text, edit.kind, edit.name, edit.path, edit.value)


def changed_lines(old: str, new: str) -> list[str]:
    """Added and removed lines, without their indentation."""
    found = [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[:2] in {"+ ", "- "}]
    return [line[:2] + line[2:].strip() for line in found]


# --- edits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("B", ["- memory: 256Mi", "+ memory: 10Mi"]),
        ("A", ["+ command: [python, app.py]"]),
        ("image_not_found", ["- image: broken-app:v2", "+ image: broken-app:v9-typo"]),
        ("readiness_probe_misconfigured", ["- port: http", "+ port: 9999"]),
        ("exception_storm", ["+ - name: FAULT_ERROR_RATE", '+ value: "0.5"']),
        ("node_selector_unmatched", ["+ nodeSelector: {disk: fast}"]),
        (
            "crash_missing_env",
            [
                "- - name: DEPENDENCY_URL",
                "- valueFrom:",
                "- configMapKeyRef:",
                "- name: broken-app",
                "- key: DEPENDENCY_URL",
            ],
        ),
    ],
)
def test_a_diff_has_the_wanted_lines_and_no_others(name: str, lines: list[str]) -> None:
    edit = BY_NAME[name].edit
    assert edit
    assert changed_lines(*edited(edit)) == lines


@pytest.mark.parametrize("scenario", EDITED, ids=lambda scenario: scenario.name)
def test_one_field_is_changed_and_the_folder_still_builds(scenario: Scenario, tmp_path: Path) -> None:
    assert scenario.edit
    old, new = edited(scenario.edit)
    before, after = list(yaml.safe_load_all(old)), list(yaml.safe_load_all(new))
    [(was, now)] = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert (was["kind"], was["metadata"]["name"]) == (scenario.edit.kind, scenario.edit.name)
    assert field_of(now, scenario.edit.path) == scenario.edit.value != field_of(was, scenario.edit.path)
    assert [line for line in old.splitlines() if "#" in line] == [line for line in new.splitlines() if "#" in line]
    shutil.copytree(APP, tmp_path / "app")
    (tmp_path / "app" / scenario.edit.file).write_text(new, encoding="utf-8")
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    subprocess.run(["kubectl", "kustomize", tmp_path / "app"], check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize(
    ("kind", "path", "value", "words"),
    [
        ("Deployment", ("spec", "replica", "x"), 1, "no 'replica' on the way"),
        ("DaemonSet", ("spec", "replicas"), 1, "no DaemonSet broken-app"),
        ("Deployment", ("spec", "paused"), None, "no 'paused' to remove"),
        ("Deployment", ("spec", "template"), {}, "over several lines"),
        ("Deployment", ("spec", "replicas", "x"), 1, "cannot be added"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(kind: str, path: tuple[str, ...], value: Any, words: str) -> None:
    text = (APP / "broken-app.yaml").read_text(encoding="utf-8")
    with pytest.raises(SourceError, match=words):
        with_field(text, kind, "broken-app", path, value)


# --- names ------------------------------------------------------------------------------------------------------------


def test_every_fault_is_in_the_catalogue() -> None:
    assert {scenario.fault for scenario in SCENARIOS} <= FAULTS.keys()
    assert {*recorded_only(), *(scenario.fault for scenario in SCENARIOS)} == FAULTS.keys()
    assert list(catalogue()["scenario"]) == list(BY_NAME)
    assert len(BY_NAME) == len(SCENARIOS)


def test_names_in_the_order_that_was_asked_for() -> None:
    assert [scenario.name for scenario in named(" A , B ")] == ["A", "B"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("B,image_not_fund", "did you mean 'image_not_found'.*There are B, A, A-image"),
        ("node_pressure", "no edit of the lab's app causes it.*There are B"),
        ("", "names none"),
        ("B,B", "twice"),
    ],
)
def test_a_name_that_cannot_be_is_refused(names: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ChaosSettings(scenarios=names)
    assert re.search(words, str(refused.value), re.DOTALL)


def test_settings_have_their_bounds() -> None:
    for wrong in ({"baseline_seconds": 5}, {"model_deadline_seconds": 9999}, {"baseline_seconds": "90"}):
        with pytest.raises(SettingsError):
            ChaosSettings(**wrong)


# --- commits ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository of this machine in the place of the cluster's, seeded with the app."""
    bare = tmp_path / "lab.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)

    @contextmanager
    def reachable(_: str = "") -> Iterator[str]:
        yield str(bare)

    monkeypatch.setattr(git_clone, "reachable", reachable)
    monkeypatch.setattr(git_clone, "_credentials", lambda _: {})
    with Clone(may_be_empty=True) as clone:
        files = {f"{FOLDER}/{file.name}": file.read_text(encoding="utf-8") for file in APP.glob("*.yaml")}
        clone.commit("seed", files)
        clone.push()
    return bare


def commit_break(name: str) -> str:
    """Pushes a scenario's edit, as a run that was cut short would leave it."""
    edit = BY_NAME[name].edit
    assert edit
    with Clone() as clone:
        path = f"{FOLDER}/{edit.file}"
        text = with_field(clone.read(path), edit.kind, edit.name, edit.path, edit.value)
        sha = clone.commit(PREFIX + BY_NAME[name].subject, {path: text})
        clone.push()
    return sha


@pytest.mark.usefixtures("server")
def test_what_a_run_left_behind_is_reverted_and_history_stays() -> None:
    first, second = commit_break("B"), commit_break("scaled_to_zero")
    with Clone() as clone:
        assert in_force(clone) == [second, first]
        assert len(revert_all(clone, silent)) == 2
    with Clone() as clone:
        assert in_force(clone) == []
        assert revert_all(clone, silent) == []
        assert [subject for _, subject in clone.log()] == [
            'Revert "chaos: save memory in the shop"',
            'Revert "chaos: the inventory is not needed at night"',
            "chaos: the inventory is not needed at night",
            "chaos: save memory in the shop",
            "seed",
        ]
        for file in APP.glob("*.yaml"):
            assert clone.read(f"{FOLDER}/{file.name}") == file.read_text(encoding="utf-8")


@pytest.mark.usefixtures("server")
def test_a_revert_that_was_reverted_is_in_force_again() -> None:
    sha = commit_break("A")
    with Clone() as clone:
        undone = clone.revert(sha)
        assert in_force(clone) == []
        clone.revert(undone)
        assert in_force(clone) == [sha]
        revert_all(clone, silent)
        assert in_force(clone) == []
        assert "python, app.py" not in clone.read(f"{FOLDER}/broken-app.yaml")


@pytest.mark.usefixtures("server")
def test_what_was_seeded_over_is_not_in_force() -> None:
    commit_break("B")
    with Clone() as clone:
        path = f"{FOLDER}/broken-app.yaml"
        clone.commit("seed: as the working copy is now", {path: (APP / "broken-app.yaml").read_text(encoding="utf-8")})
        assert in_force(clone) == []


@pytest.mark.usefixtures("server")
def test_a_break_that_is_stopped_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the damage is waited for."""
    told: list[str] = []
    experiment = Experiment(
        BY_NAME["B"], ChaosSettings(), Phase("07_chaos", tmp_path / "run", progress=silent), told.append
    )
    commit_break("B")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("srelab_lib.lab.chaos.damaged", interrupted)
    monkeypatch.setattr("srelab_lib.lab.chaos_commit.refresh", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        experiment.damage()
    with Clone() as clone:
        assert in_force(clone) == []
    assert "taking the break back" in told[0]


def test_the_analysis_reads_the_labs_commits(server: Path) -> None:
    sha = commit_break("B")
    with ExitStack() as stack:
        read = pipeline._lab_commits(stack, silent)
        assert "subject chaos: save memory in the shop" in read(git_clone.REPOSITORY, sha, None, FOLDER)
        assert read("https://elsewhere/lab.git", sha, None, FOLDER) == ""
    shutil.rmtree(server)
    with ExitStack() as stack, pytest.raises(SourceError, match="does not exist|not found|not appear"):
        pipeline._lab_commits(stack, silent)(git_clone.REPOSITORY, sha, None, FOLDER)


# --- the report -------------------------------------------------------------------------------------------------------

SHA = "d2b1afa8" + "0" * 32
SUBJECT = "chaos: save memory in the shop"


def report(**verdict: str) -> dict[str, Any]:
    """What 06 wrote of scenario B, as far as it is looked at."""
    diff = f"commit {SHA}\nauthor srelab\ndate 2026-11-26T14:01:33+00:00\nsubject {SUBJECT}\n"
    change = {"text": "memory limit 256Mi -> 10Mi", "commit": SHA, "diff": diff}
    return {
        "verdict": {"outcome": "fault", "fault": "oom_killed", "object": "Deployment/default/broken-app", **verdict},
        "candidates": [{"change": change}],
        "evidence": [{"text": "last_reason=OOMKilled exit_code=137"}],
    }


def prove(phase: Phase, found: dict[str, Any]) -> list[StepResult]:
    """Every proof of scenario B."""
    return [phase.verify(step) for step in proofs(found, BY_NAME["B"], SHA, SUBJECT)]


def test_a_right_report_is_proved(tmp_path: Path) -> None:
    phase = Phase("07_chaos", tmp_path)
    results = prove(phase, report())
    assert [result.status for result in results] == ["holds"] * 4
    assert results[-1].observed == f"d2b1afa8 {SUBJECT}"


def wrong(**parts: Any) -> dict[str, Any]:
    return {**report(), **parts}


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (report(fault="memory_leak"), "fault and object"),
        (report(object="Deployment/default/inventory"), "fault and object"),
        (wrong(candidates=[]), "names the change"),
        (wrong(evidence=[{"text": "restarts"}]), "cites the sign"),
        (wrong(candidates=[{"change": {"text": "256Mi -> 10Mi", "commit": "", "diff": ""}}]), "names the commit"),
    ],
    ids=["fault", "object", "change", "sign", "commit"],
)
def test_a_wrong_report_fails(found: dict[str, Any], title: str, tmp_path: Path) -> None:
    phase = Phase("07_chaos", tmp_path)
    with pytest.raises(StepError, match=title):
        prove(phase, found)
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["status"] == "failed"


def test_a_change_that_only_the_commit_shows_is_named(tmp_path: Path) -> None:
    change = {
        "text": "Service broken-app written again by argocd-controller (which value changed is not known)",
        "commit": SHA,
        "diff": f"commit {SHA}\nsubject {SUBJECT}\n--- a/x\n+++ b/x\n-    memory: 256Mi\n+    memory: 10Mi\n",
    }
    results = prove(Phase("07_chaos", tmp_path), wrong(candidates=[{"change": change}]))
    assert results[1].observed.endswith("its commit: -    memory: 256Mi, +    memory: 10Mi")


def test_the_subject_is_read_from_the_diff() -> None:
    assert subject_of(report()["candidates"][0]["change"]) == SUBJECT
    assert subject_of({"diff": ""}) == ""


def test_the_window_ends_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long 06 takes to begin, the break stays within the window."""
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr("srelab_lib.lab.chaos_rca.run", lambda *command, **_: commands.append(command))
    folder = tmp_path / "B"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report()), encoding="utf-8")
    experiment = Experiment(BY_NAME["B"], ChaosSettings(), Phase("07_chaos", tmp_path, progress=silent), silent)
    experiment._since = datetime.now(UTC) - timedelta(seconds=110)
    assert experiment.analyse() == report()
    [command] = commands
    end = datetime.fromisoformat(command[command.index("end") + 1])
    start = end - timedelta(minutes=int(command[command.index("minutes") + 1]))
    assert timedelta() <= start - experiment._since < timedelta(seconds=60)


# --- the cluster ------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_a_healthy_app_shows_no_sign_of_damage() -> None:
    kubectl = Kubectl()
    if not answering(kubectl).observe().holds:
        pytest.skip("the lab's app is not well: run 02_gitops and 03_airgap")
    texts = list(signs(kubectl))
    assert any("Ready" in text for text in texts)
    assert "Deployment inventory asks for 1 replicas" in texts
    assert not [text for text in texts if "OOMKilled" in text or "no endpoint" in text or "development server" in text]


@pytest.mark.cluster
def test_what_was_there_before_the_break_is_no_damage() -> None:
    kubectl = Kubectl()
    pattern = r"asks for \d+ replicas"
    before = frozenset(signs(kubectl))
    assert damaged(kubectl, pattern, 0).observe().holds
    assert not damaged(kubectl, pattern, 0, before).observe().holds
