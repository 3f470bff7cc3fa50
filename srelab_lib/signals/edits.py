"""Who edited an object, when, and which fields: read from `metadata.managedFields` and the last applied configuration.

An entry of managedFields says when its manager last wrote, and which fields it owns. `kubectl edit`, `patch`, `set` and
`scale` own what they wrote; `apply` owns all that it applied, so of its fields only some have changed. The last applied
configuration holds the old value of a field that was edited by other means than apply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from srelab_lib.model import TimeWindow
from srelab_lib.signals.flatten import Flat, env_value, flatten, identity, joined, leaves
from srelab_lib.signals.ownership import Raw
from srelab_lib.signals.quantity import quantity

Row = dict[str, Any]
"""A row of `changes`."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
APPLIES = "kubectl-client-side-apply"
"""Who writes that: what differs from it has been written by others since."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"

# Controllers, which write what others have decided.
_CONTROLLERS = re.compile(
    r"kube-(?:controller-manager|scheduler|apiserver)|kubelet|cloud-controller-manager|.*-provisioner|coredns|.*-operator"
    r"|k3s|etcd|k8s-.*"
)
_APPLIERS = re.compile(
    r"kubectl-client-side-apply|kubectl-create|kubectl-replace|helm|argocd.*|.*-apply|before-first-apply"
)
_EMPTY = frozenset({"", "{}", "[]", "null"})
"""What the server drops: it was applied, and is nothing."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_META = ("metadata.labels", "metadata.annotations")
_CONTENT = (
    "spec",
    "data",
    "binaryData",
    "rules",
    "subjects",
    "roleRef",
    "webhooks",
    "value",
    "parameters",
    "immutable",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One manager's last write: what it owns, by path, as the object has it now."""

    time: datetime
    manager: str
    values: Flat
    exact: bool
    """Whether these fields were written, and no more: an apply owns more than it changes, and so does who made it."""


def edits_of(item: Raw) -> list[Edit]:
    """The writes of people and their tools that came after the creation, oldest first."""
    meta = item.get("metadata") or {}
    created = time_of(meta.get("creationTimestamp"))
    found = [_edit(entry, item) for entry in meta.get("managedFields") or [] if _is_edit(entry)]
    later = [edit for edit in found if edit.values and (created is None or edit.time > created)]
    return sorted(later, key=lambda edit: (edit.time, edit.manager))


def _is_edit(entry: Raw) -> bool:
    """Not a controller's, and with a time, which a write through the scale subresource has not."""
    return bool(entry.get("time")) and not _CONTROLLERS.fullmatch(entry["manager"])


def _edit(entry: Raw, item: Raw) -> Edit:
    owned = entry.get("fieldsV1") or {}
    values = {path: text for path, text in _owned(owned, item, "") if _is_content(path)}
    part = len(values) <= max(1, len(flatten(content(item))) // 2)
    return Edit(
        time=time_of(entry["time"]) or _NEVER,
        manager=entry["manager"],
        values=values,
        exact=part and not _APPLIERS.fullmatch(entry["manager"]),
    )


def _is_content(path: str) -> bool:
    return path.startswith((*_CONTENT, *_META)) and "[kubectl.kubernetes.io/" not in path


def _owned(fields: Mapping[str, Any], value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The leaves of a value that an entry of managedFields owns, by the paths that `flatten` gives them."""
    below = [(key.partition(":"), inner) for key, inner in fields.items() if key.startswith(("f:", "k:"))]
    if not below or env_value(value, path) is not None:
        yield from leaves(value, path)
        return
    for (kind, _, name), inner in below:
        if kind == "f" and isinstance(value, Mapping) and name in value:
            yield from _owned(inner, value[name], joined(path, name))
        elif kind == "k" and isinstance(value, list):
            keys, identified = json.loads(name), identity(value, path)
            for item in value:
                if all(item.get(key) == wanted for key, wanted in keys.items()):
                    at = item[identified] if identified else next(iter(keys.values()))
                    yield from _owned(inner, _without(item, identified), f"{path}[{at}]")


def _without(item: Raw, key: str | None) -> Raw:
    return {name: part for name, part in item.items() if name != key} or item


def time_of(text: object) -> datetime | None:
    """RFC 3339 to a time in UTC, None when there is none."""
    try:
        moment = datetime.fromisoformat(str(text or ""))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def within(time: datetime | None, window: TimeWindow) -> bool:
    """Whether there is a time and it lies in the window."""
    return time is not None and window.start <= time <= window.end


def content(item: Raw) -> dict[str, Any]:
    """What a person writes of an object: no status, and of the metadata only the labels."""
    labels = (item.get("metadata") or {}).get("labels")
    written = {key: item[key] for key in _CONTENT if item.get(key)}
    return written | ({"metadata": {"labels": labels}} if labels else {})


def applied(item: Raw) -> dict[str, Any]:
    """What was last given to `kubectl apply`, as far as a person writes it; empty where nothing was applied."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    try:
        written = json.loads(annotations.get(LAST_APPLIED) or "{}")
    except ValueError:
        return {}
    return content(written) if isinstance(written, dict) else {}


def drift(item: Raw) -> dict[str, tuple[str, str | None]]:
    """Fields that are no longer as they were applied: path to (applied, now). Nothing where nothing was applied."""
    now = flatten(content(item))
    return {
        field: (was, now.get(field))
        for field, was in flatten(applied(item)).items()
        if was not in _EMPTY and not _same(was, now.get(field)) and not _is_named(field, was, now)
    }


def _is_named(field: str, was: str, now: Flat) -> bool:
    """True for what an item of a list is named by: `ports[80].containerPort` is a leaf where nothing else was said."""
    item = field.rpartition(".")[0]
    return item.endswith(f"[{was}]") and any(path.startswith(f"{item}.") for path in now)


def _same(was: str, now: str | None) -> bool:
    """The server writes quantities in their canonical form: `1000m` comes back as `1`."""
    return was == now or (quantity(was) is not None and quantity(was) == quantity(now))
