"""The level of a log line, as real programs write it, and of a structured record; the absence of an error is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from srelab_lib.signals.log_levels import level_of, parse_json, says_trouble


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("E0102 12:00:00.000000       1 x.go:1] failed", "error"),
        ("W0102 12:00:00.000000       1 x.go:1] slow", "warning"),
        ("I0102 12:00:00.000000       1 x.go:1] error count 0", "info"),
        ('ts=1 level=warn msg="x"', "warning"),
        ('time="2026-01-01" level=fatal msg="x"', "critical"),
        ("ERROR:root:cannot start", "error"),
        ("2026-01-01 00:00:00,000 - app - ERROR - boom", "error"),
        ("2026-01-01 00:00:00.000  WARN 1 --- [main] c.e.Demo : slow", "warning"),
        ("2026-01-01 00:00:00 ERROR [main] com.example.App - boom", "error"),
        ("[2026-01-01 00:00:00 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:9)", "critical"),
        ("[2026-01-01 00:00:00 +0000] [1] [INFO] Booting worker", "info"),
        ("2026/01/01 00:00:00 [error] 12#12: *1 connect() failed (111: Connection refused)", "error"),
        ("2026/01/01 00:00:00 [notice] 1#1: start worker process 30", "info"),
        ("[warn] something", "warning"),
        ("2026-01-01 00:00:00.000 UTC [1] FATAL:  password authentication failed for user", "critical"),
        ("2026-01-01 00:00:00.000 UTC [1] ERROR:  deadlock detected", "error"),
        ("2026-01-01T00:00:00.000Z 8 [ERROR] [MY-010119] [Server] Aborting", "error"),
        ("1:M 01 Jan 2026 00:00:00.000 # Out of memory", "warning"),
        ("1:M 01 Jan 2026 00:00:00.000 * Ready to accept connections", "info"),
        ('10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /error HTTP/1.1" 200 12 "-" "curl"', "info"),
        ('10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 503 12 "-" "curl"', "error"),
        ("Error: listen EADDRINUSE: address already in use :::3000", "error"),
        ("error: no such table", "error"),
        ("npm ERR! missing script: start", "error"),
        ("dial tcp 10.0.0.1:5432: connect: connection refused", "error"),
        ("exec /app: no such file or directory", "error"),
        ("Killed", "error"),
        ("java.lang.OutOfMemoryError: Java heap space", "error"),
        ("thread 'main' panicked at src/main.rs:4:5", "error"),
        ("INFO request failed, will retry", "info"),
        ("listening on :8080", None),
        ("", None),
    ],
)
def test_levels(line: str, level: str | None) -> None:
    assert level_of(line) == level


@pytest.mark.parametrize(
    "line",
    [
        "0 errors", "Completed with 0 errors, 0 failures", "no errors found", "error: none", "error=null",
        "errors=0 ok", "errors: 0", "err=<nil>", 'error=""', "failed=0 passed=12", "without error", "error_count=0",
        "Error count: 0", "failures: 0", "any errors? no", "zero failures", "errors_total=0", '"error": false',
    ],
)  # fmt: skip
def test_the_absence_of_an_error_is_none(line: str) -> None:
    assert level_of(line) is None
    assert not says_trouble(line)


@pytest.mark.parametrize("line", ["10 errors", "errors=3", "error: 0x80070005", "1 error, 0 warnings", "errors=0.5"])
def test_a_number_of_errors_is_one(line: str) -> None:
    assert level_of(line) == "error"


@pytest.mark.parametrize(
    ("fields", "level", "message"),
    [
        ({"level": "info", "msg": "request", "status": 500, "path": "/a"}, "info", "request status=500 path=/a"),
        ({"severity": "ERROR", "message": "boom"}, "error", "boom"),
        ({"lvl": "warn", "event": "slow"}, "warning", "slow"),
        ({"level": 50, "msg": "boom", "pid": 1, "hostname": "h", "v": 1}, "error", "boom"),
        ({"level": 30, "time": 1, "msg": "fine"}, "info", "fine"),
        ({"log.level": "error", "message": "x"}, "error", "x"),
        ({"log": {"level": "fatal"}, "message": "x"}, "critical", None),
        ({"levelname": "CRITICAL", "message": "x"}, "critical", "x"),
        (
            {"message": "x", "exc_info": "Traceback (most recent call last):\n  File\nKeyError: 'A'"},
            "error",
            "x: KeyError: 'A'",
        ),
        ({"level": "error", "msg": "call", "error": {"message": "refused", "code": 7}}, "error", "call: refused"),
        ({"level": "info", "msg": "done", "error": None, "errors": 0}, "info", "done errors=0"),
        ({"message": "cannot connect"}, "error", "cannot connect"),
        ({"a": "b"}, None, "a=b"),
    ],
)
def test_structured_records(fields: dict[str, Any], level: str | None, message: str | None) -> None:
    found = parse_json(json.dumps(fields))
    assert found is not None
    assert found[0] == level
    assert message is None or found[1] == message
