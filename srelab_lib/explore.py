"""One line for a question: PromQL and logs as tables, of a live cluster or a recorded incident."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Any

import pandas as pd

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import SettingsError, SourceError
from srelab_lib.lab.step import Observation, Step
from srelab_lib.model import Missing
from srelab_lib.pipeline import PROJECT, Progress, silent, utc_now
from srelab_lib.settings import Settings
from srelab_lib.signals.events import events_table
from srelab_lib.signals.frames import TIME
from srelab_lib.signals.log_templates import logs_table
from srelab_lib.signals.ownership import owners, ref_of
from srelab_lib.signals.promql import CATALOGUE, filled
from srelab_lib.sources.connect import connect
from srelab_lib.sources.container_logs import read_logs
from srelab_lib.sources.objects import RawByKind, read_objects
from srelab_lib.sources.range_queries import rate_seconds, warned

QUERY_SECONDS = 15.0


class Explorer:
    """A namespace over a window, to ask whatever comes to mind. Reads only; close it, or use it in a `with` block.

        lab = Explorer(Settings(minutes=30))
        lab.promql("sum by (pod) (rate(container_cpu_usage_seconds_total{namespace='$namespace'}[$rate]))").plot()
        lab.logs("inventory").query("level == 'error'")

    Args:
        settings: source, namespace and window, as for an analysis.
        now: the moment of the run.
        progress: is told what is looked at, and what a call could not read.

    Attributes:
        window: what is looked at; `now` at its end does not move on.
        namespace: what `$namespace` stands for.

    Raises:
        SettingsError: an unknown context or namespace.
        SourceError: the cluster does not answer.
    """

    def __init__(self, settings: Settings, *, now: datetime | None = None, progress: Progress = silent) -> None:
        self._stack = ExitStack()
        self._progress = progress
        connection = connect(settings, incidents_dir=PROJECT / "incidents", now=now or utc_now(), progress=progress)
        self._connection = self._stack.enter_context(connection)
        self.window = self._connection.window
        self.namespace = self._connection.namespace

    def __repr__(self) -> str:
        info = self._connection.info
        kind = "RECORDED incident" if info.kind == "incident" else "live cluster"
        return (
            f"{kind} {info.name}, namespace {self.namespace}, "
            f"{self.window.start:%Y-%m-%d %H:%M:%S} to {self.window.end:%H:%M:%S} UTC"
        )

    def __enter__(self) -> Explorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._stack.close()

    def promql(self, expr: str) -> pd.DataFrame:
        """A range query over the window: one row for each moment (UTC), one column for each series.

        A column is called by the labels in which the series differ; a gap is NaN. `$namespace`, `$rate` (four scrapes)
        and `$step` are filled in. A recording answers only what was recorded: see `signal`.

        Raises:
            SourceError: no Prometheus, or it refuses the query and says why.
        """
        text = self._filled(expr)
        answer = self._prometheus().query_range(
            text, self.window, self.window.step_seconds, deadline=Deadline(QUERY_SECONDS)
        )
        self._tell([warned("Prometheus", text, "") for text in answer.get("warnings", ())])
        return _wide(answer["result"])

    def signal(self, name: str) -> pd.DataFrame:
        """The catalogue's query for a signal such as `memory_working_set_bytes`; see `promql`.

        Raises:
            SettingsError: there is no such signal; the hint names them all.
        """
        expressions = {query.signal: query.expr for query in CATALOGUE}
        if name not in expressions:
            raise SettingsError(f"no signal {name!r}", hint=f"there are {', '.join(expressions)}")
        return self.promql(expressions[name])

    def logs(self, of: str = "") -> pd.DataFrame:
        """Log lines, oldest first, of containers that run and of the ones before their last restart (`previous`).

        Args:
            of: a part of the object's name, `inventory` or `Deployment/`; empty is every object.

        Returns:
            The columns of `frames.SCHEMAS["logs"]`.
        """
        raw = self._objects()
        owned = owners(raw)
        pods = [pod for pod in raw.get("Pod", []) if of in owned.top(ref_of("Pod", pod))]
        until = self.window.end if self._connection.is_past else None
        read = read_logs(self._connection.kubernetes, pods, owned, self.window, until=until, progress=silent)
        self._tell(read.missing)
        return logs_table(read.logs, owned).sort_values("time", ignore_index=True)

    def events(self) -> pd.DataFrame:
        """Events of the namespace, oldest first; the columns of `frames.SCHEMAS["events"]`."""
        raw = self._objects()
        return events_table(raw.get("Event", []), owners(raw)).sort_values("last_seen", ignore_index=True)

    def _objects(self) -> RawByKind:
        objects = read_objects(self._connection.kubernetes, self.namespace, progress=silent)
        self._tell(objects.missing)
        return objects.by_kind

    def _tell(self, missing: Sequence[Missing]) -> None:
        for item in missing:
            self._progress(f"not seen: {item.source}: {item.reason}")

    def _prometheus(self) -> PrometheusClient:
        if self._connection.prometheus is None:
            reasons = "; ".join(item.reason for item in self._connection.missing if item.source == "Prometheus")
            raise SourceError(f"no Prometheus: {reasons}", hint="prometheus_url names one")
        return self._connection.prometheus

    @cached_property
    def _rate_seconds(self) -> int:
        incident = self._connection.incident
        return incident.rate_seconds if incident else rate_seconds(self._prometheus(), self.window)

    def _filled(self, expr: str) -> str:
        return filled(expr, namespace=self.namespace, rate_seconds=self._rate_seconds)


def _wide(series: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A matrix as one column for each series, called by the labels that tell it from the others."""
    labels = [item["metric"] for item in series]
    names = sorted({name for item in labels for name in item})
    telling = [name for name in names if len({item.get(name) for item in labels}) > 1]
    columns = {
        ", ".join(f"{name}={item[name]}" for name in telling if name in item) or "value": _column(entry["values"])
        for item, entry in zip(labels, series, strict=True)
    }
    return pd.DataFrame(columns, index=None if columns else pd.DatetimeIndex([], dtype=TIME)).rename_axis("time")


def _column(values: Sequence[Sequence[Any]]) -> pd.Series[float]:
    times = pd.to_datetime([round(float(time) * 1000) for time, _ in values], unit="ms", utc=True).astype(TIME)
    return pd.Series([float(value) for _, value in values], index=times)


def answering(lab: Explorer, *signals: str) -> Step:
    """The step: these signals of the namespace have samples in the window, and its logs can be read."""

    def observe() -> Observation:
        samples = {name: int(lab.signal(name).count().sum()) for name in signals}
        lines = len(lab.logs())
        absent = [name for name, count in samples.items() if not count]
        if absent:
            return Observation(holds=False, text=f"no sample of {', '.join(absent)}")
        return Observation(holds=True, text=f"{sum(samples.values())} samples, {lines} log lines")

    return Step(
        title="Prometheus and the API server answer",
        expected=f"samples of {', '.join(signals)}",
        reason="Each question below is asked of one of the two.",
        hint="a longer window (minutes), another namespace, or a recording: source='incident'",
        observe=observe,
    )
