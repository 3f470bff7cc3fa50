"""Which faults can cause which: the order that ranks causes before symptoms.

A fault explains another when it stands in an earlier tier, concerns the same or a related object, and did not begin
later. The tiers follow how a failure travels in Kubernetes: what is declared decides what the platform can do, that
decides whether the process lives, that decides what its callers see, and controllers only mirror the result.
"""

from __future__ import annotations

from datetime import timedelta

SLACK = timedelta(seconds=90)
"""How much later than its effect a cause may be *seen*: back-off, probe thresholds and scrape intervals delay it."""

_TIERS: tuple[str, ...] = (
    # 0: what surrounds the workload: nodes, storage, admission, what it names and does not exist
    """
    node_not_ready node_pressure node_cordoned storage_class_missing webhook_unreachable quota_exceeded
    limit_range_violated pod_security_denied service_account_missing configmap_missing configmap_key_missing
    secret_missing secret_key_missing pvc_missing network_policy_blocks tls_expired ingress_class_missing
    priority_preempted traffic_flood
    """,
    # 1: what the workload's own definition asks for, and configuration that it reads
    """
    node_selector_unmatched taint_untolerated anti_affinity_unmet insufficient_cpu insufficient_memory
    insufficient_extended_resource image_not_found image_never_pull image_wrong_arch crash_bad_command
    crash_missing_env configmap_wrong_value secret_rotated rbac_denied scaled_to_zero pvc_pending
    service_selector_mismatch service_missing service_wrong_port ingress_backend_missing dns_failure
    dev_server_in_production memory_leak disk_full startup_probe_too_short schema_mismatch
    liveness_probe_misconfigured readiness_probe_misconfigured hpa_no_metrics pdb_blocks
    """,
    # 2: what happens to its processes
    """
    oom_killed evicted init_container_failed init_container_stuck cpu_throttled db_lock slow_query
    network_slow_or_lossy upstream_unreachable bad_input
    """,
    # 3: what that does to the program and those it is called by
    """
    crash_app_exit container_killed pool_exhausted slow_dependency dependency_down rate_limited hpa_at_max
    """,
    # 4: what users and callers see
    """
    job_failed retry_storm exception_storm
    """,
    """
    cronjob_failed cascade
    """,
    # 5: what controllers say about all of it
    """
    bad_config_edit bad_deploy
    """,
    """
    rollout_stuck
    """,
    """
    argo_out_of_sync argo_degraded
    """,
)

TIER: dict[str, int] = {fault: tier for tier, faults in enumerate(_TIERS) for fault in faults.split()}
"""Tier of each fault id: lower is closer to the root."""

_WITHIN_TIER: frozenset[tuple[str, str]] = frozenset(
    {
        ("storage_class_missing", "pvc_pending"),
        ("node_not_ready", "node_pressure"),
        ("network_policy_blocks", "dns_failure"),
        ("configmap_wrong_value", "secret_rotated"),
        ("schema_mismatch", "exception_storm"),
        ("memory_leak", "liveness_probe_misconfigured"),
        ("crash_bad_command", "readiness_probe_misconfigured"),
        ("crash_missing_env", "readiness_probe_misconfigured"),
        ("crash_missing_env", "liveness_probe_misconfigured"),
        ("secret_rotated", "readiness_probe_misconfigured"),
        ("service_missing", "dns_failure"),
        ("slow_query", "db_lock"),
        ("dependency_down", "pool_exhausted"),
        ("slow_dependency", "pool_exhausted"),
        ("cpu_throttled", "slow_query"),
        ("init_container_stuck", "init_container_failed"),
    }
)
"""Pairs of one tier whose direction is known."""

_UPWARD: frozenset[tuple[str, str]] = frozenset(
    {
        ("oom_killed", "liveness_probe_misconfigured"),
        ("oom_killed", "readiness_probe_misconfigured"),
        ("crash_app_exit", "readiness_probe_misconfigured"),
        ("crash_app_exit", "liveness_probe_misconfigured"),
        ("dependency_down", "readiness_probe_misconfigured"),
        ("cpu_throttled", "liveness_probe_misconfigured"),
        ("cpu_throttled", "startup_probe_too_short"),
        ("retry_storm", "traffic_flood"),
    }
)
"""Pairs that run against the tiers: a probe that fails because the process is dead is not a wrong probe."""


_OF_ONE_OBJECT: frozenset[tuple[str, str]] = frozenset(
    {
        ("retry_storm", "exception_storm"),
        ("pool_exhausted", "slow_dependency"),
        ("pool_exhausted", "dependency_down"),
        ("readiness_probe_misconfigured", "dependency_down"),
    }
)
"""A caller that tries too often fails by it; the errors of whom it calls may be why it tries again. One whose pool is
used up is slow to its own callers; the slowness of whom it calls may be why its pool is used up. One whose probe asks
the wrong thing gives its callers no answer; where one that it calls is down its probe may be right."""
_LIFE = frozenset({"crash_app_exit", "container_killed"})
"""A process that ends: on the dependency itself it is the cause of `dependency_down`, on a caller it is the effect."""


def can_cause(cause: str, effect: str, *, same_object: bool) -> bool:
    """True when the first fault can bring about the second; never true both ways for the same objects."""
    if cause in _LIFE and effect == "dependency_down":
        return same_object
    if cause == "dependency_down" and effect in _LIFE:
        return not same_object
    if (cause, effect) in _OF_ONE_OBJECT:
        return same_object
    if (effect, cause) in _OF_ONE_OBJECT and same_object:
        return False
    if (cause, effect) in _WITHIN_TIER or (cause, effect) in _UPWARD:
        return True
    if (effect, cause) in _UPWARD or (effect, cause) in _WITHIN_TIER:
        return False
    return TIER[cause] < TIER[effect]
