"""Phase 08: each panel of the dashboards in k8s/, asked of the live Prometheus; Grafana itself is optional."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from srelab_lib.errors import SourceError
from srelab_lib.lab.applications import KIND, applications, refresh
from srelab_lib.lab.consoles import GRAFANA as PAGE
from srelab_lib.lab.git_clone import BRANCH, NAMESPACE
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.step import PROJECT, Observation, Progress, Step
from srelab_lib.settings import LAB_CLUSTER, Settings, check_types

GRAFANA = PROJECT / "k8s" / "manifests" / "grafana"
GRAFANA_IMAGE = "grafana/grafana:12.3.0"
APPLICATION = "grafana"
WALKTHROUGH_PASSWORD = "prom-operator"  # noqa: S105 (published: the walkthrough's, for a page that only this machine sees)
HEALTHY_SECONDS = 240.0
COLUMNS = 3
_UNITS = {"percentunit": "share", "reqps": "requests/s", "s": "seconds", "Bps": "bytes/s", "short": ""}
_GRAFANA_RATE, _OUR_RATE = "$__rate_interval", "$rate"

Ask = Callable[[str], pd.DataFrame]
"""PromQL to a table over the window: a row for each moment, a column for each series (`Explorer.promql`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DashboardsSettings:
    """What 08_dashboards is asked to do.

    Attributes:
        cluster: the kind cluster; its context is kind-<cluster>.
        namespace: whose panels are asked for.
        minutes: how far back the panels look.
        grafana: side-load Grafana and sync its Application; its image has to be in this machine's engine.
        keep_open_seconds: how long a headless run leaves the port-forwards open; in Jupyter the last cell ends them.
        output_dir: where summary.json goes; empty is runs/<UTC>-08_dashboards/.
    """

    cluster: str = LAB_CLUSTER
    namespace: str = "default"
    minutes: int = 15
    grafana: bool = False
    keep_open_seconds: int = 0
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def context(self) -> str:
        """The kube context that kind made for the cluster."""
        return f"kind-{self.cluster}"

    @property
    def window(self) -> Settings:
        """What the panels look at."""
        return Settings(source="live", context=self.context, namespace=self.namespace, minutes=self.minutes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One panel of a dashboard: its PromQL with `$namespace` and `$rate`, and the unit as a person says it."""

    dashboard: str
    title: str
    unit: str
    expr: str


def panels(folder: Path = GRAFANA / "dashboards") -> list[Panel]:
    """Every query of every dashboard.

    Raises:
        SourceError: a file is no dashboard.
    """
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            dashboard = json.loads(file.read_text(encoding="utf-8"))
            for panel in dashboard["panels"]:
                unit = panel["fieldConfig"]["defaults"]["unit"]
                for target in panel["targets"]:
                    expr = target["expr"].replace(_GRAFANA_RATE, _OUR_RATE)
                    title, name = panel["title"], dashboard["title"]
                    found.append(Panel(dashboard=name, title=title, unit=_UNITS.get(unit, unit), expr=expr))
        except (OSError, ValueError, LookupError) as error:
            raise SourceError(f"{file.name} is no dashboard: {error}", source=folder.name) from error
    return found


class Board:
    """The panels' answers over one window, asked once and kept.

    Args:
        ask: sends PromQL.
        shown: the panels; all of them by default.
    """

    def __init__(self, ask: Ask, shown: Sequence[Panel] = ()) -> None:
        self._ask = ask
        self.panels = tuple(shown) or tuple(panels())
        self._answers: dict[Panel, pd.DataFrame] = {}

    def answer(self, panel: Panel) -> pd.DataFrame:
        """The panel's series; columns without a single value are left out."""
        if panel not in self._answers:
            self._answers[panel] = self._ask(panel.expr).dropna(axis="columns", how="all")
        return self._answers[panel]

    def answered(self) -> Step:
        """The step: the query of every panel returns data."""

        def observe() -> Observation:
            self._answers.clear()
            empty = [panel.title for panel in self.panels if self.answer(panel).empty]
            text = f"no data: {', '.join(empty)}" if empty else f"{len(self.panels)} panels, {self._samples()} samples"
            return Observation(holds=not empty, text=text)

        return Step(
            title="every panel's query returns data",
            expected=f"{len(self.panels)} panels with data",
            reason="A panel that is empty because its query is wrong looks like a panel of a quiet system.",
            hint="its query is in k8s/manifests/grafana/dashboards/; a new lab needs two minutes of scrapes",
            observe=observe,
            timeout_seconds=60,
        )

    def table(self) -> pd.DataFrame:
        """One row for each panel: how many series, and the range of their last values."""
        rows = []
        for panel in self.panels:
            answer = self.answer(panel)
            last = answer.ffill().iloc[-1] if len(answer) else pd.Series(dtype="float64")
            rows.append(
                {
                    "dashboard": panel.dashboard,
                    "panel": panel.title,
                    "unit": panel.unit,
                    "series": answer.shape[1],
                    "lowest now": f"{last.min():.3g}",
                    "highest now": f"{last.max():.3g}",
                }
            )
        return pd.DataFrame(rows)

    def figure(self, dashboard: str) -> Figure:
        """A dashboard as Grafana lays it out, three panels in a row."""
        shown = [panel for panel in self.panels if panel.dashboard == dashboard]
        rows = -(-len(shown) // COLUMNS)
        figure = Figure(figsize=(4.2 * COLUMNS, 2.4 * rows), layout="constrained")
        grid = figure.subplots(rows, COLUMNS, squeeze=False).flat
        for axes, panel in zip(grid, shown, strict=False):
            _draw(axes, panel, self.answer(panel))
        for axes in list(figure.axes)[len(shown) :]:
            axes.set_axis_off()
        figure.suptitle(dashboard)
        return figure

    def png(self, dashboard: str) -> bytes:
        """The figure as a PNG, for a notebook."""
        buffer = BytesIO()
        self.figure(dashboard).savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()

    def _samples(self) -> int:
        return sum(int(answer.count().sum()) for answer in self._answers.values())


def grafana_accepted(settings: DashboardsSettings) -> Step:
    """The step: the API server would take Grafana's manifests as they are; nothing is created."""
    kubectl = Kubectl(context=settings.context)

    def observe() -> Observation:
        lines = kubectl("apply", "--dry-run=server", "-k", str(GRAFANA)).splitlines()
        return Observation(holds=bool(lines), text=f"{len(lines)} objects")

    return Step(
        title="Grafana's manifests are accepted",
        expected="a server-side dry run without an error",
        reason="Admission, schemas and quotas are asked, not only YAML.",
        hint=f"kubectl --context {settings.context} apply --dry-run=server -k k8s/manifests/grafana",
        observe=observe,
    )


def grafana_login(settings: DashboardsSettings) -> Step:
    """The step: Secret prometheus-grafana holds the login of user admin; one that is there stays as it is."""
    kubectl = Kubectl(context=settings.context)

    def observe() -> Observation:
        found = kubectl(
            "get", "secret", PAGE.service, "--namespace", PAGE.namespace, "--ignore-not-found", "--output=name"
        ).strip()
        return Observation(holds=bool(found), text=found or "there is none")

    def apply(_: Progress) -> None:
        data = {"admin-user": "admin", "admin-password": WALKTHROUGH_PASSWORD}
        meta = {"name": PAGE.service, "namespace": PAGE.namespace}
        kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data}))

    return Step(
        title=f"Secret {PAGE.service} is there",
        expected="a user and a password",
        reason="No manifest in git holds a password: Grafana reads it from a Secret.",
        hint=f"kubectl --context {settings.context} -n {PAGE.namespace} describe secret {PAGE.service}",
        observe=observe,
        apply=apply,
    )


