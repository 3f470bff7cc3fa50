"""Checks every claim of a model against the facts that it cites, word by word. What does not hold is struck, with a reason.

A claim is kept when nothing in it goes beyond, or against, the facts that it cites. Promised to be struck:

* a citation of nothing, or of what does not exist, or of facts that do not speak of what the claim speaks of;
* a name (object, pod, host, image, variable, path, reason of an API) that the cited facts do not have, and a fault, a
  number or an event said of another object than the one whose facts hold it;
* a number, a share, a time of day or a number in words that the facts do not have, in that role: a port is no exit code;
* another unit (10Mi and 10Gi, 10Mi and 10 MB, seconds and minutes, per cent and a count), or none where the fact has one;
* a denial of what the facts state, and a statement of what they deny;
* a rise that was a fall, and old and new value swapped;
* cause and effect swapped: what was declared or changed, how the process ended, that it did so again, that it gets no
  traffic, what users felt, what controllers and alerts say; the later of these is no cause of the earlier;
* another kind of fault than the facts show (memory for CPU, DNS for a refused connection, readiness for liveness);
* "all" and "every" where the facts have a part;
* commands, links, markup, advice, and sentences that say nothing the facts hold.

Not caught, because it takes knowledge that the facts do not spell out: a cause that stands in the right order and is still
not the cause; two facts of one object about which the claim exchanges values of the same unit and role; an adjective
("quickly", "badly"); a true word for the wrong shade of meaning; what is left out. A claim in another language than English
is struck.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from srelab_lib.explanation.naming import unknown_name
from srelab_lib.explanation.passages import CITED_ID, Held, Names, Passage, concerning, mentions, names_of, read_claim, read_fact, times_of
from srelab_lib.explanation.quantities import Quantity, between, folds, missing_counts, quantities, unsupported
from srelab_lib.explanation.relations import (
    directions,
    event_signs,
    held_directions,
    is_denied,
    later_cause,
    links,
    reason_of_change,
    reversed_step,
    signs,
    steps,
    swapped,
)
from srelab_lib.explanation.vocabulary import CONCEPTS, Concept
from srelab_lib.explanation.words import clause_at, clauses, english, plain, spread, stem, words
from srelab_lib.model import Claim, EvidenceSet, split_ref


@dataclass(frozen=True, kw_only=True)
class Case:
    """One claim before its facts."""

    text: str
    cited: tuple[str, ...]
    about: str
    evidence: EvidenceSet

    @cached_property
    def names(self) -> Names:
        """Every object of the incident."""
        return names_of(self.evidence)

    @cached_property
    def claim(self) -> Passage:
        """The claim, read."""
        return read_claim(self.text, self.names)

    @cached_property
    def held(self) -> list[Held]:
        """The cited facts, read."""
        return [read_fact(self.evidence[item], self.names) for item in self.cited]

    @cached_property
    def parts(self) -> list[Passage]:
        """The claim's causes, effects and clauses: each may speak of another object."""
        pieces = [piece for link in links(self.claim.plain) for piece in link[:2]] or [self.claim.plain]
        return [Passage(clause, self.names.peculiar) for piece in pieces for clause in clauses(piece)]

    @cached_property
    def concepts(self) -> list[Concept]:
        """What of the vocabulary the claim speaks of."""
        return [concept for concept in CONCEPTS if concept.said.search(self.claim.spread)]

    @cached_property
    def uncovered(self) -> str:
        """The claim's spread text without what the vocabulary knows."""
        text = self.claim.spread
        for concept in self.concepts:
            text = concept.said.sub(_without_ends, text)
        return text


def _without_ends(match: re.Match[str]) -> str:
    """A match blanked; of a long one only its ends, which the pattern names: what lies between may be anything."""
    first, *between, last = match[0].split(" ") if " " in match[0] else (match[0], "")
    return " ".join(["·", *(between if len(between) > 1 else []), "·"])


Rule = Callable[[Case], str | None]
"""The reason to strike a claim, or None."""


def verify(text: str, cited: Sequence[str], evidence: EvidenceSet, *, about: str = "") -> Claim:
    """The claim, kept or struck.

    Args:
        text: one sentence or two.
        cited: ids of the evidence that it cites.
        evidence: all evidence of the incident.
        about: the object that it says it is about, as `Kind/namespace/name`; empty when it does not say.
    """
    ids = tuple(dict.fromkeys([*cited, *CITED_ID.findall(text)]))
    case = Case(text=plain(text), cited=ids, about=about, evidence=evidence)
    reason = next((reason for rule in RULES if (reason := rule(case)) is not None), "")
    return Claim(text=text, evidence=ids, status="struck" if reason else "kept", reason=reason)


