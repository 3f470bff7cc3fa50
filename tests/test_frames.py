"""The declared tables: schemas hold, full and empty."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from srelab_lib.errors import SrelabError
from srelab_lib.signals.frames import SCHEMAS, TIME, check, frame


@pytest.mark.parametrize("table", SCHEMAS)
def test_an_empty_frame_has_its_schema(table: str) -> None:
    empty = check(table, frame(table))
    assert list(empty.columns) == list(SCHEMAS[table])


@pytest.mark.parametrize("table", SCHEMAS)
def test_a_row_of_nothing_has_its_schema(table: str) -> None:
    assert check(table, frame(table, [{}])).isna().all(axis=None)


def test_times_of_all_spellings_are_nanoseconds_in_utc() -> None:
    spellings = ["2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000001Z",
                 datetime(2026, 1, 1, tzinfo=UTC), pd.Timestamp("2026-01-01", tz="UTC")]  # fmt: skip
    column = frame("pods", [{"created": spelling} for spelling in spellings])["created"]
    assert str(column.dtype) == TIME
    assert (column - pd.Timestamp("2026-01-01", tz="UTC")).dt.total_seconds().lt(1e-6).all()
    assert column.iloc[2].nanosecond == 1


@pytest.mark.parametrize("time", [None, "", "soon", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_what_is_no_time_is_not_a_time(time: str | None) -> None:
    assert check("pods", frame("pods", [{"created": time}]))["created"].isna().all()
    assert (
        check("pods", frame("pods", [{"created": time}, {"created": "2026-01-01T00:00:00Z"}]))["created"].notna().sum()
        == 1
    )


def test_numbers_keep_what_is_missing() -> None:
    rows = [{"exit_code": 137, "ready": True, "memory_limit_bytes": 1.5}, {}]
    containers = check("containers", frame("containers", rows))
    assert containers["exit_code"].tolist()[0] == 137
    assert containers.iloc[1][["exit_code", "ready", "memory_limit_bytes"]].isna().all()


def test_nested_values_stay_as_they_are() -> None:
    pods = frame("pods", [{"labels": {"app": "web"}, "conditions": [{"type": "Ready"}]}])
    assert pods["labels"].iloc[0] == {"app": "web"}
    assert pods["conditions"].iloc[0] == [{"type": "Ready"}]


def test_an_unknown_column_is_an_error_that_names_it() -> None:
    with pytest.raises(SrelabError, match="podd"):
        frame("pods", [{"podd": "web"}])


def test_a_frame_of_another_schema_is_an_error_that_names_the_column() -> None:
    with pytest.raises(SrelabError, match="restart_count"):
        check("containers", frame("containers").astype({"restart_count": "float64"}))
    with pytest.raises(SrelabError, match="pod"):
        check("pods", frame("pods").drop(columns="pod"))
