"""Changes: each has its own time, and its own old and new value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.figures import clock_times, quantities
from srelab_lib.explanation.passages import Held, Passage, workload_of
from srelab_lib.explanation.quantities import unsupported
from srelab_lib.explanation.relations import directions, steps
from srelab_lib.explanation.rules_pairs import has_time, timed_parts
from srelab_lib.explanation.side_facts import facts_of
from srelab_lib.explanation.vocabulary import CONCEPTS

_CHANGED = next(concept for concept in CONCEPTS if concept.name == "changed")
_CLOCK = re.compile(r"\b(?:at|by|around|about|since|from) \d\d?:\d\d(?::\d\d)?(?: UTC|Z)?\b|\d\d?:\d\d(?::\d\d)?")


def changes_have_their_time(case: Case) -> str | None:
    """`The limit was cut at 18:06:04`, where the change is of 18:03:36 and another cited fact of 18:06:04."""
    for part in timed_parts(case.claim.plain):
        said = clock_times(part)
        told = Passage(_CLOCK.sub(" ", part), case.claim.hidden)
        if len(said) != 1 or not (_CHANGED.said.search(told.spread) or directions(told.spread)):
            continue
        meant = facts_of(told, case.held)
        if len(meant) == 1 and meant[0].item.kind == "change" and meant[0].times and not has_time(meant, said[0]):
            return f"the time {said[0]} is not that of the change in what it cites"
    return None


def steps_are_of_one_change(case: Case) -> str | None:
    """`From 5 seconds to 1`, where one setting went from 5 to 3 and another one from 3 to 1."""
    known = [(fact, step) for fact in case.held if fact.item.kind == "change" for step in steps(fact.item.text)]
    for old, new in steps(case.claim.plain):
        if not quantities(old) or not quantities(new):
            continue
        right = [fact for fact, (a, b) in known if _alike(old, a) and _alike(new, b)]
        if right and not _is_said_of_others(case, right, [fact for fact, _ in known]):
            continue
        ends = [fact for fact, step in known if _alike(new, step[1])]
        begins = [fact for fact, step in known if _alike(old, step[0])]
        if right or (ends and begins and not _is_chain(begins, ends)):
            return f"no change in what it cites is from {old} to {new}"
    return None


def shifts_are_of_one_series(case: Case) -> str | None:
    """`The ratio went from 0.0076 to 0.145`, where the first is what one series was, and the second another one's."""
    known = [(fact, step) for fact in case.held if fact.item.kind == "metric" for step in steps(fact.item.text)]
    for old, new in steps(case.claim.plain):
        begins = [fact for fact, step in known if _alike(old, step[0])]
        if not begins or not quantities(new) or any(_alike(new, step[1]) for fact, step in known if fact in begins):
            continue
        series = {(fact.item.object, fact.item.text.partition(" ")[0]) for fact in begins}
        own = [one for one in case.held if (one.item.object, one.item.text.partition(" ")[0]) in series]
        ends = {fact.item.id for fact in case.held if not unsupported(quantities(new)[:1], fact.quantities)}
        if ends and not any(one.item.id in ends for one in own):
            return f"nothing in what it cites went from {old} to {new}"
    return None


_ONLY_LOST = re.compile(r"^rules of (?:Cluster)?Role \S+ changed: no longer (?!.*; now )")
_GRANTED = re.compile(
    r"\b(?:grant(?:s|ed)?|gain(?:s|ed)?|receiv(?:es|ed)|obtain(?:s|ed)?|"
    r"(?:was|were|been|is) (?:given|allowed)|got|may now|can now|now (?:may|can))\b"
)
_WITHDRAWN = re.compile(
    r"\b(?:los(?:t|es)|revok\w*|withdr\w*|tak(?:en|es) (?:away|out)|took|stripped|deprived|no longer|"
    r"denied|dropped|removed)\b"
)


def rights_are_as_changed(case: Case) -> str | None:
    """`Was granted the permission` of `no longer patch`."""
    changed = [fact.item.text for fact in case.held if fact.item.kind == "change"]
    granted, withdrawn = _GRANTED.search(case.claim.spread), _WITHDRAWN.search(case.claim.spread)
    if granted and not withdrawn and changed and all(map(_ONLY_LOST.search, changed)):
        return f"it says {granted[0]!r} of rights that what it cites has withdrawn"
    return None


_KIND_AND_NAME = re.compile(
    r"\b(?P<kind>Deployment|StatefulSet|DaemonSet|CronJob|ConfigMap|Secret|Service|Ingress) "
    r"(?P<name>[a-z][\w-]*\w)(?![\w.-])"
)


def edits_are_of_their_object(case: Case) -> str | None:
    """`Wrote the Deployment ephemeris again`, where the Deployment was web and ephemeris is a host in its settings."""
    changed = [fact for fact in case.held if fact.item.kind == "change"]
    for match in _KIND_AND_NAME.finditer(case.claim.plain) if len(changed) == len(case.held) else ():
        alike = [fact for fact in changed if fact.item.object.startswith(f"{match['kind']}/")]
        hosted = any(re.search(rf"//{re.escape(match['name'])}(?![\w-])", fact.item.text) for fact in alike)
        named = rf"\b{match['kind']} {re.escape(match['name'])}(?![\w-])"
        own = any(
            workload_of(fact.item.object) == match["name"] or re.search(named, fact.item.text) for fact in changed
        )
        if hosted and not own:
            return f"it says {match[0]!r}, and what it cites is of {alike[0].item.object}"
    return None


def _is_said_of_others(case: Case, right: Sequence[Held], changes: Sequence[Held]) -> bool:
    """`The limit went from 256Mi to 128Mi`, where that was the request: it names but the setting of another change."""
    said = case.claim.stems
    own = [_words_of(fact) for fact in right]
    others = [_words_of(fact) for fact in changes if fact not in right and fact.item.object == right[0].item.object]
    named = [words - frozenset().union(*own) for words in others]
    return all(not said & (words - frozenset().union(*others)) for words in own) and any(
        said & words for words in named
    )


def _words_of(fact: Held) -> frozenset[str]:
    return Passage(_setting(fact)[1], fact.hidden).stems


def _is_chain(begins: Sequence[Held], ends: Sequence[Held]) -> bool:
    """True where one setting was changed twice."""
    return any(_setting(one) == _setting(other) for one in begins for other in ends)


def _setting(fact: Held) -> tuple[str, str]:
    return fact.item.object, re.split(r" (?:lowered|raised|changed|set|added|removed)\b", fact.item.text)[0]


def _alike(one: str, other: str) -> bool:
    first, second = quantities(one), quantities(other)
    return bool(first and second) and abs(first[0].value - second[0].value) <= 0.06 * abs(second[0].value)