# --- citations and form -----------------------------------------------------------------------------------------------


def _cites_what_exists(case: Case) -> str | None:
    if not case.cited:
        return "it cites nothing"
    unknown = [item for item in case.cited if item not in case.evidence.ids()]
    return f"it cites {', '.join(unknown)}, which does not exist" if unknown else None


_COMMAND = re.compile(
    r"\b(?:kubectl|helm|docker|crictl|curl|wget|sudo|bash|sh -c|rm -\w+|chmod|systemctl|ssh|nc -|apt(?:-get)?|pip|python3? -|base64|eval)\b(?=\s+[\w/-])|"
    r"\$\(|`[^`]*\s[^`]*`|&&|\|\s*(?:ba)?sh\b|;\s*(?:rm|curl|wget)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"\b(?:https?|ftp|file|data|javascript):\S+|\bwww\.\S+|!?\[[^\]]*\]\([^)]*\)", re.IGNORECASE)
_MARKUP = re.compile(r"<\s*/?\s*[a-z!][^>]*>|<\|[^|]*\|>|\[/?INST\]", re.IGNORECASE)
_ADVICE = re.compile(
    r"^\W*(?:please|ignore|disregard|run|execute|delete|restart the|scale the|roll back|rollback|increase the|raise the|lower the|set the|fix|check|verify|ensure|"
    r"make sure|consider|try|apply|edit|open|visit|contact|call|send|use|install|disable|upgrade|remove|add|do not|don't)\b(?! (?:of|rate|to)\b)|"
    r"\b(?:you|we|engineers?|someone|admins?|administrators?) (?:should|must|need|needs|can|could|may|have to|ought)\b|"
    r"\bshould(?: not)? (?:be|have|set|use|run|raise|lower|increase|scale|restart|roll|delete)\b|\b(?:it is|we) recommend|\brecommend(?:ed|s|ation)?\b|\bsuggest(?:s|ed)? (?:to|that you)\b|"
    r"\b(?:ignore|disregard|forget) (?:all|any|the|previous|prior|your)\b|\bas an ai\b|\binstructions?\b",
    re.IGNORECASE,
)


def _is_a_plain_statement(case: Case) -> str | None:
    facts = "\n".join(fact.plain for fact in case.held)
    for pattern, what in ((_COMMAND, "a command"), (_LINK, "a link"), (_MARKUP, "markup")):
        found = pattern.search(case.text)
        if found and (what == "markup" or found[0].lower() not in facts.lower()):
            return f"it holds {what}"
    if _ADVICE.search(case.claim.plain):
        return "it gives advice or an instruction, and states no fact"
    return None


def _is_about_what_it_cites(case: Case) -> str | None:
    if not case.about or not case.about.count("/") >= 2:
        return None
    name = split_ref(case.about)[2]
    near = any(fact.item.object == case.about or mentions(name, fact.plain) for fact in case.held)
    return None if near else f"it is about {case.about}, and what it cites is not"


def _concerns_its_object(case: Case) -> str | None:
    for part in case.parts:
        near = concerning(part, case.held, case.names)
        named = ", ".join(sorted(name for name in case.names.objects if mentions(name, part.plain)))
        if not near:
            return f"it names {named}, and what it cites does not"
        if len(near) == len(case.held):
            continue
        events = [concept for concept in CONCEPTS if concept.kind == "event" and concept.said.search(part.spread)]
        elsewhere = next((concept.name for concept in events if not _speaks(concept, near) and _speaks(concept, case.held)), None)
        if elsewhere or unsupported(part.quantities, _held_quantities(case, near)):
            return f"what it says of {named}, its facts say of something else"
    return None


def _speaks(concept: Concept, held: Sequence[Held]) -> bool:
    return any(concept.held.search(fact.spread) for fact in held)


# --- numbers ----------------------------------------------------------------------------------------------------------

_LACKING = re.compile(r"\b(?:missing|unavailable|not (?:yet )?(?:ready|available)|unready|lacking|short|down|left|remaining|free|fail\w*)\b", re.IGNORECASE)
_LATER = re.compile(r"\b(?:later|after|before|earlier|within|apart|following)\b", re.IGNORECASE)


def _numbers_stand_in_facts(case: Case) -> str | None:
    wrong = unsupported(case.claim.quantities, _held_quantities(case, case.held))
    return f"{wrong[0].text} does not stand so in what it cites" if wrong else None


