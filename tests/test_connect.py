"""Which servers a run connects to, and what it says when they are absent, hang or are others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from bad_server import Server, hangs, sends, served, with_length
from recorded import FOLDER

from srelab_lib.errors import DeadlineError, RecordingError, SettingsError, SourceError, UnreachableError
from srelab_lib.model import TimeWindow
from srelab_lib.settings import LAB_CONTEXT, Settings
from srelab_lib.sources import connect as module
from srelab_lib.sources.connect import connect
from srelab_lib.sources.incidents import load_incident
from srelab_lib.sources.snapshot import collect

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def kubeconfig(folder: Path, servers: dict[str, str], *, current: str, token: str = "") -> str:
    """A kubeconfig with one context for each server; its path."""
    path = folder / "kubeconfig"
    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
        "users": [{"name": "u", "user": {"token": token} if token else {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in servers],
    }
    path.write_text(yaml.safe_dump(value))
    return str(path)


def connected(settings: Settings, incidents_dir: Path, *, now: datetime = NOW) -> None:
    with connect(settings, incidents_dir=incidents_dir, now=now):
        pass


@pytest.fixture
def other() -> Iterator[Server]:
    """A cluster that happens to be there."""
    with served(sends(with_length(b'{"gitVersion":"v1.34.0"}'))) as server:
        yield server


def test_auto_never_takes_another_cluster(tmp_path: Path, other: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, {"prod": other.url}, current="prod"))
    with pytest.raises(RecordingError, match="no incident"):
        connected(Settings(), tmp_path / "incidents")
    with pytest.raises(SettingsError, match=LAB_CONTEXT) as caught:
        connected(Settings(context="prod"), tmp_path)
    assert "live" in caught.value.hint
    assert not other.requests


def test_auto_without_kubeconfig_takes_the_default_incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(RecordingError, match="oom-memory-limit"):
        connected(Settings(), tmp_path)


def test_auto_fails_when_the_lab_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, {LAB_CONTEXT: "http://127.0.0.1:1"}, current=""))
    with pytest.raises(UnreachableError) as caught:
        connected(Settings(), tmp_path)
    assert "source='incident'" in caught.value.hint
    assert LAB_CONTEXT in caught.value.hint


def test_a_lab_that_hangs_is_an_error_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.5)
    with served(hangs()) as server:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, {LAB_CONTEXT: server.url}, current=""))
        with pytest.raises(DeadlineError) as caught:
            connected(Settings(), tmp_path)
    assert LAB_CONTEXT in caught.value.hint


def test_live_takes_the_context_or_the_current_one(
    tmp_path: Path, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = {"prod": other.url, "down": "http://127.0.0.1:1"}
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, servers, current="prod"))
    for context in ("", "prod"):
        settings = Settings(source="live", context=context, prometheus_url="http://127.0.0.1:1")
        with connect(settings, incidents_dir=tmp_path, now=NOW) as connection:
            assert connection.info.name == "prod"
            assert connection.info.versions["kubernetes"] == "v1.34.0"
            assert connection.window == TimeWindow.last(minutes=15, now=NOW)
            assert connection.prometheus is None
            assert [item.source for item in connection.missing] == ["Prometheus"]
            assert not connection.missing[0].deciding
    with pytest.raises(SettingsError, match="prodd") as caught:
        connected(Settings(source="live", context="prodd"), tmp_path)
    assert "prod" in caught.value.hint
    with pytest.raises(SettingsError, match="future"):
        connected(Settings(source="live", end="2026-02-01T00:00:00Z"), tmp_path)


def test_a_past_window_says_that_objects_are_newer(
    tmp_path: Path, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, {"prod": other.url}, current="prod"))
    settings = Settings(
        source="live", end="2026-01-31T10:00:00Z", minutes=5, prometheus_url="http://127.0.0.1:1", namespace="shop"
    )
    with connect(settings, incidents_dir=tmp_path, now=NOW) as connection:
        assert connection.window == TimeWindow(start=NOW - timedelta(hours=2, minutes=5), end=NOW - timedelta(hours=2))
        assert connection.missing[-1].source == "objects of the past"
        with pytest.raises(SourceError):  # it answers, and is no API server
            collect(connection)


@pytest.mark.parametrize(
    ("end", "minutes"),
    [("2099-01-01T00:00:00Z", 0), ("2020-01-01T00:00:00Z", 0), ("2020-01-01T00:00:00Z", 1440), ("{start}", 0)],
)
def test_a_window_beside_what_was_recorded_is_refused(end: str, minutes: int) -> None:
    covered = load_incident(FOLDER).covered
    settings = Settings(
        source="incident", incident=FOLDER.name, end=end.format(start=rfc(covered.start)), minutes=minutes
    )
    with pytest.raises(SettingsError, match="holds nothing of") as caught:
        connected(settings, FOLDER.parent)
    assert f"it covers {rfc(covered.start)} to {rfc(covered.end)}" in caught.value.hint


def test_a_window_that_ends_within_what_was_recorded_is_taken() -> None:
    own = load_incident(FOLDER).window
    for end in (own.start, own.start + timedelta(minutes=1), own.end, own.end + timedelta(minutes=1)):
        settings = Settings(source="incident", incident=FOLDER.name, end=rfc(end), minutes=5)
        with connect(settings, incidents_dir=FOLDER.parent, now=NOW) as connection:
            assert connection.window == TimeWindow.last(minutes=5, now=end)


def rfc(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
