"""Probes, rollouts, scaling and disruption budgets: the checks on payloads of a real cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from recorded_checks import cited, found, recorded, told

from srelab_lib.diagnosis.checks import crashes, probes, rollout, scaling
from srelab_lib.model import TimeWindow

CHECKS = (*probes.CHECKS, *rollout.CHECKS, *scaling.CHECKS, *crashes.CHECKS)

READINESS, LIVENESS = "readiness_probe_misconfigured", "liveness_probe_misconfigured"
RECORDED = [
    (READINESS, READINESS, "Deployment/*/storefront", ["Readiness probe failed", ":9090", "containerPort=8080"]),
    (f"{READINESS}-path", READINESS, "Deployment/*/storefront", ["statuscode: 404", "path=/ready-to-serve"]),
    (f"{READINESS}-exec", READINESS, "Deployment/*/storefront", ["/usr/bin/check-ready"]),
    (LIVENESS, LIVENESS, "Deployment/*/storefront", ["failed liveness probe, will be restarted", "statuscode: 404"]),
    (f"{LIVENESS}-port", LIVENESS, "Deployment/*/storefront", ["livenessProbe.tcpSocket.port=9091", "8080"]),
    (f"{LIVENESS}-early", LIVENESS, "Deployment/*/storefront", ["initialDelaySeconds=2", "warming the cache"]),
    (
        "startup_probe_too_short",
        "startup_probe_too_short",
        "Deployment/*/reports",
        ["failed startup probe, will be restarted", "failureThreshold=4"],
    ),
    ("rollout_stuck", "rollout_stuck", "Deployment/*/portal", ["ProgressDeadlineExceeded", "updatedReplicas=1"]),
    ("scaled_to_zero", "scaled_to_zero", "Deployment/*/portal", ["replicas=0"]),
    ("hpa_no_metrics", "hpa_no_metrics", "HorizontalPodAutoscaler/*/feed", ["FailedGetResourceMetric"]),
    ("hpa_at_max", "hpa_at_max", "HorizontalPodAutoscaler/*/feed", ["TooManyReplicas", "maxReplicas=2"]),
    ("pdb_blocks", "pdb_blocks", "PodDisruptionBudget/*/sessions", ["disruptionsAllowed=0", "maxUnavailable=0"]),
]


@pytest.mark.parametrize(("name", "fault", "object_", "cites"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded(name: str, fault: str, object_: str, cites: list[str]) -> None:
    s = recorded(name)
    proved = [finding for finding in found(s, CHECKS) if finding.strength > 1]
    assert [(f.fault, f.object) for f in proved] == [(fault, object_.replace("*", s.namespace))]
    assert cited(proved[0], cites) == cites
    assert proved[0].since is not None
    assert s.window.start <= proved[0].since <= s.window.end


@pytest.mark.parametrize(
    "name", ["control_lifecycle", "control_rolling_update", "control_strict_budget", "container_killed"]
)
def test_nothing_is_found_where_pods_are_ready(name: str) -> None:
    assert found(recorded(name), (*probes.CHECKS, *rollout.CHECKS, *scaling.CHECKS)) == []


def test_a_program_that_says_503_is_only_a_symptom() -> None:
    (finding,) = found(recorded("readiness_probe_misconfigured-ill"), probes.CHECKS)
    assert finding.strength == 1
    assert "503" in finding.cause


def test_a_probe_on_the_port_that_the_program_listens_on_is_not_wrong() -> None:
    def alter(data: dict[str, Any]) -> None:
        for log in data["logs"]:
            log["text"] = log["text"].replace("port 8080", "port 9090")

    (finding,) = found(recorded("readiness_probe_misconfigured", alter), probes.CHECKS)
    assert finding.strength == 1


def test_a_port_that_nobody_declares_is_wrong_without_a_word_in_the_log() -> None:
    def alter(data: dict[str, Any]) -> None:
        data["logs"] = []

    (finding,) = found(recorded("readiness_probe_misconfigured", alter), probes.CHECKS)
    assert (finding.strength, finding.cause) == (
        2,
        "its readiness probe asks port 9090, and the container declares 8080",
    )


def test_the_services_target_port_speaks_where_no_port_is_declared() -> None:
    def alter(data: dict[str, Any]) -> None:
        data["logs"] = []
        for pod in data["raw"]["Pod"]:
            pod["spec"]["containers"][0].pop("ports")

    (finding,) = found(recorded("readiness_probe_misconfigured", alter), probes.CHECKS)
    assert finding.strength == 2
    assert finding.cause.endswith("speak of 8080")


def test_a_program_that_worked_for_long_and_then_hangs_is_only_a_symptom() -> None:
    def alter(data: dict[str, Any]) -> None:
        for pod in data["raw"]["Pod"]:
            for status in pod["status"]["containerStatuses"]:
                status["lastState"]["terminated"]["startedAt"] = pod["metadata"]["creationTimestamp"]

    (finding,) = found(recorded("liveness_probe_misconfigured-early", alter), probes.CHECKS)
    assert finding.strength == 1


def test_a_program_that_listens_and_lets_the_probe_wait_may_hang() -> None:
    def alter(data: dict[str, Any]) -> None:
        for log in data["logs"]:
            log["text"] = log["text"].replace("warming the cache", "listening on port 8080")

    (finding,) = found(recorded("liveness_probe_misconfigured-early", alter), probes.CHECKS)
    assert finding.strength == 1


def test_a_startup_probe_that_still_waits_is_no_fault() -> None:
    def alter(data: dict[str, Any]) -> None:
        data["raw"]["Event"] = [event for event in data["raw"]["Event"] if event["reason"] != "Killing"]

    assert found(recorded("startup_probe_too_short", alter), probes.CHECKS) == []


def test_causes_say_why() -> None:
    assert told("readiness_probe_misconfigured-path", probes.CHECKS).endswith(
        "/ready-to-serve and the program answers 404"
    )
    assert told("liveness_probe_misconfigured-early", probes.CHECKS).startswith(
        "its liveness probe gives the program 11 s"
    )
    assert "failureThreshold 4 x periodSeconds 3" in told("startup_probe_too_short", probes.CHECKS)


def test_zero_replicas_since_long_are_on_purpose() -> None:
    s = recorded("scaled_to_zero")
    later = TimeWindow(start=s.window.end, end=s.window.end + timedelta(minutes=15))
    assert found(recorded("scaled_to_zero", window=later), scaling.CHECKS) == []


def test_zero_replicas_that_no_service_asks_for_are_on_purpose() -> None:
    def alter(data: dict[str, Any]) -> None:
        data["raw"]["Service"] = []

    assert found(recorded("scaled_to_zero", alter), scaling.CHECKS) == []


def test_a_budget_blocks_when_its_pods_node_is_drained() -> None:
    def alter(data: dict[str, Any]) -> None:
        for node in data["raw"]["Node"]:
            node["spec"]["unschedulable"] = True

    (finding,) = found(recorded("control_strict_budget", alter), rollout.CHECKS)
    assert finding.fault == "pdb_blocks"
    assert cited(finding, ["unschedulable=true"]) == ["unschedulable=true"]


def test_a_new_autoscaler_has_no_metrics_yet() -> None:
    def alter(data: dict[str, Any]) -> None:
        for hpa in data["raw"]["HorizontalPodAutoscaler"]:
            for condition in hpa["status"]["conditions"]:
                condition["lastTransitionTime"] = data["end"]

    assert found(recorded("hpa_no_metrics", alter), scaling.CHECKS) == []


def test_a_paused_rollout_is_stuck_only_while_old_replicas_remain() -> None:
    def pause(data: dict[str, Any]) -> None:
        deployment = data["raw"]["Deployment"][0]
        deployment["spec"]["paused"] = True
        deployment["status"]["conditions"] = []

    assert [f.cause for f in found(recorded("rollout_stuck", pause), rollout.CHECKS) if f.strength > 1] == [
        "the Deployment is paused"
    ]
    assert found(recorded("control_rolling_update", pause), rollout.CHECKS) == []
