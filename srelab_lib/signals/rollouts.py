"""Rollouts: which revision came when, and how its pods differ from those of the revision before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from srelab_lib.model import TimeWindow, spoken
from srelab_lib.signals.edits import RESTARTED_AT, Row, edits_of, time_of, within
from srelab_lib.signals.ownership import Owners, Raw, RawByKind, ref_of
from srelab_lib.signals.spec_diff import Difference, diff_specs

_NEVER = datetime.min.replace(tzinfo=UTC)
CONTROLLED = frozenset({"StatefulSet", "DaemonSet"})
"""What has ControllerRevisions, and no ReplicaSets."""
_REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_RESTARTED = f"annotations[{RESTARTED_AT}]"
_ENDING = timedelta(seconds=90)
"""The longest that pods may take to end for the rollout to have begun with their ending."""
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
    """One revision of a workload, and when it was rolled out.

    Attributes:
        number: as the controller counts.
        keeper: the ReplicaSet or ControllerRevision that has its pod template.
        time: None where nothing says when.
        back: where it was rolled back to: the number that it had first, or that it is an earlier one; empty when new.
    """

    number: int
    keeper: Raw
    time: datetime | None
    back: str

    @property
    def name(self) -> str:
        """The name of what has its pod template."""
        return str(self.keeper["metadata"]["name"])


def rollouts(raw: RawByKind, owned: Owners, window: TimeWindow) -> list[Row]:
    """Rows of `changes`: one for each field of the pod template that a rollout in the window altered."""
    rows: list[Row] = []
    for kind, revisions in (("Deployment", _revisions), ("StatefulSet", _kept), ("DaemonSet", _kept)):
        for item in raw.get(kind) or ():
            ref = ref_of(kind, item)
            for before, after in pairwise(revisions(ref, item, raw, owned)):
                if within(after.time, window):
                    rows += _rows(ref, before, after)
    for item in raw.get("CronJob") or ():
        rows += _of_runs(item, raw, owned, window)
    return rows


def _of_runs(cronjob: Raw, raw: RawByKind, owned: Owners, window: TimeWindow) -> Iterator[Row]:
    """How the Jobs of a CronJob differ from those before its last write."""
    ref, edits = ref_of("CronJob", cronjob), edits_of(cronjob)
    runs = sorted((one for one in raw.get("Job") or () if owned.top(ref_of("Job", one)) == ref), key=_created)
    for before, after in pairwise(runs):
        time = next((edit.time for edit in reversed(edits) if _created(before) < edit.time <= _created(after)), None)
        for item in diff_specs(_pods_of(before), _pods_of(after)) if within(time, window) else ():
            yield {
                "time": time, "kind": "rollout", "object": ref, "field": item.field, "old": item.old, "new": item.new,
                "text": f"{item.text} (CronJob {ref.rpartition('/')[2]})",
            }  # fmt: skip


def _pods_of(job: Raw) -> Raw:
    return dict(((job.get("spec") or {}).get("template") or {}).get("spec") or {})


def keeps_revisions(kind: str, raw: RawByKind) -> bool:
    """Whether `rollouts` tells what was altered in the pod templates of this kind."""
    return kind == "Deployment" or (kind in CONTROLLED and "ControllerRevision" in raw)


def latest_revision(deployment: Raw, raw: RawByKind, owned: Owners) -> Revision | None:
    """The revision that the Deployment has now."""
    return next(reversed(_revisions(ref_of("Deployment", deployment), deployment, raw, owned)), None)


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


def _kept(ref: str, item: Raw, raw: RawByKind, owned: Owners) -> list[Revision]:
    """The revisions of a StatefulSet or DaemonSet, by age. One that comes back gets a new number, and no new age."""
    own = [one for one in raw.get("ControllerRevision") or () if owned.top(ref_of("ControllerRevision", one)) == ref]
    aged = sorted(own, key=_created)
    found = [Revision(number=n, keeper=one, time=_created(one), back="") for n, one in enumerate(aged, 1)]
    latest = max(own, key=_number, default=None)
    if latest is None or latest is aged[-1]:
        return [replace(revision, number=_number(revision.keeper)) for revision in found]
    time = next(reversed(_template_edits(item)), None)
    return [*found, Revision(number=_number(latest), keeper=latest, time=time, back="an earlier one")]


def _number(keeper: Raw) -> int:
    return int(keeper.get("revision") or 0)


def _present(revision: Revision) -> int:
    """The number by which what has its pod template is known now: one that came back has a new one."""
    return max(_numbers(revision.keeper), default=_number(revision.keeper))


def _created(keeper: Raw) -> datetime:
    return time_of(keeper["metadata"].get("creationTimestamp")) or _NEVER


def _template_edits(item: Raw) -> list[datetime]:
    return [edit.time for edit in edits_of(item) if any("template" in field for field in edit.values)]


def _revisions(ref: str, deployment: Raw, raw: RawByKind, owned: Owners) -> list[Revision]:
    """All revisions that are still known, by number. A ReplicaSet that was rolled back to stands for several."""
    own = [item for item in raw.get("ReplicaSet") or () if owned.top(ref_of("ReplicaSet", item)) == ref]
    numbered = sorted(((number, item) for item in own for number in _numbers(item)), key=lambda pair: pair[0])
    told = [event for event in scaling_events(raw.get("Event") or ()) if event.deployment == ref]
    found: list[Revision] = []
    for number, item in numbered:
        latest = number == numbered[-1][0]
        time = _time(deployment, item, found, told, latest=latest)
        first = min(_numbers(item))
        back = str(first) if found and found[-1].keeper is not item and first < found[-1].number else ""
        found.append(Revision(number=number, keeper=item, time=time, back=back))
    return found


def _numbers(replicaset: Raw) -> list[int]:
    annotations = (replicaset.get("metadata") or {}).get("annotations") or {}
    texts = [*(annotations.get(_HISTORY) or "").split(","), annotations.get(_REVISION) or ""]
    return [int(text) for text in texts if text.strip().isdecimal()]


def _time(
    deployment: Raw, replicaset: Raw, earlier: Sequence[Revision], told: Sequence[Scaling], *, latest: bool
) -> datetime | None:
    """When a revision began to be rolled out: its ReplicaSet came, unless that one is older than the revision before.

    Then it was rolled back to. The edit of the Deployment says when, else the event that scaled the ReplicaSet up.
    """
    created = time_of(replicaset["metadata"].get("creationTimestamp"))
    # Events of a Deployment that is rolled out often are combined, so of some revisions nothing says when.
    before = next((revision.time for revision in reversed(earlier) if revision.time), None)
    if created is None or before is None:
        return created
    if created >= before:
        return _emptied(deployment, earlier[-1], created, told) or created
    name = replicaset["metadata"]["name"]
    edits = _template_edits(deployment)
    ups = [event.time for event in told if event.replicaset == name and event.up]
    times = [time for time in (edits if latest else []) + sorted(ups) if time > before]
    return times[0] if times else None


def _emptied(deployment: Raw, before: Revision, created: datetime, told: Sequence[Scaling]) -> datetime | None:
    """With strategy Recreate the old pods go first, and the new ReplicaSet comes when all of them have ended."""
    if ((deployment.get("spec") or {}).get("strategy") or {}).get("type") != "Recreate":
        return None
    downs = [event.time for event in told if event.replicaset == before.name and event.new == "0"]
    return max((time for time in downs if created - _ENDING <= time <= created), default=None)


def _rows(ref: str, before: Revision, after: Revision) -> list[Row]:
    differences = diff_specs(_template(before.keeper), _template(after.keeper)) or [_NOTHING]
    return [_row(ref, before, after, item) for item in differences]


def _template(keeper: Raw) -> Raw:
    spec = keeper.get("spec") or (keeper.get("data") or {}).get("spec") or {}
    template = spec.get("template") or {}
    meta = template.get("metadata") or {}
    return {**(template.get("spec") or {}), "labels": meta.get("labels"), "annotations": meta.get("annotations")}


_NOTHING = Difference(field="template", old=None, new=None, text="pods replaced without a difference in their spec")


def _row(ref: str, before: Revision, revision: Revision, item: Difference) -> Row:
    kind, back = ref.partition("/")[0], revision.back
    text = f"{kind} {ref.rpartition('/')[2]} restarted" if item.field == _RESTARTED else item.text
    was = f"revision {back}" if back.isdecimal() else back
    named = f"revision {revision.number}" + (f", rolled back to {was}" if was else "")
    return {
        "time": revision.time, "kind": "rollout", "object": ref, "field": item.field, "old": item.old, "new": item.new,
        "text": f"{text} ({named})", "revision": str(revision.number), "rolled_back_to": back,
        "revision_before": str(before.number) if before.number == _present(before) else None,
    }  # fmt: skip


def rebuilt_images(raw: RawByKind, owned: Owners, window: TimeWindow) -> Iterator[Row]:
    """One tag, two images: pods run different builds under the same name.

    The other build runs in pods of the same object, or, where a restart has replaced all of these, in those of another
    object of the namespace. An object that came with the window has no build before that one.
    """
    running = [build for pod in raw.get("Pod") or () for build in _builds(pod, owned)]
    for ref, container, image in sorted({(build.object, build.container, build.image) for build in running}):
        same = [build for build in running if build.image == image]
        own = [build for build in same if (build.object, build.container) == (ref, container)]
        known = _first_starts(own)
        if len(known) == 1 and _was_there(ref, raw, window):
            known = _first_starts(same)
        ordered = sorted(known.values(), key=lambda build: build.started)
        if len(ordered) < 2 or len({"@" in build.image_id for build in ordered}) > 1:
            continue
        before, after = ordered[-2:]
        started = [build for build in own if build.digest == after.digest]
        if started and within(after.started, window):
            yield _rebuilt(ref, container, before, min(started, key=lambda build: build.started))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Build:
    """What one container runs."""

    object: str
    container: str
    image: str
    image_id: str
    started: datetime

    @property
    def digest(self) -> str:
        """The contents, without the name that an archive was imported under."""
        return self.image_id.rpartition("@")[2]


def _builds(pod: Raw, owned: Owners) -> Iterator[_Build]:
    # By the pod's spec: an image that has lost its tag to another is called by its bare id in the status.
    asked = {item.get("name"): item.get("image") for item in (pod.get("spec") or {}).get("containers") or ()}
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        started = time_of(((status.get("state") or {}).get("running") or {}).get("startedAt"))
        image_id = (status.get("imageID") or "").removeprefix("docker-pullable://")
        if started and image_id:
            yield _Build(
                object=owned.top(ref_of("Pod", pod)),
                container=status["name"],
                image=asked.get(status["name"]) or status.get("image") or "",
                image_id=image_id,
                started=started,
            )


def _first_starts(builds: Sequence[_Build]) -> dict[str, _Build]:
    """Contents -> where they were started first."""
    return {build.digest: build for build in sorted(builds, key=lambda build: build.started, reverse=True)}


def _was_there(ref: str, raw: RawByKind, window: TimeWindow) -> bool:
    """Whether the object is older than the window."""
    kind = ref.partition("/")[0]
    created = [
        time_of(item["metadata"].get("creationTimestamp")) for item in raw.get(kind) or () if ref_of(kind, item) == ref
    ]
    return any(time is not None and time < window.start for time in created)


def _rebuilt(ref: str, container: str, before: _Build, after: _Build) -> Row:
    old, new = before.image_id, after.image_id
    where = "both run" if before.object == ref else f"{spoken(before.object)} still runs the former"
    text = f"image {after.image} of container {container} was rebuilt under the same tag: {old} and {new}, {where}"
    return {
        "time": after.started, "kind": "image", "object": ref, "field": f"containers[{container}].imageID",
        "old": old, "new": new, "text": text,
    }  # fmt: skip
