"""Rollouts of Deployments: which revision came when, and how its pods differ from those of the revision before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from srelab_lib.model import TimeWindow
from srelab_lib.signals.edits import Row, edits_of, time_of, within
from srelab_lib.signals.ownership import Owners, Raw, RawByKind, ref_of
from srelab_lib.signals.spec_diff import Difference, diff_specs

_REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_RESTARTED_AT = "annotations[kubectl.kubernetes.io/restartedAt]"
_SCALED = re.compile(r"Scaled (?P<way>up|down) replica set (?P<name>\S+)(?: from (?P<old>\d+))? to (?P<new>\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """One ScalingReplicaSet event."""

    time: datetime
    deployment: str
    replicaset: str
    old: str | None
    new: str
    up: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """One revision of a Deployment, and when it was rolled out."""

    number: int
    replicaset: Raw
    time: datetime | None

    @property
    def name(self) -> str:
        """The name of its ReplicaSet."""
        return str(self.replicaset["metadata"]["name"])


def rollouts(raw: RawByKind, owned: Owners, window: TimeWindow) -> list[Row]:
    """Rows of `changes`: one for each field of the pod template that a rollout in the window altered."""
    rows: list[Row] = []
    for deployment in raw.get("Deployment") or ():
        for before, after in pairwise(_revisions(deployment, raw, owned)):
            if within(after.time, window):
                rows += _rows(ref_of("Deployment", deployment), before, after)
    return rows


def latest_revision(deployment: Raw, raw: RawByKind, owned: Owners) -> Revision | None:
    """The revision that the Deployment has now."""
    return next(reversed(_revisions(deployment, raw, owned)), None)


def scaling_events(events: Sequence[Raw]) -> Iterator[Scaling]:
    """Every ScalingReplicaSet event, at the time of its last occurrence."""
    for event in events:
        about = event.get("involvedObject") or event.get("regarding") or {}
        match = _SCALED.search(event.get("message") or event.get("note") or "")
        time = time_of(event.get("lastTimestamp") or event.get("eventTime") or event.get("deprecatedLastTimestamp"))
        if match and time and about.get("kind") == "Deployment":
            yield Scaling(
                time=time,
                deployment=f"Deployment/{about.get('namespace')}/{about.get('name')}",
                replicaset=match["name"],
                old=match["old"],
                new=match["new"],
                up=match["way"] == "up",
            )


def _revisions(deployment: Raw, raw: RawByKind, owned: Owners) -> list[Revision]:
    """All revisions that are still known, by number. A ReplicaSet that was rolled back to stands for several."""
    ref = ref_of("Deployment", deployment)
    own = [item for item in raw.get("ReplicaSet") or () if owned.top(ref_of("ReplicaSet", item)) == ref]
    numbered = sorted(((number, item) for item in own for number in _numbers(item)), key=lambda pair: pair[0])
    told = [event for event in scaling_events(raw.get("Event") or ()) if event.deployment == ref]
    found: list[Revision] = []
    for number, item in numbered:
        latest = number == numbered[-1][0]
        time = _time(deployment, item, found, told, latest=latest)
        found.append(Revision(number=number, replicaset=item, time=time))
    return found


def _numbers(replicaset: Raw) -> list[int]:
    annotations = (replicaset.get("metadata") or {}).get("annotations") or {}
    texts = [*(annotations.get(_HISTORY) or "").split(","), annotations.get(_REVISION) or ""]
    return [int(text) for text in texts if text.strip().isdecimal()]


def _time(
    deployment: Raw, replicaset: Raw, earlier: Sequence[Revision], told: Sequence[Scaling], *, latest: bool
) -> datetime | None:
    """When a revision was rolled out: its ReplicaSet's creation, unless that one is older than the revision before.

    Then it was rolled back to. The edit of the Deployment says when, else the event that scaled the ReplicaSet up.
    """
    created = time_of(replicaset["metadata"].get("creationTimestamp"))
    before = earlier[-1].time if earlier else None
    if created is None or before is None or created >= before:
        return created
    name = replicaset["metadata"]["name"]
    edits = [edit.time for edit in edits_of(deployment) if any("template" in field for field in edit.values)]
    ups = [event.time for event in told if event.replicaset == name and event.up]
    times = [time for time in (edits if latest else []) + sorted(ups) if time > before]
    return times[0] if times else None


def _rows(ref: str, before: Revision, after: Revision) -> list[Row]:
    back = after.replicaset is not before.replicaset and min(_numbers(after.replicaset)) < before.number
    revision = f"revision {after.number}"
    if back:
        revision += f", rolled back to revision {min(_numbers(after.replicaset))}"
    differences = diff_specs(_template(before.replicaset), _template(after.replicaset))
    return [_row(ref, after, item, revision) for item in differences] or [_row(ref, after, _NOTHING, revision)]


def _template(replicaset: Raw) -> Raw:
    template = (replicaset.get("spec") or {}).get("template") or {}
    meta = template.get("metadata") or {}
    return {**(template.get("spec") or {}), "labels": meta.get("labels"), "annotations": meta.get("annotations")}


_NOTHING = Difference(field="template", old=None, new=None, text="pods replaced without a difference in their spec")


def _row(ref: str, revision: Revision, item: Difference, named: str) -> Row:
    text = f"Deployment {ref.rpartition('/')[2]} restarted" if item.field == _RESTARTED_AT else item.text
    return {
        "time": revision.time, "kind": "rollout", "object": ref, "field": item.field, "old": item.old, "new": item.new,
        "text": f"{text} ({named})", "revision": str(revision.number),
    }  # fmt: skip


def rebuilt_images(pods: Sequence[Raw], owned: Owners, window: TimeWindow) -> Iterator[Row]:
    """One tag, two images: the pods of one object run different builds under the same name."""
    builds: dict[tuple[str, str, str], dict[str, datetime]] = {}
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            started = time_of(((status.get("state") or {}).get("running") or {}).get("startedAt"))
            image_id = (status.get("imageID") or "").removeprefix("docker-pullable://")
            if started and image_id:
                key = (owned.top(ref_of("Pod", pod)), status["name"], status.get("image") or "")
                known = builds.setdefault(key, {})
                known[image_id] = min(started, known.get(image_id, started))
    for (ref, container, image), known in builds.items():
        ordered = sorted(known.items(), key=lambda build: build[1])
        if len(ordered) > 1 and len({"@" in image_id for image_id in known}) == 1 and within(ordered[-1][1], window):
            (old, _), (new, time) = ordered[-2:]
            text = f"image {image} of container {container} was rebuilt under the same tag: {old} and {new} both run"
            field = f"containers[{container}].imageID"
            yield {"time": time, "kind": "image", "object": ref, "field": field, "old": old, "new": new, "text": text}