def grafana_synced(settings: DashboardsSettings) -> Step:
    """The step: the optional Application is synced, and Grafana is up. Its image has to be on the nodes before."""

    def observe() -> Observation:
        [item] = applications(APPLICATION, context=settings.context)
        status = item.get("status") or {}
        state = [(status.get(key) or {}).get("status", "Unknown") for key in ("sync", "health")]
        return Observation(holds=state == ["Synced", "Healthy"], text=" ".join(state))

    def apply(_: Progress) -> None:
        operation = {"operation": {"initiatedBy": {"username": "08_dashboards"}, "sync": {"revision": BRANCH}}}
        refresh(APPLICATION, context=settings.context)
        patch = ("patch", KIND, APPLICATION, "--namespace", NAMESPACE, "--type=merge", "--patch", json.dumps(operation))
        Kubectl(context=settings.context)(*patch)

    return Step(
        title="Application grafana: Synced and Healthy",
        expected="Synced Healthy",
        reason="It is optional, so nothing syncs it by itself.",
        hint=f"kubectl --context {settings.context} -n monitoring describe pods -l app.kubernetes.io/name=grafana",
        observe=observe,
        apply=apply,
        timeout_seconds=HEALTHY_SECONDS,
    )


def _draw(axes: Axes, panel: Panel, answer: pd.DataFrame) -> None:
    for name, series in answer.items():
        axes.plot(series.index, series.to_numpy(), linewidth=1.2, label=str(name))
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.set_ylabel(panel.unit, fontsize=7)
    if panel.unit.startswith("bytes"):
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, alpha=0.25)
    locator = AutoDateLocator(maxticks=5)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    if 1 < answer.shape[1] <= 4:
        axes.legend(fontsize=6, frameon=False)
