"""Replayed logs: containers, tails, bounds, times, and the errors of API server and kubelet."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from recorded import FOLDER, PODS, altered, body, get, talker

from srelab_lib.sources.replay import Replay, load_incident


@pytest.fixture(scope="module")
def replay() -> Replay:
    return Replay(load_incident(FOLDER))


def log(replay: Replay, pod: str, **params: str) -> str:
    answer = get(replay, f"{PODS}/{pod}/log", **params)
    assert (answer.status, answer.content_type) == (200, "text/plain"), answer.body
    return answer.body.decode()


def test_a_log_with_and_without_timestamps(replay: Replay) -> None:
    plain, stamped = log(replay, talker(replay)), log(replay, talker(replay), timestamps="true")
    assert plain.splitlines()[0] == "line 1: <b>&amp;</b> é, 0 errors"
    assert [line.partition(" ")[2] for line in stamped.splitlines()] == plain.splitlines()
    assert len(stamped.split(" ")[0]) == len("2026-01-31T12:00:00.123456789Z")


def test_the_tail_and_the_bound_on_bytes(replay: Replay) -> None:
    name = talker(replay)
    assert log(replay, name, tailLines="2").startswith("line 11:")
    assert log(replay, name, tailLines="0") == ""
    assert log(replay, name, limitBytes="10") == "line 1: <b"
    assert log(replay, name, tailLines="2", limitBytes="8") == "line 11:"


def test_since_cuts_what_is_older(replay: Replay) -> None:
    name = talker(replay)
    lines = log(replay, name, timestamps="true").splitlines(keepends=True)
    stamp = lines[6].split(" ")[0]
    assert log(replay, name, timestamps="true", sinceTime=stamp) == "".join(lines[6:])
    assert log(replay, name, sinceTime="2100-01-01T00:00:00Z") == ""
    assert log(replay, name, sinceSeconds="86400") == log(replay, name)


def test_since_seconds_count_from_the_end_of_the_incident(replay: Replay) -> None:
    name, end = talker(replay), load_incident(FOLDER).window.end
    lines = log(replay, name, timestamps="true").splitlines(keepends=True)
    for seconds in (1, 3, 5, 8):
        kept = log(replay, name, timestamps="true", sinceSeconds=str(seconds)).splitlines(keepends=True)
        first = f"{end.timestamp() - seconds:.0f}"
        assert kept == [x for x in lines if datetime.fromisoformat(x.split(" ")[0]).timestamp() >= float(first)]


def test_the_previous_container(replay: Replay) -> None:
    assert log(replay, "restarted", previous="true").splitlines()[-1] == "MODE is not set"
    assert log(replay, "restarted") == "second start\n"
    assert "planted" not in log(replay, "restarted", previous="true")


@pytest.mark.parametrize(
    ("pod", "params", "code", "message"),
    [
        ("pair", {}, 400, "a container name must be specified for pod pair, choose one of: [setup first second]"),
        ("pair", {"container": "nobody"}, 400, "container nobody is not valid for pod pair"),
        ("pair", {"container": "first", "previous": "true"}, 400,
         'previous terminated container "first" in pod "pair" not found'),
        ("noimage", {}, 400, 'container "noimage" in pod "noimage" is waiting to start: ErrImageNeverPull'),
        ("nobody", {}, 404, 'pods "nobody" not found'),
        ("pair", {"tailLines": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("pair", {"tailLines": "-1"}, 422,
         'PodLogOptions "pair" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'),
        ("pair", {"limitBytes": "0"}, 422,
         'PodLogOptions "pair" is invalid: limitBytes: Invalid value: 0: must be greater than 0'),
        ("pair", {"sinceSeconds": "0"}, 422,
         'PodLogOptions "pair" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'),
        ("pair", {"sinceTime": "2026-13-01T00:00:00Z"}, 400, 'parsing time "2026-13-01T00:00:00Z": month out of range'),
        ("pair", {"sinceTime": "2026-01-01T00:00:00"}, 400,
         'parsing time "2026-01-01T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"'),
    ],
)  # fmt: skip
def test_logs_that_cannot_be_read(replay: Replay, pod: str, params: dict[str, str], code: int, message: str) -> None:
    status = body(replay, f"{PODS}/{pod}/log", **params)
    assert (status["code"], status["message"]) == (code, message)


def test_a_pod_without_a_node_has_no_log(replay: Replay) -> None:
    answer = get(replay, f"{PODS}/unplaced/log")
    assert (answer.status, answer.content_type, answer.body) == (204, "", b"")


def test_a_log_that_is_not_in_the_recording_is_no_empty_log(tmp_path: Path) -> None:
    replay = Replay(load_incident(altered(tmp_path, lambda exchange: None, part="logs")))
    assert get(replay, f"{PODS}/restarted/log").status == 501
    assert get(replay, f"{PODS}/restarted/log", previous="true").status == 501
