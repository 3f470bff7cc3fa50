"""Logs that are longer than what is read of them: how they began and their newest lines, and the hole between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recorded import FOLDER, PODS, altered

from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.model import Snapshot
from srelab_lib.settings import Settings
from srelab_lib.sources.connect import connect
from srelab_lib.sources.container_logs import WINDOW_LINES, joined_parts
from srelab_lib.sources.incidents import load_incident
from srelab_lib.sources.recording import record
from srelab_lib.sources.replay import ReplayServer
from srelab_lib.sources.snapshot import collect

TALKER = "talker"


def long_log(tmp_path: Path, lines: int) -> Path:
    """The recording, its talkers' own lines told again and again through the window."""

    def lengthened(exchange: dict[str, Any]) -> dict[str, Any]:
        if not exchange["path"].startswith(f"{PODS}/{TALKER}") or not exchange["path"].endswith("/log"):
            return exchange
        said = [line.partition(" ")[2] for line in exchange["body"].splitlines()]
        times = (began + timedelta(milliseconds=10 * number) for number in range(lines))
        body = "".join(f"{time:%Y-%m-%dT%H:%M:%S.%f}Z {said[i % len(said)]} #{i}\n" for i, time in enumerate(times))
        return exchange | {"body": body}

    began = load_incident(FOLDER).window.start
    return altered(tmp_path, lengthened, part="logs")


def snapshot_of(folder: Path) -> Snapshot:
    settings = Settings(source="incident", incident=folder.name)
    with connect(settings, incidents_dir=folder.parent, now=datetime.now(UTC)) as connection:
        return collect(connection)


def told(snapshot: Snapshot) -> list[dict[str, Any]]:
    """What one of the two talkers has said."""
    logs = snapshot["logs"]
    talkers = logs[logs["pod"].str.startswith(TALKER)]
    return [dict(row) for row in talkers[talkers["pod"] == talkers["pod"].min()].to_dict("records")]


def test_of_a_long_log_its_beginning_and_its_newest_lines_are_read(tmp_path: Path) -> None:
    snapshot = snapshot_of(long_log(tmp_path, WINDOW_LINES + 5000))
    rows = told(snapshot)
    assert rows[0]["message"].endswith("#0")
    assert rows[-1]["message"].endswith(f"#{WINDOW_LINES + 4999}")
    assert WINDOW_LINES < len(rows) < WINDOW_LINES + 500
    [first] = [row for row in rows if row["after_hole"]]
    assert first["message"].endswith("#5000")
    [missing] = [item for item in snapshot.missing if "newest lines" in item.reason]
    assert TALKER in missing.reason


def test_a_log_that_is_read_whole_has_no_hole(tmp_path: Path) -> None:
    snapshot = snapshot_of(long_log(tmp_path, WINDOW_LINES - 5000))
    rows = told(snapshot)
    assert len(rows) == WINDOW_LINES - 5000
    assert not any(row["after_hole"] for row in rows)
    assert not any("newest lines" in item.reason for item in snapshot.missing)


def test_a_recording_says_which_logs_have_a_hole(tmp_path: Path) -> None:
    with ReplayServer(long_log(tmp_path, WINDOW_LINES + 5000)) as server:
        old, kubernetes = server.incident, KubernetesClient.from_url(server.url)
        incident = record(
            kubernetes=kubernetes, prometheus=None, namespaces=old.namespaces, window=old.window,
            folder=tmp_path / "again", recorded_at=old.recorded_at,
        )  # fmt: skip
        kubernetes.close()
    holed = [line for line in incident.cut if line.endswith("its beginning and newest lines")]
    assert len(holed) == 2
    assert all(f"/{TALKER}-" in line for line in holed)


def test_parts_that_meet_are_one_log() -> None:
    lines = [f"2026-01-01T00:00:{second:02d}.5Z line {second}\n" for second in range(20)]
    assert joined_parts("".join(lines[:8]), "".join(lines[5:])) == "".join(lines)
    assert joined_parts("".join(lines[:4]) + "2026-01", "".join(lines[9:])) == "".join([*lines[:4], *lines[9:]])
    assert joined_parts("", "".join(lines)) == "".join(lines)
