"""Reads the logs of containers: the window of the current ones, how they began, and why the previous ones ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient, Log
from srelab_lib.errors import SourceError
from srelab_lib.model import Missing, TimeWindow
from srelab_lib.settings import parse_time
from srelab_lib.signals.log_lines import HEAD_BYTES, ContainerLog
from srelab_lib.signals.ownership import Owners, ref_of
from srelab_lib.sources.unread_logs import MATTERS, LogPart, is_gone, some, unread

Raw = dict[str, Any]

WORKERS = 12
LOGS_SECONDS = 60.0
MAX_CONTAINERS = 120
WINDOW_LINES = 10_000
WINDOW_BYTES = 1024 * 1024
PREVIOUS_LINES = 600
PREVIOUS_BYTES = 256 * 1024

_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_FINE = {"Completed", "ContainerCreating", "PodInitializing", ""}


@dataclass(frozen=True, kw_only=True, slots=True)
class Logs:
    """Logs in the order of pods and containers, and what failed or was cut."""

    logs: tuple[ContainerLog, ...]
    missing: tuple[Missing, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Answers:
    texts: dict[LogPart, str] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    failed: dict[LogPart, SourceError] = field(default_factory=dict)


def read_logs(
    kubernetes: KubernetesClient,
    pods: Sequence[Raw],
    owned: Owners,
    window: TimeWindow,
    *,
    until: datetime | None = None,
    progress: Callable[[str], None],
) -> Logs:
    """The logs of the pods' containers, troubled pods first where there are more than MAX_CONTAINERS.

    Lines after `until` are left out: a window of the past knows nothing of what was said later.
    """
    containers = [parts for pod in _most_telling_first(pods, owned) for parts in _parts(pod, window)]
    chosen = containers[:MAX_CONTAINERS]
    deadline = Deadline(LOGS_SECONDS)
    answers = _Answers()
    with ThreadPoolExecutor(WORKERS) as pool:
        asked = [part for parts in chosen for part in parts]
        running = {pool.submit(_read, kubernetes, part, window, deadline): part for part in asked}
        for future in as_completed(running):
            _take(answers, running[future], future.result())
    gone = {part.name for part, error in answers.failed.items() if is_gone(error) and part.part != "previous"}
    progress(f"logs: {len(chosen)} of {len(containers)} containers" + (f", {len(gone)} of them gone" if gone else ""))
    missing = [*_cut(answers), *unread(asked, answers.failed)]
    if len(chosen) < len(containers):
        left_out = sorted({parts[0].pod for parts in containers[MAX_CONTAINERS:]})
        reason = f"{len(containers) - len(chosen)} containers were not read, those of pods {some(left_out)}"
        missing.append(Missing(source="logs", reason=reason, matters=MATTERS))
    return Logs(logs=tuple(_joined(answers.texts, window, until)), missing=tuple(missing))


def _most_telling_first(pods: Sequence[Raw], owned: Owners) -> list[Raw]:
    """Troubled pods first; then one pod of each owner, a second one of each, and so on."""
    seen: dict[tuple[str, bool], int] = {}

    def rank(pod: Raw) -> tuple[bool, int, str]:
        healthy = not _is_troubled(pod)
        owner = owned.top(ref_of("Pod", pod))
        seen[owner, healthy] = seen.get((owner, healthy), -1) + 1
        return healthy, seen[owner, healthy], pod["metadata"]["name"]

    return sorted(sorted(pods, key=lambda pod: str(pod["metadata"]["name"])), key=rank)


def _is_troubled(pod: Raw) -> bool:
    status = pod.get("status") or {}
    if status.get("phase") in {"Failed", "Unknown"}:
        return True
    return any(
        (item.get("restartCount") or 0) > 0 or (not item.get("ready") and _reason(item) not in _FINE)
        for item in _statuses(pod)
    )


def _reason(status: Raw) -> str:
    state = status.get("state") or {}
    return str(next((item.get("reason", "running") for item in state.values() if isinstance(item, dict)), ""))


def _statuses(pod: Raw) -> Iterator[Raw]:
    for name in _STATUSES:
        yield from (pod.get("status") or {}).get(name) or ()


def _parts(pod: Raw, window: TimeWindow) -> Iterator[list[LogPart]]:
    """For each container that ever ran, what to ask for."""
    meta = pod["metadata"]
    for status in _statuses(pod):
        state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
        running = state.get("running")
        current = running or state.get("terminated")
        kinds: list[Literal["head", "window", "previous"]] = []
        # While it waits for a restart, the server gives the previous container's log as the current one.
        if current:
            began = current.get("startedAt")
            kinds += ["head"] if began and parse_time(began) < window.start else []
            kinds.append("window")
        if last:
            kinds.append("previous")
        if kinds:
            yield [
                LogPart(
                    namespace=meta["namespace"],
                    pod=meta["name"],
                    container=status["name"],
                    part=kind,
                    runs=bool(running) and kind != "previous",
                )
                for kind in kinds
            ]


def _read(kubernetes: KubernetesClient, part: LogPart, window: TimeWindow, deadline: Deadline) -> Log | SourceError:
    where = (part.namespace, part.pod, part.container)
    try:
        if part.part == "head":
            return kubernetes.read_log(*where, deadline=deadline, limit_bytes=HEAD_BYTES)
        previous = part.part == "previous"
        since = None if previous else window.start
        lines, size = (PREVIOUS_LINES, PREVIOUS_BYTES) if previous else (WINDOW_LINES, WINDOW_BYTES)
        while True:
            log = kubernetes.read_log(
                *where,
                deadline=deadline,
                previous=previous,
                since_time=since,
                limit_bytes=size,
                params={"tailLines": lines},
            )
            # A full answer lacks the newest lines, and these are the ones that tell.
            if not log.cut or lines < 20:
                break
            lines = min(lines, log.text.count("\n")) * 2 // 3
        if not (log.cut or log.text.count("\n") >= lines):
            return log
        head = kubernetes.read_log(
            *where, deadline=deadline, previous=previous, since_time=since, limit_bytes=HEAD_BYTES
        )
        return Log(text=joined_parts(head.text, log.text), cut=True)
    except SourceError as error:
        return error


def joined_parts(head: str, tail: str) -> str:
    """The whole lines of `head` before `tail`, and then that: a log with a hole, or with none where they meet."""
    first = tail[: tail.find("\n") + 1] or tail
    met = head.find(first)
    return (head[:met] if met >= 0 else whole_lines(head)) + tail


def whole_lines(text: str) -> str:
    """The text without a last line that is cut."""
    return text[: text.rfind("\n") + 1]


def _take(answers: _Answers, part: LogPart, answer: Log | SourceError) -> None:
    if isinstance(answer, Log):
        answers.texts[part] = answer.text
        if answer.cut and part.part != "head":
            answers.cut.append(part.name)
    else:
        answers.failed[part] = answer


def _cut(answers: _Answers) -> Iterator[Missing]:
    if answers.cut:
        reason = f"cut to how they began and the newest lines: {some(sorted(answers.cut))}"
        yield Missing(source="logs", reason=reason, matters="when a message was first seen")


def _joined(texts: dict[LogPart, str], window: TimeWindow, until: datetime | None) -> Iterator[ContainerLog]:
    """One log for each container: how it began, up to the window, and then the window."""
    current: dict[tuple[str, str, str], str] = {}
    for part, text in sorted(texts.items(), key=lambda item: (item[0].pod, item[0].container, item[0].part)):
        where = (part.namespace, part.pod, part.container)
        if part.part == "previous":
            yield _log(where, _before(text, until), previous=True)
        else:
            end = window.start if part.part == "head" else until
            current[where] = current.get(where, "") + _before(text, end)
    for where, text in current.items():
        yield _log(where, text, previous=False)


def _log(where: tuple[str, str, str], text: str, *, previous: bool) -> ContainerLog:
    namespace, pod, container = where
    return ContainerLog(namespace=namespace, pod=pod, container=container, previous=previous, text=text)


def _before(text: str, end: datetime | None) -> str:
    """The whole lines before that time; all of it when there is none."""
    if end is None:
        return text
    limit = f"{end:%Y-%m-%dT%H:%M:%S}"
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.endswith("\n") and line[: len(limit)] < limit)
