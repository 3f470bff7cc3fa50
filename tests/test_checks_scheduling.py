"""Scheduling, admission, nodes and storage: the checks on payloads of a real cluster."""

from __future__ import annotations

from typing import Any

import pytest
from recorded_checks import cited, found, recorded, told

from srelab_lib.diagnosis.checks import nodes, quotas, scheduling, storage
from srelab_lib.diagnosis.checks._placement import read
from srelab_lib.signals.frames import frame

CHECKS = (*scheduling.CHECKS, *quotas.CHECKS, *nodes.CHECKS, *storage.CHECKS)

RECORDED = [
    ("node_selector_unmatched", "node_selector_unmatched", "Deployment/*/encoder", ["nodeSelector=disktype=nvme"]),
    ("taint_untolerated", "taint_untolerated", "Deployment/*/sensor-hub", ["untolerated taint", "key=dedicated"]),
    ("anti_affinity_unmet", "anti_affinity_unmet", "Deployment/*/quorum", ["didn't match pod anti-affinity rules"]),
    ("insufficient_cpu", "insufficient_cpu", "Deployment/*/trainer", ["Insufficient cpu", "requests.cpu=64"]),
    ("insufficient_memory", "insufficient_memory", "Deployment/*/trainer", ["Insufficient memory", "900Gi"]),
    (
        "insufficient_extended_resource",
        "insufficient_extended_resource",
        "Deployment/*/trainer",
        ["Insufficient example.com/accelerator", "limits=example.com/accelerator=1"],
    ),
    ("quota_exceeded", "quota_exceeded", "ResourceQuota/*/team-quota", ["exceeded quota: team-quota", "hard.pods=1"]),
    ("limit_range_violated", "limit_range_violated", "Deployment/*/gallery", ["is 64Mi, but limit is 128Mi"]),
    ("node_cordoned", "node_cordoned", "Node//t-checks-a-edge-1", ["were unschedulable", "unschedulable=true"]),
    ("node_not_ready", "node_not_ready", "Node//t-checks-a-edge-1", ["Kubelet stopped posting node status"]),
    ("node_pressure", "node_pressure", "Node//t-checks-a-edge-1", ["DiskPressure", "kubelet has disk pressure"]),
    ("pvc_pending", "pvc_pending", "PersistentVolumeClaim/*/archive-data", ["FailedBinding"]),
    ("pvc_missing", "pvc_missing", "Deployment/*/archive", ['persistentvolumeclaim "archive-data" not found']),
    (
        "storage_class_missing",
        "storage_class_missing",
        "PersistentVolumeClaim/*/data-archive-0",
        ['"fast-ssd" not found', "storageClassName=fast-ssd"],
    ),
    ("disk_full", "disk_full", "Deployment/*/spooler", ["No space left on device", "sizeLimit=4Mi"]),
]


