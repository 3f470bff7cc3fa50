"""The faults that the lab knows: one list for checks, chaos and truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A kind of root cause. `id` is stable: reports, truth files and other programs hold it."""

    id: str
    group: str
    title: str


_TITLES: dict[str, dict[str, str]] = {
    "pod life cycle": {
        "crash_bad_command": "the container's command cannot be run",
        "crash_missing_env": "the program stops because an environment variable is missing",
        "crash_app_exit": "the program keeps ending by itself",
        "oom_killed": "the kernel kills the container for using more memory than its limit",
        "image_not_found": "the image does not exist or cannot be pulled",
        "image_never_pull": "the image is not on the node and its pull policy forbids a pull",
        "image_wrong_arch": "the image is built for another processor architecture",
        "init_container_failed": "an init container fails",
        "init_container_stuck": "an init container never ends",
        "evicted": "the kubelet evicted the pod",
        "container_killed": "the container is killed by a signal that is not the OOM killer's",
        "job_failed": "a Job failed",
        "cronjob_failed": "a CronJob's runs fail",
    },
    "scheduling, nodes": {
        "node_selector_unmatched": "no node has the labels that the pod asks for",
        "taint_untolerated": "every node has a taint that the pod does not tolerate",
        "anti_affinity_unmet": "pod affinity rules leave no node",
        "insufficient_cpu": "no node has enough free CPU",
        "insufficient_memory": "no node has enough free memory",
        "insufficient_extended_resource": "no node offers the extended resource",
        "quota_exceeded": "the namespace's quota is used up",
        "limit_range_violated": "the pod breaks a LimitRange",
        "priority_preempted": "a pod of higher priority took its place",
        "node_cordoned": "the nodes are cordoned",
        "node_not_ready": "a node is not ready",
        "node_pressure": "a node is short of memory, disk or process ids",
        "pvc_pending": "the volume claim is not bound",
        "pvc_missing": "the volume claim does not exist",
        "storage_class_missing": "the storage class does not exist",
        "disk_full": "a volume or disk is full",
    },
    "probes, rollout": {
        "readiness_probe_misconfigured": "the readiness probe asks the wrong thing",
        "liveness_probe_misconfigured": "the liveness probe kills a program that works",
        "startup_probe_too_short": "the startup probe gives the program too little time",
        "rollout_stuck": "the rollout does not progress",
        "scaled_to_zero": "the workload is scaled to zero",
        "hpa_no_metrics": "the autoscaler has no metrics",
        "hpa_at_max": "the autoscaler is at its maximum",
        "pdb_blocks": "a disruption budget blocks evictions",
    },
    "config, access": {
        "configmap_missing": "a ConfigMap does not exist",
        "configmap_key_missing": "a key is missing from a ConfigMap",
        "configmap_wrong_value": "a ConfigMap holds a wrong value",
        "secret_missing": "a Secret does not exist",
        "secret_key_missing": "a key is missing from a Secret",
        "secret_rotated": "a credential is no longer accepted",
        "rbac_denied": "the program's account may not do what the program asks",
        "service_account_missing": "the ServiceAccount does not exist",
        "webhook_unreachable": "an admission webhook does not answer",
        "tls_expired": "a certificate has expired",
        "pod_security_denied": "pod security admission refuses the pod",
    },
    "network": {
        "service_selector_mismatch": "the Service's selector matches no pod",
        "service_wrong_port": "the Service sends traffic to a port where nothing listens",
        "service_missing": "a Service that is called does not exist",
        "network_policy_blocks": "a NetworkPolicy blocks traffic that is needed",
        "dns_failure": "names cannot be resolved",
        "ingress_class_missing": "the Ingress names a class that does not exist",
        "ingress_backend_missing": "the Ingress points to a Service that does not exist",
        "network_slow_or_lossy": "the network is slow or loses packets",
        "upstream_unreachable": "a service outside the namespace does not answer",
    },
    "application": {
        "dev_server_in_production": "a development server runs in production",
        "exception_storm": "the program throws errors at a high rate",
        "memory_leak": "memory grows without bound",
        "cpu_throttled": "the container is throttled at its CPU limit",
        "pool_exhausted": "a pool of connections or workers is used up",
        "slow_query": "a database query is slow",
        "db_lock": "transactions wait for each other's locks",
        "schema_mismatch": "program and database schema do not match",
        "slow_dependency": "a dependency answers slowly",
        "dependency_down": "a dependency does not answer",
        "traffic_flood": "there are far more requests than usual",
        "rate_limited": "requests are refused by a rate limit",
        "retry_storm": "retries multiply the load",
        "cascade": "one service's failure spread to others",
        "bad_input": "requests carry input that the program cannot handle",
    },
    "change": {
        "bad_deploy": "a rollout made things worse",
        "bad_config_edit": "an edit of the configuration made things worse",
        "argo_out_of_sync": "an Argo CD Application differs from git",
        "argo_degraded": "an Argo CD Application is degraded",
    },
}

FAULTS: dict[str, Fault] = {
    fault_id: Fault(id=fault_id, group=group, title=title)
    for group, titles in _TITLES.items()
    for fault_id, title in titles.items()
}
"""Every fault by its id, in the order of the groups."""

OUTCOMES = ("fault", "no_fault", "inconclusive")
"""What a verdict can be."""
