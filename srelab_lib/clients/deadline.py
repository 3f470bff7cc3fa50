"""A total wall-clock bound that is handed down: every wait under it gets what is left, never a time of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

from srelab_lib.errors import DeadlineError


class Deadline:
    """The moment at which waiting ends, `seconds` from its making.

    A per-read timeout is no bound on the whole: a server that sends one byte a second never trips it.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends = clock() + seconds

    def remaining(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._ends - self._clock())

    def at_most(self, seconds: float) -> Deadline:
        """A deadline `seconds` from now, or this one where that is sooner."""
        return Deadline(min(seconds, self.remaining()), self._clock)

    def error(self, source: str) -> DeadlineError:
        """The error to raise when it has passed."""
        return DeadlineError(
            f"no complete answer within {self.seconds:.0f} s",
            source=source,
            hint="the server is slow, overloaded or hangs: see whether it answers by hand",
        )

    def check(self, source: str) -> None:
        """Nothing while time is left.

        Raises:
            DeadlineError: the time ran out; `source` names what was waited for.
        """
        if self.remaining() <= 0:
            raise self.error(source)
