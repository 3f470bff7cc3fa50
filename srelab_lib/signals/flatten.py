"""A spec as a flat mapping of paths to text, in which lists have no order: what two specs are compared by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Flat = dict[str, str]
"""Path of a field to its value as text: `containers[web].env[DB_HOST]` -> `db.example`."""

# Lists whose items have an identity; every other list is compared whole.
_ITEM_KEYS = ("name", "mountPath", "containerPort", "port", "key", "devicePath", "ip", "topologyKey", "type")
_WHOLE = frozenset({"command", "args", "accessModes", "drop", "add", "verbs", "resources", "apiGroups"})
# Written by controllers, never by a person.
_IGNORED = re.compile(
    r"labels\[(?:pod-template-hash|controller-revision-hash)\]|.*\.terminationMessagePath|creationTimestamp"
)
# Mappings whose keys people choose.
_CHOSEN = frozenset(
    {"labels", "annotations", "nodeSelector", "matchLabels", "selector", "data", "binaryData", "stringData", "hard"}
)
_EMPTY_IS_NONE = frozenset({"resources", "securityContext", "metadata", "strategy", "limits", "requests", "env"})
MAX_SHOWN = 160
"""Characters of a value in a sentence."""


def flatten(value: Any, path: str = "") -> Flat:
    """Every leaf of a spec by its path; items of a list by their name, so that their order does not matter."""
    return dict(leaves(value, path))


def leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The leaves below a value that stands at `path`."""
    if _IGNORED.fullmatch(path):
        return
    reference = env_value(value, path)
    if reference is not None:
        yield path, reference
    elif isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, joined(path, str(key)))
    elif isinstance(value, list) and value and (key := identity(value, path)):
        for item in value:
            rest = {name: part for name, part in item.items() if name != key} or {key: item[key]}
            yield from leaves(rest, f"{path}[{item[key]}]")
    elif value is not None and path and not (value in ({}, []) and path.rpartition(".")[2] in _EMPTY_IS_NONE):
        yield path, _text(value, path)


def joined(path: str, key: str) -> str:
    """The path of a field; keys that people choose stand in brackets."""
    if path.rpartition(".")[2] in _CHOSEN and key not in ("matchLabels", "matchExpressions"):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def identity(items: list[Any], path: str) -> str | None:
    """The key that tells the items of a list apart, None for a list that is compared whole."""
    if path.rpartition(".")[2] in _WHOLE or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in _ITEM_KEYS:
        values = [str(item.get(key)) for item in items]
        if all(key in item for item in items) and len(set(values)) == len(values):
            return key
    return None


def env_value(value: Any, path: str) -> str | None:
    """Where an environment variable comes from, in words; its plain value as it is."""
    if not path.endswith("]") or ".env[" not in path or not isinstance(value, Mapping):
        return None
    source = value.get("valueFrom")
    if not source:
        return str(value.get("value", ""))
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if reference := source.get(field):
            return f"key {reference.get('key')} of {kind} {reference.get('name')}"
    return _text(source, path)


def _text(value: Any, path: str) -> str:
    if isinstance(value, list) and path.rpartition(".")[2] in ("command", "args"):
        value = " ".join(str(word) for word in value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def shortened(text: str, most: int = MAX_SHOWN) -> str:
    """At most so many characters, and how many more there were."""
    left_out = len(text) - most
    return f"{text[:most]}… ({left_out} characters more)" if left_out > 0 else text
