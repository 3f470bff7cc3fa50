"""Images that cannot be had or cannot run: what the kubelet says of the pull, the kernel of the program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srelab_lib.diagnosis.checks._crash_kinds import judged
from srelab_lib.diagnosis.checks._endings import began, ending_facts, grouped_endings
from srelab_lib.diagnosis.checks._facts import (
    Check,
    Row,
    earliest,
    event_facts,
    events,
    first_seen,
    grouped,
    live_containers,
    one_each,
    spec_fact,
    status_fact,
)
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_NOT_PULLED = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "RegistryUnavailable"}
)
_WRONG_PLATFORM = re.compile(
    r"no match for platform|no matching manifest for|does not match the (?:specified|detected|host) platform"
    r"|exec format error",
    re.IGNORECASE,
)
_UNREACHABLE = (
    r"no such host|i/o timeout|connection refused|connection reset|no route to host|network is unreachable"
    r"|tls handshake|x509|server misbehaving|\bEOF\b|context deadline|temporary failure|50[234] "
)
_WHY = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (r"InvalidImageName|invalid reference format|couldn't parse image", "the image reference {image} is not valid"),
        (r"toomanyrequests|too many requests|429", "the registry's rate limit refuses to give {image}"),
        (
            _UNREACHABLE,
            "image {image} is not on the node, and its registry cannot be reached",
        ),
        (
            r"unauthorized|denied|forbidden|authentication required|no basic auth|insufficient_scope|\b40[13]\b",
            "the registry refuses {image}: it does not exist there, or the pull credentials do not fit",
        ),
        (r"not found|manifest unknown|does not exist|\b404\b", "the registry has no image {image}"),
    )
)  # fmt: skip


def check_image_not_found(s: Snapshot) -> Iterator[Finding]:
    """Containers' waiting reason (ErrImagePull, ImagePullBackOff, InvalidImageName) and the kubelet's Failed events."""
    for ref, items in _waiting(s, _NOT_PULLED).items():
        said = _pull_events(s, items)
        words = " ".join([*(_words(item) for item in items), *(event["message"] for event in said)])
        if not _WRONG_PLATFORM.search(words):
            yield _not_pulled("image_not_found", ref, items, said, _why(words, items[0]["image"]))


def check_image_never_pull(s: Snapshot) -> Iterator[Finding]:
    """Containers' waiting reason ErrImageNeverPull, with the spec's imagePullPolicy."""
    for ref, items in _waiting(s, {"ErrImageNeverPull"}).items():
        cause = f"image {items[0]['image']} is not on the node and imagePullPolicy is {items[0]['image_pull_policy']}"
        yield _not_pulled("image_never_pull", ref, items, _pull_events(s, items), cause)


def check_image_wrong_arch(s: Snapshot) -> Iterator[Finding]:
    """The pull's `no match for platform`, and `exec format error` in a container's message or previous log."""
    for ref, items in _waiting(s, _NOT_PULLED).items():
        said = _pull_events(s, items)
        if _WRONG_PLATFORM.search(" ".join([*map(_words, items), *(event["message"] for event in said)])):
            cause = f"image {items[0]['image']} has no variant for the node's architecture"
            yield _not_pulled("image_wrong_arch", ref, items, said, cause)
    crashed = grouped_endings((ending, line) for ending, fault, line in judged(s) if fault == "image_wrong_arch")
    for ref, found in crashed.items():
        ending = found[0][0]
        yield Finding(
            fault="image_wrong_arch",
            object=ref,
            summary=f"container {ending.container} of {spoken(ref)} cannot run: its program is for another CPU",
            cause=f"the kernel refuses the program of image {ending.row['image']}: exec format error",
            facts=one_each(
                [*ending_facts(found), spec_fact(ref, container=ending.container, image=ending.row["image"])]
            ),
            since=began(s, [item for item, _ in found]),
            strength=3,
        )


def _waiting(s: Snapshot, reasons: frozenset[str] | set[str]) -> dict[str, list[Row]]:
    return grouped(row for row in live_containers(s) if row["waiting_reason"] in reasons)


def _not_pulled(fault: str, ref: str, items: Sequence[Row], said: Sequence[Row], cause: str) -> Finding:
    row = items[0]
    return Finding(
        fault=fault,
        object=ref,
        summary=f"container {row['container']} of {spoken(ref)} cannot start: its image cannot be pulled",
        cause=cause,
        facts=one_each([*map(_image, items), *event_facts(said)]),
        since=earliest(first_seen(said)),
        strength=3,
    )


def _pull_events(s: Snapshot, items: Sequence[Row]) -> list[Row]:
    pods = {item["pod"] for item in items}
    said = events(
        s,
        "Failed",
        "BackOff",
        "ErrImageNeverPull",
        "InspectFailed",
        "FailedToRetrieveImagePullSecret",
        message=r"\bimage\b",
    )
    return [event for event in said if event["involved_name"] in pods]


def _words(row: Row) -> str:
    return f"{row['waiting_reason']} {row['waiting_message'] or ''}"


def _why(words: str, image: str) -> str:
    return next((why for pattern, why in _WHY if pattern.search(words)), "image {image} cannot be pulled").format(
        image=image
    )


def _image(row: Row) -> Fact:
    return status_fact(
        row,
        waiting_reason=row["waiting_reason"],
        image=row["image"],
        imagePullPolicy=row["image_pull_policy"],
        message=row["waiting_message"],
    )


CHECKS: tuple[Check, ...] = (check_image_not_found, check_image_never_pull, check_image_wrong_arch)
