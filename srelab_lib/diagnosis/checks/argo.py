"""What Argo CD says of the Applications that deploy into the namespace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from srelab_lib.diagnosis.checks._facts import Check, api_time, earliest, in_window, one_each, rows, status_fact
from srelab_lib.diagnosis.checks._symptoms import USER_SIGNALS
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

_BAD_HEALTH = frozenset({"Degraded", "Missing"})
_SHOWN = 4


def check_out_of_sync(s: Snapshot) -> Iterator[Finding]:
    """Application.status.sync, its conditions and the last operation."""
    for ref, raw in _applications(s):
        status = raw.get("status") or {}
        sync, failed = status.get("sync") or {}, _failed_operation(status)
        told = [*failed, *_conditions(status)]
        if not told and (sync.get("status") != "OutOfSync" or _is_at_peace(s, raw)):
            continue
        differing = [item for item in _resources(s, status) if item.get("status") == "OutOfSync"]
        names = ", ".join(spoken(_ref(item)) for item in differing[:_SHOWN])
        why = told[0] if told else f"{names or 'the live state'} differs from git"
        yield Finding(
            fault="argo_out_of_sync",
            object=ref,
            summary=f"{spoken(ref)} is {sync.get('status', 'Unknown')}: {why}",
            cause=why,
            facts=one_each(
                [
                    _state(ref, sync=sync.get("status"), revision=sync.get("revision")),
                    *(_state(ref, message=text) for text in told),
                    *(_state(ref, resource=_ref(item), status=item["status"]) for item in differing[:_SHOWN]),
                ]
            ),  # fmt: skip
            since=_began(s, status) if told else None,
            strength=2 if told else 1,
            related=tuple(_ref(item) for item in differing),
        )


def _is_at_peace(s: Snapshot, raw: Mapping[str, Any]) -> bool:
    """True for an app that somebody syncs by hand, that is well, and whose users feel nothing."""
    automated = ((raw.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    by_hand = automated is None or automated.get("enabled") is False
    healthy = ((raw.get("status") or {}).get("health") or {}).get("status") == "Healthy"
    return by_hand and healthy and not s["onsets"]["signal"].isin(USER_SIGNALS).any()


def check_degraded(s: Snapshot) -> Iterator[Finding]:
    """Application.status.health and that of its resources."""
    for ref, raw in _applications(s):
        status = raw.get("status") or {}
        health = status.get("health") or {}
        if health.get("status") not in _BAD_HEALTH:
            continue
        broken = [x for x in _resources(s, status) if (x.get("health") or {}).get("status") in _BAD_HEALTH]
        names = ", ".join(spoken(_ref(item)) for item in broken[:_SHOWN]) or "its resources"
        told = [str((item.get("health") or {}).get("message") or "") for item in broken]
        yield Finding(
            fault="argo_degraded",
            object=ref,
            summary=f"{spoken(ref)} is {health['status']}",
            cause=f"{names}: {next(filter(None, told), health['status'])}",
            facts=one_each(
                [
                    _state(ref, health=health["status"], message=health.get("message")),
                    *(
                        _state(
                            ref,
                            resource=_ref(item),
                            health=item["health"]["status"],
                            message=item["health"].get("message"),
                        )
                        for item in broken[:_SHOWN]
                    ),
                ]
            ),  # fmt: skip
            since=api_time(health.get("lastTransitionTime")),
            strength=1,
            related=tuple(_ref(item) for item in broken),
        )


def _applications(s: Snapshot) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Applications, of whatever namespace, that deploy into the namespace under analysis."""
    df = s["objects"]
    for row in rows(df[df["kind"] == "Application"]):
        raw = row["raw"] or {}
        target = ((raw.get("spec") or {}).get("destination") or {}).get("namespace")
        resources = (raw.get("status") or {}).get("resources") or []
        if target == s.namespace or any(item.get("namespace") == s.namespace for item in resources):
            yield str(row["ref"]), raw


def _resources(s: Snapshot, status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for item in status.get("resources") or [] if item.get("namespace", s.namespace) in ("", s.namespace)]


def _failed_operation(status: Mapping[str, Any]) -> list[str]:
    operation = status.get("operationState") or {}
    return [str(operation.get("message"))] if operation.get("phase") in ("Failed", "Error") else []


def _conditions(status: Mapping[str, Any]) -> list[str]:
    return [str(item.get("message")) for item in status.get("conditions") or [] if _is_error(item)]


def _is_error(condition: Mapping[str, Any]) -> bool:
    return "Error" in str(condition.get("type"))


def _began(s: Snapshot, status: Mapping[str, Any]) -> datetime | None:
    """When the operation that failed was started, else since when a condition tells of an error."""
    operation = status.get("operationState") or {}
    failed = operation.get("startedAt") if _failed_operation(status) else None
    stated = [item.get("lastTransitionTime") for item in status.get("conditions") or [] if _is_error(item)]
    began = earliest(*map(api_time, [failed] if failed else stated))
    return began if in_window(s, began) else None


def _ref(item: Mapping[str, Any]) -> str:
    return object_ref(str(item.get("kind")), str(item.get("namespace") or ""), str(item.get("name")))


def _state(ref: str, **fields: Any) -> Fact:
    fact = status_fact({"namespace": "", "pod": ""}, **fields)
    return Fact(kind="status", object=ref, text=fact.text)


CHECKS: tuple[Check, ...] = (check_out_of_sync, check_degraded)
