"""The document as pages: report.html and report.md. Pure: what they show is all in the document and the figures."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from srelab_lib.model import sentence
from srelab_lib.reports.story import agreement, chain, first_fix, marks, where
from srelab_lib.reports.text import clip, sentences, visible

Json = dict[str, Any]
OUTCOMES = {"fault": "a fault was found", "no_fault": "no fault was found", "inconclusive": "inconclusive"}
ACTION_HEADINGS = (("fix", "The fix"), ("verify", "Then check that it worked"), ("inspect", "Where to look further"))
MAX_DIFF_LINES = 120
MAX_MISSING = 12


class Picture(NamedTuple):
    """A figure as bytes, with the words for someone who cannot see it."""

    png: bytes
    alt: str


def html(body: Json, pictures: Mapping[str, Picture]) -> str:
    """One self-contained page: no script, no request, no font of its own."""
    lead, rest = _lead(body)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            body=body,
            figures={name: _figure(picture) for name, picture in pictures.items()},
            recorded=body["run"]["source"]["kind"] == "incident",
            outcome=OUTCOMES[body["verdict"]["outcome"]],
            lead=lead,
            change_is_new=_change_is_new(body["verdict"]),
            rest=rest,
            agreement=agreement(body),
            fix=first_fix(body),
            chain=chain(body),
            marks=marks(body),
            others=others(body),
            nothing_carries=nothing_carries(body),
            missing=deciding_first(body),
            max_missing=MAX_MISSING,
            diff=diff_lines(body),
            headings=ACTION_HEADINGS,
            run=run_lines(body),
        )
    )


def others(body: Json) -> list[Json]:
    """The runners-up: all candidates but the one that the verdict names."""
    found = body["candidates"][1:] if body["verdict"]["outcome"] == "fault" else body["candidates"]
    return [{**item, "summary": sentence(item["summary"])} for item in found]


def nothing_carries(body: Json) -> str:
    """What stands where evidence would, when there is none."""
    if body["verdict"]["outcome"] == "no_fault":
        return f"No evidence of a fault: {len(body['checked'])} checks ran and found nothing."
    return "There is no evidence that any check could use."


def deciding_first(body: Json) -> list[Json]:
    """What was not seen; a page shows MAX_MISSING of it at once."""
    return sorted(body["missing"], key=lambda item: not item["deciding"])


def diff_lines(body: Json) -> list[str]:
    """The diff of the change that started the fault, at most MAX_DIFF_LINES lines, the last says how many are gone."""
    if body["verdict"]["outcome"] != "fault" or not body["candidates"] or not body["candidates"][0]["change"]:
        return []
    lines = [clip(line, 400) for line in body["candidates"][0]["change"]["diff"].splitlines()]
    more = len(lines) - MAX_DIFF_LINES
    return [*lines[:MAX_DIFF_LINES], f"… ({more} lines more)"] if more > 0 else lines


def run_lines(body: Json) -> list[tuple[str, str]]:
    """Names and values of the last section."""
    run = body["run"]
    window, tokens = run["window"], run["tokens"]
    wider = ", twice what was asked for: there was trouble from its beginning on" if window["widened"] else ""
    model = " ".join(part for part in (run["model"] or "none", run["digest"] or "") if part)
    return [
        ("Source", f"{where(body)}, namespace {run['namespace']}"),
        ("Window", f"{window['start']} to {window['end']}, {window['minutes']:g} minutes{wider}"),
        ("Took", f"{run['seconds']:g} seconds"),
        ("Model", model),
        ("Tokens", f"evidence {tokens['evidence']}, prompt {tokens['prompt']}, answer {tokens['output']}"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items()) or "unknown"),
        ("Schema", f"report.json {body['schema_version']}"),
    ]


def _lead(body: Json) -> tuple[str, str]:
    """The verdict's first sentence, and what follows it."""
    first, *more = sentences(body["verdict"]["summary"]) or [""]
    return clip(first, 600), clip(" ".join(more), 2000)


def _change_is_new(verdict: Json) -> bool:
    """False when the summary names the change already."""
    change = verdict["change"]
    return bool(change) and change.split(" (commit ")[0] not in verdict["summary"]


def _figure(picture: Picture) -> Markup:
    data = base64.b64encode(picture.png).decode("ascii")
    width, height = (int.from_bytes(picture.png[at : at + 4], "big") for at in (16, 20))
    source = Markup("data:image/png;base64,{}").format(data)
    return Markup('<figure><img src="{}" width="{}" height="{}" alt="{}"></figure>').format(
        source, width, height, visible(picture.alt)
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("srelab_lib.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["clip"] = clip
    return environment


def _finalize(value: object) -> object:
    """Every plain text that a template shows, in characters that can be seen."""
    if isinstance(value, Markup):
        return value
    return clip(visible(value)) if isinstance(value, str) else value
