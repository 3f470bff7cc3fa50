"""Logs for a recording: of each container how it began and its newest lines, in as many bytes as there are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.errors import RecordingError
from srelab_lib.signals.log_lines import HEAD_BYTES
from srelab_lib.sources.container_logs import WINDOW_LINES, joined_parts, whole_lines
from srelab_lib.sources.incidents import Exchange, packed

LOG_BYTES = 4 * 1024 * 1024
LEAST_BYTES = 2_000
"""A log that is shortened keeps at least this much."""

_CONTAINERS = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerRef:
    """One container's current or previous log."""

    namespace: str
    pod: str
    container: str
    previous: bool

    @property
    def path(self) -> str:
        """Of the request."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/log"

    @property
    def params(self) -> dict[str, str]:
        """Of the request, as the recording keeps them."""
        return {"container": self.container, **({"previous": "true"} if self.previous else {})}


def logs_of(lists: Sequence[Exchange]) -> Iterator[ContainerRef]:
    """The logs of the listed pods; those that the kubelet cannot have are left out: the replay knows its answer."""
    for listing in lists:
        if not listing.path.endswith("/pods") or listing.status != 200:
            continue
        for pod in listing.body["items"]:
            if not pod["spec"].get("nodeName"):
                continue
            for containers, statuses in _CONTAINERS:
                ended = {
                    item["name"]
                    for item in (pod.get("status") or {}).get(statuses) or []
                    if (item.get("lastState") or {}).get("terminated")
                }
                for container in pod["spec"].get(containers) or []:
                    name = container["name"]
                    for previous in (False, True) if name in ended else (False,):
                        yield ContainerRef(
                            namespace=pod["metadata"]["namespace"],
                            pod=pod["metadata"]["name"],
                            container=name,
                            previous=previous,
                        )


def read_log(kubernetes: KubernetesClient, ref: ContainerRef, deadline: Deadline) -> str:
    """How the container began, and its newest lines: what an analysis reads of it. All of it where it is short."""
    where = (ref.namespace, ref.pod, ref.container)
    lines = WINDOW_LINES
    while True:
        tail = kubernetes.read_log(
            *where, previous=ref.previous, limit_bytes=LOG_BYTES, params={"tailLines": lines}, deadline=deadline
        )
        # A full answer lacks the newest lines.
        if not tail.cut or lines < 20:
            break
        lines //= 2
    if not tail.cut and tail.text.count("\n") < lines:
        return tail.text
    head = kubernetes.read_log(*where, previous=ref.previous, limit_bytes=HEAD_BYTES, deadline=deadline).text
    return joined_parts(head, tail.text)


def fitted(logs: Sequence[Exchange], max_bytes: int) -> tuple[bytes, list[str]]:
    """The packed logs in at most `max_bytes`, and a line for each log that lost its middle for it.

    All have the same bound, as large as it can be: the longest lose most.

    Raises:
        RecordingError: too large with LEAST_BYTES of each.
    """
    data = packed(logs)
    if len(data) <= max_bytes:
        return data, []
    low, high = LEAST_BYTES, max((len(log.body) for log in logs if log.status == 200), default=LEAST_BYTES)
    data = packed([shortened(log, low) for log in logs])
    if len(data) > max_bytes:
        raise RecordingError(
            f"the incident is {(len(data) - max_bytes) // 1000 + 1} kB too large, even with short logs",
            source="recording",
            hint="record fewer namespaces or a shorter window",
        )
    while high - low > 1000:
        middle = (low + high) // 2
        tried = packed([shortened(log, middle) for log in logs])
        if len(tried) <= max_bytes:
            low, data = middle, tried
        else:
            high = middle
    return data, [line for log in logs if (line := _lost(log, shortened(log, low)))]


def shortened(log: Exchange, max_bytes: int) -> Exchange:
    """The log in `max_bytes` characters: how it began, at most a quarter, and its newest lines."""
    if log.status != 200 or len(log.body) <= max_bytes:
        return log
    head = whole_lines(log.body[: min(HEAD_BYTES, max_bytes // 4)])
    tail = log.body[len(head) - max_bytes :]
    return replace(log, body=head + tail[tail.find("\n") + 1 :])


def name_of(log: Exchange) -> str:
    """`namespace/pod/container`, and whether it is the previous one's."""
    parts = log.path.split("/")
    return f"{parts[4]}/{parts[6]}/{log.params['container']}" + (" (previous)" if "previous" in log.params else "")


def _lost(log: Exchange, kept: Exchange) -> str:
    if kept.body == log.body:
        return ""
    before, after = log.body.count("\n"), kept.body.count("\n")
    return f"log of {name_of(log)}: its beginning and newest lines, {after} of {before}"
