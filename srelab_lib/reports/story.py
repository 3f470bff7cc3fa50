"""What the pages say beyond the document's own fields: the chain of cause and effect, and sentences for people."""

from __future__ import annotations

from typing import Any, NamedTuple

from srelab_lib.reports.text import object_words, quantity
from srelab_lib.signals.promql import QUERIES

Json = dict[str, Any]
MAX_EFFECTS = 4
USER_SIGNALS = ("error_ratio", "latency_p95_seconds", "request_rate")


class Step(NamedTuple):
    """One link of the chain: what happened, when (`12:03:11` or nothing), and the evidence for it."""

    label: str
    time: str
    text: str
    evidence: tuple[str, ...]


def chain(body: Json) -> list[Step]:
    """From the change to what users felt; empty when no fault was found."""
    if body["verdict"]["outcome"] != "fault" or not body["candidates"]:
        return []
    top = body["candidates"][0]
    kinds = {item["id"]: item["kind"] for item in body["evidence"]}
    own = [name for name in top["evidence"] if kinds.get(name) != "change"]
    steps = [
        Step("fault", _clock(top["since"]), f"{_stop(top['summary'])} {_capital(_stop(top['cause']))}", tuple(own))
    ]
    if top["change"]:
        cited = tuple(name for name in top["evidence"] if kinds.get(name) == "change")
        steps.insert(0, Step("change", _clock(top["change"]["time"]), _stop(_capital(_change(top["change"]))), cited))
    return [*steps, *_effects(body, top), *_felt(body)]


def _effects(body: Json, top: Json) -> list[Step]:
    by_summary = {item["summary"]: item for item in body["candidates"][1:]}
    steps = []
    for summary in top["effects"][:MAX_EFFECTS]:
        effect = by_summary.get(summary, {"since": None, "evidence": []})
        steps.append(Step("effect", _clock(effect["since"]), _stop(summary), tuple(effect["evidence"])))
    return steps


def _felt(body: Json) -> list[Step]:
    """What users felt: the first change point of each signal of theirs that got worse."""
    steps = []
    for signal in USER_SIGNALS:
        worse = -1 if signal == "request_rate" else 1
        onset = next((o for o in body["onsets"] if o["signal"] == signal and (o["score"] or 0) * worse > 0), None)
        if onset is None or onset["before"] is None or onset["after"] is None:
            continue
        cited = tuple(e["id"] for e in body["evidence"] if e["kind"] == "metric" and e["text"].startswith(f"{signal} "))
        steps.append(Step("users", _clock(onset["time"]), _stop(onset_words(onset)), cited))
    return steps


def onset_words(onset: Json) -> str:
    """`Share of requests that fail, Deployment default/web: 0.2 % before, 38 % after`."""
    query = QUERIES.get(onset["signal"])
    name = _capital(query.title) if query else onset["signal"].replace("_", " ")
    before, after = (quantity(onset[key], onset["unit"]) for key in ("before", "after"))
    return f"{name}, {object_words(onset['object'])}: {before} before, {after} after"


class Mark(NamedTuple):
    """The same thing that happened once or several times to one object."""

    first: str
    last: str
    times: int
    kind: str
    object: str
    text: str


def marks(body: Json) -> list[Mark]:
    """The timeline as text: what repeats is told once, where it began."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for mark in body["timeline"]["marks"]:
        groups.setdefault((mark["kind"], mark["object"], mark["text"]), []).append(mark["time"])
    return [Mark(times[0], times[-1], len(times), *key) for key, times in groups.items()]


def agreement(body: Json) -> str:
    """Whether model and checks agree, in one sentence."""
    analysis = body["analysis"]
    if analysis is None:
        return str(body["analysis_unavailable"])
    model, choice = analysis["model"], analysis["choice"]
    chosen = next((c for c in body["candidates"] if c["id"] == choice), None)
    what = f"{choice}, {chosen['fault']} of {object_words(chosen['object'])}" if chosen else "none of the candidates"
    verb = {True: "and agrees with the checks", False: "and does not agree with the checks", None: ""}
    return f"{model} chose {what} {verb[analysis['agrees']]}".rstrip() + "."


def where(body: Json) -> str:
    """`cluster context kind-sre-lab` or `RECORDED incident oom-memory-limit`."""
    source = body["run"]["source"]
    return (
        f"cluster context {source['context']}"
        if source["kind"] == "live"
        else f"RECORDED incident {source['incident']}"
    )


def _change(change: Json) -> str:
    return f"{change['text']} (commit {change['commit'][:7]})" if change["commit"] else str(change["text"])


def _clock(time: str | None) -> str:
    return time[11:19] if time else ""


def _stop(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
