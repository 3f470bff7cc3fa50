"""What the servers say about namespaces in a window, written down as an incident: bounded, redacted, no judgement.

Redaction is the clients': what reaches this module holds no secret. No Secret is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import ApiError, SourceError
from srelab_lib.model import TimeWindow
from srelab_lib.signals.log_lines import hole_in
from srelab_lib.signals.promql import CATALOGUE, DEFAULT_RATE_SECONDS, promql
from srelab_lib.sources.incidents import INCIDENT_BYTES, Exchange, Incident, load_incident, packed, write_incident
from srelab_lib.sources.prometheus_service import LAB_PROMETHEUS, Address
from srelab_lib.sources.range_queries import rate_seconds
from srelab_lib.sources.recording_git import git_exchanges
from srelab_lib.sources.recording_logs import ContainerRef, fitted, logs_of, name_of, read_log
from srelab_lib.sources.replay_http import NOT_RECORDED
from srelab_lib.sources.resources import RESOURCES

WORKERS = 8
DEADLINE_SECONDS = 120.0
REQUEST_SECONDS = 30.0
PAGE_ITEMS = 500
MAX_PAGES = 10
MAX_LOGS = 200
MANIFEST_BYTES = 16_000
"""Left for incident.json and truth.json."""

_PROMETHEUS_PATHS = ("status/buildinfo", "alerts", "rules")
Progress = Callable[[str], None]


@dataclass(kw_only=True, slots=True)
class _Recorder:
    """The clients, one deadline for all of it, and a line for everything that a bound or a failure left out."""

    kubernetes: KubernetesClient
    prometheus: PrometheusClient | None
    deadline: Deadline
    cut: list[str] = field(default_factory=list)

    def objects(self, namespaces: Sequence[str]) -> list[Exchange]:
        """Discovery and every list of RESOURCES."""
        known = self._all(self._get, [(path, {}) for path in ("/version", "/api", "/api/v1", "/apis")])
        return known + self._all(self._get, [*_discovery(known), *_lists(namespaces)])

    def logs(self, objects: Sequence[Exchange]) -> list[Exchange]:
        """The logs of the pods in the lists."""
        refs = list(logs_of(objects))
        if len(refs) > MAX_LOGS:
            self.cut.append(f"logs of {MAX_LOGS} of {len(refs)} containers")
        return self._all(self._log, refs[:MAX_LOGS])

    def metrics(self, namespaces: Sequence[str], window: TimeWindow, rate: int) -> list[Exchange]:
        """The catalogue's range queries, alerts and rules."""
        return self._all(self._ask, list(_queries(namespaces, window, rate))) if self.prometheus else []

    def commits(self, objects: Sequence[Exchange], repository: Path | None) -> list[Exchange]:
        """What git says of the revisions in the recorded Applications."""
        if repository is None:
            return []
        try:
            return git_exchanges(objects, repository)
        except SourceError as error:
            self.cut.append(f"commits: not recorded: {error.message}")
            return []

    def _all(self, ask: Callable[[Any], Exchange | None], questions: Sequence[Any]) -> list[Exchange]:
        """The answers in the order of the questions, several at a time; what failed is in `cut`."""
        with ThreadPoolExecutor(WORKERS) as pool:
            return [answer for answer in pool.map(ask, questions) if answer is not None]

    def _get(self, question: tuple[str, Mapping[str, str]]) -> Exchange | None:
        path, params = question
        return self._recorded(path, params, lambda: self._joined(path, params))

    def _log(self, ref: ContainerRef) -> Exchange | None:
        exchange = self._recorded(ref.path, ref.params, lambda: read_log(self.kubernetes, ref, self._soon()))
        if exchange is not None and exchange.status == HTTPStatus.OK and hole_in(exchange.body) is not None:
            self.cut.append(f"log of {name_of(exchange)}: its beginning and newest lines")
        return exchange

    def _ask(self, question: tuple[str, Mapping[str, str]]) -> Exchange | None:
        endpoint, params = question
        client = self.prometheus
        if client is None:
            return None
        return self._recorded(
            f"/api/v1/{endpoint}", params, lambda: client.envelope(endpoint, params, deadline=self._soon())
        )

    def _soon(self) -> Deadline:
        """One request that hangs does not take the time of all others."""
        return self.deadline.at_most(REQUEST_SECONDS)

    def _recorded(self, path: str, params: Mapping[str, str], read: Callable[[], Any]) -> Exchange | None:
        try:
            return Exchange(path=path, params=params, body=read())
        except ApiError as error:
            body = _body(error)
            if isinstance(body, dict) and body.get("reason") == NOT_RECORDED:
                return None  # said by a recording; so will the recording of it
            return Exchange(path=path, params=params, status=error.status, body=body)
        except SourceError as error:
            self.cut.append(f"{path}: not recorded: {error.message}")
            return None

    def _joined(self, path: str, params: Mapping[str, str]) -> Any:
        first = page = self.kubernetes.get(path, {**params, "limit": PAGE_ITEMS}, deadline=self._soon())
        for _ in range(MAX_PAGES):
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                break
            asked = {**params, "limit": PAGE_ITEMS, "continue": token}
            page = self.kubernetes.get(path, asked, deadline=self._soon())
            first["items"] += page["items"]
        else:
            self.cut.append(f"{path}: the first {len(first['items'])} items")
        for name in ("continue", "remainingItemCount"):
            (first.get("metadata") or {}).pop(name, None)
        return first


