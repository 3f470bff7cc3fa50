"""A line now and then while something works in silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from srelab_lib.lab.step import QUIET_SECONDS, Progress

TICK_SECONDS = 10.0


@contextmanager
def ticking(progress: Progress, text: str) -> Iterator[None]:
    """Says `text` with the seconds that have passed: after two seconds, then every ten."""
    ended = threading.Event()
    clock = time.monotonic()

    def tick() -> None:
        wait = QUIET_SECONDS
        while not ended.wait(wait):
            progress(f"{time.monotonic() - clock:4.0f} s  {text}")
            wait = TICK_SECONDS

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
