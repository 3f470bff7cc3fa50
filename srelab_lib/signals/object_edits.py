"""Objects that were created, edited or are being deleted in the window, with the old value where it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from srelab_lib.model import TimeWindow
from srelab_lib.signals.edits import (
    APPLIES,
    RESTARTED_AT,
    Edit,
    Row,
    applied,
    content,
    drift,
    edits_of,
    time_of,
    within,
)
from srelab_lib.signals.flatten import Flat, flatten, shortened
from srelab_lib.signals.ownership import Raw, RawByKind, ref_of
from srelab_lib.signals.rollouts import CONTROLLED, keeps_revisions
from srelab_lib.signals.spec_diff import difference, kept
from srelab_lib.signals.versions import VersionClock, last_known_write

# Made or written all the time by controllers: what a person changes shows in their owners. Applications: see gitops.
_NOT_EDITED = frozenset(
    {"Event", "ReplicaSet", "EndpointSlice", "Endpoints", "Lease", "ControllerRevision", "Application"}
)
_DEFAULTS = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
_TEMPLATES = ("spec.template.spec.", "spec.jobTemplate.spec.template.spec.")
_MAX_COMMAND = 160
NOT_KNOWN = "(which value changed is not known)"
_MAX_FIELDS = 12
"""Rows for one edit; more are counted in the last one."""
_UNSEEN = timedelta(seconds=5)
"""A write this much later than the last one that left a trace is another one."""


def object_edits(raw: RawByKind, window: TimeWindow) -> Iterator[Row]:
    """Rows of `changes` for every object that no controller made."""
    clock = VersionClock.of(raw)
    for kind, items in raw.items():
        for item in items if kind not in _NOT_EDITED else ():
            meta = item.get("metadata") or {}
            if not meta.get("ownerReferences") and (kind, meta.get("name")) not in _DEFAULTS:
                yield from _lifetime(kind, item, window)
                yield from _edited(kind, item, window, raw)
                yield from () if keeps_revisions(kind, raw) else _restarted(kind, item, window)
                yield from _unseen(kind, item, window, clock, raw)


def _lifetime(kind: str, item: Raw, window: TimeWindow) -> Iterator[Row]:
    meta = item.get("metadata") or {}
    created, deleted = time_of(meta.get("creationTimestamp")), time_of(meta.get("deletionTimestamp"))
    if within(created, window):
        images = ", ".join([*_images(item), *_command(kind, item)])
        told = f": {images}" if images else ""
        yield _row(kind, item, created, "created", None, _said(item), f"{_named(kind, item)} created{told}")
    if within(deleted, window):
        yield _row(kind, item, deleted, "deleted", None, None, f"{_named(kind, item)} is being deleted")


def _said(item: Raw) -> str | None:
    """What an object says, in one line; of what runs pods, their images. None when it has been edited since."""
    if edits_of(item):
        return None
    told = _images(item) or [f"{path}={value}" for path, value in _came_as(item).items() if path[:8] != "metadata"]
    return shortened(", ".join(told) or "empty")


def _images(item: Raw) -> list[str]:
    """What it runs in its pods, unless that was edited since it came."""
    fields = {} if edits_of(item) else _came_as(item)
    return list(dict.fromkeys(f"image {value}" for path, value in fields.items() if path.endswith("].image")))


def _command(kind: str, item: Raw) -> list[str]:
    """What a Job does: a task is known by its command, and not by its image."""
    spec = ((item.get("spec") or {}).get("template") or {}).get("spec") or {}
    parts = [
        part for one in spec.get("containers") or [] for field in ("command", "args") for part in one.get(field) or []
    ]
    said = " ".join(" ".join(parts).split())
    return [f"command {shortened(said, _MAX_COMMAND)}"] if kind == "Job" and said else []


def _came_as(item: Raw) -> Flat:
    return flatten(applied(item) or content(item))


def _edited(kind: str, item: Raw, window: TimeWindow, raw: RawByKind) -> Iterator[Row]:
    """One row for each field that was written after the creation, as far as it is known which."""
    old = {path: was for path, (was, _) in drift(item).items()}
    for edit in edits_of(item):
        fields = {path: now for path, now in edit.values.items() if not _elsewhere(kind, path, raw)}
        if not fields or not within(edit.time, window):
            continue
        drifted = {} if edit.manager == APPLIES else {path: fields[path] for path in fields if path in old}
        written = fields if edit.exact or len(fields) == 1 else drifted
        rows = [_field(kind, item, edit.time, path, old.get(path), now, edit.manager) for path, now in written.items()]
        yield from _bounded(rows) or [_written_again(kind, item, edit, fields)]


def _one_line(value: str | None) -> str:
    return " ".join((value or "").split()) or "empty"


def _elsewhere(kind: str, path: str, raw: RawByKind) -> bool:
    """Revisions know the old template of a workload, and events the old number of replicas."""
    return path == "spec.replicas" or (path.startswith("spec.template.") and keeps_revisions(kind, raw))


def _field(kind: str, item: Raw, time: datetime, path: str, old: str | None, new: str | None, manager: str) -> Row:
    template = next((prefix for prefix in _TEMPLATES if path.startswith(prefix)), "")
    field = path.removeprefix(template)
    if old is None:
        text = f"{field} of {_named(kind, item)} set to {shortened(_one_line(new))} (the value before is not known)"
    else:
        text = difference(field, old, new, of=_named(kind, item)).text
    return _row(
        kind,
        item,
        time,
        field,
        kept(old),
        kept(new),
        text + (f" by {manager}" if manager else ""),
        rollout=bool(template),
    )


def _written_again(kind: str, item: Raw, edit: Edit, fields: Mapping[str, str]) -> Row:
    """The manager owns all of these fields, which does not tell which of them it changed."""
    text = f"{_named(kind, item)} written again by {edit.manager} {NOT_KNOWN}"
    return _row(kind, item, edit.time, shortened(", ".join(fields)), None, None, text)


def _restarted(kind: str, item: Raw, window: TimeWindow) -> Iterator[Row]:
    """A restart by `kubectl rollout restart`, of what has no ReplicaSets to tell of it."""
    meta = (((item.get("spec") or {}).get("template") or {}).get("metadata")) or {}
    time = time_of((meta.get("annotations") or {}).get(RESTARTED_AT))
    if kind in CONTROLLED and within(time, window):
        text = f"{_named(kind, item)} restarted"
        yield _row(kind, item, time, f"annotations[{RESTARTED_AT}]", None, None, text, rollout=True)


def _unseen(kind: str, item: Raw, window: TimeWindow, clock: VersionClock, raw: RawByKind) -> Iterator[Row]:
    """A write that only removed something: no manager owns what is not there."""
    time, known = clock.written_after(item), last_known_write(item)
    removed = [
        (path, was) for path, (was, now) in drift(item).items() if now is None and not _elsewhere(kind, path, raw)
    ]
    if time is None or known is None or not removed:
        return
    time = time if time > known + _UNSEEN else known
    if within(time, window):
        yield from _bounded([_field(kind, item, time, path, was, None, "") for path, was in removed])


def _bounded(rows: list[Row]) -> list[Row]:
    if len(rows) > _MAX_FIELDS:
        more = len(rows) - _MAX_FIELDS
        rows = rows[:_MAX_FIELDS]
        rows[-1] = rows[-1] | {"text": f"{rows[-1]['text']}, and {more} more fields"}
    return rows


def _named(kind: str, item: Raw) -> str:
    return f"{kind} {(item.get('metadata') or {}).get('name')}"


def _row(
    kind: str, item: Raw, time: datetime | None, field: str, old: str | None, new: str | None, text: str,
    *, rollout: bool = False,
) -> Row:  # fmt: skip
    of = "rollout" if rollout else "config" if kind == "ConfigMap" else "object"
    return {
        "time": time, "kind": of, "object": ref_of(kind, item), "field": field, "old": old, "new": new, "text": text,
    }  # fmt: skip
