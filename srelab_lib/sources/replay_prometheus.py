"""A recorded Prometheus: range queries from the recorded samples, instant queries at their times, its own errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from srelab_lib.sources.incidents import Exchange, Incident
from srelab_lib.sources.promql_errors import PromqlError, check_promql
from srelab_lib.sources.replay_http import (
    Request,
    Response,
    json_response,
    page_not_found,
    replayed,
    text_response,
)

MAX_POINTS = 11_000
_PROBES = {"/-/ready": "Prometheus Server is Ready.\n", "/-/healthy": "Prometheus Server is Healthy.\n"}
_ENDPOINTS = re.compile(
    r"/api/v1/(series|labels|label/[^/]+/values|metadata|targets(/metadata)?|rules|alerts|alertmanagers|query_exemplars"
    r"|status/\w+|scrape_pools|format_query|parse_query|features|query|query_range|notifications)"
)
_POSTED = ("/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels")
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)


class _RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, kind: str, error: str, *, status: int = 400) -> None:
        super().__init__(error)
        self.response = json_response({"status": "error", "errorType": kind, "error": error}, status=status, end="")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grid:
    """The times of a range query, in milliseconds."""

    start: int
    end: int
    step: int

    @property
    def last(self) -> int:
        return self.start + (self.end - self.start) // self.step * self.step

    def holds(self, other: _Grid) -> bool:
        """Whether each of the other's times is one of these."""
        aligned = other.step % self.step == 0 and (other.start - self.start) % self.step == 0
        return aligned and self.start <= other.start and other.last <= self.last


class PrometheusReplay:
    """Answers requests to the Prometheus of an incident."""

    def __init__(self, incident: Incident) -> None:
        self._now = int(incident.window.end.timestamp() * 1000)
        self._ranges: dict[str, list[tuple[_Grid, Exchange]]] = {}
        self._others: dict[tuple[str, tuple[tuple[str, str], ...]], Exchange] = {}
        for exchange in incident.exchanges("prometheus"):
            if exchange.path == "/api/v1/query_range":
                entry = (_grid(exchange.params), exchange)
                self._ranges.setdefault(exchange.params["query"], []).append(entry)
            else:
                self._others[exchange.path, tuple(sorted(exchange.params.items()))] = exchange

    def answer(self, request: Request) -> Response:
        """What Prometheus would answer, or that it was not recorded."""
        path = request.path.rstrip("/")
        if path in _PROBES:
            return text_response(_PROBES[path])
        if not _ENDPOINTS.fullmatch(path):
            return page_not_found()
        if request.method != "GET" and not (request.method == "POST" and path in _POSTED):
            return text_response("Method Not Allowed\n", status=405)
        try:
            if path == "/api/v1/query_range":
                return self._range(request.params)
            if path == "/api/v1/query":
                return self._instant(request.params)
            return self._other(path, request.params)
        except _RefusedError as refused:
            return refused.response

    def _range(self, params: Mapping[str, str]) -> Response:
        limit = _limit(params)
        grid = _grid(params)
        if (grid.end - grid.start) // grid.step > MAX_POINTS:
            raise _RefusedError(
                "bad_data",
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)",
            )
        exchange = self._recorded(params, grid)
        if exchange.status != 200:
            return replayed(exchange, end="")
        result = [_within(series, grid) for series in exchange.body["data"]["result"]]
        data = {"resultType": "matrix", "result": [series for series in result if series.keys() != {"metric"}]}
        return _success(exchange, data, limit)

    def _instant(self, params: Mapping[str, str]) -> Response:
        limit = _limit(params)
        time = _time(params, "time") if params.get("time") else self._now
        exchange = self._recorded(params, _Grid(start=time, end=time, step=1), instant=True)
        if exchange.status != 200:
            return replayed(exchange, end="")
        result = []
        for series in exchange.body["data"]["result"]:
            for plural, singular in (("values", "value"), ("histograms", "histogram")):
                samples = [sample for sample in series.get(plural, ()) if _ms(sample[0]) == time]
                result += [{"metric": series["metric"], singular: sample} for sample in samples]
        return _success(exchange, {"resultType": "vector", "result": result}, limit)

    def _recorded(self, params: Mapping[str, str], grid: _Grid, *, instant: bool = False) -> Exchange:
        expr = params.get("query", "")
        for name in ("timeout", "lookback_delta"):
            if params.get(name):
                _duration(params, name)
        try:
            check_promql(expr)
        except PromqlError as error:
            raise _RefusedError("bad_data", f'invalid parameter "query": {error}') from error
        if expr not in self._ranges:
            raise _not_recorded(f"the query is not in this recording: {expr[:200]}")
        if params.get("stats") or params.get("lookback_delta"):
            raise _not_recorded("stats and lookback_delta")
        for recorded, exchange in self._ranges[expr]:
            wanted = _Grid(start=grid.start, end=grid.start, step=recorded.step) if instant else grid
            if recorded.holds(wanted):
                return exchange
        known = "; ".join(f"{_rfc(g.start)} to {_rfc(g.last)} each {g.step / 1000:g} s" for g, _ in self._ranges[expr])
        raise _not_recorded(f"the query was recorded at other times: {known}")

    def _other(self, path: str, params: Mapping[str, str]) -> Response:
        if path == "/api/v1/series" and "match[]" not in params:
            raise _RefusedError("bad_data", "no match[] parameter provided")
        found = self._others.get((path, tuple(sorted(params.items()))))
        if found is None:
            raise _not_recorded(f"{path} is not in this recording")
        return replayed(found, end="")


