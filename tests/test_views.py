"""What the notebook's cells show, for every kind of outcome."""

from __future__ import annotations

import diagnosis_samples as samples
import pandas as pd
import pytest
from hostile_samples import ATTACKS, hostile

from srelab_lib.reports import views

TABLES = {
    "evidence_table": (6, ["source", "text"]),
    "findings_table": (2, ["fault", "object", "since", "summary", "cause"]),
    "candidates_table": (2, ["fault", "object", "why", "evidence"]),
    "onsets_table": (4, ["signal", "object", "time", "before", "after"]),
    "timeline_table": (18, ["kind", "object", "text"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_its_columns_also_when_it_is_empty(name: str) -> None:
    rows, columns = TABLES[name]
    full, empty = (getattr(views, name)(diagnosis) for diagnosis in (samples.oom(), samples.no_fault({})))
    assert list(full.columns) == list(empty.columns) == columns
    assert (len(full), len(empty)) == (rows, 0)


def test_what_is_missing_is_known_before_a_diagnosis() -> None:
    table = views.missing_table(samples.inconclusive().snapshot)
    assert table.to_dict("records") == [
        {"source": "pods", "reason": "HTTP 403: pods is forbidden", "matters": "what containers do"}
    ]
    assert "RECORDED incident oom-memory-limit" in views.title_markdown(samples.oom().snapshot)


def test_evidence_is_found_by_its_id() -> None:
    assert "OOMKilled" in str(views.evidence_table(samples.oom()).loc["E2", "text"])


def test_onsets_are_told_with_their_units() -> None:
    first = views.onsets_table(samples.oom()).iloc[0]
    assert (first["before"], first["after"]) == ("0 %", "38 %")


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_tables_show_hostile_text_harmlessly(attack: str) -> None:
    diagnosis = hostile(attack)
    for name in TABLES:
        table: pd.DataFrame = getattr(views, name)(diagnosis)
        for column in table:
            assert all(len(text) <= 400 and "\x1b" not in text and "\u202e" not in text for text in table[column])
        assert "<script>" not in table.to_html()


def test_markdown_shows_itself_and_prints_as_text() -> None:
    words = views.verdict_markdown(samples.oom(), samples.ANALYSIS)
    assert words._repr_markdown_() == str(words)
    assert words.startswith("## Verdict: a fault was found")
    assert "RECORDED incident oom-memory-limit" in words
    assert "RECORDED" not in views.verdict_markdown(samples.oom("live"))


def test_the_analysis_shows_struck_claims_as_struck() -> None:
    assert "**struck**" in views.analysis_markdown(samples.oom(), samples.ANALYSIS)
    assert "ollama pull phi3" in views.analysis_markdown(samples.oom(), samples.NO_MODEL)


def test_actions_are_commands_to_paste() -> None:
    words = views.actions_markdown(samples.oom())
    assert words.index("### The change") < words.index("### The fix") < words.index("### Then check")
    assert "Nothing needs to be done." in views.actions_markdown(samples.no_fault())


def test_all_names_are_there() -> None:
    assert all(callable(getattr(views, name)) for name in views.__all__)
