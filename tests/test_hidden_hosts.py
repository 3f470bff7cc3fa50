"""Whom a workload calls where only a Secret knows: by the name of the variable, and by what the namespace serves."""

from __future__ import annotations

from typing import Any

import pytest

from srelab_lib.diagnosis.checks._hidden_hosts import hidden_hosts

SERVICES = {"store": {5432}, "cache": {6379}, "web": {80, 8080}}


def secret(name: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "login", "key": "k"}}}


@pytest.mark.parametrize(
    ("variable", "services", "named"),
    [
        (secret("DATABASE_URL"), SERVICES, ["store"]),
        (secret("SPRING_DATASOURCE_URL"), SERVICES, ["store"]),
        (secret("PGHOST"), SERVICES, ["store"]),
        (secret("REDIS_URL"), SERVICES, ["cache"]),
        (secret("CELERY_BROKER_URL"), SERVICES, ["cache"]),
        (secret("APPDB_URL"), SERVICES, ["store"]),
        (secret("UPGRADE_URL"), SERVICES, []),
        (secret("FEEDBACK_URL"), SERVICES, []),
        (secret("DB_PASSWORD"), SERVICES, ["store"]),  # its address is in the code
        (secret("SIGNING_PASSWORD"), SERVICES, []),
        (secret("DB_USER"), SERVICES, []),  # who it is, and not where
        (secret("MONGO_URI"), SERVICES, []),  # nothing of that kind is here
        (secret("PAYMENTS_URL"), SERVICES, []),  # which port that has is not known
        (secret("DATABASE_URL"), {**SERVICES, "archive": {3306}}, []),  # either of two
        ({"name": "DATABASE_URL", "value": "postgres://elsewhere/x"}, SERVICES, []),  # no Secret
        ({"name": "DATABASE_URL", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}, SERVICES, []),
    ],
)
def test_the_only_service_of_that_kind(
    variable: dict[str, Any], services: dict[str, set[int]], named: list[str]
) -> None:
    assert list(hidden_hosts([{"name": "app", "env": [variable]}], services)) == named


def test_a_login_names_nobody_where_an_address_is_given_elsewhere() -> None:
    address = {"name": "DB_HOST", "value": "db.example.com"}
    assert list(hidden_hosts([{"name": "app", "env": [secret("DB_PASSWORD"), address]}], SERVICES)) == []
    settings = [{"configMapRef": {"name": "app"}}]
    assert list(hidden_hosts([{"name": "app", "env": [secret("DB_PASSWORD")], "envFrom": settings}], SERVICES)) == []
