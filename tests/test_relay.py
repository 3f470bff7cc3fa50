"""Where a log line stops being its writer's and repeats what another program answered."""

from __future__ import annotations

import pytest

from srelab_lib.diagnosis.checks._relay import own_words

REFUSED = "pq: password authentication failed"


@pytest.mark.parametrize(
    "own",
    [
        "stock.Take: POST http://stock:8080/take: status 500",
        'Get "http://stock:8080/take?id=3" returned status code 503',
        '{"url":"http://stock:8080/take","status":502',
        "http://stock:8080/take answered 500",
        "call to http://stock:8080/take failed with HTTP/1.1 500",
        "rpc error: code = Internal desc = ",
    ],
)
def test_what_follows_the_status_of_an_answer_is_not_the_writers(own: str) -> None:
    assert own_words(f"{own}: {REFUSED}") == own


@pytest.mark.parametrize(
    "line",
    [
        f"POST /take failed with 500 after 12ms: {REFUSED}",
        f"GET http://stock:8080/take?id=512: {REFUSED}",
        f"GET http://stock:8080/take failed after 500 ms: {REFUSED}",
        f"GET http://stock:8080/take: read 512 bytes: {REFUSED}",
        f"rpc error: code = Unavailable desc = {REFUSED}",
        "x" * 5000 + "http://" + "a" * 5000,
    ],
)
def test_a_line_without_such_an_answer_is_its_writers(line: str) -> None:
    assert own_words(line) == line
