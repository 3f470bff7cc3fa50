"""Logs that are longer than what is read of them: how they began and their newest lines, and the hole between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from recorded import FOLDER, PODS, altered

from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.diagnosis import diagnose
from srelab_lib.model import Missing, Snapshot
from srelab_lib.settings import Settings
from srelab_lib.sources.connect import connect
from srelab_lib.sources.container_logs import WINDOW_LINES, joined_parts
from srelab_lib.sources.incidents import load_incident
from srelab_lib.sources.recording import record
from srelab_lib.sources.replay import ReplayServer
from srelab_lib.sources.snapshot import collect
from srelab_lib.sources.unread_logs import MOST_NAMES

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


# --- logs that cannot be read -----------------------------------------------------------------------------------------

UNREACHABLE = (
    'Get "https://172.18.0.{n}:10250/containerLogs/{namespace}/{pod}/{container}?limitBytes=65536&timestamps=true": '
    "dial tcp 172.18.0.{n}:10250: connect: no route to host"
)
GONE = 'pods "{pod}" not found'


def refused(tmp_path: Path, status: int, message: str, pods: Sequence[str] = ("",)) -> Snapshot:
    """What is seen of the recording when the API server refuses the logs of pods whose names begin so."""

    def change(exchange: dict[str, Any]) -> dict[str, Any]:
        pod, _, end = exchange["path"].removeprefix(PODS + "/").partition("/")
        if end != "log" or not pod.startswith(tuple(pods)):
            return exchange
        words = {"namespace": "faithful", "pod": pod, "container": exchange["params"]["container"], "n": len(pod)}
        body = {"kind": "Status", "status": "Failure", "message": message.format(**words), "code": status}
        return exchange | {"status": status, "body": body}

    return snapshot_of(altered(tmp_path, change, part="logs"))


def of_logs(snapshot: Snapshot) -> list[Missing]:
    return [item for item in snapshot.missing if item.source.startswith("logs")]


@pytest.mark.parametrize("status", [400, 404])
def test_logs_that_are_all_gone_decide(tmp_path: Path, status: int) -> None:
    snapshot = refused(tmp_path, status, GONE)
    assert snapshot["logs"].empty
    [missing] = of_logs(snapshot)
    assert missing.deciding
    assert missing.reason.startswith("6 of 6 were gone when they were read: ")
    assert missing.reason.count("/") == MOST_NAMES
    assert missing.reason.endswith(" not found")
    assert diagnose(snapshot).verdict.outcome != "no_fault"


def test_a_pod_that_goes_between_list_and_read_is_no_gap_of_its_own(tmp_path: Path) -> None:
    snapshot = refused(tmp_path, 404, GONE, ["pair"])
    assert set(snapshot["logs"]["pod"]).isdisjoint({"pair"})
    assert of_logs(snapshot) == []


def test_logs_that_are_gone_of_several_pods_are_counted(tmp_path: Path) -> None:
    snapshot = refused(tmp_path, 404, GONE, [TALKER])
    assert not snapshot["logs"].empty
    [missing] = of_logs(snapshot)
    assert missing.reason.startswith("2 of 6 were gone when they were read: ")
    assert not missing.deciding


def test_logs_of_nodes_that_do_not_answer_are_one_gap(tmp_path: Path) -> None:
    snapshot = refused(tmp_path, 500, UNREACHABLE)
    [missing] = of_logs(snapshot)
    assert missing.deciding
    names = missing.source.removeprefix("logs of ").partition(" and ")[0].split(", ")
    assert len(set(names)) == MOST_NAMES
    assert missing.source.endswith(" more")
    assert "could not be read; of the first: Get" in missing.reason
    assert names[0].split("/")[0] in missing.reason, "the reason is the first one's"


def test_a_count_of_restarts_that_is_null_is_none(tmp_path: Path) -> None:
    def change(exchange: dict[str, Any]) -> dict[str, Any]:
        for pod in exchange["body"]["items"] if exchange["path"] == PODS else ():
            for status in pod["status"].get("containerStatuses", ()):
                status["restartCount"] = None
        return exchange

    snapshot = snapshot_of(altered(tmp_path, change))
    assert snapshot["containers"]["restart_count"].isna().any()
    assert not snapshot["logs"].empty
    assert diagnose(snapshot).verdict.outcome