def _held_quantities(case: Case, held: Sequence[Held]) -> list[Quantity]:
    """The numbers of facts, and those that follow from them where the claim asks for it: how much later, how many less."""
    found = [quantity for fact in held for quantity in fact.quantities]
    if _LATER.search(case.claim.plain):
        found += between(times_of(case.held))
    if _LACKING.search(case.claim.plain):
        found += [one for fact in held for one in missing_counts(fact.quantities)]
    pairs = [(quantities(old), quantities(new)) for fact in held for old, new in steps(fact.plain)]
    return [*found, *folds((old[0].value, new[0].value) for old, new in pairs if old and new)]


def _times_stand_in_facts(case: Case) -> str | None:
    held = {time for fact in case.held for time in fact.times}
    wrong = [time for time in case.claim.times if time not in held and not any(known.startswith(time + ":") for known in held)]
    return f"the time {wrong[0]} does not stand in what it cites" if wrong else None


_ALL = re.compile(r"\b(?:all|every|each|none|no|any) (?:of )?(?:the |its |their |single )?(?:\w+ )?(requests?|users?|pods?|replicas?|nodes?|clients?|callers?)\b")
_SHARE_OF = re.compile(r"(?:%|percent|share|most|part|third|half|quarter|number|fraction|not|almost|nearly) (?:of )?(?:all|every|each)\b")
_WHOLE = re.compile(r"\b(?:all|every|each|no|none)\b|\b0/\d|\b100 ?%|\bratio\W+1\b|\bto 1(?:\.0+)? ratio|\b([1-9]\d*)/\1\b|replicas\W?0\b|\b0 replicas|no endpoints|replicas=(\d+) (?:.* )?(?:ready|available|updated|unavailable) replicas=\2\b")


def _whole_is_whole(case: Case) -> str | None:
    found = _ALL.search(_SHARE_OF.sub(" ", case.claim.spread))
    if found and not any(_WHOLE.search(fact.spread) for fact in case.held):
        return f"it says {found[0]!r}, and what it cites does not"
    return None


# --- names ------------------------------------------------------------------------------------------------------------


def _names_stand_in_facts(case: Case) -> str | None:
    name = unknown_name(case.claim, case.held, case.names, case.uncovered)
    return f"{name} does not stand in what it cites" if name else None


# --- what it says -----------------------------------------------------------------------------------------------------


_LOOSE = frozenset(
    {"requests", "configuration", "a rollout", "scaling", "a dependency", "production", "the registry", "a connection", "latency", "an exception",
     "a command", "a log", "a limit", "the kernel", "an image", "a port"}
)  # fmt: skip
"""Things that people mention in passing: one of them may go beyond the facts where the rest of the claim is theirs."""


def _facts_speak_of_it(case: Case) -> str | None:
    beyond = [concept for concept in case.concepts if concept.kind != "state" and not _speaks(concept, case.held)]
    hard = [concept for concept in beyond if concept.name not in _LOOSE]
    firm = [concept for concept in case.concepts if concept.kind == "event" and concept not in beyond] or case.claim.quantities
    if hard or (beyond and (len(beyond) > 1 or not firm)):
        return f'it says "{(hard or beyond)[0].name}", and what it cites does not'
    return None


def _signs_agree(case: Case) -> str | None:
    for concept in case.concepts:
        if concept.kind == "topic":
            continue
        held = _held_signs(concept, case.held)
        for sign in signs(concept, case.claim.spread):
            if sign is not None and sign not in held:
                return f'it {"says" if sign else "denies"} "{concept.name}", and what it cites does not'
    return None


def _held_signs(concept: Concept, held: Sequence[Held]) -> set[bool]:
    if concept.kind == "event":
        return {sign for fact in held for sign in event_signs(concept, fact.spread)}
    found = {True for fact in held if concept.held.search(fact.spread)}
    return found | {False for fact in held if concept.denied is not None and concept.denied.search(fact.spread)}


_DENIAL = re.compile(r"\b(?:not|no|never|none|nothing|neither|without)\b")
_HELD_DENIAL = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|without|false|unable|fail\w*|missing|refused|denied|unknown|invalid|error|back off|oom|crash|kill\w*|zero|null|"
    r"peak|max\w*|insufficient|exceed\w*|forbidden|unhealthy|time ?out|timed out|unavailable)\b|\b0\b"
)


def _denials_stand_in_facts(case: Case) -> str | None:
    found = _DENIAL.search(case.claim.spread)
    if found and not any(_HELD_DENIAL.search(fact.spread) for fact in case.held):
        return f"it denies something ({found[0]!r}), and what it cites denies nothing"
    return None


