"""Lists that are asked for only where there is something that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.clients.kubernetes import KubernetesClient, Listing
from srelab_lib.errors import UnreachableError
from srelab_lib.settings import Settings
from srelab_lib.sources.connect import connect
from srelab_lib.sources.objects import Objects, read_objects

ROOT = Path(__file__).resolve().parent.parent
WITH_STATEFULSET = ROOT / "tests" / "data" / "other_apps" / "ledger-archiver"
WITHOUT = ROOT / "incidents" / "oom-memory-limit"


def read(incident: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Objects, list[str]]:
    """What is read of a recording whose server hangs up on who asks for ControllerRevisions, and what was asked for."""
    asked: list[str] = []
    answer = KubernetesClient.read_list

    def read_list(self: KubernetesClient, path: str, params: Mapping[str, Any] | None = None, **more: Any) -> Listing:
        asked.append(path.rpartition("/")[2])
        if path.endswith("/controllerrevisions"):
            raise UnreachableError("the server hung up", source=self.name)
        return answer(self, path, params, **more)

    monkeypatch.setattr(KubernetesClient, "read_list", read_list)
    settings = Settings(source="incident", incident=incident.name)
    with connect(settings, incidents_dir=incident.parent, now=datetime.now(UTC)) as connection:
        return read_objects(connection.kubernetes, connection.namespace, progress=lambda _: None), asked


def test_revisions_that_cannot_be_read_are_named_and_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    objects, asked = read(WITH_STATEFULSET, monkeypatch)
    assert asked[-1] == "controllerrevisions"
    assert objects.by_kind["StatefulSet"]
    assert [(item.source, item.deciding) for item in objects.missing] == [("controllerrevisions", False)]


def test_without_a_stateful_set_none_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    objects, asked = read(WITHOUT, monkeypatch)
    assert "controllerrevisions" not in asked
    assert objects.missing == ()


def test_items_without_a_name_are_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = KubernetesClient.get

    def get(self: KubernetesClient, path: str, *args: Any, **more: Any) -> Any:
        value = answer(self, path, *args, **more)
        return value | {"items": [*value["items"], {}, None]} if path.endswith(("/pods", "/nodes")) else value

    monkeypatch.setattr(KubernetesClient, "get", get)
    objects, _ = read(WITHOUT, monkeypatch)
    assert objects.by_kind["Pod"]
    reason = "without 2 of its items, which have no name"
    assert [(item.source, item.reason, item.deciding) for item in objects.missing] == [
        ("pods", reason, True),
        ("nodes", reason, False),
    ]
