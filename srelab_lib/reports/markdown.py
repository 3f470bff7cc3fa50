"""report.md: the same report for a terminal, a ticket or a chat. Quotes stand in code, all other text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from srelab_lib.reports.pages import (
    ACTION_HEADINGS,
    MAX_MISSING,
    OUTCOMES,
    deciding_first,
    diff_lines,
    nothing_carries,
    others,
    run_lines,
)
from srelab_lib.reports.story import Mark, agreement, chain, first_fix, marks, where
from srelab_lib.reports.text import code_block, code_span, markdown, one_line, shorten

Json = dict[str, Any]
MAX_MARKS = 40


def report(body: Json, figures: Mapping[str, str]) -> str:
    """The whole report.

    Args:
        body: the document.
        figures: alt text by name of the PNG files that lie beside it.
    """
    parts = [f"# {_inline(body['title'])}", verdict(body), _timeline(body, figures), _why(body, figures)]
    parts += [_else(body), f"## What the model said\n\n{analysis(body)}", f"## What to do\n\n{actions(body)}"]
    parts += [_unseen(body), "## Run\n\n" + _list(f"{name}: {_inline(value)}" for name, value in run_lines(body))]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def verdict(body: Json) -> str:
    """The verdict with how sure it is; RECORDED where the signals come from a recording."""
    said = body["verdict"]
    recorded = f"**{_inline(where(body))}.** " if body["run"]["source"]["kind"] == "incident" else ""
    lines = [f"How sure: **{said['confidence']}**, {_inline(said['confidence_reason'])}"]
    if said["object"]:
        lines.insert(0, f"Fault: {code_span(said['fault'])} of {code_span(said['object'])}")
    if said["change"]:
        lines.append(f"What changed: {_inline(said['change'])}")
    if said["since"]:
        lines.append(f"Since: {said['since']}")
    if fix := first_fix(body):
        lines.append(f"The fix: {', then '.join(map(code_span, fix))}")
    lines.append(f"The model: {_inline(agreement(body))}")
    heading = f"## Verdict: {OUTCOMES[said['outcome']]}"
    return f"{heading}\n\n{recorded}{_inline(said['summary'])}\n\n{_list(lines)}"


def analysis(body: Json) -> str:
    """The model's claims with their citations, struck ones as struck, or one line on why there are none."""
    lines = [_inline(agreement(body))]
    claims = body["analysis"]["claims"] if body["analysis"] else []
    if claims:
        lines.append(_list(map(_claim, claims)))
        lines.append("The verdict comes from the checks.")
    return "\n\n".join(lines)


def actions(body: Json) -> str:
    """The diff of the change, then commands under their headings; or that nothing is to be done."""
    parts = []
    if diff := diff_lines(body):
        parts.append("### The change that started it, as a diff\n\n" + code_block("\n".join(diff), "diff"))
    for kind, heading in ACTION_HEADINGS:
        steps = [item for item in body["actions"] if item["kind"] == kind]
        if steps:
            blocks = [f"{_inline(item['purpose'])}:\n\n{code_block(item['command'], 'sh')}" for item in steps]
            parts.append(f"### {heading}\n\n" + "\n\n".join(blocks))
    if not body["actions"]:
        parts.append("Nothing needs to be done.")
    return "\n\n".join(parts)


def _timeline(body: Json, figures: Mapping[str, str]) -> str:
    told = marks(body)
    lines = [f"{mark.first[11:19]} {mark.kind:7} {shorten(mark.text, 160)}{_times(mark)}" for mark in told[:MAX_MARKS]]
    if len(told) > len(lines):
        lines.append(f"… {len(told) - len(lines)} more in report.json")
    text = code_block("\n".join(lines)) if lines else "No change, event, restart or new log line lies in the window."
    return f"## Timeline\n\n{_picture('timeline', figures)}\n\n{text}"


def _times(mark: Mark) -> str:
    return f" {mark.repeats}" if mark.repeats else ""


def _why(body: Json, figures: Mapping[str, str]) -> str:
    parts = ["## Why"]
    steps = [
        f"{n}. {step.label}{f', {step.time} UTC' if step.time else ''}: {_inline(step.text)}{_cites(step.evidence)}"
        for n, step in enumerate(chain(body), 1)
    ]
    parts += ["\n".join(steps)] if steps else []
    quotes = [
        f"- **{e['id']}** {_inline(e['source'])}\n\n{code_block(e['text'], indent='  ')}" for e in body["evidence"]
    ]
    parts.append("\n\n".join(quotes) if quotes else _inline(nothing_carries(body)))
    parts += [_picture(name, figures) for name in figures if name != "timeline"]
    return "\n\n".join(parts)


def _else(body: Json) -> str:
    rows = [
        f"{item['id']}: {code_span(item['fault'])} of {code_span(item['object'])}. {_inline(item['summary'])}"
        f"{_cites(item['evidence'])} Stands lower because {_inline(item['why'] or 'its facts are weaker')}."
        for item in others(body)
    ]
    parts = ["## What else it could have been", _list(rows) if rows else "There are no other candidates."]
    if body["checked"]:
        parts.append(_checked(body))
    return "\n\n".join(parts)


def _checked(body: Json) -> str:
    """How many checks found nothing; which ones, and what each reads, where they are the answer: nothing is wrong."""
    count = f"{len(body['checked'])} checks ran and found nothing"
    if body["verdict"]["outcome"] == "no_fault":
        return f"{count}:\n\n{_list(map(_inline, body['checked']))}"
    return f"{count}; report.json names them."


def _unseen(body: Json) -> str:
    missing = [
        f"**{_inline(item['source'])}**: {_inline(item['reason'])}"
        + (f". Without it cannot be judged: {_inline(item['matters'])}" if item["matters"] else "")
        + (" (this would decide)" if item["deciding"] else "")
        for item in deciding_first(body)
    ]
    if more := missing[MAX_MISSING:]:
        missing[MAX_MISSING:] = [f"… {len(more)} more in report.json"]
    parts = ["## What was not seen", _list(missing) if missing else "Every source answered."]
    if body["dropped"]:
        parts += ["Left out for want of room:", _list(map(_inline, body["dropped"]))]
    else:
        parts.append("No evidence was left out.")
    return "\n\n".join(parts)


def _claim(claim: Json) -> str:
    if claim["status"] == "struck":
        reason = _inline(claim["reason"] or "it is not supported by what it cites")
        return f"~~{_inline(claim['text'])}~~{_cites(claim['evidence'])} **struck**: {reason}"
    return f"{_inline(claim['text'])}{_cites(claim['evidence'])}"


def _cites(ids: Iterable[str]) -> str:
    text = ", ".join(map(_inline, ids))
    return f" ({text})" if text else ""


def _picture(name: str, figures: Mapping[str, str]) -> str:
    return f"![{_inline(shorten(figures[name], 200))}]({name}.png)"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _inline(text: str) -> str:
    return markdown(one_line(text))
