"""Whom a workload calls by an address that a Secret holds: Secrets are never read, what serves there is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_PORTS = {
    "redis": {6379},
    "valkey": {6379},
    "memcache": {11211},
    "amqp": {5672},
    "rabbit": {5672},
    "broker": {5672, 6379, 9092},
    "kafka": {9092},
    "nats": {4222},
    "mongo": {27017},
    "mysql": {3306},
    "maria": {3306},
    "postgres": {5432},
    "pg": {5432},
    "elastic": {9200},
    "database": {5432, 3306, 1433, 1521, 27017, 26257},
    "db": {5432, 3306, 1433, 1521, 27017, 26257},
    "sql": {5432, 3306, 1433, 1521, 26257},
    "datasource": {5432, 3306, 1433, 1521, 26257},
}
"""What a word in the name of a variable begins or ends with, and the ports that are registered for what they name."""
_HOLDS_ADDRESS = re.compile(r"(?:url|uri|dsn|host|hostname|addr|address|server|endpoint|conn\w*)s?$", re.IGNORECASE)


def hidden_hosts(containers: Iterable[Mapping[str, Any]], ports: Mapping[str, set[int]]) -> Iterator[str]:
    """Names of the Services that variables from Secrets must name: of each the only one with a port of that kind.

    Args:
        containers: of a workload, as its definition has them.
        ports: of each Service.
    """
    for variable in (one for container in containers for one in container.get("env") or []):
        name = str(variable["name"])
        if not (variable.get("valueFrom") or {}).get("secretKeyRef") or not _HOLDS_ADDRESS.search(name):
            continue
        parts = name.lower().replace("-", "_").split("_")
        wanted = {port for word, known in _PORTS.items() if _is_among(word, parts) for port in known}
        serving = [service for service, open_ports in ports.items() if wanted & open_ports]
        if len(serving) == 1:
            yield serving[0]


def _is_among(word: str, parts: Iterable[str]) -> bool:
    """`PGHOST` and `APPDB_URL`; not `UPGRADE_URL`, nor `FEEDBACK_URL`."""
    return any(part.startswith(word) or part.endswith(word) for part in parts)
