"""What the notebook's cells show: each function returns a value that Jupyter displays by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from srelab_lib.model import Analysis, Diagnosis, RunInfo, Snapshot
from srelab_lib.reports import markdown
from srelab_lib.reports.charts import log_levels_chart, memory_against_limit, signals_chart, timeline
from srelab_lib.reports.document import document
from srelab_lib.reports.text import clock, quantity, shorten
from srelab_lib.reports.text import markdown as markdown_text
from srelab_lib.reports.timeline import where
from srelab_lib.signals.promql import QUERIES

__all__ = [
    "MarkdownText",
    "actions_markdown",
    "analysis_markdown",
    "candidates_table",
    "evidence_table",
    "findings_table",
    "log_levels_chart",
    "memory_against_limit",
    "missing_table",
    "onsets_table",
    "signals_chart",
    "timeline",
    "timeline_table",
    "title_markdown",
    "verdict_markdown",
]

Json = dict[str, Any]
_CELL = 400
"""Longest text in a cell of a table."""


class MarkdownText(str):
    """Markdown that a notebook shows formatted and everything else as text."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def title_markdown(snapshot: Snapshot) -> MarkdownText:
    """Where the tables come from, as a heading; RECORDED where that is a recording."""
    return MarkdownText(f"### {markdown_text(where(snapshot))}")


def verdict_markdown(diagnosis: Diagnosis, analysis: Analysis | None = None) -> MarkdownText:
    """The verdict as the report words it; RECORDED where the signals come from a recording."""
    return MarkdownText(markdown.verdict(_body(diagnosis, analysis)))


def analysis_markdown(diagnosis: Diagnosis, analysis: Analysis | None) -> MarkdownText:
    """The model's claims with their citations, struck ones as struck; or one line on why there are none."""
    return MarkdownText(markdown.analysis(_body(diagnosis, analysis)))


def actions_markdown(diagnosis: Diagnosis) -> MarkdownText:
    """What to do: the change as a diff, then commands to read and paste."""
    return MarkdownText(markdown.actions(_body(diagnosis, None)))


def evidence_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """The numbered facts: index `id`; columns `source`, `text`."""
    rows = [{"id": e.id, "source": e.source, "text": e.text} for e in diagnosis.evidence.items]
    return _table(rows, ("id", "source", "text"), index="id")


def findings_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """Everything that the checks found, root causes first: `fault`, `object`, `since`, `summary`, `cause`."""
    rows = [
        {
            "fault": finding.fault,
            "object": finding.object,
            "since": clock(finding.since) if finding.since else "",
            "summary": finding.summary,
            "cause": finding.cause,
        }
        for finding in diagnosis.findings
    ]
    return _table(rows, ("fault", "object", "since", "summary", "cause"))


def candidates_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """Possible root causes in their order: index `id`; `fault`, `object`, `why`, `evidence`."""
    rows = [
        {"id": f"C{n}", "fault": c.fault, "object": c.object, "why": c.why, "evidence": " ".join(c.evidence)}
        for n, c in enumerate(diagnosis.candidates, 1)
    ]
    return _table(rows, ("id", "fault", "object", "why", "evidence"), index="id")


def onsets_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """Change points of metrics, strongest first: `signal`, `object`, `time`, `before`, `after`."""
    rows = [
        {
            "signal": QUERIES[onset.signal].title if onset.signal in QUERIES else onset.signal,
            "object": onset.object,
            "time": clock(onset.time) if onset.time and not onset.began_before_window else "before the window",
            "before": quantity(onset.before, onset.unit),
            "after": quantity(onset.after, onset.unit),
        }
        for onset in diagnosis.onsets
    ]
    return _table(rows, ("signal", "object", "time", "before", "after"))


def timeline_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """Everything with a time, in order: index `time` (UTC); `kind`, `object`, `text`."""
    rows = [
        {"time": clock(mark.time), "kind": mark.kind, "object": mark.object, "text": mark.text}
        for mark in diagnosis.timeline.marks
    ]
    return _table(rows, ("time", "kind", "object", "text"), index="time")


def missing_table(snapshot: Snapshot) -> pd.DataFrame:
    """What was not seen: `source`, `reason`, `matters`."""
    rows = [{"source": m.source, "reason": m.reason, "matters": m.matters} for m in snapshot.missing]
    return _table(rows, ("source", "reason", "matters"))


def _body(diagnosis: Diagnosis, analysis: Analysis | None) -> Json:
    return document(diagnosis, analysis, RunInfo())


def _table(rows: Iterable[Mapping[str, str]], columns: tuple[str, ...], *, index: str = "") -> pd.DataFrame:
    """Texts on one line, short enough for a cell, with nothing in them that cannot be seen."""
    shown = [{name: shorten(value, _CELL) for name, value in row.items()} for row in rows]
    table = pd.DataFrame(shown, columns=list(columns), dtype="object")
    return table.set_index(index) if index else table
