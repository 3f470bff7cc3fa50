"""Which edit is blamed: one that somebody has read since, and of which the logs tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from test_other_apps import diagnosed

from srelab_lib.diagnosis import diagnose
from srelab_lib.diagnosis.checks._edits import unread_edits
from srelab_lib.diagnosis.checks._logs import without_none
from srelab_lib.diagnosis.started import spoken_of
from srelab_lib.model import Diagnosis, Snapshot

STARTED_LATER = pd.Timestamp(datetime(2026, 11, 28, 8, 43, tzinfo=UTC))


def changed(name: str, table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Snapshot:
    """The snapshot of a recording of which one table is another one."""
    snapshot = diagnosed(name).snapshot
    return replace(snapshot, tables={**snapshot.tables, table: change(snapshot[table].copy())})


def written(name: str, table: str, column: str, old: str, new: str) -> Diagnosis:
    """The diagnosis of a recording where a column has another text in the place of one."""
    return diagnose(
        changed(
            name, table, lambda df: df.assign(**{column: df[column].astype(str).str.replace(old, new, regex=False)})
        )
    )


def test_an_edit_that_is_read_when_a_container_starts_counts_for_nothing_before_it_does() -> None:
    edit = "ConfigMap/stocktake/count-options"
    assert [ref for ref, _ in unread_edits(diagnosed("stocktake").snapshot)] == [edit]
    started = changed("stocktake", "containers", lambda df: df.assign(started_at=STARTED_LATER))
    assert unread_edits(started) == frozenset()


def test_an_edit_of_mounted_files_counts_without_a_start() -> None:
    assert unread_edits(diagnosed("rentals").snapshot) == frozenset()
    assert unread_edits(diagnosed("concierge").snapshot) == frozenset()


def test_the_line_of_a_file_that_the_error_speaks_of_is_shown() -> None:
    assert diagnosed("rentals").verdict.cause.startswith(
        'ConfigMap rental-settings holds "name = rental_eu" in settings.ini'
    )


def test_a_time_out_that_was_cut_is_told_by_the_number_of_the_time_out() -> None:
    assert diagnosed("giftcards").verdict.fault == "bad_deploy"
    longer = written("giftcards", "logs", "message", "read timeout=0.4", "read timeout=2.5")
    assert longer.verdict.fault == "exception_storm"


def test_who_finds_nothing_under_a_new_name_is_at_fault_only_where_others_miss_its_work() -> None:
    assert diagnosed("restock").verdict.object == "Deployment/restock/stock-projector"
    calm = changed("restock", "logs", lambda df: df[~df["object"].astype(str).str.endswith("/shoppers")])
    assert [one.object for one in diagnose(calm).findings if one.fault == "bad_deploy"] == []


def test_beside_another_change_an_edit_is_blamed_where_its_reader_is_named() -> None:
    assert diagnosed("memberdesk").verdict.object == "ConfigMap/memberdesk/gate-config"
    unnamed = written("memberdesk", "logs", "message", "desk-api answered", "it answered")
    assert unnamed.verdict.object != "ConfigMap/memberdesk/gate-config"


def test_throttling_begins_with_the_pods_of_a_lower_limit() -> None:
    since = diagnosed("floorplans").verdict.since
    assert since is not None
    assert f"{since:%H:%M}" == "08:58"


@pytest.mark.parametrize("line", ["16 ok, 0 failed", "ok=16 failed=0 max_ms=87", "errors: 0", "done without errors"])
def test_none_of_a_trouble_is_no_trouble(line: str) -> None:
    assert not any(word in without_none(line) for word in ("fail", "error"))


@pytest.mark.parametrize("line", ["0 ok, 16 failed", "failed=16", "0.5 failed", "errors: 3"])
def test_some_of_a_trouble_is_trouble(line: str) -> None:
    assert without_none(line) == line


def test_of_several_keys_the_one_that_is_spoken_of() -> None:
    said = "no connection free within 4 s (pool=tables)"
    assert spoken_of("data[POOL_MAX]", said) > spoken_of("data[TIMEZONE]", said)
    assert diagnosed("reservations").verdict.change is not None
    assert "POOL_MAX" in str(diagnosed("reservations").verdict.change)
