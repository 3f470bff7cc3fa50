"""Reports are complete, valid, the same for the same input, and harmless whatever they quote."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import diagnosis_samples as samples
import pytest
from hostile_samples import ATTACKS, hostile, hostile_analysis
from html_reader import Page
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from srelab_lib.errors import SourceError, SrelabError
from srelab_lib.model import Analysis, Diagnosis, Missing, RunInfo
from srelab_lib.reports import charts, render
from srelab_lib.reports.canvas import Chart
from srelab_lib.reports.document import MAX_ITEMS, MAX_TEXT, check, document, dumps, schema
from srelab_lib.reports.markdown import report
from srelab_lib.reports.pages import MAX_MISSING, Picture, html

SECTIONS = [
    "Verdict",
    "Timeline",
    "Why",
    "What else it could have been",
    "What the model said",
    "What to do",
    "What was not seen",
    "Run",
]
DIAGNOSES = {
    "oom": samples.oom(),
    "live": samples.oom("live"),
    "no_fault": samples.no_fault(),
    "inconclusive": samples.inconclusive(),
}
PICTURES = {"timeline": Picture(png=b"\x89PNG\r\n\x1a\n" + bytes(24), alt="what happened")}
ISSUE_FIELDS = {
    "verdict": {"outcome", "fault", "object", "summary", "cause", "change", "since", "confidence"},
    "run": {"source", "window", "seconds", "tokens", "versions"},
}


def page(diagnosis: Diagnosis, analysis: Analysis | None = samples.ANALYSIS) -> str:
    return html(document(diagnosis, analysis, samples.RUN), PICTURES)


def text(diagnosis: Diagnosis, analysis: Analysis | None = samples.ANALYSIS) -> str:
    return report(document(diagnosis, analysis, samples.RUN), {"timeline": "what happened"})


def h2(markdown_text: str) -> list[str]:
    return [line[3:] for line in markdown_text.splitlines() if line.startswith("## ")]


# report.json


@pytest.mark.parametrize("name", DIAGNOSES)
@pytest.mark.parametrize("analysis", [None, samples.ANALYSIS, samples.NO_MODEL], ids=["none", "words", "no model"])
def test_json_follows_its_schema(name: str, analysis: Analysis | None) -> None:
    body = json.loads(dumps(document(DIAGNOSES[name], analysis, samples.RUN)))
    Draft202012Validator(schema()).validate(body)
    for field, names in ISSUE_FIELDS.items():
        assert names <= body[field].keys()
    assert {"candidates", "findings", "evidence", "analysis", "missing", "dropped"} <= body.keys()
    assert body["schema_version"] == "1.0"


def test_the_schema_itself_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict", "outcome"), "maybe"),
        (("verdict", "fault"), None),
        (("verdict", "since"), "12:03"),
        (("evidence", 0, "id"), "1"),
        (("analysis", "claims", 0, "status"), "true"),
        (("run", "source", "kind"), "file"),
        (("run", "source", "context"), "both"),
        (("extra",), 1),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: tuple[Any, ...], value: object) -> None:
    body = document(samples.oom(), samples.ANALYSIS, samples.RUN)
    target: Any = body
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(SrelabError):
        check(body)


def test_json_holds_the_verdict_and_what_carries_it() -> None:
    body = document(samples.oom(), samples.ANALYSIS, samples.RUN)
    assert body["verdict"]["fault"] == "oom_killed"
    assert body["verdict"]["since"] == "2026-01-31T12:03:20Z"
    assert body["candidates"][0]["evidence"] == ["E1", "E2", "E3", "E4", "E5"]
    assert body["analysis"]["agrees"] is True
    assert [claim["status"] for claim in body["analysis"]["claims"]] == ["kept", "kept", "struck"]
    assert body["run"]["source"] == {"kind": "incident", "incident": "oom-memory-limit"}
    window = {"start": "2026-01-31T11:55:00Z", "end": "2026-01-31T12:10:00Z", "minutes": 15.0, "widened": False}
    assert body["run"]["window"] == window
    assert body["run"]["tokens"] == {"evidence": 412, "prompt": 1480, "output": 162}


def test_live_names_the_context() -> None:
    body = document(samples.oom("live"), None, samples.RUN)
    assert body["run"]["source"] == {"kind": "live", "context": "kind-sre-lab"}
    assert "RECORDED" not in json.dumps(body)


def test_without_seconds_of_its_own_a_run_took_what_its_parts_took() -> None:
    assert document(samples.oom(), samples.ANALYSIS, RunInfo())["run"]["seconds"] == pytest.approx(4.2 + 41.5)


def test_a_window_that_was_widened_says_so() -> None:
    diagnosis = samples.oom()
    wide = replace(diagnosis, snapshot=replace(diagnosis.snapshot, widened=True))
    assert ("twice what was asked for" in text(wide), "twice what was asked for" in text(diagnosis)) == (True, False)


def test_no_model_means_no_analysis_and_a_line_that_says_what_to_run() -> None:
    body = document(samples.oom(), samples.NO_MODEL, samples.RUN)
    assert body["analysis"] is None
    assert "ollama pull phi3" in body["analysis_unavailable"]


def test_what_json_cannot_say_becomes_null() -> None:
    onset = replace(samples.ONSETS[0], before=math.nan, after=math.inf)
    body = document(replace(samples.oom(), onsets=(onset,)), None, samples.RUN)
    assert (body["onsets"][0]["before"], body["onsets"][0]["after"]) == (None, None)
    assert "NaN" not in dumps(body)


def test_what_is_cut_is_told() -> None:
    marks = samples.oom_marks()[:1] * (MAX_ITEMS + 7)
    long = samples.with_marks(samples.oom(), marks)
    long = replace(long, verdict=replace(long.verdict, cause="x" * (MAX_TEXT + 5)))
    body = document(long, None, samples.RUN)
    assert len(body["timeline"]["marks"]) == MAX_ITEMS
    assert any(note.startswith(f"7 of {MAX_ITEMS + 7} items of timeline.marks") for note in body["dropped"])
    assert any(note.startswith("5 of") and "verdict.cause" in note for note in body["dropped"])


def test_evidence_that_the_model_was_not_shown_is_told() -> None:
    analysis = Analysis(model="phi3", omitted=("E6", "E7"))
    body = document(samples.oom(), analysis, samples.RUN)
    assert any(note.startswith("E6, E7: not shown to the model") for note in body["dropped"])


# pages


@pytest.mark.parametrize("name", DIAGNOSES)
def test_pages_have_the_eight_sections_in_order(name: str) -> None:
    found = [title.split(":")[0] for title in h2(text(DIAGNOSES[name]))]
    assert found == SECTIONS
    words = page(DIAGNOSES[name])
    assert [re.split("[:<]", title)[0] for title in re.findall(r"<h2[^>]*>(.*)</h2>", words)] == SECTIONS


@pytest.mark.parametrize("name", DIAGNOSES)
def test_page_can_be_read_aloud(name: str) -> None:
    read = Page(page(DIAGNOSES[name]))
    levels = read.heading_levels()
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert ("html", {"lang": "en"}) in read.tags
    assert all(attrs.get("alt") for tag, attrs in read.tags if tag == "img")
    assert all(attrs.get("scope") for tag, attrs in read.tags if tag == "th")


@pytest.mark.parametrize("name", DIAGNOSES)
def test_page_stands_alone(name: str) -> None:
    read = Page(page(DIAGNOSES[name]))
    assert not read.names() & {"script", "iframe", "object", "embed", "form", "base"}
    for tag, attrs in read.tags:
        for key in ("src", "href"):
            value = attrs.get(key) or "#"
            assert value.startswith(("data:", "#")), (tag, value)
        assert not [key for key in attrs if key.startswith("on")]


def test_citations_lead_to_evidence_that_is_there() -> None:
    read = Page(page(samples.oom()))
    ids = {attrs.get("id") for _, attrs in read.tags}
    targets = {attrs["href"] for tag, attrs in read.tags if tag == "a"}
    assert targets
    assert all(str(target)[1:] in ids for target in targets)


@pytest.mark.parametrize("make", [page, text])
def test_a_recording_says_so_in_title_and_verdict(make: Any) -> None:
    words = make(samples.oom())
    title, verdict = (part for part in re.split(r"Verdict", words, maxsplit=1))
    assert "RECORDED incident oom-memory-limit" in title
    assert "RECORDED" in verdict.split("Timeline", 1)[0]
    assert "RECORDED" not in make(samples.oom("live"))


@pytest.mark.parametrize("make", [page, text])
def test_struck_claims_are_shown_as_struck_with_the_reason(make: Any) -> None:
    words = make(samples.oom())
    struck = "The node sre-lab-worker ran out of disk at 90 %."
    assert f"<del>{struck}</del>" in words or f"~~{struck}~~" in words
    assert "struck" in words
    assert "names no node" in words


@pytest.mark.parametrize("make", [page, text])
def test_no_model_is_said_in_one_line(make: Any) -> None:
    assert "Run: ollama pull phi3" in make(samples.oom(), samples.NO_MODEL)
    assert "has not been asked yet" in make(samples.oom(), None)


@pytest.mark.parametrize("make", [page, text])
def test_the_chain_runs_from_the_change_on_in_order_of_time(make: Any) -> None:
    words = make(samples.oom())
    why = words.split("What else it could have been")[0].split("Why", 1)[1]
    order = [why.index(part) for part in ("The memory limit", "cannot stay up", "Share of requests", "is not ready")]
    assert order == sorted(order)


@pytest.mark.parametrize("make", [page, text])
def test_the_first_fix_stands_in_the_verdict(make: Any) -> None:
    diagnosis = samples.oom()
    command = diagnosis.actions[0].command
    assert command in make(diagnosis).split("Timeline", 1)[0]
    long = replace(diagnosis, actions=(replace(diagnosis.actions[0], command=f"{command}\n{command}"),))
    assert command not in make(long).split("Timeline", 1)[0]


@pytest.mark.parametrize("make", [page, text])
def test_no_fault_lists_what_was_checked(make: Any) -> None:
    words = make(samples.no_fault())
    assert "No check found a fault" in words
    assert "pvc pending" in words
    assert "Nothing needs to be done." in words


@pytest.mark.parametrize("make", [page, text])
def test_what_was_not_seen_is_listed(make: Any) -> None:
    assert "HTTP 403" in make(samples.inconclusive())
    assert "Every source answered." in make(samples.no_fault())


# hostile content


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_no_attack_leaves_its_quotes(attack: str) -> None:
    diagnosis, analysis = hostile(attack), hostile_analysis(attack)
    body = document(diagnosis, analysis, samples.RUN)
    json_text, md, page_text = dumps(body), report(body, {"timeline": attack}), html(body, PICTURES)
    check(json.loads(json_text))
    for written in (json_text, md, page_text):
        written.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", written)
    read = Page(page_text)
    quiet = Page(page(samples.oom()))
    assert read.names() <= quiet.names() | {"p"}
    assert len(read.names() & {"script", "svg"}) == 0
    assert len([tag for tag, _ in read.tags if tag == "style"]) == 1
    assert len([tag for tag, _ in read.tags if tag == "img"]) == 1


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_markdown_shows_an_attack_as_text(attack: str) -> None:
    body = document(hostile(attack), hostile_analysis(attack), samples.RUN)
    rendered = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .render(report(body, {"timeline": attack}))
    )
    read = Page(rendered)
    assert not read.names() & {"script", "svg", "b", "style", "table", "a", "blockquote", "hr"}
    assert [attrs["src"] for tag, attrs in read.tags if tag == "img"] == ["timeline.png"]
    headings = [level for level in read.heading_levels() if level < 3]
    assert headings == [1, *[2] * len(SECTIONS)]


def test_a_page_of_huge_texts_stays_small() -> None:
    body = document(hostile("<" * 3_000_000), hostile_analysis("<" * 3_000_000), samples.RUN)
    assert len(html(body, PICTURES)) < 3_000_000
    assert len(dumps(body)) < 3_000_000
    assert "characters more" in report(body, {"timeline": ""})


# writing


def test_render_writes_everything_and_twice_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = render(samples.oom(), None, tmp_path / "new" / "run", run=samples.RUN)
    assert {"report.html", "report.md", "report.json", "timeline.png"} <= first.keys()
    before = {name: path.read_bytes() for name, path in first.items()}

    def draw(_: Diagnosis) -> Chart:
        raise AssertionError("a figure was drawn again")

    monkeypatch.setattr(charts, "CHARTS", dict.fromkeys(charts.CHARTS, draw))
    second = render(samples.oom(), None, tmp_path / "new" / "run", run=samples.RUN)
    assert {name: path.read_bytes() for name, path in second.items()} == before
    third = render(samples.oom(), samples.ANALYSIS, tmp_path / "new" / "run", run=samples.RUN)
    assert third["timeline.png"].read_bytes() == before["timeline.png"]
    assert third["report.html"].read_bytes() != before["report.html"]
    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == sorted(first)


def test_another_diagnosis_in_the_same_folder_gets_its_own_figures(tmp_path: Path) -> None:
    first = render(samples.oom(), None, tmp_path, run=samples.RUN)["timeline.png"].read_bytes()
    paths = render(samples.inconclusive(), None, tmp_path, run=samples.RUN)
    assert paths["timeline.png"].read_bytes() != first
    assert "memory.png" not in paths
    assert not (tmp_path / "memory.png").exists()


def test_a_damaged_figure_is_drawn_again(tmp_path: Path) -> None:
    path = render(samples.no_fault(), None, tmp_path, run=samples.RUN)["timeline.png"]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert render(samples.no_fault(), None, tmp_path, run=samples.RUN)["timeline.png"].read_bytes() == whole


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(samples.no_fault(), None, tmp_path, run=samples.RUN)
    old = (tmp_path / "report.json").read_bytes()

    def replace_fails(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", replace_fails)
    with pytest.raises(SourceError, match="No space left"):
        render(samples.inconclusive(), None, tmp_path, run=samples.RUN)
    assert (tmp_path / "report.json").read_bytes() == old
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="choose another output_dir"):
        render(samples.no_fault(), None, tmp_path / "file", run=samples.RUN)


def test_of_many_unseen_sources_the_deciding_ones_come_first_and_most_are_folded() -> None:
    diagnosis = DIAGNOSES["no_fault"]
    unseen = [Missing(source=f"source {n}", reason="it hangs", deciding=n == 299) for n in range(300)]
    full = replace(diagnosis, snapshot=replace(diagnosis.snapshot, missing=tuple(unseen)))
    shown, folded = page(full).split('id="unseen"')[1].split("<details>")[:2]
    assert shown.count("<li>") == MAX_MISSING
    assert "source 299</strong>: it hangs (this would decide)" in shown
    assert folded.startswith(f"<summary>{300 - MAX_MISSING} more</summary>")
    assert "source 298" in folded
    lines = text(full).split("## What was not seen")[1].split("##")[0].splitlines()
    assert "- **source 299**: it hangs (this would decide)" in lines
    assert f"- … {300 - MAX_MISSING} more in report.json" in lines
    assert len([line for line in lines if line.startswith("- ")]) == MAX_MISSING + 1
