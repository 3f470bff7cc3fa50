"""The shape of what Prometheus answers, looked at before anybody relies on it.

As documented in prometheus.io/docs/prometheus/latest/querying/api. Compatible servers and proxies differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LAST_SECOND = 9.2e9
"""In the year 2261: nanoseconds in 64 bits end soon after it."""

_PLACE = re.compile(r" \(\d+:\d+\)$")


class ShapeError(Exception):
    """An answer that is not as documented; the message says what is not."""


def check_matrix(data: Mapping[str, Any]) -> None:
    """A range query's answer: series with `metric` and `values`.

    Raises:
        ShapeError: another type, or a series that cannot be read.
    """
    if data.get("resultType") != "matrix":
        raise ShapeError(f"resultType is {data.get('resultType')!r} where a matrix was asked for")
    check_result(data)


def check_result(data: Mapping[str, Any]) -> None:
    """A query's answer, whatever its type: a scalar or string is one sample.

    Raises:
        ShapeError: no list, or a series that cannot be read.
    """
    result, kind = data.get("result"), data.get("resultType")
    if not isinstance(result, list):
        raise ShapeError("result is no list")
    for series in result if kind in {"matrix", "vector"} else ():
        if not isinstance(series, dict) or not _are_labels(series.get("metric")):
            raise ShapeError("a series has no labels")
        values = series.get("values") if kind == "matrix" else [series.get("value")]
        if not isinstance(values, list):
            raise ShapeError("a series has no values")
        if not all(map(_is_sample, values)):
            raise ShapeError("a sample is no time with a number")


def check_alerts(data: Mapping[str, Any]) -> None:
    """Alerts with labels, state and the time since when. A server may write an empty list as null.

    Raises:
        ShapeError: no list, or an alert that cannot be read.
    """
    alerts = data.get("alerts", "")
    if not isinstance(alerts, list | None):
        raise ShapeError("alerts is no list")
    for alert in alerts or ():
        if not isinstance(alert, dict) or not _are_labels(alert.get("labels")) or not alert["labels"]:
            raise ShapeError("an alert has no labels")
        if not _are_labels(alert.get("annotations") or {}):
            raise ShapeError("an alert's annotations are no texts")
        if not isinstance(alert.get("state"), str) or not isinstance(alert.get("activeAt"), str | None):
            raise ShapeError("an alert has no state or time")


def said(answer: Mapping[str, Any]) -> list[str]:
    """What a server says of its own answer: that it is partial, or that a query is doubtful.

    Each text once, without the place in the query.
    """
    texts = [_PLACE.sub("", text) for field in ("warnings", "infos") for text in _listed(answer.get(field))]
    return list(dict.fromkeys(texts))


def _listed(value: Any) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else [str(value)] if value else []


def _are_labels(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_sample(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    try:
        float(value[1])
        return 0 <= float(value[0]) < LAST_SECOND
    except (TypeError, ValueError):
        return False
