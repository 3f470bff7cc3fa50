"""Logs that could not be read, told in few words: what is gone, and one entry for each kind of reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from srelab_lib.errors import ApiError, SourceError
from srelab_lib.model import Missing

MATTERS = "what programs said: errors, stack traces, why a container ended"
MOST_NAMES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPart:
    """One request for a part of a container's log."""

    namespace: str
    pod: str
    container: str
    part: Literal["head", "window", "previous"]
    runs: bool = False
    """Whether the container runs whose log this is."""

    @property
    def name(self) -> str:
        """As people are told."""
        return f"{self.pod}/{self.container}" + (" (previous)" if self.part == "previous" else "")


def is_gone(error: SourceError) -> bool:
    """The pod was deleted meanwhile, or the runtime has removed the old container: nothing that was there to read."""
    return isinstance(error, ApiError) and error.status in {400, 404}


def unread(asked: Sequence[LogPart], failed: Mapping[LogPart, SourceError]) -> Iterator[Missing]:
    """What could not be read of the parts that were asked for.

    It decides when nothing at all was read, or nothing of the containers that run. That one pod is gone between the
    list and the read is usual, and no entry unless that takes most of the logs.
    """
    read = [part for part in asked if part not in failed]
    silent = any(part.runs for part in asked) and not any(part.runs for part in read)
    yield from _gone(asked, {part: error for part, error in failed.items() if is_gone(error)}, deciding=silent)
    kinds: dict[str, dict[LogPart, SourceError]] = {}
    for part in sorted(failed, key=lambda part: (part.name, part.part)):
        if not is_gone(failed[part]):
            kinds.setdefault(_kind(part, failed[part]), {})[part] = failed[part]
    for alike in kinds.values():
        names = list(dict.fromkeys(part.name for part in alike))
        first = next(iter(alike.values())).message
        reason = first if len(names) == 1 else f"{len(names)} could not be read; of the first: {first}"
        source = f"logs of {some(names, MOST_NAMES)}"
        yield Missing(source=source, reason=reason, matters=MATTERS, deciding=silent or not read)


def _gone(asked: Sequence[LogPart], gone: Mapping[LogPart, SourceError], *, deciding: bool) -> Iterator[Missing]:
    """Of the current containers; that a previous one's log is removed is the runtime's habit."""
    started = [part for part in asked if part.part == "window"]
    lost = sorted((part for part in started if part in gone), key=lambda part: part.name)
    if len({part.pod for part in lost}) > 1 or len(lost) > len(started) / 2:
        names = some([part.name for part in lost], MOST_NAMES)
        reason = f"{len(lost)} of {len(started)} were gone when they were read: {names}; of the first: "
        yield Missing(source="logs", reason=reason + gone[lost[0]].message, matters=MATTERS, deciding=deciding)


def _kind(part: LogPart, error: SourceError) -> str:
    """The reason without what differs from log to log: names, the query of a URL, ids and numbers."""
    text = error.message
    for name in (part.pod, part.container, part.namespace):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "…", text)
    return re.sub(r"\?[^\s\"]*|[0-9a-f]{12,}|\d+", "…", text)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
