"""What a kubeconfig says of a cluster, and what is told when it is absent, damaged or names none."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_server import sends, served, with_length

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.errors import SettingsError, UnreachableError

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: kind-shop
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: hunter2}}]
contexts:
- {name: kind-shop, context: {cluster: c, user: u}}
- {name: prod, context: {cluster: c, user: u}}
"""


def test_unknown_context_names_near_ones(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    assert contexts(kubeconfig=str(path)) == (("kind-shop", "prod"), "kind-shop")
    with pytest.raises(SettingsError, match="kind-shpo") as caught:
        KubernetesClient.from_context("kind-shpo", kubeconfig=str(path))
    assert "kind-shop" in caught.value.hint
    client = KubernetesClient.from_context(None, kubeconfig=str(path))
    assert client.name == "kind-shop"
    with pytest.raises(UnreachableError):
        client.get("/version", deadline=Deadline(5))
    client.close()


def test_no_kubeconfig(tmp_path: Path) -> None:
    assert contexts(kubeconfig=str(tmp_path / "none")) == ((), "")
    with pytest.raises(SettingsError) as caught:
        KubernetesClient.from_context(None, kubeconfig=str(tmp_path / "none"))
    assert "KUBECONFIG" in caught.value.hint


@pytest.mark.parametrize("text", ["{", "- 1", "contexts: 3", "contexts: [{}]", "\x00"])
def test_damaged_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(SettingsError, match="no kubeconfig"):
        contexts(kubeconfig=str(path))


def test_context_without_its_cluster(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG.replace("cluster: c,", "cluster: gone,"))
    with pytest.raises(UnreachableError, match="kind-shop"):
        KubernetesClient.from_context("kind-shop", kubeconfig=str(path))


def test_token_is_sent(tmp_path: Path) -> None:
    with served(sends(with_length(b"{}"))) as server:
        path = tmp_path / "config"
        path.write_text(KUBECONFIG.replace("https://127.0.0.1:1", server.url))
        client = KubernetesClient.from_context("prod", kubeconfig=str(path))
        client.get("/version", deadline=Deadline(5))
        client.close()
        assert b"uthorization: Bearer hunter2\r\n" in server.requests[0]


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "http_proxy"])
def test_a_cluster_on_this_machine_is_not_asked_by_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    path = tmp_path / "config"
    with served(sends(with_length(b"{}"))) as server, served(sends(with_length(b'{"by": "proxy"}'))) as other:
        monkeypatch.setenv(proxy, other.url)
        path.write_text(KUBECONFIG.replace("https://127.0.0.1:1", server.url))
        client = KubernetesClient.from_context("prod", kubeconfig=str(path))
        assert client.get("/version", deadline=Deadline(5)) == {}
        client.close()
        asked = f'"{server.url}", proxy-url: "{other.url}"'
        path.write_text(KUBECONFIG.replace('"https://127.0.0.1:1"', asked))
        assert other.requests == []
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
        client = KubernetesClient.from_context("prod", kubeconfig=str(path))
        assert client.get("/version", deadline=Deadline(5)) == {"by": "proxy"}, "a kubeconfig's own proxy is asked"
        client.close()
