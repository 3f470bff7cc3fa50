"""Monitoring is scaled down for a model that has no CPU left, stays down against Argo CD, and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from srelab_lib.errors import SourceError
from srelab_lib.lab import gitops, monitoring
from srelab_lib.lab.applications import applications, argocd_installed, heals
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import silent
from srelab_lib.lab.step import Step, wait_for

HEALING_SECONDS = 8
"""Argo CD reverts a plain scale in one to four seconds."""


def healing() -> bool:
    """Whether Argo CD would undo an edit by hand; no where there is none."""
    try:
        [item] = applications(monitoring.APPLICATION)
    except SourceError:
        return False
    return heals(item)


@pytest.fixture
def step() -> Iterator[Step]:
    paused = monitoring.paused()
    yield paused
    assert paused.undo is not None
    paused.undo(silent)


@pytest.mark.cluster
def test_monitoring_stays_down_until_it_is_brought_back(step: Step) -> None:
    assert step.apply is not None
    assert step.undo is not None
    healed_before = healing()
    assert not step.observe().holds
    step.apply(silent)
    assert wait_for(step, silent).holds
    time.sleep(HEALING_SECONDS)
    assert step.observe().holds
    step.undo(silent)
    [prometheus] = Kubectl().items(
        "deployments", "--namespace", monitoring.NAMESPACE, "--selector", "app.kubernetes.io/name=prometheus"
    )
    assert prometheus["status"]["readyReplicas"] == prometheus["spec"]["replicas"] == 1
    assert monitoring.REPLICAS not in prometheus["metadata"]["annotations"]
    assert healing() is healed_before


@pytest.fixture
def unrelated_commit() -> Iterator[None]:
    """A commit that Argo CD has not seen, which alters nothing of monitoring."""
    if not argocd_installed(Kubectl()):
        pytest.skip("no Argo CD in this cluster")
    file = "k8s/note-of-a-test.txt"
    with gitops.Clone() as clone:
        clone.commit("add a note", {file: "nothing reads it\n"})
        clone.push()
        yield
        clone.commit("remove the note", {file: None})
        clone.push()


@pytest.mark.cluster
@pytest.mark.usefixtures("unrelated_commit")
def test_monitoring_stays_down_after_a_commit_of_something_else(step: Step) -> None:
    """With self-heal off Argo CD would still sync once to a commit that is new to it."""
    assert step.apply is not None
    step.apply(silent)
    assert wait_for(step, silent).holds
    gitops.refresh(monitoring.APPLICATION)
    time.sleep(HEALING_SECONDS)
    assert step.observe().holds


@pytest.mark.cluster
def test_bringing_back_what_runs_changes_nothing(step: Step) -> None:
    assert step.undo is not None
    kubectl = Kubectl()
    before = kubectl.items("deployments", "--namespace", monitoring.NAMESPACE)
    step.undo(silent)
    after = kubectl.items("deployments", "--namespace", monitoring.NAMESPACE)
    assert [item["metadata"]["generation"] for item in after] == [item["metadata"]["generation"] for item in before]
