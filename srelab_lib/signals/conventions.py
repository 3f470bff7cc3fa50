"""How programs name the metrics of their requests, and PromQL that asks for all the conventions at once.

Known are the names of Prometheus clients, OpenTelemetry, Micrometer, flask, django, FastAPI, gRPC and Istio.

A metric of requests is selected by a pattern on its name. `rate()` drops the name, and two metrics with equal labels
are then an error ("vector cannot contain metrics with the same labelset"), so a subquery first copies the name into
the label `metric`. Where a pod follows several conventions at once, the largest value counts.
"""

from __future__ import annotations

PEER = "metric,dependency,target,peer_service,server_address,upstream,destination"
"""Labels that say whom a pod asked, or at least by which metric. An absent one is dropped by the aggregation."""

# Counters of answered requests.
COUNTERS = "|".join((
    "([a-z0-9_]+_)?http_(server_)?requests?(_count)?_total",  # Prometheus clients, FastAPI, flask
    "http_server_requests_seconds_count",  # Micrometer
    "http_server_(request_)?duration_(milli)?seconds_count",  # OpenTelemetry
    "([a-z0-9_]+_)?requests?_(duration|latency)_(milli)?seconds_count",
    "([a-z0-9_]+_)?(http_)?responses?(_total|_total_by_status_total)",  # django
    "grpc_server_handled_total",
    "istio_requests_total",
    "(app|api|web|service|[a-z0-9]+_server)_requests?_total",
    "requests?(_count)?_total",
))  # fmt: skip
HISTOGRAMS = "|".join((
    "http_server_requests_seconds",
    "http_server_(request_)?duration_(milli)?seconds",
    "([a-z0-9_]+_)?requests?_(duration|latency)_(milli)?seconds",
    "django_http_requests_latency_(including_middlewares_seconds|seconds_by_view_method)",
    "grpc_server_handling_seconds",
))  # fmt: skip
IN_FLIGHT = "|".join((
    "([a-z0-9_]+_)?(active_requests|requests?_(in_?progress|in_?flight|active)|in_?(progress|flight)_requests?)",
    "tomcat_threads_busy_threads",
    "nginx_connections_active",
))  # fmt: skip
ERRORS = ".+_(errors?|exceptions?|failures?|failed)(_count)?_total"
WAITING = (
    ".+_(pending|waiting|waiters|queued|backlog|queue_(length|size|depth))(_(requests|connections|threads|tasks))?"
)
# What is taken of a pool, and how much of it there is: two metrics with one beginning.
_TAKEN = "(in_use|active|busy|used|checked_?out|acquired)(_(connections|count))?"
_SIZE = "(max|size|limit|capacity)(_(connections|size))?"
_POOL = "(.*(pool|connections?|threads?|workers?|slots?).*)"
# What a pod asks of others.
_OUTBOUND = ".*(client|dependency|dependencies|upstream|outbound|downstream|external|database|db|sql|redis|cache)_"
# Programs of the platform that follow the same conventions: their requests are not the users'.
_PLATFORM = "(promhttp|prometheus|net_conntrack|kubelet|apiserver|rest_client|container|node|kube|scrape|go_sql)_.*"
# Probes and scrapes are not users: they go on while users get nothing, and they thin out a ratio of errors.
_PROBE_PATH = "/(-/)?(healthz?|livez?|liveness|readyz?|readiness|ping|metrics|actuator)(/.*)?"
_NOT_PROBES = ",".join(
    f'{label}!~"{_PROBE_PATH}"' for label in ("path", "handler", "uri", "http_route", "route", "url")
)
# An error, in every label that a convention keeps it in. A label that is absent passes a negative matcher.
_STATUS_LABELS = ("status", "code", "status_code", "http_status", "http_status_code", "http_response_status_code",
                  "response_code", "outcome", "result")  # fmt: skip
_ERROR_STATUS = "5..|(?i:(.+_)?error|fail.*|timeout|exception)"
_ERROR_GRPC = "Unknown|DeadlineExceeded|ResourceExhausted|Aborted|Internal|Unavailable|DataLoss|Unimplemented"
_GOOD = ",".join(
    (*(f'{label}!~"{_ERROR_STATUS}"' for label in _STATUS_LABELS), f'grpc_code!~"{_ERROR_GRPC}"', 'error_type=""')
)


def named(pattern: str, *matchers: str) -> str:
    """Series of the namespace by a pattern on their name, which is kept in the label `metric`.

    Older scrape configurations write `kubernetes_namespace` and `kubernetes_pod_name`.
    """
    rest = "".join(f",{matcher}" for matcher in (f'__name__!~"{_PLATFORM}"', *matchers))
    usual = f'{{__name__=~"{pattern}",namespace="$namespace"{rest}}}'
    older = f'{{__name__=~"{pattern}",namespace="",kubernetes_namespace="$namespace"{rest}}}'
    older = f'label_replace({older},"pod","$1","kubernetes_pod_name","(.+)")'
    return f'label_replace({usual} or {older},"metric","$1","__name__","(.+?)(_bucket|_count)?")'


def _labels(*names: str) -> str:
    """The pod and the names, each once."""
    return ",".join(dict.fromkeys(name for name in ",".join(("pod", *names)).split(",") if name))


def rates(by: str, pattern: str, *matchers: str) -> str:
    """Per-second rates, summed by pod, metric and the labels `by`."""
    return f"sum by ({_labels('metric', by)}) (rate({named(pattern, *matchers)}[$rate:$step]))"


def in_namespace(expr: str) -> str:
    """The namespace as a label of the result, whatever the scrape configuration calls it."""
    return f'label_replace({expr},"namespace","$namespace","","")'


def largest(by: str, expr: str) -> str:
    """The largest value of each pod and the labels `by`, whatever the metric."""
    return in_namespace(f"max by ({_labels(by)}) ({expr})")


def error_ratio(by: str, pattern: str, *matchers: str) -> str:
    """1 - good/all; where nothing is good there is no series of the good ones, and the ratio is 1."""
    total, good = rates(by, pattern, *matchers), rates(by, pattern, *matchers, _GOOD)
    return largest(by, f"1 - {good} / {total} or group by ({_labels('metric', by)}) ({total} > 0)")


def p95(by: str, pattern: str, *matchers: str) -> str:
    """The 95th percentile in seconds. Histograms in milliseconds are converted."""
    buckets = f"({pattern})_bucket"
    milliseconds = ".*_milliseconds_bucket"
    seconds = rates(_labels("le", by), buckets, *matchers, f'__name__!~"{milliseconds}"')
    thousandths = rates(_labels("le", by), buckets, *matchers, f'__name__=~"{milliseconds}"')
    return largest(by, f"histogram_quantile(0.95, {seconds}) or histogram_quantile(0.95, {thousandths}) / 1000")


USERS = (f'__name__!~"{_OUTBOUND}.*"', _NOT_PROBES)
ASKED = f"{_OUTBOUND}(.*_)?(milli)?seconds(_by_.*)?"
ASKED_COUNTERS = f"{ASKED}_count|{_OUTBOUND}(.*_)?requests?_total"


def pool_used_ratio() -> str:
    """In use / size, for each pool of each pod whose two metrics begin with the same words."""
    used, size = (_pool(ending) for ending in (_TAKEN, _SIZE))
    return in_namespace(f"{used} / ({size} > 0)")


def _pool(ending: str) -> str:
    gauges = named(f"{_POOL}_{ending}")
    return f'max by (pod,pool) (label_replace({gauges},"pool","$1","metric","(.+)_{ending}"))'
