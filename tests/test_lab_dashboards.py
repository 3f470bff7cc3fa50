"""Dashboards as code, and the supervised way to the lab's pages."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from srelab_lib import Explorer
from srelab_lib.errors import SourceError, UnreachableError
from srelab_lib.lab import consoles
from srelab_lib.lab.dashboards import GRAFANA, GRAFANA_IMAGE, Board, DashboardsSettings, grafana_accepted, panels
from srelab_lib.lab.gitops import admin_password
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.port_forward import Supervised, is_free
from srelab_lib.lab.process import silent
from srelab_lib.lab.step import wait_for

DATASOURCE = yaml.safe_load((GRAFANA / "provisioning" / "datasources.yaml").read_text(encoding="utf-8"))
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))


def test_every_panel_asks_the_provisioned_prometheus() -> None:
    [source] = DATASOURCE["datasources"]
    shown = [panel for file in FILES for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]]
    assert len(shown) == len(panels())
    assert {panel["datasource"]["uid"] for panel in shown} == {source["uid"]}


def test_dashboards_are_all_deployed_and_laid_out_without_overlap() -> None:
    kustomization = yaml.safe_load((GRAFANA / "kustomization.yaml").read_text(encoding="utf-8"))
    listed = {file for generator in kustomization["configMapGenerator"] for file in generator["files"]}
    assert {f"dashboards/{file.name}" for file in FILES} <= listed
    for file in FILES:
        boxes = [panel["gridPos"] for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]]
        assert len({(box["x"], box["y"]) for box in boxes}) == len(boxes)
        assert all(box["x"] + box["w"] <= 24 for box in boxes)


def test_placeholders_are_ours_once_read() -> None:
    texts = [panel.expr for panel in panels()]
    assert not [text for text in texts if "$__" in text]
    assert {name for text in texts for name in re.findall(r"\$\w+", text)} == {"$namespace", "$rate"}


def test_the_image_is_the_manifests() -> None:
    [deployment, _] = yaml.safe_load_all((GRAFANA / "grafana.yaml").read_text(encoding="utf-8"))
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == GRAFANA_IMAGE


def test_a_panel_without_data_is_named_and_fails_the_step() -> None:
    times = pd.date_range("2026-01-01", periods=3, freq="15s", tz="UTC", unit="ns")
    full, empty = pd.DataFrame({"value": [1.0, 2.0, 3.0]}, index=times), pd.DataFrame({"value": []})
    first, second = panels()[:2]
    board = Board(lambda expr: empty if expr == second.expr else full, [first, second])
    seen = board.answered().observe()
    assert not seen.holds
    assert seen.text == f"no data: {second.title}"
    assert list(board.table()["series"]) == [1, 0]
    assert [axes.get_title("left") for axes in board.figure(first.dashboard).axes][:2] == [first.title, second.title]


def test_a_broken_dashboard_is_named(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"title": "x", "panels": [{}]}')
    with pytest.raises(SourceError, match=r"half\.json"):
        panels(tmp_path)


def test_without_a_cluster_a_port_forward_is_refused_in_bounded_time() -> None:
    with pytest.raises(UnreachableError, match="no port-forward"):
        Supervised("monitoring", "prometheus", 9090, context="nowhere")


# --- on the cluster ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pages() -> Iterator[consoles.Consoles]:
    opened = consoles.Consoles()
    yield opened
    opened.close()


@pytest.mark.cluster
def test_a_port_that_somebody_has_is_not_taken(pages: consoles.Consoles) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_free(consoles.PROMETHEUS.preferred):
            taken.bind(("127.0.0.1", consoles.PROMETHEUS.preferred))
            taken.listen()
        step = pages.opened(consoles.PROMETHEUS)
        assert step.apply is not None
        step.apply(silent)
        seen = step.observe()
    assert seen.holds
    assert f"because {consoles.PROMETHEUS.preferred} is taken" in seen.text


@pytest.mark.cluster
def test_a_port_forward_that_dies_is_opened_again_on_the_same_port(pages: consoles.Consoles) -> None:
    step = pages.opened(consoles.PROMETHEUS)
    assert step.apply is not None
    step.apply(silent)
    url = pages.url(consoles.PROMETHEUS)
    port = url.rpartition(":")[2]
    subprocess.run(["pkill", "-f", f"port-forward.* {port}:9090"], check=True, timeout=10)
    assert wait_for(step, silent).holds
    assert pages.table()["opened again"].item() == 1
    assert pages.url(consoles.PROMETHEUS) == url
    pages.close()
    assert is_free(int(port))


@pytest.mark.cluster
def test_the_password_works_and_is_not_shown(pages: consoles.Consoles) -> None:
    if not Kubectl()("get", "namespace", "argocd", "--ignore-not-found").strip():
        pytest.skip("no Argo CD in this cluster")
    opened, login = pages.opened(consoles.ARGOCD), pages.logged_in(consoles.ARGOCD)
    assert opened.apply is not None
    opened.apply(silent)
    assert opened.observe().holds
    seen = login.observe()
    assert seen.text == "logged in as admin"
    password = admin_password()
    assert len(password) > 8
    assert password not in f"{seen} {login} {pages.table().to_string()}"


@pytest.mark.cluster
def test_every_panels_query_returns_data_and_grafana_is_accepted() -> None:
    settings = DashboardsSettings()
    with Explorer(settings.window) as lab:
        board = Board(lab.promql)
        seen = board.answered().observe()
    assert seen.holds, seen.text
    assert grafana_accepted(settings).observe().holds
