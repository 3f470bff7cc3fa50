"""Questions in one line: PromQL and logs as tables, over recorded incidents; the live side is walked by 09_explore."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from srelab_lib import Explorer, Settings
from srelab_lib.errors import ApiError, SettingsError, SourceError
from srelab_lib.explore import answering
from srelab_lib.signals.frames import SCHEMAS

LEAK = Settings(source="incident", incident="memory-leak")


@pytest.fixture(scope="module")
def lab() -> Iterator[Explorer]:
    with Explorer(LEAK) as explorer:
        yield explorer


def test_a_range_query_is_a_row_for_each_moment_and_a_column_for_each_series(lab: Explorer) -> None:
    memory = lab.signal("memory_working_set_bytes")
    assert str(memory.index.dtype) == "datetime64[ns, UTC]"
    assert memory.index.is_monotonic_increasing
    assert memory.index.min() >= lab.window.start
    growth = (memory.max() / memory.min()).sort_values()
    assert "container=broken-app" in str(growth.index[-1])
    assert growth.iloc[-1] > 2


def test_columns_are_called_by_what_tells_the_series_apart(lab: Explorer) -> None:
    memory = lab.signal("memory_working_set_bytes")
    assert all("namespace=" not in str(name) for name in memory)
    assert len(set(memory)) == memory.shape[1]


def test_placeholders_are_filled_in(lab: Explorer) -> None:
    used = 'container_cpu_usage_seconds_total{namespace="$namespace",container!="",container!="POD"}'
    by_hand = lab.promql(f"sum by (namespace,pod,container) (rate({used}[$rate]))")
    pd.testing.assert_frame_equal(by_hand, lab.signal("cpu_usage_cores"))
    assert not by_hand.empty


def test_what_was_not_recorded_is_no_empty_table(lab: Explorer) -> None:
    with pytest.raises(ApiError, match="not in this recording"):
        lab.promql("vector(42)")


def test_a_query_that_prometheus_refuses_says_where(lab: Explorer) -> None:
    with pytest.raises(ApiError, match="parse error"):
        lab.promql("sum by (pod")


def test_an_unknown_signal_names_the_known_ones(lab: Explorer) -> None:
    with pytest.raises(SettingsError) as refused:
        lab.signal("memory")
    assert "memory_working_set_bytes" in refused.value.hint


def test_logs_are_those_of_the_named_object_in_order_of_time(lab: Explorer) -> None:
    every, some = lab.logs(), lab.logs("inventory")
    assert list(every.columns) == list(SCHEMAS["logs"])
    assert every["time"].is_monotonic_increasing
    assert set(some["object"]) == {"Deployment/shop-memory-leak/inventory"}
    assert len(some) == (every["object"] == "Deployment/shop-memory-leak/inventory").sum()


def test_events_are_in_order_of_time(lab: Explorer) -> None:
    events = lab.events()
    assert {"Unhealthy", "Started"} <= set(events["reason"])
    assert events["last_seen"].is_monotonic_increasing


def test_signals_without_a_sample_are_named() -> None:
    with Explorer(LEAK, progress=lambda _: None) as explorer:
        assert answering(explorer, "cpu_usage_cores").observe().holds
        seen = answering(explorer, "pool_used_ratio", "volume_used_ratio").observe()
    assert not seen.holds
    assert "no sample of" in seen.text


def test_what_cannot_be_read_is_told() -> None:
    said: list[str] = []
    with Explorer(Settings(source="incident", incident="pods-unreadable"), progress=said.append) as explorer:
        explorer.logs()
    assert any(line.startswith("not seen: ") for line in said)


def test_without_prometheus_the_error_says_why() -> None:
    settings = Settings(source="incident", incident="memory-leak", prometheus_url="http://127.0.0.1:1")
    with Explorer(settings) as explorer, pytest.raises(SourceError, match="no Prometheus: "):
        explorer.promql("up")
