"""What the pages say beyond the document's own fields: the chain of cause and effect, and sentences for people."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, NamedTuple

from srelab_lib.model import sentence, spoken
from srelab_lib.reports.text import quantity
from srelab_lib.signals.promql import QUERIES

Json = dict[str, Any]
MAX_EFFECTS = 4
USER_SIGNALS = {"error_ratio": 1, "latency_p95_seconds": 1, "request_rate": -1}
"""What users feel, and which direction is the worse one."""


class Step(NamedTuple):
    """One link of the chain: what happened, when (RFC 3339, or None), and the evidence for it."""

    label: str
    at: str | None
    text: str
    evidence: tuple[str, ...]
    measured: bool = False

    @property
    def time(self) -> str:
        """`12:03:11`, `about 12:03` of a metric, which is averaged over a while, or nothing."""
        if not self.at:
            return ""
        return f"about {self.at[11:16]}" if self.measured else self.at[11:19]


def chain(body: Json) -> list[Step]:
    """The change first, then by time to what users felt; empty when no fault was found."""
    if body["verdict"]["outcome"] != "fault" or not body["candidates"]:
        return []
    top = body["candidates"][0]
    kinds = {item["id"]: item["kind"] for item in body["evidence"]}
    own = [name for name in top["evidence"] if kinds.get(name) != "change"]
    fault = Step("fault", top["since"], f"{sentence(top['summary'])} {sentence(top['cause'])}", tuple(own))
    steps = sorted([fault, *_effects(body, top), *_felt(body)], key=lambda step: _place(step, fault))
    if top["change"]:
        cited = tuple(name for name in top["evidence"] if kinds.get(name) == "change")
        steps.insert(0, Step("change", top["change"]["time"], sentence(_change(top["change"])), cited))
    return steps


def _place(step: Step, fault: Step) -> str:
    """Its place in the order of time; an average that moved a little early stands behind what moved it."""
    return max(step.at or "~", fault.at or "") if step.measured else step.at or "~"


def _effects(body: Json, top: Json) -> list[Step]:
    by_summary = {item["summary"]: item for item in body["candidates"][1:]}
    steps = []
    for summary in top["effects"][:MAX_EFFECTS]:
        effect = by_summary.get(summary, {"since": None, "evidence": []})
        label = "effect of the change" if _came_with_the_change(effect, top) else "effect"
        steps.append(Step(label, effect["since"], sentence(summary), tuple(effect["evidence"])))
    return steps


def _came_with_the_change(effect: Json, top: Json) -> bool:
    """Whether it began before the fault was seen, and not before the change: a rollout takes the old pods first."""
    times = (top["change"] or {}).get("time"), effect["since"], top["since"]
    return all(times) and times[0] <= times[1] < times[2]


def _felt(body: Json) -> list[Step]:
    """What users felt: of each of their signals the strongest turn for the worse, the verdict's object first."""
    steps = []
    own = body["verdict"]["object"]
    for signal, worse in USER_SIGNALS.items():
        found = [o for o in body["onsets"] if o["signal"] == signal and _difference(o) * worse > 0]
        if found:
            onset = next((o for o in found if o["object"] == own), found[0])
            cited = tuple(e["id"] for e in body["evidence"] if e["kind"] == "metric" and _is_about(e, onset))
            steps.append(Step("users", onset["time"], sentence(onset_words(onset)), cited, measured=True))
    return steps


def _difference(onset: Json) -> float:
    known = onset["before"] is not None and onset["after"] is not None
    return float(onset["after"] - onset["before"]) if known else 0.0


def _is_about(evidence: Json, onset: Json) -> bool:
    return bool(evidence["object"] == onset["object"] and evidence["text"].startswith(f"{onset['signal']} "))


def onset_words(onset: Json) -> str:
    """`share of requests that fail, Deployment default/web: 0.2 % before, 38 % after`."""
    query = QUERIES.get(onset["signal"])
    name = query.title if query else onset["signal"].replace("_", " ")
    before, after = (quantity(onset[key], onset["unit"]) for key in ("before", "after"))
    return f"{name}, {spoken(onset['object'])}: {before} before, {after} after"


def first_fix(body: Json) -> list[str]:
    """The commands of the first way to mend it, each one line; nothing where one has several."""
    first, *others = [action for action in body["actions"] if action["kind"] == "fix"] or [None]
    way = [first, *takewhile(lambda action: action["purpose"].startswith("Then "), others)] if first else []
    commands = [action["command"] for action in way]
    return [] if any("\n" in command for command in commands) else commands


class Mark(NamedTuple):
    """The same thing that happened once or several times to one object."""

    first: str
    last: str
    times: int
    kind: str
    object: str
    text: str

    @property
    def repeats(self) -> str:
        """How often and until when, where it happened more than once; the text itself may tell how often."""
        if self.times == 1:
            return ""
        until = f"until {self.last[11:19]}"
        return until if self.text.endswith(" times)") else f"{self.times} times {until}"


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
    what = f"{choice}, {chosen['fault']} of {spoken(chosen['object'])}" if chosen else "none of the candidates"
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
