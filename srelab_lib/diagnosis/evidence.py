"""Numbered facts within a token budget: what the model sees and what the report cites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from srelab_lib.diagnosis.rank import Ranked
from srelab_lib.model import Change, Evidence, EvidenceSet, Fact, Onset
from srelab_lib.tokens import estimate_tokens

BUDGET_TOKENS = 1500
FACT_TOKENS = 160
"""Longest single fact: one hostile log line must not push out everything else."""
LEAD_FACTS, OTHER_FACTS = 8, 3
KEPT_FREE_TOKENS = 600
"""So much of the budget is for the first facts of the candidates, so that they do not stand there without evidence."""
CUT = "…"
_OF_FIELDS = frozenset({"status", "spec"})
"""Kinds of fact that are a list of `key=value`."""


def number(ranked: Sequence[Ranked], onsets: Iterable[Onset], *, budget_tokens: int = BUDGET_TOKENS) -> EvidenceSet:
    """Facts of the candidates in their order, then what users saw, until the budget is full; the rest is listed.

    The first candidate's change comes first, so that a chain reads from its start.
    """
    kept: list[Evidence] = []
    dropped: list[str] = []
    used = 0
    leading, further = _split(ranked)
    firsts = _firsts(ranked, leading)
    for fact in dict.fromkeys([*leading, *map(metric_fact, onsets)]):
        text = _bounded(fact.text)
        item = Evidence(id=f"E{len(kept) + 1}", kind=fact.kind, object=fact.object, text=text, time=fact.time)
        cost = _cost(item)
        firsts.pop(fact, None)
        if used + cost + sum(firsts.values()) > budget_tokens:
            further.insert(0, fact)
            continue
        kept.append(item)
        used += cost
        if text.endswith(CUT):
            dropped.append(f"the end of {item.id}: {len(fact.text) - len(text)} of {len(fact.text)} characters")
    short = ((fact, replace(fact, text=_bounded(fact.text))) for fact in dict.fromkeys(further))
    left = [fact for fact, said in short if not any(_is_said_by(said, item) for item in kept)]
    dropped += [f"{fact.kind} of {fact.object}: {_clip(fact.text, 120)}" for fact in left]
    return EvidenceSet(items=tuple(kept), dropped=tuple(dropped), tokens=used)


def _cost(item: Evidence) -> int:
    return estimate_tokens(f"{item.id} {item.source}: {item.text}\n")


def _firsts(ranked: Sequence[Ranked], leading: Sequence[Fact]) -> dict[Fact, int]:
    """The first fact of each candidate, with what it costs; as many as fit into what is kept free."""
    found: dict[Fact, int] = {}
    for item in ranked:
        fact = _fullest(_own_facts(item)[0], leading)
        shown = Evidence(id="E10", kind=fact.kind, object=fact.object, text=_bounded(fact.text), time=fact.time)
        if sum(found.values()) + _cost(shown) <= KEPT_FREE_TOKENS:
            found[fact] = _cost(shown)
    return found


def ids_of(ranked: Ranked, evidence: EvidenceSet) -> tuple[str, ...]:
    """Ids of the evidence that carries one candidate."""
    wanted = [replace(fact, text=_bounded(fact.text)) for fact in _own_facts(ranked)]
    return tuple(item.id for item in evidence.items if any(_is_said_by(fact, item) for fact in wanted))


def metric_fact(onset: Onset) -> Fact:
    """A change point as one line: `error_ratio went from 0.002 to 0.41 ratio`."""
    text = f"{onset.signal} went from {onset.before:.3g} to {onset.after:.3g} {onset.unit}"
    return Fact(kind="metric", object=onset.object, text=text, time=onset.time)


def _split(ranked: Sequence[Ranked]) -> tuple[list[Fact], list[Fact]]:
    """The facts that come first for each candidate, and those that the limits leave out."""
    leading: list[Fact] = []
    further: list[Fact] = []
    for position, item in enumerate(ranked):
        limit = LEAD_FACTS if position == 0 else OTHER_FACTS
        facts = _own_facts(item)
        leading += facts[:limit]
        further += facts[limit:]
    return [_fullest(fact, leading) for fact in leading], further


def _fullest(fact: Fact, facts: Sequence[Fact]) -> Fact:
    """The one that says all that a fact says and most besides, or the fact itself."""
    return max((one for one in facts if _is_said_by(fact, one)), key=lambda one: len(one.text.split()), default=fact)


def _is_said_by(fact: Fact, other: Fact | Evidence) -> bool:
    """True for the same text, and for fields that all stand in the other: `ready=false` in `pod=web ready=false`."""
    if (fact.kind, fact.object) != (other.kind, other.object):
        return False
    fields = fact.kind in _OF_FIELDS and set(fact.text.split()) <= set(other.text.split())
    return fact.text == other.text or fields


def _own_facts(item: Ranked) -> list[Fact]:
    edit = [item.change, *item.beside] if item.change else []
    return [*map(_change_fact, edit), *item.finding.facts]


def _change_fact(change: Change) -> Fact:
    named = f" (commit {change.commit[:7]})" if change.commit else ""
    return Fact(kind="change", object=change.object, text=change.text + named, time=change.time)


def _bounded(text: str) -> str:
    """The longest head of the text's one-line form that costs at most FACT_TOKENS."""
    line = " ".join(text.split())
    if estimate_tokens(line) <= FACT_TOKENS:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate_tokens(line[:middle] + CUT) <= FACT_TOKENS else (low, middle - 1)
    return line[:low] + CUT


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
