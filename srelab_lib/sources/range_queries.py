"""Asks Prometheus for every signal of the catalogue over the window, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import SourceError
from srelab_lib.model import Missing, TimeWindow
from srelab_lib.signals.promql import CATALOGUE, DEFAULT_RATE_SECONDS, Query, promql

Raw = dict[str, Any]

WORKERS = 8
QUERY_SECONDS = 15.0
ALL_SECONDS = 45.0
MAX_RATE_SECONDS = 300
SCRAPES_IN_A_RATE = 4
# Every scrape of the last minutes with its own time: counting them would mislead where Prometheus is young.
_SCRAPES = "up[5m]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """By signal, the `data` of its range query; the queries that failed; and what the server said of its answers."""

    payloads: dict[str, Raw] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()
    warnings: tuple[Missing, ...] = ()

    @property
    def series(self) -> int:
        """How many series there are in all."""
        return sum(len(data.get("result") or ()) for data in self.payloads.values())


def rate_seconds(prometheus: PrometheusClient, window: TimeWindow) -> int:
    """The span of `rate()`: four scrapes of most targets, but not less than a minute.

    A rate over a single scrape is empty, and over many it hides when something began.
    """
    try:
        targets = prometheus.query(_SCRAPES, window.end, deadline=Deadline(QUERY_SECONDS))["result"]
        times = [[float(sample[0]) for sample in target["values"]] for target in targets]
    except (SourceError, LookupError):
        return DEFAULT_RATE_SECONDS
    # By target the usual gap: where Prometheus is starved it misses scrapes, and a mean would grow with them.
    intervals = [median(later - earlier for earlier, later in pairwise(series)) for series in times if len(series) > 1]
    if not intervals:
        return DEFAULT_RATE_SECONDS
    seconds = round(median(intervals)) * SCRAPES_IN_A_RATE
    return min(MAX_RATE_SECONDS, max(DEFAULT_RATE_SECONDS, seconds))


def read_metrics(
    prometheus: PrometheusClient,
    namespace: str,
    window: TimeWindow,
    *,
    rate_seconds: int,
    progress: Callable[[str], None],
) -> Metrics:
    """Range queries over the window at its step; a query that fails is named, and stops nothing."""
    deadline = Deadline(ALL_SECONDS)

    def ask(query: Query) -> Raw | SourceError:
        expr = promql(query, namespace=namespace, rate_seconds=rate_seconds)
        try:
            return prometheus.query_range(expr, window, window.step_seconds, deadline=deadline.at_most(QUERY_SECONDS))
        except SourceError as error:
            return error

    with ThreadPoolExecutor(WORKERS) as pool:
        answers = dict(zip(CATALOGUE, pool.map(ask, CATALOGUE), strict=True))
    payloads = {query.signal: data for query, data in answers.items() if isinstance(data, dict)}
    failed = [(query, error) for query, error in answers.items() if isinstance(error, SourceError)]
    metrics = Metrics(payloads=payloads, missing=tuple(_failures(failed)), warnings=tuple(_warned(payloads)))
    progress(f"metrics: {metrics.series} series of {len(payloads)} signals")
    return metrics


def _warned(payloads: Mapping[str, Raw]) -> list[Missing]:
    """One for each text with which the server qualifies answers that it gave."""
    titles: dict[str, list[str]] = {}
    for query in CATALOGUE:
        for text in payloads.get(query.signal, {}).get("warnings", ()):
            titles.setdefault(text, []).append(query.title)
    return [warned("Prometheus", text, ", ".join(names)) for text, names in titles.items()]


def warned(source: str, text: str, matters: str) -> Missing:
    """What a server said of an answer that it gave all the same."""
    return Missing(source=source, reason=f"it answers and warns: {text[:300]}", matters=matters)


def _failures(failed: list[tuple[Query, SourceError]]) -> list[Missing]:
    """One for each reason: a Prometheus that is down fails every query alike."""
    titles: dict[str, list[str]] = {}
    for query, error in failed:
        titles.setdefault(error.message, []).append(query.title)
    return [Missing(source="Prometheus", reason=reason, matters=", ".join(names)) for reason, names in titles.items()]
