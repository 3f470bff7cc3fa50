"""Makes recorded payloads again, on a real cluster: applies a manifest, waits, reads what the servers say.

    python tests/data/checks_b/record.py --context kind-sre-lab configmap_missing dns_failure
    python tests/data/checks_b/record.py --folder tests/data/checks oom_killed pvc_missing

Nothing is written by hand: lists and logs are those of the API server. The namespace is removed afterwards.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from srelab_lib.signals.promql import CATALOGUE, promql

HERE = Path(__file__).parent
MANIFESTS = HERE.parents[2] / "incidents" / "manifests"
KINDS = {
    "Pod": "pods", "Event": "events", "Deployment": "deployments", "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets", "DaemonSet": "daemonsets", "Job": "jobs", "CronJob": "cronjobs",
    "Service": "services", "EndpointSlice": "endpointslices", "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "ConfigMap": "configmaps", "ServiceAccount": "serviceaccounts", "Role": "roles", "RoleBinding": "rolebindings",
    "PersistentVolumeClaim": "persistentvolumeclaims", "ResourceQuota": "resourcequotas", "LimitRange": "limitranges",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers", "PodDisruptionBudget": "poddisruptionbudgets",
}  # fmt: skip
CLUSTER_KINDS = {
    "IngressClass": "ingressclasses", "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    "Node": "nodes", "StorageClass": "storageclasses", "PersistentVolume": "persistentvolumes",
    "PriorityClass": "priorityclasses",
}  # fmt: skip
BEFORE_SECONDS = {"default": 60}
AFTER_SECONDS = {"default": 60,
                 "webhook_unreachable": 25, "bad_input": 100, "control_noisy": 90, "control_injected": 90,
                 "db_lock": 75, "memory_leak": 240, "cpu_throttled": 180,
                 "container_killed": 80, "cronjob_failed": 150, "evicted": 120, "hpa_no_metrics": 100,
                 "init_container_stuck": 90, "job_failed": 100, "rollout_stuck": 110,
                 "startup_probe_too_short": 100}  # fmt: skip
REMOVED = {"dependency_down-gone": "deployment/cache"}
METERED = ("memory_leak", "cpu_throttled", "control_noisy")
PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query_range"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", default="kind-sre-lab")
    parser.add_argument("--folder", type=Path, default=HERE)
    parser.add_argument("faults", nargs="+")
    arguments = parser.parse_args()
    for fault in arguments.faults:
        namespace = f"t-checks-b-{fault.lower().replace('_', '-')}"[:60].rstrip("-")
        record(Cluster(arguments.context, namespace), fault, arguments.folder)


class Cluster:
    """One namespace of one context, through kubectl."""

    def __init__(self, context: str, namespace: str) -> None:
        self.context, self.namespace = context, namespace

    def run(self, *words: str, check: bool = True) -> str:
        command = ["kubectl", "--context", self.context, *words]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if check and done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, plural: str, *, namespaced: bool = True) -> list[dict[str, Any]]:
        scope = ["-n", self.namespace] if namespaced else []
        text = self.run("get", plural, *scope, "-o", "json", "--show-managed-fields")
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def log(self, pod: str, container: str, *, previous: bool) -> str:
        flags = ["--previous"] if previous else []
        return self.run("logs", "-n", self.namespace, pod, "-c", container, "--timestamps", *flags, check=False)


def record(cluster: Cluster, fault: str, folder: Path) -> None:
    """Applies the manifests of one fault, first the healthy one where there is one, and saves the payloads."""
    cluster.run("create", "namespace", cluster.namespace)
    level = "baseline" if fault == "pod_security_denied" else "privileged"
    cluster.run("label", "namespace", cluster.namespace, f"pod-security.kubernetes.io/enforce={level}", "--overwrite")
    try:
        start = datetime.now(UTC)
        before = MANIFESTS / f"{fault.split('-')[0]}.before.yaml"
        if before.exists():
            cluster.run("apply", "-n", cluster.namespace, "-f", str(before))
            time.sleep(BEFORE_SECONDS.get(fault, BEFORE_SECONDS["default"]))
        manifest = MANIFESTS / f"{fault}.yaml"
        cluster.run("apply", "-n", cluster.namespace, "-f", str(manifest))
        if fault in REMOVED:
            cluster.run("delete", "-n", cluster.namespace, REMOVED[fault])
        time.sleep(AFTER_SECONDS.get(fault, AFTER_SECONDS["default"]))
        save(cluster, fault, start, folder)
    finally:
        # Not all that a manifest makes goes with the namespace.
        for made in MANIFESTS.glob(f"{fault}*.yaml"):
            cluster.run("delete", "-n", cluster.namespace, "-f", str(made), "--wait=false", check=False)
        cluster.run("delete", "namespace", cluster.namespace, "--wait=false")


def save(cluster: Cluster, fault: str, start: datetime, folder: Path) -> None:
    raw = {kind: cluster.get(plural) for kind, plural in KINDS.items()}
    raw |= {kind: cluster.get(plural, namespaced=False) for kind, plural in CLUSTER_KINDS.items()}
    raw["Namespace"] = [json.loads(cluster.run("get", "namespace", cluster.namespace, "-o", "json"))]
    payload = {
        "namespace": cluster.namespace,
        "start": start.isoformat(),
        "end": datetime.now(UTC).isoformat(),
        "raw": raw,
        "metrics": metrics(cluster, start) if fault in METERED else {},
        "logs": [log for pod in raw["Pod"] for log in logs_of(cluster, pod)],
    }
    text = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    (folder / f"{fault}.json.gz").write_bytes(gzip.compress(text, mtime=0))


def metrics(cluster: Cluster, start: datetime) -> dict[str, Any]:
    """Range queries of the catalogue's resource signals, as Prometheus answers them."""
    found = {}
    for query in CATALOGUE:
        if query.group == "resources":
            asked = {"query": promql(query, namespace=cluster.namespace), "start": start.timestamp(),
                     "end": datetime.now(UTC).timestamp(), "step": 10}  # fmt: skip
            answer = json.loads(cluster.run("get", "--raw", f"{PROMETHEUS}?{urlencode(asked)}"))
            found[query.signal] = answer["data"]
    return found


def logs_of(cluster: Cluster, pod: dict[str, Any]) -> list[dict[str, Any]]:
    """The logs of one pod's containers, the previous run's too where there was one."""
    found = []
    for status in [
        *(pod["status"].get("initContainerStatuses") or []),
        *(pod["status"].get("containerStatuses") or []),
    ]:
        for previous in (True, False) if status["restartCount"] else (False,):
            text = cluster.log(pod["metadata"]["name"], status["name"], previous=previous)
            found.append({"namespace": cluster.namespace, "pod": pod["metadata"]["name"], "container": status["name"],
                          "previous": previous, "text": text})  # fmt: skip
    return found


if __name__ == "__main__":
    main()