def _success(exchange: Exchange, data: dict[str, Any], limit: int) -> Response:
    body = {**exchange.body, "data": data}
    if 0 < limit < len(data["result"]):
        data["result"] = data["result"][:limit]
        body["warnings"] = [*body.get("warnings", ()), "results truncated due to limit"]
    return json_response(body, end="")


def _within(series: Mapping[str, Any], grid: _Grid) -> dict[str, Any]:
    kept: dict[str, Any] = {"metric": series["metric"]}
    for name in ("values", "histograms"):
        samples = [
            sample
            for sample in series.get(name, ())
            if grid.start <= (time := _ms(sample[0])) <= grid.last and (time - grid.start) % grid.step == 0
        ]
        if samples:
            kept[name] = samples
    return kept


def _not_recorded(what: str) -> _RefusedError:
    """No real server says this: an empty success would be a lie."""
    return _RefusedError("not_recorded", f"not recorded: {what}", status=501)


def _grid(params: Mapping[str, str]) -> _Grid:
    start, end = _time(params, "start"), _time(params, "end")
    if end < start:
        raise _RefusedError("bad_data", 'invalid parameter "end": end timestamp must not be before start time')
    step = _duration(params, "step")
    if step <= 0:
        raise _RefusedError(
            "bad_data",
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer",
        )
    return _Grid(start=start, end=end, step=step)


def _limit(params: Mapping[str, str]) -> int:
    text = params.get("limit") or "0"
    if not re.fullmatch(r"[+-]?\d+", text):
        raise _RefusedError("bad_data", f'invalid parameter "limit": strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _ms(seconds: float | str) -> int:
    return round(float(seconds) * 1000)


def _time(params: Mapping[str, str], name: str) -> int:
    """Unix seconds or RFC 3339, as milliseconds."""
    text = params.get(name, "")
    try:
        if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text):
            return _ms(text)
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text):
            return _ms(datetime.fromisoformat(text).timestamp())
    except ValueError:
        pass
    words = f"invalid time value for '{name}': " if name == "time" else ""
    raise _RefusedError("bad_data", f'invalid parameter "{name}": {words}cannot parse "{text}" to a valid timestamp')


def _duration(params: Mapping[str, str], name: str) -> int:
    """Seconds as a number, or Prometheus' `1h30m`, as milliseconds."""
    text = params.get(name, "")
    if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text):
        return _ms(text)
    match = _DURATION.fullmatch(text)
    if text and match:
        return sum(int(count) * unit for count, unit in zip(match.groups("0"), _UNITS_MS, strict=True))
    raise _RefusedError("bad_data", f'invalid parameter "{name}": cannot parse "{text}" to a valid duration')


def _rfc(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
