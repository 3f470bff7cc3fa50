"""Incidents of other people's kind of apps, made and labelled by somebody who had read none of the checks.

Each folder of data/other_apps is a recording with its truth.json; `accepted` there are other names that its author lets
count, `change` is a pattern on what has to be named as the change, null where it left no trace or there was none.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.diagnosis import diagnose
from srelab_lib.model import Diagnosis, Finding
from srelab_lib.settings import Settings
from srelab_lib.sources.connect import connect
from srelab_lib.sources.snapshot import collect

APPS = Path(__file__).parent / "data" / "other_apps"
TRUTHS: dict[str, dict[str, Any]] = {
    path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(APPS.glob("*/truth.json"))
}


def diagnosed(name: str) -> Diagnosis:
    settings = Settings(source="incident", incident=name)
    with connect(settings, incidents_dir=APPS, now=datetime.now(UTC)) as connection:
        return diagnose(collect(connection))


def test_there_are_faults_and_controls() -> None:
    assert {truth["outcome"] for truth in TRUTHS.values()} == {"fault", "no_fault"}


@pytest.mark.parametrize("name", TRUTHS)
def test_it_is_named_with_its_object_and_its_change(name: str) -> None:
    truth, diagnosis = TRUTHS[name], diagnosed(name)
    verdict = diagnosis.verdict
    assert verdict.outcome == truth["outcome"], verdict.summary
    if truth["outcome"] == "no_fault":
        assert diagnosis.findings == ()
        return
    assert [verdict.fault, verdict.object] in truth["accepted"], verdict.summary
    if truth["change"] is None:
        assert verdict.change is None
    else:
        assert re.search(truth["change"], verdict.change or ""), verdict.summary


def finding(name: str, fault: str) -> Finding | None:
    return next((one for one in diagnosed(name).findings if one.fault == fault), None)


def test_of_many_programs_in_one_config_map_the_one_that_runs_tells_whom_it_calls() -> None:
    down = finding("tollway", "dependency_down")
    assert down is not None
    assert down.summary.endswith("does not answer Deployment blind3-tollway/tariff-book")


def test_a_quota_is_told_by_the_workload_that_should_run_and_not_by_a_cron_job() -> None:
    assert diagnosed("museum").verdict.summary.startswith("Deployment blind3-museum/seat-map cannot create its pods")


def test_an_edit_of_another_key_does_not_accuse_this_one() -> None:
    wrong = finding("kiln", "configmap_wrong_value")
    assert wrong is not None
    assert "LEASE_WAIT_MS" not in wrong.cause
