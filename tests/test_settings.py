"""Parameters are validated strictly: a typo is an error with a hint."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from srelab_lib.errors import SettingsError
from srelab_lib.lab.step import phase_folder
from srelab_lib.model import TimeWindow
from srelab_lib.pipeline import output_folder
from srelab_lib.settings import Settings, from_env, from_notebook, load_settings, parse_time


def test_a_typo_in_a_name_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match=r"unknown parameter 'namspace'\nhint: did you mean 'namespace'\?"):
        load_settings({"namspace": "default"})


@pytest.mark.parametrize(
    "values",
    [
        {"minutes": "15"},
        {"minutes": True},
        {"minutes": -1},
        {"minutes": 1441},
        {"source": "live cluster"},
        {"source": "live", "incident": "healthy"},
        {"source": "incident", "context": "kind-sre-lab"},
        {"namespace": "Default"},
        {"namespace": "a/../b"},
        {"namespace": 7},
        {"incident": "../secrets"},
        {"end": "yesterday"},
        {"end": "2026-01-31T12:00:00"},
        {"end": "0001-01-01T00:00:00Z"},
        {"end": "0001-01-01T00:00:00+02:00"},
        {"end": "9999-12-31T23:59:59Z"},
        {"end": "9999-12-31T23:59:59-02:00"},
        {"prometheus_url": "localhost:9090"},
        {"prometheus_url": "http://"},
        {"ollama_url": "http://localhost:99999"},
        {"ollama_url": "http://local host:11434"},
        {"prometheus_url": "http://localhost:9090/\r\nX: y"},
        {"model": ""},
        {"model": "phi3; rm -rf /"},
        {"model_deadline_seconds": 3601},
    ],
)
def test_a_value_that_cannot_be_right_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        load_settings(values)


def test_what_is_shown_of_a_url_holds_no_credential() -> None:
    settings = Settings(
        ollama_url="http://u:hunter2@ai:11434/x", prometheus_url="https://prom/?token=hunter2", minutes=5
    )
    assert settings.shown()["ollama_url"] == "http://ai:11434/x"
    assert repr(settings).startswith("Settings(source='auto',")
    assert "minutes=5, end='', prometheus_url='https://prom', " in repr(settings)
    assert "hunter2" not in repr(settings) + str(settings.shown())


@pytest.mark.parametrize("url", ["http://u:hunter2@localhost:99999", "http://u:hunter2 @ai/", "x?token=hunter2"])
def test_a_url_that_cannot_be_right_is_told_without_its_credential(url: str) -> None:
    with pytest.raises(SettingsError, match="ollama_url") as caught:
        Settings(ollama_url=url)
    assert "hunter2" not in str(caught.value)


def test_a_close_source_is_suggested() -> None:
    with pytest.raises(SettingsError, match="did you mean 'incident'"):
        load_settings({"source": "incidnet"})


def test_from_env_converts_whole_numbers_only() -> None:
    settings = from_env({"SRELAB_MINUTES": "30", "SRELAB_NAMESPACE": "shop", "HOME": "/"})
    assert settings == Settings(minutes=30, namespace="shop")
    with pytest.raises(SettingsError, match="SRELAB_MINUTES='3O' is not a whole number"):
        from_env({"SRELAB_MINUTES": "3O"})


def test_from_notebook_reads_parameters_and_ignores_other_variables() -> None:
    namespace = {"minutes": 20, "Image": object, "x": 1, "In": ["", "minutes = 0", "x = 1"]}
    assert from_notebook(namespace) == Settings(minutes=20)


def test_from_notebook_refuses_an_injected_name_that_no_parameter_has() -> None:
    namespace = {"minutes": 20, "minuts": 5, "In": ["", "minutes = 20", "# Parameters\nminuts = 5\n"]}
    with pytest.raises(SettingsError, match="did you mean 'minutes'"):
        from_notebook(namespace)


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-02:00"])
def test_an_end_at_the_edge_of_the_calendar_is_told_with_a_hint(end: str) -> None:
    with pytest.raises(SettingsError, match=end[:19]) as caught:
        Settings(end=end)
    assert caught.value.hint


def test_times_are_utc() -> None:
    assert parse_time("2026-01-31T14:00:00+02:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_window_ends_after_it_starts_and_widens_to_the_left() -> None:
    end = datetime(2026, 1, 31, 12, tzinfo=UTC)
    window = TimeWindow.last(minutes=15, now=end)
    assert window.widened().start == datetime(2026, 1, 31, 11, 30, tzinfo=UTC)
    assert window.widened().end == end
    with pytest.raises(SettingsError):
        TimeWindow(start=end, end=end)


@pytest.mark.parametrize(("minutes", "step"), [(1, 10), (30, 10), (31, 20), (60, 20), (1440, 480)])
def test_a_range_query_has_at_most_181_points(minutes: int, step: int) -> None:
    window = TimeWindow.last(minutes=minutes, now=datetime(2026, 1, 31, 12, tzinfo=UTC))
    assert window.step_seconds == step
    assert window.seconds / window.step_seconds <= 181


def test_a_folder_may_lie_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert output_folder(Settings(output_dir="~/x")) == phase_folder("00_doctor", "~/x") == tmp_path / "x"
    assert output_folder(Settings(output_dir="x")) == Path.cwd() / "x"
    with pytest.raises(SettingsError, match="output_dir"):
        output_folder(Settings(output_dir="~nobody-of-this-name/x"))
