"""The catalogue: which PromQL is asked for which signal, in which unit, and which direction is bad.

Nothing here knows an application. Metrics of requests are found by the naming conventions of client libraries and
standards (`conventions`), resources by cAdvisor's names, nodes by node-exporter's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from srelab_lib.signals.conventions import (
    ASKED,
    ASKED_COUNTERS,
    COUNTERS,
    ERRORS,
    HISTOGRAMS,
    IN_FLIGHT,
    PEER,
    USERS,
    WAITING,
    error_ratio,
    in_namespace,
    largest,
    named,
    p95,
    pool_used_ratio,
    rates,
)

Bad = Literal["up", "down", "both"]
Combine = Literal["sum", "max", "min"]

MIB = 1024.0**2
DEFAULT_RATE_SECONDS = 60
"""Four scrapes at the usual 15 s; fewer make a rate a coin toss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One signal and how it is asked for.

    Attributes:
        signal: the signal's name, which ends in its unit where it has one.
        title: the words for a person.
        unit: the unit of the values.
        expr: PromQL with the placeholders `$namespace`, `$rate` and `$step`.
        group: `users`, `dependency`, `resources`, `node` or `scrape`.
        bad: which direction hurts.
        combine: how the series of an object's pods become one.
        floor: the smallest difference, in `unit`, that a person would call a difference.
        absent_is_zero: no series means none: no target, no request, no error yet.
        alarm: a level that is bad whatever was before; None where only a change tells.
    """

    signal: str
    title: str
    unit: str
    expr: str
    group: Literal["users", "dependency", "resources", "node", "scrape"]
    bad: Bad
    combine: Combine
    floor: float
    absent_is_zero: bool = False
    alarm: float | None = None


def promql(query: Query, *, namespace: str, rate_seconds: int = DEFAULT_RATE_SECONDS) -> str:
    """The query as it is sent; see `filled`."""
    return filled(query.expr, namespace=namespace, rate_seconds=rate_seconds)


def filled(expr: str, *, namespace: str, rate_seconds: int) -> str:
    """PromQL with `$namespace`, `$rate` and `$step` replaced.

    `rate_seconds` is four scrape intervals or more. A subquery's step is a quarter of it: at the scrape interval every
    step holds one new sample, at a finer one the rate swings with the phase between the two.
    """
    text = expr.replace("$namespace", namespace)
    return text.replace("$rate", f"{rate_seconds}s").replace("$step", f"{rate_seconds // 4}s")


_REQUESTS = (
    Query(
        signal="request_rate", title="requests from users", unit="requests/s", group="users", bad="both",
        combine="sum", floor=0.1, absent_is_zero=True,
        expr=largest("", rates("", COUNTERS, *USERS)),
    ),
    Query(
        signal="error_ratio", title="share of requests that fail", unit="ratio", group="users", bad="up",
        combine="max", floor=0.01, alarm=0.25,
        expr=error_ratio("", COUNTERS, *USERS),
    ),
    Query(
        signal="latency_p95_seconds", title="95th percentile of response time", unit="seconds", group="users",
        bad="up", combine="max", floor=0.05,
        expr=p95("", HISTOGRAMS, *USERS),
    ),
    Query(
        signal="in_flight_requests", title="requests in progress", unit="requests", group="users", bad="up",
        combine="sum", floor=1.0,
        expr=largest("", f"sum by (pod,metric) ({named(IN_FLIGHT, USERS[0])})"),
    ),
    Query(
        signal="errors_per_second", title="errors that the program counts", unit="errors/s", group="users", bad="up",
        combine="sum", floor=0.05, absent_is_zero=True,
        expr=in_namespace(rates("", ERRORS)),
    ),
    Query(
        signal="dependency_latency_p95_seconds", title="95th percentile of a dependency's response time",
        unit="seconds", group="dependency", bad="up", combine="max", floor=0.05,
        expr=p95(PEER, ASKED),
    ),
    Query(
        signal="dependency_error_ratio", title="share of calls to a dependency that fail", unit="ratio",
        group="dependency", bad="up", combine="max", floor=0.01, alarm=0.25,
        expr=error_ratio(PEER, ASKED_COUNTERS),
    ),
    Query(
        signal="pool_used_ratio", title="share of a pool of connections or workers in use", unit="ratio",
        group="dependency", bad="up", combine="max", floor=0.1, alarm=0.95,
        expr=pool_used_ratio(),
    ),
    Query(
        signal="waiting_requests", title="requests that wait for a connection, a thread or a turn", unit="requests",
        group="dependency", bad="up", combine="sum", floor=1.0,
        expr=in_namespace(f"sum by (pod,metric) ({named(WAITING)})"),
    ),
)  # fmt: skip

_CONTAINER = 'namespace="$namespace",container!="",container!="POD"'
_BY_CONTAINER = "(namespace,pod,container)"
_REAL_DISK = 'fstype!~"tmpfs|ramfs|squashfs|overlay|devtmpfs|nsfs|fuse.*"'


def _now(metric: str) -> str:
    """The gauge per container, from the last `$rate` only.

    cAdvisor's samples carry their own timestamps, so a dead container's series never goes stale: without the bound it
    lives on beside its successor for five minutes.
    """
    return f"max by {_BY_CONTAINER} (last_over_time({metric}{{{_CONTAINER}}}[$rate]))"


def _rate(metric: str) -> str:
    return f"sum by {_BY_CONTAINER} (rate({metric}{{{_CONTAINER}}}[$rate]))"


def _network(metric: str) -> str:
    return f'sum by (namespace,pod) (rate({metric}{{namespace="$namespace",pod!="",interface!="lo"}}[$rate]))'


def _volume(metric: str) -> str:
    return f'max by (namespace,persistentvolumeclaim) ({metric}{{namespace="$namespace"}})'


def _node(expr: str) -> str:
    """With the node's name, where node-exporter's uname or the scrape configuration has it."""
    name = "max by (instance,nodename) (node_uname_info)"
    return f"({expr}) * on (instance) group_left (nodename) ({name}) or on (instance) ({expr})"


_RESOURCES = (
    Query(
        signal="cpu_usage_cores", title="CPU used", unit="cores", group="resources", bad="both", combine="max",
        floor=0.02, expr=_rate("container_cpu_usage_seconds_total"),
    ),
    Query(
        signal="cpu_throttled_ratio", title="share of CPU periods that were throttled", unit="ratio", group="resources",
        bad="up", combine="max", floor=0.05, alarm=0.5,
        expr=f"{_rate('container_cpu_cfs_throttled_periods_total')} / "
             f"({_rate('container_cpu_cfs_periods_total')} > 0)",
    ),
    Query(
        signal="memory_working_set_bytes", title="memory in use", unit="bytes", group="resources", bad="up",
        combine="max", floor=4 * MIB, expr=_now("container_memory_working_set_bytes"),
    ),
    Query(
        signal="memory_limit_bytes", title="memory limit", unit="bytes", group="resources", bad="down", combine="min",
        floor=MIB, expr=f"{_now('container_spec_memory_limit_bytes')} > 0",
    ),
    Query(
        signal="oom_events_per_second", title="processes killed for memory", unit="events/s", group="resources",
        bad="up", combine="sum", floor=0.001, absent_is_zero=True, expr=_rate("container_oom_events_total"),
    ),
    Query(
        signal="network_receive_bytes_per_second", title="network traffic in", unit="bytes/s", group="resources",
        bad="both", combine="sum", floor=2048, expr=_network("container_network_receive_bytes_total"),
    ),
    Query(
        signal="network_transmit_bytes_per_second", title="network traffic out", unit="bytes/s", group="resources",
        bad="both", combine="sum", floor=2048, expr=_network("container_network_transmit_bytes_total"),
    ),
    Query(
        signal="volume_used_ratio", title="share of a volume that is used", unit="ratio", group="resources",
        bad="up", combine="max", floor=0.02, alarm=0.95,
        expr=f"{_volume('kubelet_volume_stats_used_bytes')} / {_volume('kubelet_volume_stats_capacity_bytes')}",
    ),
)  # fmt: skip
_NODES = (
    Query(
        signal="node_cpu_ratio", title="share of a node's CPU in use", unit="ratio", group="node", bad="up",
        combine="max", floor=0.1,
        expr=_node('1 - avg by (instance,node) (rate(node_cpu_seconds_total{mode="idle"}[$rate]))'),
    ),
    Query(
        signal="node_memory_available_ratio", title="share of a node's memory that is available", unit="ratio",
        group="node", bad="down", combine="min", floor=0.05, alarm=0.05,
        expr=_node("max by (instance,node) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"),
    ),
    Query(
        signal="node_load1", title="a node's load, 1 minute", unit="processes", group="node", bad="up", combine="max",
        floor=1.0, expr=_node("max by (instance,node) (node_load1)"),
    ),
    Query(
        signal="node_filesystem_used_ratio", title="share of a node's filesystem that is used", unit="ratio",
        group="node", bad="up", combine="max", floor=0.02, alarm=0.95,
        expr=_node(f"max by (instance,node,device) (1 - node_filesystem_avail_bytes{{{_REAL_DISK}}}"
                   f" / node_filesystem_size_bytes{{{_REAL_DISK}}})"),
    ),
)  # fmt: skip
_SCRAPE = (
    Query(
        signal="target_up", title="the scrape of a target succeeds", unit="0 or 1", group="scrape", bad="down",
        combine="min", floor=0.5, alarm=0.5, absent_is_zero=True,
        expr='min by (namespace,pod,job) (up{namespace="$namespace"})',
    ),
)  # fmt: skip

CATALOGUE: tuple[Query, ...] = (*_REQUESTS, *_RESOURCES, *_NODES, *_SCRAPE)
"""Every query, in the order in which a person would look at the signals."""

QUERIES: dict[str, Query] = {query.signal: query for query in CATALOGUE}
"""The catalogue by signal."""
