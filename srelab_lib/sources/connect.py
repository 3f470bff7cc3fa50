"""Which servers a run reads: the lab's own cluster, another one, or a recorded incident that is served like one."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import RecordingError, SettingsError, SourceError
from srelab_lib.model import Missing, SourceInfo, TimeWindow
from srelab_lib.settings import DEFAULT_INCIDENT, LAB_CONTEXT, Settings, parse_time
from srelab_lib.sources.gitops import Reader, no_repository
from srelab_lib.sources.prometheus_service import NO_METRICS, Found, find_prometheus, probe
from srelab_lib.sources.recording_git import recorded_reader
from srelab_lib.sources.replay import Incident, ReplayServer, list_incidents

LIVE_MINUTES = 15
LIVE_NAMESPACE = "default"
PROBE_SECONDS = 10.0
CLOCK_SKEW = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Servers that answered, and what to ask them about.

    Attributes:
        kubernetes: the API server, live or replayed.
        prometheus: None where none answers; `missing` says why.
        info: where the data comes from, with the servers' versions.
        window: the analysis window.
        namespace: the namespace under analysis.
        now: the moment of the run, or of the recording.
        commits: reads the commits that Argo CD's history names; a recording has its own.
        incident: the recording, None when live.
    """

    kubernetes: KubernetesClient
    prometheus: PrometheusClient | None
    info: SourceInfo
    window: TimeWindow
    namespace: str
    now: datetime
    commits: Reader = no_repository
    incident: Incident | None = None
    missing: tuple[Missing, ...] = ()

    @property
    def is_past(self) -> bool:
        """Whether the window ends before what the servers show."""
        return self.now - self.window.end > CLOCK_SKEW


@contextmanager
def connect(
    settings: Settings,
    *,
    incidents_dir: Path,
    now: datetime,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Connection]:
    """The connection that the settings ask for, closed at the end.

    source  kubeconfig                    what is read
    auto    has context kind-sre-lab      that cluster; an error when it does not answer
    auto    has not                       the incident, the default one when none is named
    live    any                           `context`, or the current one; in a pod without kubeconfig: its cluster
    incident                              the incident, the default one when none is named

    Raises:
        SettingsError: an unknown context, namespace or incident, or a window that cannot be.
        SourceError: the cluster does not answer, or the recording is damaged.
    """
    with ExitStack() as stack:
        if _is_live(settings):
            connection = _live(settings, stack, now)
        else:
            connection = _recorded(settings, stack, incidents_dir, now)
        progress(_introduced(connection))
        yield connection


def _is_live(settings: Settings) -> bool:
    if settings.source != "auto":
        return settings.source == "live"
    if settings.context not in {"", LAB_CONTEXT}:
        raise SettingsError(
            f"source='auto' takes no cluster but {LAB_CONTEXT}",
            hint=f"source='live' takes context={settings.context!r}",
        )
    # A recording that was asked for by its name is what is meant, whatever runs.
    return not settings.incident and (bool(settings.context) or LAB_CONTEXT in contexts()[0])


def _introduced(connection: Connection) -> str:
    what = "recorded incident" if connection.info.kind == "incident" else "live cluster"
    window = f"{connection.window.start:%Y-%m-%d %H:%M:%S} to {connection.window.end:%H:%M:%S} UTC"
    return f"{what} {connection.info.name}, namespace {connection.namespace}, {window}"


# --- live -------------------------------------------------------------------------------------------------------------


def _live(settings: Settings, stack: ExitStack, now: datetime) -> Connection:
    window = _window(settings, LIVE_MINUTES, now)
    if window.end > now + CLOCK_SKEW:
        raise SettingsError(f"end={settings.end!r} lies in the future", hint="leave it empty for now")
    kubernetes = cluster(settings)
    stack.callback(kubernetes.close)
    version = _version(kubernetes, lab=kubernetes.name == LAB_CONTEXT)
    found = _prometheus_at(settings.prometheus_url) if settings.prometheus_url else find_prometheus(kubernetes)
    if found.client is not None:
        stack.callback(found.client.close)
    connection = Connection(
        kubernetes=kubernetes,
        prometheus=found.client,
        info=SourceInfo(kind="live", name=kubernetes.name, versions={"kubernetes": version, **found.versions}),
        window=window,
        namespace=settings.namespace or LIVE_NAMESPACE,
        now=now,
        missing=found.missing,
    )
    return replace(connection, missing=(*found.missing, _newer(now))) if connection.is_past else connection


