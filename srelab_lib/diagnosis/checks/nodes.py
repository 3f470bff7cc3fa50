"""Nodes that are not ready or short of a resource, where the namespace under analysis feels it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    clipped,
    condition_fact,
    conditions,
    earliest,
    event_facts,
    events,
    in_window,
    of_namespace,
    one_each,
    raw_objects,
)
from srelab_lib.diagnosis.checks._placement import Unplaced, in_state, unplaced
from srelab_lib.model import Finding, Snapshot, object_ref, spoken

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


def check_node_not_ready(s: Snapshot) -> Iterator[Finding]:
    """Nodes' condition Ready, and their NodeNotReady events of the window, where pods of the namespace are hit."""
    for name, node in raw_objects(s, "Node", namespace="").items():
        ready = conditions(node.get("status") or {}).get("Ready") or {}
        down = bool(ready) and ready.get("status") != "True"
        said = _said(s, name, "NodeNotReady")
        hit, waiting = _hit(s, name), _waiting(s, "node_not_ready") if down else []
        if (down or said) and (hit or waiting):
            yield _finding(s, "node_not_ready", name, ready if down else {}, said, hit, waiting)


def check_node_pressure(s: Snapshot) -> Iterator[Finding]:
    """Nodes' conditions MemoryPressure, DiskPressure and PIDPressure, where pods of the namespace are hit."""
    for name, node in raw_objects(s, "Node", namespace="").items():
        found = conditions(node.get("status") or {})
        pressed = next((found[kind] for kind in _PRESSURES if (found.get(kind) or {}).get("status") == "True"), {})
        said = _said(s, name, "NodeHasInsufficientMemory", "NodeHasDiskPressure", "NodeHasInsufficientPID",
                     "EvictionThresholdMet")  # fmt: skip
        evicted = [pod for pod in _hit(s, name) if pod["reason"] == "Evicted"]
        waiting = _waiting(s, "node_pressure") if pressed and in_state(node, "node_pressure") else []
        hit = _hit(s, name) if pressed else evicted
        if (pressed or said) and (hit or waiting):
            yield _finding(s, "node_pressure", name, pressed, said, hit, waiting)


def _said(s: Snapshot, name: str, *reasons: str) -> list[Row]:
    """Events about the node itself, of the window."""
    about = [e for e in events(s, *reasons) if e["involved_kind"] == "Node" and e["involved_name"] == name]
    return [event for event in about if in_window(s, event["last_seen"])]


def _hit(s: Snapshot, node: str) -> list[Row]:
    """Pods of the namespace on the node, also those that are being removed from it."""
    return [pod for pod in of_namespace(s, "pods") if pod["node"] == node and pod["phase"] != "Succeeded"]


def _waiting(s: Snapshot, fault: str) -> list[Unplaced]:
    return [item for item in unplaced(s) if any(reason.fault == fault for reason in item.reasons)]


def _finding(
    s: Snapshot,
    fault: str,
    name: str,
    condition: dict[str, Any],
    said: list[Row],
    hit: list[Row],
    waiting: list[Unplaced],
) -> Finding:
    ref = object_ref("Node", "", name)
    owners = sorted({str(pod["object"]) for pod in hit} | {str(item.pod["object"]) for item in waiting})
    what = "is not ready" if fault == "node_not_ready" else f"reports {condition.get('type', 'pressure')}"
    words = condition.get("message") or (said[-1]["message"] if said else "")
    since: datetime | None = api_time(condition.get("lastTransitionTime"))
    return Finding(
        fault=fault,
        object=ref,
        summary=f"{spoken(ref)} {what}; it concerns pods of {', '.join(map(spoken, owners[:3]))}",
        cause=clipped(f"{condition.get('type', '')} {condition.get('reason', '')}: {words}".strip(" :")),
        facts=one_each(
            [
                condition_fact(ref, condition) if condition else None,
                *event_facts(said),
                *(f for i in waiting for f in i.facts(s)),
            ]
        ),
        since=earliest(since, *(event["first_seen"] for event in said)),
        strength=3 if condition else 2,
        related=tuple(owners),
    )


CHECKS: tuple[Check, ...] = (check_node_not_ready, check_node_pressure)
