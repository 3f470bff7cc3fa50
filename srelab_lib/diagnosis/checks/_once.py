"""Work that many checks need, done once for a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from srelab_lib.model import Snapshot

T = TypeVar("T")


def once(function: Callable[[Snapshot], T]) -> Callable[[Snapshot], T]:
    """The function, which remembers its answer for the snapshot that it was asked last: a snapshot never changes."""
    last: list[tuple[Snapshot, T]] = []

    @wraps(function)
    def remembered(s: Snapshot) -> T:
        if not last or last[0][0] is not s:
            last[:] = [(s, function(s))]
        return last[0][1]

    return remembered
