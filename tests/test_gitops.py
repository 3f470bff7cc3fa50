"""Argo CD's history beside a real git repository."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.errors import DeadlineError
from srelab_lib.sources import gitops
from srelab_lib.sources.gitops import deployments, no_repository, repository_reader


def git(folder: Path, *arguments: str) -> str:
    line = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Three commits: the app, another app, and a lowered limit beside a password."""
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "-q")
    revisions = []
    for path, text in [("shop/a.yaml", "memory: 64Mi\n"), ("other/b.yaml", "x: 1\n"),
                       ("shop/a.yaml", "memory: 10Mi\npassword: hunter2hunter2\n")]:  # fmt: skip
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"change {path}")
        revisions.append(git(folder, "rev-parse", "HEAD"))
    return folder, revisions


def application(*revisions: str, **source: Any) -> dict[str, Any]:
    history = [
        {
            "id": number, "revision": revision, "deployStartedAt": f"2026-01-01T0{number}:00:00Z",
            "deployedAt": f"2026-01-01T0{number}:00:03Z",
            "source": {"repoURL": "git://git/lab", "path": "shop", **source},
        }
        for number, revision in enumerate(revisions)
    ]  # fmt: skip
    resources = [{"kind": "Deployment", "namespace": "default", "name": "shop", "group": "apps"}]
    return {
        "metadata": {"namespace": "argocd", "name": "shop"},
        "status": {"history": history, "resources": resources, "sync": {"revision": "f" * 40}},
    }


def test_each_deployment_has_its_commit_restricted_to_the_path(repository: tuple[Path, list[str]]) -> None:
    folder, revisions = repository
    first, second = deployments([application(revisions[0], revisions[2])], repository_reader(folder))
    assert (first["previous"], second["previous"]) == (None, revisions[0])
    assert (second["application"], second["resources"]) == ("Application/argocd/shop", ("Deployment/default/shop",))
    assert (second["author"], second["subject"]) == ("Ada", "change shop/a.yaml")
    assert "-memory: 64Mi" in second["diff"]
    assert "+memory: 10Mi" in second["diff"]
    assert "other/b.yaml" not in second["diff"]
    assert "+memory: 64Mi" in first["diff"]


def test_secrets_of_a_commit_are_placeholders(repository: tuple[Path, list[str]]) -> None:
    folder, revisions = repository
    (_, second) = deployments([application(revisions[0], revisions[2])], repository_reader(folder))
    assert "hunter2hunter2" not in str(second)
    assert "<secret:" in second["diff"]


def test_back_to_an_earlier_commit_is_the_difference_backwards(repository: tuple[Path, list[str]]) -> None:
    folder, revisions = repository
    (*_, back) = deployments([application(revisions[2], revisions[0])], repository_reader(folder))
    assert "+memory: 64Mi" in back["diff"]
    assert back["subject"] == "change shop/a.yaml"


def test_without_a_repository_the_times_remain() -> None:
    (only,) = deployments([application("a" * 40)], no_repository)
    assert (only["revision"], only["diff"], only["subject"]) == ("a" * 40, "", "")
    assert only["started_at"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("revision", ["f" * 40, "HEAD", "--output=x", "a b", "", "$(reboot)"])
def test_a_revision_that_is_unknown_or_no_hash_is_not_asked_for(
    repository: tuple[Path, list[str]], revision: str
) -> None:
    (only,) = deployments([application(revision)], repository_reader(repository[0]))
    assert only["diff"] == ""


@pytest.mark.parametrize("path", ["/etc", "../x", ":(top)other", "shop/../../x"])
def test_a_path_out_of_the_repository_is_not_asked_for(repository: tuple[Path, list[str]], path: str) -> None:
    folder, revisions = repository
    (only,) = deployments([application(revisions[2], path=path)], repository_reader(folder))
    assert only["diff"] == ""


def test_several_sources_give_their_first(repository: tuple[Path, list[str]]) -> None:
    folder, revisions = repository
    several = application()
    several["status"]["history"] = [{
        "id": 0, "revisions": [revisions[2]], "sources": [{"repoURL": "x", "path": "shop"}],
        "deployedAt": "2026-01-01T00:00:00Z",
    }]  # fmt: skip
    (only,) = deployments([several], repository_reader(folder))
    assert "10Mi" in only["diff"]


def test_an_application_without_a_history_has_no_deployments() -> None:
    assert (
        deployments(
            [{"metadata": {"name": "x"}}, {"metadata": {"name": "y"}, "status": {"history": None}}], no_repository
        )
        == []
    )


def test_a_long_diff_is_cut_and_says_so(repository: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, revisions = repository
    monkeypatch.setattr(gitops, "MAX_BYTES", 100)
    (only,) = deployments([application(revisions[2])], repository_reader(folder))
    assert only["diff"].endswith("[cut after 100 bytes]\n")
    assert len(only["diff"]) < 200


def test_git_that_hangs_is_ended_in_time(
    repository: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        deployments([application(repository[1][0])], repository_reader(repository[0], seconds=0.5))
    assert time.monotonic() - began < 20


def failed(revision: str, **synced: Any) -> dict[str, Any]:
    source = {"repoURL": "git://git/lab", "path": "shop"}
    times = {"startedAt": "2026-01-01T05:00:00Z", "finishedAt": "2026-01-01T05:00:09Z"}
    return {"phase": "Failed", **times, "syncResult": {"revision": revision, "source": source, **synced}}


def test_a_sync_that_failed_follows_the_history_with_its_commit(repository: tuple[Path, list[str]]) -> None:
    folder, revisions = repository
    app = application(revisions[0])
    hook = {"kind": "Job", "namespace": "default", "name": "migrate", "hookType": "PreSync", "hookPhase": "Failed"}
    app["status"]["operationState"] = failed(revisions[2], resources=[hook])
    went_well, last = deployments([app], repository_reader(folder))
    assert (went_well["failed"], last["failed"]) == (False, True)
    assert (last["commit"], last["previous"]) == (revisions[2], revisions[0])
    assert "Job/default/migrate" in last["resources"]
    app["status"]["operationState"] = failed(revisions[0])
    assert len(deployments([app], repository_reader(folder))) == 1, "it is in the history, and was tried again"


def test_the_commit_is_the_one_that_touched_the_path(repository: tuple[Path, list[str]]) -> None:
    folder, revisions = repository
    first, second = deployments([application(revisions[0], revisions[1])], repository_reader(folder))
    assert first["commit"] == revisions[0]
    assert (second["revision"], second["commit"], second["diff"]) == (revisions[1], "", "")
    (only,) = deployments([application("a" * 40)], no_repository)
    assert only["commit"] == "a" * 40


def test_what_a_sync_deleted_is_named(repository: tuple[Path, list[str]]) -> None:
    folder, revisions = repository
    app = application(revisions[0], revisions[2])
    gone = {"kind": "Service", "namespace": "default", "name": "units", "status": "Pruned"}
    app["status"]["operationState"] = {
        "phase": "Succeeded",
        "syncResult": {"revision": revisions[2], "resources": [gone]},
    }
    first, second = deployments([app], repository_reader(folder))
    assert (first["pruned"], second["pruned"]) == ((), ("Service/default/units",))
