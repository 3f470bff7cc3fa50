"""ConfigMaps and Secrets that a pod names and that do not exist, or that lack a key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    api_time,
    earliest,
    event_fact,
    events,
    in_window,
    live_containers,
    live_pods,
    one_each,
    raw_objects,
    spec_fact,
    status_fact,
)
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """A message of the kubelet about one reference of one workload."""

    object: str
    pod: Row
    name: str
    key: str
    fact: Fact
    seen: Any


_ALIKE = 0.75
"""How alike two names are of which the one may have become the other."""
_NOT_FOUND = r'(?<![\w"/]){kind} "(?P<name>[\w.-]+)" not found'
_NO_KEY = (
    r"couldn't find key (?P<key>\S+) in {kind} (?:\S+/)?(?P<name>[\w.-]+)"
    r"|references non-existent (?:config|secret) key: (?P<key2>[\w.-]+)"
)
_FIELDS = {"ConfigMap": ("configMap", "configMapRef", "configMapKeyRef", "name"),
           "Secret": ("secret", "secretRef", "secretKeyRef", "secretName")}  # fmt: skip


def check_configmap_missing(s: Snapshot) -> Iterator[Finding]:
    """Waiting messages and FailedMount events: `configmap "x" not found`."""
    yield from _missing(s, "configmap_missing", "ConfigMap", _NOT_FOUND)


def check_configmap_key_missing(s: Snapshot) -> Iterator[Finding]:
    """Waiting messages and FailedMount events: a key that a ConfigMap does not have."""
    yield from _missing(s, "configmap_key_missing", "ConfigMap", _NO_KEY)


def check_secret_missing(s: Snapshot) -> Iterator[Finding]:
    """Waiting messages and FailedMount events: `secret "x" not found`."""
    yield from _missing(s, "secret_missing", "Secret", _NOT_FOUND)


def check_secret_key_missing(s: Snapshot) -> Iterator[Finding]:
    """Waiting messages and FailedMount events: a key that a Secret does not have."""
    yield from _missing(s, "secret_key_missing", "Secret", _NO_KEY)


def _missing(s: Snapshot, fault: str, kind: str, form: str) -> Iterator[Finding]:
    pattern = re.compile(form.replace("{kind}", kind), re.IGNORECASE)
    groups: dict[tuple[str, str, str], list[_Said]] = {}
    for said in _messages(s, pattern, kind):
        groups.setdefault((said.object, said.name, said.key), []).append(said)
    for (ref, name, key), items in sorted(groups.items()):
        target = object_ref(kind, s.namespace, name)
        renamed = "" if key or kind != "ConfigMap" else _renamed(s, name)
        asked = [spec_fact(ref, **place) for place in places(items[0].pod["spec"] or {}, kind, name, key)]
        what = f"key {key} of {kind} {name} does not exist" if key else f"{kind} {name} does not exist"
        yield Finding(
            fault=fault,
            object=ref,
            summary=f"{spoken(ref)} cannot start its pods: {what}",
            cause=f"{what}; ConfigMap {renamed} was created" if renamed else what,
            facts=one_each([*(item.fact for item in items), *asked]),
            since=earliest(*(item.seen for item in items)),
            strength=3,
            related=(target, *([object_ref(kind, s.namespace, renamed)] if renamed else [])),
        )


def _renamed(s: Snapshot, name: str) -> str:
    """A ConfigMap of nearly the missing one's name that came in the window; empty when there is none."""
    made = {
        other: api_time((raw.get("metadata") or {}).get("creationTimestamp"))
        for other, raw in raw_objects(s, "ConfigMap").items()
    }
    new = [other for other, time in made.items() if in_window(s, time)]
    return next(iter(difflib.get_close_matches(name, new, n=1, cutoff=_ALIKE)), "")


def _messages(s: Snapshot, pattern: re.Pattern[str], kind: str) -> Iterator[_Said]:
    """What the kubelet says now: waiting messages, and events of pods that have not started yet."""
    waiting = {row["pod"]: row for row in live_containers(s) if row["state"] == "waiting"}
    pods = {pod["pod"]: pod for pod in live_pods(s) if pod["pod"] in waiting}
    told = partial(_said, pattern=pattern, kind=kind)
    heard = events(s, "FailedMount", "Failed", "FailedSync")
    for row in live_containers(s):
        if row["state"] == "waiting" and row["waiting_message"] and row["pod"] in pods:
            seen = earliest(
                *(e["first_seen"] for e in heard if e["involved_name"] == row["pod"]), row["last_finished_at"]
            )
            fact = status_fact(row, waiting_reason=row["waiting_reason"], waiting_message=row["waiting_message"])
            yield from told(row["waiting_message"], pods[row["pod"]], fact, seen)
    for event in heard:
        if event["involved_kind"] == "Pod" and event["involved_name"] in pods:
            yield from told(event["message"], pods[event["involved_name"]], event_fact(event), event["first_seen"])


def _said(text: str, pod: Row, fact: Fact, seen: Any, *, pattern: re.Pattern[str], kind: str) -> Iterator[_Said]:
    for match in pattern.finditer(text):
        groups = match.groupdict()
        key = groups.get("key") or groups.get("key2") or ""
        name = groups["name"] or _holder(pod["spec"] or {}, kind, key, text)
        if name and (not groups.get("key2") or kind.lower() in text.lower().replace("secret key", "secret")):
            yield _Said(object=pod["object"], pod=pod, name=name, key=key, fact=fact, seen=seen)


def _holder(spec: Mapping[str, Any], kind: str, key: str, text: str) -> str:
    """The ConfigMap or Secret that a mount's message does not name: that of the volume which asks for the key."""
    volumes = [v for v in _volume_sources(spec, kind) if any(i.get("key") == key for i in v[1].get("items") or [])]
    told = [source for volume, source in volumes if f'"{volume}"' in text] or [source for _, source in volumes]
    return str(next((source.get(_FIELDS[kind][3]) or source.get("name") for source in told), "") or "")


def _volume_sources(spec: Mapping[str, Any], kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    field = _FIELDS[kind][0]
    for volume in spec.get("volumes") or []:
        for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
            if source.get(field):
                yield str(volume.get("name")), source[field]


def places(spec: Mapping[str, Any], kind: str, name: str, key: str = "") -> Iterator[dict[str, Any]]:
    """Where a pod's spec names a ConfigMap or Secret (and one key of it), with the API's field names."""
    _, env_from, key_ref, volume_name = _FIELDS[kind]
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        for source in container.get("envFrom") or []:
            if not key and (source.get(env_from) or {}).get("name") == name:
                yield {"container": container["name"], f"envFrom.{env_from}.name": name}
        for variable in container.get("env") or []:
            chosen = (variable.get("valueFrom") or {}).get(key_ref) or {}
            if chosen.get("name") == name and key in ("", chosen.get("key")):
                yield {
                    "container": container["name"],
                    "env": variable["name"],
                    f"{key_ref}.name": name,
                    "key": chosen["key"],
                }
    for volume, source in _volume_sources(spec, kind):
        if name in (source.get(volume_name), source.get("name")):
            yield {"volume": volume, f"{_FIELDS[kind][0]}.{volume_name}": name, "key": key or None}


CHECKS: tuple[Check, ...] = (
    check_configmap_missing,
    check_configmap_key_missing,
    check_secret_missing,
    check_secret_key_missing,
)
