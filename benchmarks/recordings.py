"""The recordings that every benchmark reads: those of the lab and those of other apps, all with a truth."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path

from srelab_lib.model import Snapshot
from srelab_lib.settings import Settings
from srelab_lib.sources.connect import connect
from srelab_lib.sources.replay import ReplayServer
from srelab_lib.sources.snapshot import collect

_ROOT = Path(__file__).resolve().parent.parent
INCIDENTS = _ROOT / "incidents"
OTHER_APPS = _ROOT / "tests" / "data" / "other_apps"
END_SECONDS = 10.0


def recordings() -> tuple[Path, ...]:
    """The folders of all recordings of which somebody has said what was wrong."""
    return tuple(sorted(path.parent for place in (INCIDENTS, OTHER_APPS) for path in place.glob("*/truth.json")))


@cache
def snapshot(folder: Path) -> Snapshot:
    """The recording as an analysis reads it, through the replay server."""
    settings = Settings(source="incident", incident=folder.name)
    with connect(settings, incidents_dir=folder.parent, now=datetime.now(UTC)) as connection:
        return collect(connection)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a replay server in a process of its own: what it takes to answer is no client's time or memory."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(folder, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        process.join(END_SECONDS)


def _serve(folder: Path, pipe: Connection) -> None:
    """Serves until the other end of the pipe is closed."""
    with ReplayServer(folder) as server:
        pipe.send(server.url)
        with suppress(EOFError):
            pipe.recv()
