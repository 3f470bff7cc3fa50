"""Whom a workload calls by an address or a login that a Secret holds: it is never read, what serves there is known."""

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
_IS_LOGIN = re.compile(r"(?:pass(?:word|wd)?|pw|pwd)$", re.IGNORECASE)


def hidden_hosts(containers: Iterable[Mapping[str, Any]], ports: Mapping[str, set[int]]) -> Iterator[str]:
    """Names of the Services that variables from Secrets must name: of each the only one with a port of that kind.

    A password names nobody; but where nothing else gives an address of that kind the program has it in its code.

    Args:
        containers: of a workload, as its definition has them.
        ports: of each Service.
    """
    for container in containers:
        variables = container.get("env") or []
        given = {port for one in variables for port in _kind(one) if _HOLDS_ADDRESS.search(one["name"])}
        for variable in variables:
            secret = (variable.get("valueFrom") or {}).get("secretKeyRef")
            wanted = _kind(variable)
            login = _IS_LOGIN.search(variable["name"]) and not container.get("envFrom") and not given & wanted
            serving = [service for service, open_ports in ports.items() if wanted & open_ports]
            if secret and (_HOLDS_ADDRESS.search(variable["name"]) or login) and len(serving) == 1:
                yield serving[0]


def _kind(variable: Mapping[str, Any]) -> set[int]:
    """Ports of what a variable's name speaks of."""
    parts = str(variable["name"]).lower().replace("-", "_").split("_")
    return {port for word, known in _PORTS.items() if _is_among(word, parts) for port in known}


def _is_among(word: str, parts: Iterable[str]) -> bool:
    """`PGHOST` and `APPDB_URL`; not `UPGRADE_URL`, nor `FEEDBACK_URL`."""
    return any(part.startswith(word) or part.endswith(word) for part in parts)