_FLAG = re.compile(r"\b([A-Za-z][\w.]*)=(true|false)\b", re.IGNORECASE)


def _flags_agree(case: Case) -> str | None:
    """`optional=false`: a claim that it is optional is denied by the field itself."""
    flags: dict[str, set[bool]] = {}
    for fact in case.held:
        for name, value in _FLAG.findall(fact.plain):
            flags.setdefault(words(spread(name))[-1], set()).add(value.lower() == "true")
    for word, values in flags.items():
        for match in re.finditer(rf"\b{re.escape(word)}\b", case.claim.spread):
            counted = re.search(r"\d", clause_at(case.claim.spread, match.start(), match.end())[0])
            if not counted and (not is_denied(case.claim.spread, match)) not in values:
                return f"it says {word!r} otherwise than what it cites"
    return None


def _direction_agrees(case: Case) -> str | None:
    step = reversed_step(case.claim, case.held)
    if step is not None:
        return f"the facts have {step[0]} as the old and {step[1]} as the new value"
    for part in case.parts:
        said = directions(part.spread)
        held = _directions_near(part, case.held) if said else set()
        if said and not held:
            return f"it says that something {sorted(said)[0]}, and what it cites does not"
        if not said <= held:
            return f"it says that something {sorted(said - held)[0]}, and its facts say otherwise"
    return None


def _directions_near(part: Passage, held: Sequence[Held]) -> set[str]:
    """Directions of the facts that a part speaks of: those with its numbers, else those that share most of its words."""
    known = [(fact, held_directions(fact)) for fact in held]
    moved = [(fact, found) for fact, found in known if found]
    numbered = [found for fact, found in moved if part.quantities and not unsupported(part.quantities, fact.quantities)]
    most = max((len(fact.stems & part.stems) for fact, _ in moved), default=0)
    nearest = numbered or [found for fact, found in moved if len(fact.stems & part.stems) == most]
    return set().union(*nearest)


def _cause_comes_first(case: Case) -> str | None:
    link = swapped(case.claim) or later_cause(case.claim, case.held)
    if link:
        return f"cause and effect are swapped: {link.cause.strip()!r} does not bring about {link.effect.strip()!r}"
    link = reason_of_change(case.claim)
    return f"no fact says why it was changed: {link.effect.strip()!r}" if link else None


_GENERIC = frozenset(
    map(stem, "container pod deployment service app application namespace object kind status event log metric change spec alert owner problem issue error system cluster "
        "default time server program workload process node job".split())
)  # fmt: skip
_SMALL = frozenset(
    map(
        stem,
        "the a an its it this that these those is are was were be been being has have had do does did will would can could may might of to in on at by for from with as "
        "into and or but so when while because if than then now only just even not no never which who what where there their they them also about after before since "
        "until during over under up down out off more most less least very too all any each every some such own other same".split(),
    )
)
MAX_UNSUPPORTED = 6
"""Plain English words of a claim that its facts do not have and no pattern knows: more of them is another story."""


def _says_something_held(case: Case) -> str | None:
    stems = {one for fact in case.held for one in fact.stems}
    left = {stem(word) for word in re.findall(r"[a-z][a-z']+", case.uncovered)} - _SMALL
    specific = [concept for concept in case.concepts if concept.name not in {"errors", "a Deployment", "a node", "requests"}]
    shared = (left & stems) - _GENERIC - {stem(name) for name in case.names.objects | case.names.spaces}
    if not (specific or shared or case.claim.quantities or case.claim.times or directions(case.claim.spread)):
        return "it says nothing that what it cites holds"
    return "most of what it says does not stand in what it cites" if len(left - stems) > MAX_UNSUPPORTED + 2 * len(shared) else None


def _is_english(case: Case) -> str | None:
    letters = [letter for letter in case.claim.plain if letter.isalpha()]
    if letters and sum(letter.isascii() for letter in letters) >= 0.9 * len(letters) and english():
        return None
    return "it is not in English, and cannot be checked"


RULES: tuple[Rule, ...] = (
    _cites_what_exists,
    _is_english,
    _is_a_plain_statement,
    _is_about_what_it_cites,
    _concerns_its_object,
    _names_stand_in_facts,
    _numbers_stand_in_facts,
    _times_stand_in_facts,
    _whole_is_whole,
    _facts_speak_of_it,
    _signs_agree,
    _denials_stand_in_facts,
    _flags_agree,
    _direction_agrees,
    _cause_comes_first,
    _says_something_held,
)
"""In this order: the first reason is the one that is shown."""
