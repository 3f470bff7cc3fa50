"""What the pages tell beyond the document's own fields."""

from __future__ import annotations

from typing import Any

import diagnosis_samples as samples

from srelab_lib.reports.document import document
from srelab_lib.reports.story import chain, first_fix


def body() -> dict[str, Any]:
    return document(samples.oom(), None, samples.RUN)


def test_an_average_that_moved_early_stands_behind_what_moved_it() -> None:
    told = body()
    assert [step.label for step in chain(told)][:3] == ["change", "fault", "users"]
    for onset in told["onsets"]:
        onset["time"] = "2026-01-31T12:02:50Z"
    steps = chain(told)
    assert [step.label for step in steps][:3] == ["change", "fault", "users"]
    assert steps[2].time == "about 12:02"
    assert steps[1].time == "12:03:20"


def test_the_first_way_to_mend_it_goes_as_far_as_then() -> None:
    told = body()
    told["actions"] = [
        {"kind": kind, "purpose": purpose, "command": purpose.lower()}
        for kind, purpose in (
            ("fix", "Edit"), ("fix", "Then restart"), ("fix", "Or roll back"), ("fix", "Then wait"), ("verify", "Look"),
        )
    ]  # fmt: skip
    assert first_fix(told) == ["edit", "then restart"]
    told["actions"] = []
    assert first_fix(told) == []
