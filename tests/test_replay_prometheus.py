"""The replayed Prometheus: ranges, instants, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recorded import FOLDER, NODES, PROXY, body, get

from srelab_lib.signals.promql import QUERIES, promql
from srelab_lib.sources.promql_errors import PromqlError, check_promql
from srelab_lib.sources.replay import Replay, load_incident
from srelab_lib.sources.replay_http import Request


@pytest.fixture(scope="module")
def replay() -> Replay:
    return Replay(load_incident(FOLDER))


def matrix(replay: Replay, **params: str) -> Any:
    answer = body(replay, "/prometheus/api/v1/query_range", **{"query": NODES, "step": "10", **params})
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


@pytest.fixture(scope="module")
def times() -> tuple[int, int]:
    wide = load_incident(FOLDER).window.widened()
    return int(wide.start.timestamp()), int(wide.end.timestamp())


def test_the_recorded_range_by_both_ways(replay: Replay, times: tuple[int, int]) -> None:
    params = {"query": NODES, "start": str(times[0]), "end": str(times[1]), "step": "10"}
    direct = get(replay, "/prometheus/api/v1/query_range", **params)
    proxied = get(replay, f"{PROXY}/api/v1/query_range", **params)
    assert direct == proxied
    posted = replay.answer(Request(method="POST", path="/prometheus/api/v1/query_range", params=params))
    assert posted == direct
    assert len(json.loads(direct.body)["data"]["result"]) == 3


def test_a_part_of_the_range_and_a_multiple_of_the_step(replay: Replay, times: tuple[int, int]) -> None:
    start, end = times
    whole = matrix(replay, start=str(start), end=str(end))
    part = matrix(replay, start=str(start + 30), end=f"{end - 20}.5", step="20s")
    for series, full in zip(part, whole, strict=True):
        wanted = [sample for sample in full["values"] if sample[0] in range(start + 30, end - 19, 20)]
        assert series == {"metric": full["metric"], "values": wanted}
        assert wanted


def test_an_instant_is_a_column_of_the_range(replay: Replay, times: tuple[int, int]) -> None:
    at = times[1] - 20
    answer = body(replay, "/prometheus/api/v1/query", query=NODES, time=str(at))
    whole = matrix(replay, start=str(times[0]), end=str(times[1]))
    expected = [{"metric": s["metric"], "value": v} for s in whole for v in s["values"] if v[0] == at]
    assert answer == {"status": "success", "data": {"resultType": "vector", "result": expected}}
    assert len(expected) == 3
    now = body(replay, "/prometheus/api/v1/query", query=NODES)
    assert {item["value"][0] for item in now["data"]["result"]} == {times[1]}


@pytest.mark.parametrize(
    "params",
    [
        {"query": "up"},
        {"query": NODES, "shift": "3"},
        {"query": NODES, "step": "7"},
        {"query": NODES, "earlier": "100000"},
        {"query": NODES, "stats": "all"},
    ],
)
def test_metrics_that_were_not_recorded_are_an_error(
    replay: Replay, times: tuple[int, int], params: dict[str, str]
) -> None:
    start, end = (time + int(params.get("shift", "0")) for time in times)
    asked = {"start": str(start - int(params.get("earlier", "0"))), "end": str(end), "step": "10", **params}
    answer = get(replay, "/prometheus/api/v1/query_range", **asked)
    assert answer.status == 501
    assert json.loads(answer.body)["errorType"] == "not_recorded"
    instant = get(replay, "/prometheus/api/v1/query", query="up", time=str(end))
    assert instant.status == 501


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"start": ""}, 'invalid parameter "start": cannot parse "" to a valid timestamp'),
        ({"end": "noon"}, 'invalid parameter "end": cannot parse "noon" to a valid timestamp'),
        ({"start": "2000", "end": "1000"}, 'invalid parameter "end": end timestamp must not be before start time'),
        ({"step": ""}, 'invalid parameter "step": cannot parse "" to a valid duration'),
        ({"step": "0"}, ('invalid parameter "step": zero or negative query resolution step widths are not accepted. '
          "Try a positive integer")),
        ({"start": "0", "step": "1"}, ("exceeded maximum resolution of 11,000 points per timeseries. "
          "Try decreasing the query resolution (?step=XX)")),
        ({"limit": "x"}, 'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax'),
        ({"query": "sum(up"}, 'invalid parameter "query": 1:7: parse error: unclosed left parenthesis'),
        ({"query": ""}, 'invalid parameter "query": unknown position: parse error: no expression found in input'),
    ],
)  # fmt: skip
def test_a_bad_range_query(replay: Replay, times: tuple[int, int], params: dict[str, str], error: str) -> None:
    asked = {"query": NODES, "start": str(times[0]), "end": str(times[1]), "step": "10", **params}
    answer = get(replay, "/prometheus/api/v1/query_range", **asked)
    assert (answer.status, answer.content_type) == (400, "application/json")
    assert json.loads(answer.body) == {"status": "error", "errorType": "bad_data", "error": error}


# Query and error, as Prometheus 3.13 answered.
@pytest.mark.parametrize(
    ("expr", "error"),
    [
        ("up{", "1:4: parse error: unexpected end of input inside braces"),
        ("up{a='b'", "1:9: parse error: unexpected end of input inside braces"),
        ("sum(up))", "1:9: parse error: unexpected right parenthesis ')'"),
        (")", "1:2: parse error: unexpected right parenthesis ')'"),
        ("up[5m", "1:6: parse error: unclosed left bracket"),
        ("up]", "1:3: parse error: unexpected right bracket ']'"),
        ("up}", "1:3: parse error: unexpected character: '}'"),
        ("$namespace", "1:1: parse error: unexpected character: '$'"),
        ("rate(up[$rate])", "1:9: parse error: unexpected character in duration expression: '$'"),
        ("up && up", "1:4: parse error: unexpected character: '&'"),
        ('"abc', "1:1: parse error: unterminated quoted string"),
        ("1+", "1:3: parse error: unexpected end of input"),
        (" # nothing", "unknown position: parse error: no expression found in input"),
    ],
)
def test_queries_that_the_lexer_refuses(expr: str, error: str) -> None:
    with pytest.raises(PromqlError) as caught:
        check_promql(expr)
    assert str(caught.value) == error


def test_the_catalogue_passes_the_lexer() -> None:
    for query in QUERIES.values():
        check_promql(promql(query, namespace="default"))


def test_prometheus_paths(replay: Replay) -> None:
    assert get(replay, "/prometheus/-/ready").body == b"Prometheus Server is Ready.\n"
    assert body(replay, "/prometheus/api/v1/status/buildinfo")["data"]["version"] == "3.13.3"
    assert body(replay, f"{PROXY}/api/v1/alerts")["status"] == "success"
    assert get(replay, "/prometheus/api/v1/nothing").body == b"404 page not found\n"
    assert get(replay, "/prometheus/api/v1/targets").status == 501
    assert get(replay, "/prometheus/api/v1/label/job/values").status == 501
    assert get(replay, "/prometheus/api/v1/alerts", "POST").status == 405