def record(
    *,
    kubernetes: KubernetesClient,
    prometheus: PrometheusClient | None,
    namespaces: Sequence[str],
    window: TimeWindow,
    folder: Path,
    recorded_at: datetime,
    how: str = "",
    truth: Mapping[str, Any] | None = None,
    repository: Path | None = None,
    prometheus_service: Address = LAB_PROMETHEUS,
    max_bytes: int = INCIDENT_BYTES,
    deadline_seconds: float = DEADLINE_SECONDS,
    progress: Progress = lambda _: None,
) -> Incident:
    """Writes an incident to `folder`, which it replaces at once or not at all.

    Metrics are asked for over the window and over the window that widening gives, each at its own step. A source that
    fails is recorded as the server's error; one that does not answer is named in `cut`. When the whole is larger than
    `max_bytes`, the longest logs lose their middle, and `cut` says so.

    Args:
        kubernetes: the cluster; its credentials decide what the recording holds and what it holds a refusal of.
        prometheus: None records no metrics.
        namespaces: the first is the one under analysis.
        window: the analysis window, which ends now or shortly before: objects and logs are as they are now.
        folder: incidents/NAME.
        recorded_at: now.
        how: what was done to the system before.
        truth: see faults.OUTCOMES; None where nobody knows.
        repository: a clone of what Argo CD deploys from, for the commits that its history names.
        prometheus_service: where the recording will offer Prometheus through the API server's service proxy.
        max_bytes: the bound on the folder.
        deadline_seconds: the bound on all of the reading.
        progress: called with what is read next.

    Raises:
        RecordingError: too large even without its logs.
        SourceError: the cluster does not answer at all.
    """
    source = _Recorder(kubernetes=kubernetes, prometheus=prometheus, deadline=Deadline(deadline_seconds))
    versions = {"kubernetes": kubernetes.get("/version", deadline=source.deadline)["gitVersion"]}
    progress("objects")
    objects = source.objects(namespaces)
    progress("logs")
    logs = source.logs(objects)
    progress("metrics")
    rate = rate_seconds(prometheus, window) if prometheus else DEFAULT_RATE_SECONDS
    metrics = source.metrics(namespaces, window, rate)
    parts = {"kubernetes": objects, "prometheus": metrics, "git": source.commits(objects, repository)}
    files = {f"{name}.json.gz": packed(_sorted(exchanges)) for name, exchanges in parts.items()}
    left = max_bytes - MANIFEST_BYTES - sum(map(len, files.values()))
    files["logs.json.gz"], shortened = fitted(_sorted(logs), left)
    manifest = {
        "window": {"start": _rfc(window.start), "end": _rfc(window.end)},
        "namespaces": list(namespaces),
        "recorded_at": _rfc(recorded_at),
        "how": how,
        "versions": {**versions, **_prometheus_version(metrics), "srelab": version("srelab")},
        "prometheus": [str(part) for part in prometheus_service] if prometheus else None,
        "rate_seconds": rate,
        "cut": sorted([*source.cut, *shortened]),
    }
    write_incident(folder, manifest, files, truth)
    return load_incident(folder)


def _sorted(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """By path and parameters: the same content gives the same bytes."""
    return sorted(exchanges, key=lambda item: (item.path, str(item.params)))


def _discovery(documents: Sequence[Exchange]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What each API group offers: with it the replay knows an unknown kind from one that was not recorded."""
    groups = next((item.body["groups"] for item in documents if item.path == "/apis" and item.status == 200), ())
    for group in groups:
        for served in group["versions"]:
            yield f"/apis/{served['groupVersion']}", {}


def _lists(namespaces: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Every list of RESOURCES once; one with a selector only where the whole list is not asked for anyway."""
    asked: dict[tuple[str, str], Mapping[str, str]] = {}
    for resource in RESOURCES:
        for namespace in namespaces:
            path = resource.path_in(namespace)
            if (path, "") not in asked:
                asked[path, "&".join(resource.params.values())] = resource.params
    yield from ((path, params) for (path, _), params in asked.items())


def _queries(namespaces: Sequence[str], window: TimeWindow, rate: int) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Endpoints and range queries. Where the window's times are among the widened one's, that one holds both."""
    for endpoint in _PROMETHEUS_PATHS:
        yield endpoint, {}
    wide = window.widened()
    same_step = wide.step_seconds == window.step_seconds
    windows = [wide] if same_step and window.seconds % window.step_seconds == 0 else [window, wide]
    expressions = [promql(query, namespace=name, rate_seconds=rate) for name in namespaces for query in CATALOGUE]
    for expression in dict.fromkeys(expressions):
        for span in windows:
            times = {"start": f"{span.start.timestamp():.3f}", "end": f"{span.end.timestamp():.3f}"}
            yield "query_range", {"query": expression, **times, "step": str(span.step_seconds)}


def _body(error: ApiError) -> Any:
    """The server's own words: a Status, Prometheus' error, or text."""
    try:
        return json.loads(error.body)
    except ValueError:
        return error.body


def _prometheus_version(metrics: Sequence[Exchange]) -> dict[str, str]:
    built = next((item for item in metrics if item.path.endswith("/buildinfo") and item.status == 200), None)
    return {"prometheus": str(built.body["data"].get("version", ""))} if built else {}


def _rfc(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