@pytest.mark.parametrize(("name", "fault", "object_", "cites"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded(name: str, fault: str, object_: str, cites: list[str]) -> None:
    s = recorded(name)
    findings = found(s, CHECKS)
    assert [(f.fault, f.object) for f in findings] == [(fault, object_.replace("*", s.namespace))]
    assert cited(findings[0], cites) == cites
    assert findings[0].strength > 1
    assert findings[0].since is not None
    assert findings[0].since <= s.window.end


@pytest.mark.parametrize("name", ["control_lifecycle", "control_rolling_update", "crash_app_exit"])
def test_nothing_is_found_where_pods_are_placed(name: str) -> None:
    assert found(recorded(name), CHECKS) == []


def test_causes_say_why() -> None:
    assert (
        told("taint_untolerated", CHECKS) == "nodes have the taint {dedicated: edge-ai} and its pods do not tolerate it"
    )
    assert "64 CPU" in told("insufficient_cpu", CHECKS)
    assert "disktype=nvme" in told("node_selector_unmatched", CHECKS)
    assert told("storage_class_missing", CHECKS).startswith("StorageClass fast-ssd does not exist (there are: standard")


def node(key: str = "", **labels: str) -> dict[str, Any]:
    """A node with these labels, and a taint with this key."""
    return {"metadata": {"labels": labels}, "spec": {"taints": [{"key": key, "effect": "NoSchedule"}] if key else []}}


CONTROL = node("node-role.kubernetes.io/control-plane")
POD: dict[str, Any] = {"spec": {"containers": []}}
UNTOLERATED = "node(s) had untolerated taint"
HELPLESS = "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."

MESSAGES = {
    # 1.34 and later: taints are not named.
    f"1 {UNTOLERATED}(s), 2 Insufficient cpu. no new claims to deallocate, {HELPLESS}": ["insufficient_cpu"],
    f"2 {UNTOLERATED}(s).": ["taint_untolerated"],
    # 1.24 to 1.33
    f"1 {UNTOLERATED} {{node-role.kubernetes.io/control-plane: }}, "
    f"2 node(s) didn't match Pod's node affinity/selector. {HELPLESS}": ["node_selector_unmatched"],
    f"1 node(s) were unschedulable, 2 {UNTOLERATED} {{node.kubernetes.io/unreachable: }}.": [
        "node_cordoned",
        "node_not_ready",
    ],
    f"1 {UNTOLERATED} {{node.kubernetes.io/disk-pressure: }}.": ["node_pressure"],
    # before 1.24
    "1 Insufficient cpu, 1 node(s) had taint {dedicated: db}, that the pod didn't tolerate.": [
        "insufficient_cpu",
        "taint_untolerated",
    ],
    "4 node(s) didn't match pod affinity/anti-affinity rules.": ["anti_affinity_unmet"],
    "4 node(s) didn't match pod topology spread constraints.": ["anti_affinity_unmet"],
    "2 Insufficient nvidia.com/gpu, 2 Insufficient memory.": ["insufficient_extended_resource", "insufficient_memory"],
    "2 Too many pods.": ["insufficient_extended_resource"],
    "pod has unbound immediate PersistentVolumeClaims.": [],
}


@pytest.mark.parametrize(("clauses", "faults"), MESSAGES.items())
def test_the_schedulers_messages_of_several_versions(clauses: str, faults: list[str]) -> None:
    tainted = {"own": CONTROL} if "Insufficient cpu." in clauses else {"own": CONTROL, "gpu": node("gpu")}
    reasons = read(f"0/3 nodes are available: {clauses}", POD, tainted | {"plain": node()})
    assert [reason.fault for reason in reasons] == faults


def test_a_single_node_clusters_own_taint_is_the_reason_when_nothing_else_is() -> None:
    message = "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
    (reason,) = read(message, POD, {"only": CONTROL})
    assert reason.fault == "taint_untolerated"
    assert reason.taint == "{node-role.kubernetes.io/control-plane: }"


def test_a_cordoned_node_that_the_pod_could_not_use_is_not_the_reason() -> None:
    def alter(data: dict[str, Any]) -> None:
        for node in data["raw"]["Node"]:
            node["metadata"]["labels"].pop("pool", None)

    assert [f.fault for f in found(recorded("node_cordoned", alter), CHECKS)] == ["node_selector_unmatched"]


def test_a_node_that_is_not_ready_matters_only_where_the_namespace_has_pods() -> None:
    def alter(data: dict[str, Any]) -> None:
        for pod in data["raw"]["Pod"]:
            pod["spec"]["nodeName"] = "sre-lab-worker"

    assert found(recorded("node_not_ready", alter), CHECKS) == []


def test_a_claim_that_waits_for_its_first_consumer_is_well() -> None:
    def alter(data: dict[str, Any]) -> None:
        for event in data["raw"]["Event"]:
            event["reason"] = "WaitForFirstConsumer"

    assert [f.fault for f in found(recorded("pvc_pending", alter), storage.CHECKS)] == []


def test_a_quota_is_edited_unless_the_workload_asked_for_more_since() -> None:
    s = recorded("quota_exceeded")
    ref = f"Deployment/{s.namespace}/gallery"
    scaled = {"object": ref, "field": "spec.replicas", "time": s.window.end, "old": "1", "new": "3", "text": "scaled"}
    (finding,) = found(recorded("quota_exceeded", changes=frame("changes", [scaled])), quotas.CHECKS)
    assert (finding.object, finding.related) == (ref, (f"ResourceQuota/{s.namespace}/team-quota",))


def test_a_limit_range_that_came_to_a_workload_is_what_a_fix_edits() -> None:
    def alter(data: dict[str, Any]) -> None:
        data["raw"]["LimitRange"][0]["metadata"]["creationTimestamp"] = data["end"]

    (finding,) = found(recorded("limit_range_violated", alter), quotas.CHECKS)
    assert finding.object.startswith("LimitRange/")


def test_a_lack_of_watches_is_no_full_disk() -> None:
    def alter(data: dict[str, Any]) -> None:
        for log in data["logs"]:
            log["text"] = log["text"].replace("error writing", "inotify_add_watch")

    assert found(recorded("disk_full", alter), storage.CHECKS) == []


def test_a_full_volume_is_seen_in_metrics_without_a_word_in_the_log() -> None:
    s = recorded("control_lifecycle")
    ref = f"Deployment/{s.namespace}/steady"
    samples = [
        {"signal": "volume_used_ratio", "object": ref, "series": "data", "time": time, "value": value}
        for time, value in ((s.window.start, 0.5), (s.window.end, 0.99))
    ]
    (finding,) = found(recorded("control_lifecycle", metrics=frame("metrics", samples)), CHECKS)
    assert (finding.fault, finding.object, finding.since) == ("disk_full", ref, s.window.end)
    assert "volume_used_ratio 0.99" in finding.facts[0].text
