"""Work that many checks need, done once for a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from srelab_lib.model import Snapshot

T = TypeVar("T")
P = ParamSpec("P")


def once(function: Callable[Concatenate[Snapshot, P], T]) -> Callable[Concatenate[Snapshot, P], T]:
    """The function, which remembers its answers for the snapshot that it was asked last: a snapshot never changes."""
    last: list[tuple[Snapshot, dict[Hashable, T]]] = []

    @wraps(function)
    def remembered(s: Snapshot, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not last or last[0][0] is not s:
            last[:] = [(s, {})]
        answers, key = last[0][1], (args, tuple(kwargs.items()))
        if key not in answers:
            answers[key] = function(s, *args, **kwargs)
        return answers[key]

    return remembered
