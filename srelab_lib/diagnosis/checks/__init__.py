"""Pure checks over the snapshot's tables, one file for each kind of fault."""

from __future__ import annotations

from srelab_lib.diagnosis.checks import (
    access,
    argo,
    called_settings,
    changes_made,
    config,
    config_values,
    cpu,
    crashes,
    credentials,
    database,
    dependencies,
    dev_server,
    eviction,
    exceptions,
    images,
    ingress,
    init_containers,
    jobs,
    memory,
    memory_leak,
    names,
    network_policy,
    nodes,
    own_settings,
    probes,
    quotas,
    rollout,
    scaling,
    scheduling,
    services,
    storage,
    traffic,
)
from srelab_lib.diagnosis.checks._facts import Check

_MODULES = (
    access,
    argo,
    called_settings,
    changes_made,
    config,
    config_values,
    cpu,
    crashes,
    credentials,
    database,
    dependencies,
    dev_server,
    eviction,
    exceptions,
    images,
    ingress,
    init_containers,
    jobs,
    memory,
    memory_leak,
    names,
    network_policy,
    nodes,
    own_settings,
    probes,
    quotas,
    rollout,
    scaling,
    scheduling,
    services,
    storage,
    traffic,
)

CHECKS: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)
"""Every check. Their order decides nothing: findings are ranked."""

__all__ = ["CHECKS", "Check"]