def cluster(settings: Settings) -> KubernetesClient:
    """A client of the cluster that the settings mean."""
    if settings.source == "auto":
        return KubernetesClient.from_context(LAB_CONTEXT)
    if not settings.context and not contexts()[0] and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return KubernetesClient.in_cluster()
    return KubernetesClient.from_context(settings.context)


def _version(kubernetes: KubernetesClient, *, lab: bool) -> str:
    try:
        answer = kubernetes.get("/version", deadline=Deadline(PROBE_SECONDS))
    except SourceError as error:
        hint = f"kubectl --context {kubernetes.name} get nodes shows whether it runs"
        if lab:
            hint += f"; source='incident' reads the recording {DEFAULT_INCIDENT} instead"
        error.hint = hint
        raise
    return str(answer.get("gitVersion", "")) if isinstance(answer, dict) else ""


def _prometheus_at(url: str) -> Found:
    return probe(PrometheusClient(url), at=PrometheusClient(url).name)


def _newer(now: datetime) -> Missing:
    reason = f"objects, statuses and alerts are those of {now:%H:%M:%SZ}, not of the window's end"
    return Missing(source="objects of the past", reason=reason, matters="what was repaired or deleted since")


def _window(settings: Settings, minutes: int, now: datetime) -> TimeWindow:
    end = parse_time(settings.end) if settings.end else now
    return TimeWindow.last(minutes=settings.minutes or minutes, now=end.astimezone(UTC))


# --- recorded ---------------------------------------------------------------------------------------------------------


def _recorded(settings: Settings, stack: ExitStack, incidents_dir: Path, now: datetime) -> Connection:
    name = settings.incident or DEFAULT_INCIDENT
    known = list_incidents(incidents_dir)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or list(known)
        hint = (
            f"there is {', '.join(near)}"
            if near
            else f"incidents/ holds none: {incidents_dir.name}/record.py makes them"
        )
        raise RecordingError(f"there is no incident {name!r}", source="incidents", hint=hint)
    server = stack.enter_context(ReplayServer(incidents_dir / name))
    incident = server.incident
    kubernetes = KubernetesClient.from_url(server.url, name=name)
    stack.callback(kubernetes.close)
    found = _recorded_prometheus(settings, server, kubernetes)
    if found.client is not None:
        stack.callback(found.client.close)
    return Connection(
        kubernetes=kubernetes,
        prometheus=found.client,
        info=SourceInfo(kind="incident", name=name, versions=dict(incident.versions)),
        window=_recorded_window(settings, incident),
        namespace=_recorded_namespace(settings, incident),
        now=incident.recorded_at,
        commits=recorded_reader(incident),
        incident=incident,
        missing=(*found.missing, *(_cut(line) for line in incident.cut)),
    )


def _recorded_prometheus(settings: Settings, server: ReplayServer, kubernetes: KubernetesClient) -> Found:
    if settings.prometheus_url:
        return _prometheus_at(settings.prometheus_url)
    if server.incident.prometheus is not None:
        namespace, service, port = server.incident.prometheus
        return Found(client=PrometheusClient(kubernetes.proxy(namespace, service, port)))
    if server.incident.exchanges("prometheus"):
        return Found(client=PrometheusClient(server.prometheus_url))
    reason = "the recording holds no metrics"
    return Found(missing=(Missing(source="Prometheus", reason=reason, matters=NO_METRICS),))


def _recorded_window(settings: Settings, incident: Incident) -> TimeWindow:
    if not settings.minutes and not settings.end:
        return incident.window
    minutes = -(-int(incident.window.seconds) // 60)
    window, covered = _window(settings, minutes, incident.window.end), incident.covered
    if window.end <= covered.start or window.start >= covered.end:
        raise SettingsError(
            f"incident {incident.name!r} holds nothing of {_spelled(window)}",
            hint=f"it covers {_spelled(covered)}; leave end and minutes empty for its own window",
        )
    return window


def _spelled(window: TimeWindow) -> str:
    return f"{window.start:%Y-%m-%dT%H:%M:%SZ} to {window.end:%Y-%m-%dT%H:%M:%SZ}"


def _recorded_namespace(settings: Settings, incident: Incident) -> str:
    namespace = settings.namespace or incident.namespace
    if namespace not in incident.namespaces:
        near = difflib.get_close_matches(namespace, incident.namespaces, n=3) or incident.namespaces
        hint = f"it holds {', '.join(near)}"
        raise SettingsError(f"incident {incident.name!r} holds no namespace {namespace!r}", hint=hint)
    return namespace


def _cut(line: str) -> Missing:
    return Missing(source="recording", reason=line)
