"""What a claim says: of the facts' things, with their sign and direction, the cause before the effect."""

from __future__ import annotations

import re
from collections.abc import Sequence

from srelab_lib.explanation.absent import without_absent
from srelab_lib.explanation.case import Case, speaks
from srelab_lib.explanation.concept import DECLARED, Concept
from srelab_lib.explanation.denial import (
    DENYING,
    HELD_DENIAL,
    denial_in,
    denied_words,
    denies_itself,
    is_contrast,
    signs,
)
from srelab_lib.explanation.derived import counted_parts, rest_of
from srelab_lib.explanation.disclaimers import disclaimers, is_ruled_out_by_dates
from srelab_lib.explanation.fact_signs import TROUBLES, held_signs, is_ruled_out, likely_signs
from srelab_lib.explanation.lexicon import GENERIC, SMALL
from srelab_lib.explanation.naming import quoted, stands
from srelab_lib.explanation.order import misordered, reason_of_change
from srelab_lib.explanation.passages import Held, Passage, concerning, mentions, times_of
from srelab_lib.explanation.polarity import (
    POLICY,
    is_adverse,
    is_troubled,
    is_well,
    only_succeeds,
    tells_no_trouble,
)
from srelab_lib.explanation.quantities import unsupported
from srelab_lib.explanation.relations import (
    FORMERLY,
    directions,
    steps,
)
from srelab_lib.explanation.rules_capacity import outgrows
from srelab_lib.explanation.rules_denied import tells_what_is_contained
from srelab_lib.explanation.rules_fields import LABELS, has_listed_member
from srelab_lib.explanation.rules_substance import shared
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import clause_at, stem, words


def facts_speak_of_it(case: Case) -> str | None:
    """Everything that it speaks of, the facts speak of."""
    beyond = [
        concept
        for concept in case.concepts
        if concept.kind != "state" and not (_is_known(concept, case) or _is_set_aside(concept, case))
    ]
    hard = [concept for concept in beyond if not concept.loose]
    firm = [
        concept for concept in case.concepts if concept.kind == "event" and concept not in beyond
    ] or case.claim.quantities
    if hard or (beyond and len(beyond) > (1 if firm else 0) + min(2, len(shared(case)))):
        return f'it says "{(hard or beyond)[0].name}", and what it cites does not'
    return None


def _is_known(concept: Concept, case: Case) -> bool:
    if speaks(concept, case.held) or _is_only_contrast(concept, case) or is_ruled_out(concept, case.held):
        return True
    if concept.is_denial and _is_part_kept(concept, case):
        return True
    if concept.name == "changed" and _CHANGES.search(case.claim.spread) and len(set(times_of(case.held))) > 1:
        return True
    if any(
        concept.said.fullmatch(name) and mentions(name, fact.plain) for name in case.names.objects for fact in case.held
    ):
        return True
    return concept.name in TROUBLES and any(is_adverse(fact.item_spread) for fact in case.held)


_CHANGES = re.compile(
    r"\b(?:symptoms?|errors?|messages?|answers?|responses?|behaviou?r|failures?|complaints?)\b[^.;]{0,30}?\b"
    r"(?:changed|switched|turned)\b"
)
"""`The symptom changed`: the facts show it by what each of them has."""


def _is_part_kept(concept: Concept, case: Case) -> bool:
    """True for what a change has in its old value and in its new one: of a URL the port `stayed as it was`."""
    values = [step for fact in case.held for step in steps(fact.plain)]
    for match in concept.said.finditer(case.claim.spread):
        clause = " ".join(clause_at(case.claim.spread, match.start(), match.end()))
        kept = [text for text in _VALUE.findall(clause) if any(stands(text, old) for old, _ in values)]
        if kept and any(all(stands(text, value) for text in kept for value in step) for step in values):
            return True
    return False


_VALUE = re.compile(r"(?<!\S)(?=\S*[\d/])\S*\w")


def _is_only_contrast(concept: Concept, case: Case) -> bool:
    """True for what it only sets its statement against, and the facts do not have: `Error rather than OOMKilled`."""
    text = case.claim.spread
    others = [one for one in case.concepts if any(is_contrast(text, match) for match in one.said.finditer(text))]
    against = all(is_contrast(text, match) for match in concept.said.finditer(text))
    return against and not all(speaks(one, case.held) for one in others)


def _is_set_aside(concept: Concept, case: Case) -> bool:
    """True for an event that it only denies, beside one that it affirms with the facts: `no time-out but a refusal`.

    Or beside the two numbers that show it: `it has not reached its limit`.
    """
    text = without_absent(case).spread
    if concept.kind != "event" or concept.is_denial or signs(concept, text) != {False}:
        return False
    others = [one for one in case.concepts if one is not concept and one.kind != "topic"]
    sized = {item.value for item in case.claim.quantities if item.family in {"bytes", "cores", "share"}}
    return len(sized) > 1 or any(signs(one, text) & held_signs(one, case.held) for one in others)


def signs_agree(case: Case) -> str | None:
    """It affirms nothing that the facts deny, and denies nothing that they affirm."""
    text = without_absent(case).spread
    for concept in case.concepts:
        if concept.kind == "topic" or _is_only_contrast(concept, case):
            continue
        held = held_signs(concept, case.held) or likely_signs(concept, case.held)
        for sign in signs(concept, text):
            if sign is False and (_was_none(case) or _differ(concept, case) or _does_not_fit(concept, case)):
                continue
            if (sign is False or concept.name == "it is well") and _counts_the_rest(case):
                continue
            if (
                sign is True
                and concept.kind == "state"
                and (
                    _is_in_trouble(concept, text)
                    or _agree(concept, case)
                    or (concept.name == "it exists" and has_listed_member(case))
                )
            ):
                continue
            known = held or concept.kind == "state"
            if known and sign is not None and sign not in held:
                return f'it {"says" if sign else "denies"} "{concept.name}", and what it cites does not'
    return None


_AGAIN = re.compile(r"\W+(?:once )?(?:again|more)\b")


def _is_in_trouble(concept: Concept, text: str) -> bool:
    """True for a state in clauses that tell of trouble beside it: `it has nobody ready`, `deprived of a ready one`."""
    matches = list(concept.said.finditer(text))
    if any(_AGAIN.match(text, match.end()) for match in matches):
        return False  # `After five restarts it is ready again`
    if concept.of_several:
        around = [concept.said.sub(" · ", text)]
    else:
        around = [" · ".join(clause_at(text, match.start(), match.end())) for match in matches]
    return not any(denies_itself(match[0]) for match in matches) and all(map(is_troubled, around))


def _was_none(case: Case) -> bool:
    """True where it denies for an earlier time what came only then: `error_ratio went from 0`."""
    told = FORMERLY.search(case.claim.spread) or _FROM_NONE.search(case.claim.spread)
    return told is not None and any(re.search(r"\bfrom 0(?![.\d])|\badded\b", fact.item_spread) for fact in case.held)


_FROM_NONE = re.compile(r"\bfrom (?:[\w·]+ ){0,5}?(?:0|zero|no|none)\b.{0,40}?\bto\b")
"""`Went from an error ratio of zero to 0.64`: the nought is the old value."""


def _counts_the_rest(case: Case) -> bool:
    """True where it counts those of which a fact counts the others: of 208 answers 160 are errors, and 48 are not."""
    parts = [part for fact in case.held for part in counted_parts(fact)]
    rests = {whole - part for part, whole in parts if whole != 2 * part}
    shares = [share for fact in case.held for share in rest_of(fact)]
    return any(
        (item.value in rests and not item.family) or (item.family == "share" and not unsupported([item], shares))
        for item in case.claim.quantities
    )


def _differ(concept: Concept, case: Case) -> bool:
    """True for a mismatch of which it, or its facts, name both sides: one listens on 8080, the probe goes to 9091."""
    if concept.name != "it matches":
        return False
    several = len({item.value for item in case.claim.quantities}) > 1 or _names_two_values(case.claim.plain)
    return several or _selects_nothing(case.held)


_LABEL = re.compile(r"(?P<key>[\w./-]+)(?:=|: ?)(?P<value>[\w.-]*\w)")


def _names_two_values(text: str) -> bool:
    """`It asks for tier=backend and stock is labelled tier=inventory`."""
    values: dict[str, set[str]] = {}
    for match in _LABEL.finditer(text):
        values.setdefault(match["key"], set()).add(match["value"])
    return any(len(found) > 1 for found in values.values())


def _shared_labels(case: Case) -> set[str]:
    """Values of the labels that two of the facts have alike."""
    pairs = [
        set(_LABEL.findall(fact.item.text))
        for fact in case.held
        if LABELS.search(fact.plain) or "selector" in fact.plain
    ]
    return {value for place, one in enumerate(pairs) for other in pairs[place + 1 :] for _, value in one & other}


def _agree(concept: Concept, case: Case) -> bool:
    """True for a match of two facts that both have a number that it names."""
    if concept.name != "it matches":
        return False
    return any(stands(value, case.claim.plain) for value in _shared_labels(case)) or any(
        sum(not unsupported([item], fact.quantities) for fact in case.held) > 1 for item in case.claim.quantities
    )


def _does_not_fit(concept: Concept, case: Case) -> bool:
    return concept.name == "it is scheduled" and outgrows(case)


_SELECTED = re.compile(r"\bselector[=\[]")


def _selects_nothing(held: Sequence[Held]) -> bool:
    """True where a selector was changed to what the labels do not have."""
    labels = {
        label.partition("=")[2] for fact in held for one in LABELS.findall(fact.plain) for label in one.split(",")
    }
    news = [new for fact in held if _SELECTED.search(fact.plain) for _, new in steps(fact.plain)]
    return bool(labels and news) and not labels & set(news)


def outcome_agrees(case: Case) -> str | None:
    """It tells of no success where all that it cites is trouble."""
    held = concerning(case.claim, case.held, case.names)
    troubled = bool(held) and all(
        fact.item.kind not in {"change", "spec"} and is_adverse(fact.item_spread) and not is_well(fact.item_spread)
        for fact in held
    )
    told = all(fact.item.kind in {"log", "event"} for fact in held) and not quoted(case.claim.plain)
    if (
        troubled
        and not (_counts_the_rest(case) or tells_what_is_contained(case))
        and (only_succeeds(case.claim.spread, _stems_of(held)) or (told and _tells_of_nothing_bad(case.claim.spread)))
    ):
        return "it tells of a success, and what it cites tells of trouble only"
    return None


_RECOVERED = re.compile(
    r"\b(?:could|can|was able to) (?:[\w·]+ ){1,4}?again\b|"
    r"\b(?:errors?|failures?|problems?|trouble|outage|time ?outs?|exceptions?)\b[^.;]{0,40}? "
    r"(?:was|were|is|are|had|has|have) (?:been )?(?:gone|over|cleared|resolved|ended|fixed|solved)\b"
)


def recovery_is_had(case: Case) -> str | None:
    """`Could authenticate again` where all that it cites is trouble."""
    found = _RECOVERED.search(case.claim.spread)
    troubled = all(fact.item.kind in {"log", "event"} and is_adverse(fact.item_spread) for fact in case.held)
    if found and troubled and not any(is_well(fact.item_spread) for fact in case.held):
        return f"it says {found[0]!r}, and what it cites tells of trouble only"
    return None


def _tells_of_nothing_bad(text: str) -> bool:
    """Nor of what only rose or fell, which the facts' numbers settle."""
    return tells_no_trouble(text) and not directions(text)


def _stems_of(held: Sequence[Held]) -> frozenset[str]:
    return frozenset(one for fact in held for one in fact.stems)


_AND_NOT = re.compile(r"\band not (?:[\w·]+ ){0,2}(?:as|from|to|by|in|on|at|a|an|the)\b")
"""`Spelled as a word and not given as a number`: the first half says it."""


_ONE_NOT_OTHER = re.compile(r"·, (?:and |but )?not ·")
"""`Is web, not web-v2`: one name set against another."""


def _without_contrasts(case: Case) -> str:
    """Without `..., not OOM-killed` where the facts speak of no such thing."""
    text = _ONE_NOT_OTHER.sub("·", case.claim.spread)
    for concept in (one for one in case.concepts if one.kind == "event" and not speaks(one, case.held)):
        for match in reversed([one for one in concept.said.finditer(text) if is_contrast(text, one)]):
            text = re.sub(r", (?:and )?not\b", " rather than", text[: match.start()]) + text[match.end() :]
    return text


_UNLIKE = re.compile(
    r"\b(?:do|does|did|are|is|would|will|can|could) not (?:\w+ )?(?:match|agree|coincide|correspond|fit)\w*|"
    r"\bnot (?:yet )?(?:reach|hit|exceed)\w*"
)
"""Of two numbers that a claim names, what it says itself."""


def denials_stand_in_facts(case: Case) -> str | None:
    """It denies nothing where the facts deny nothing."""
    found = denial_in(case.claim.spread)
    if re.search(r"\bno longer\b", case.claim.spread) and any(fact.item.kind == "change" for fact in case.held):
        return None
    if _counts_the_rest(case):
        return None
    if found and not (denial_in(_without_contrasts(case)) and denial_in(without_absent(case).spread)):
        return None
    if found and not denial_in(_AND_NOT.sub(" ", case.claim.spread)):
        return None
    if (
        found
        and (len({item.value for item in case.claim.quantities}) > 1 or _names_two_values(case.claim.plain))
        and not denial_in(_UNLIKE.sub(" ", case.claim.spread))
    ):
        return None
    if found and not any(HELD_DENIAL.search(fact.spread) for fact in case.held):
        return f"it denies something ({found!r}), and what it cites denies nothing"
    return None


_NOUGHT = re.compile(
    r"\[(?:error|warn\w*|crit\w*|alert)\]|\blevel\W{1,3}(?:error|warn\w*)\b|"
    r"\bfrom 0(?:\.0+)?(?![.\d])|(?<=\d\.)0\b|\b0(?=\.\d)|" + POLICY.pattern
)
"""What denies nothing: the level of a line, a nought that is an old value or a part of an address."""


_NO_LONGER = re.compile(r"\bno longer\b(?P<what>[^.,;]*)", re.IGNORECASE)
_HALVES = re.compile(r"\bchanged from (?P<old>.+?) to (?P<new>.+)$")


def ended_is_of_before(case: Case) -> str | None:
    """`No longer the pods of tier api`, where the change is to tier api."""
    edits = [edit for fact in case.held if (edit := _HALVES.search(fact.item.text))]
    for match in _NO_LONGER.finditer(case.claim.plain):
        said = Passage(match["what"], case.claim.hidden).stems - SMALL
        for edit in edits:
            old, new = (Passage(edit[end], frozenset()).stems - SMALL for end in ("old", "new"))
            if said & (new - old) and not said & (old - new):
                return f"it says {match[0].strip()!r}, and what it cites has it since then"
    return None


def _is_of_before(clause: str, case: Case) -> bool:
    """`No longer http://billing:8090` of what was changed from that."""
    edits = [edit for fact in case.held if (edit := _HALVES.search(fact.item.text))]
    return any(stands(edit["old"], clause) for edit in edits)


def denies_what_is_so(case: Case) -> str | None:
    """It denies nothing that all facts which have the word affirm: `state=running`, `Listening at`."""
    for part in case.parts:
        text = _NO_LONGER.sub(lambda match: "" if _is_of_before(match["what"], case) else match[0], part.plain)
        denied = {*denied_words(Passage(_REASON.sub("·", text), part.hidden).spread)}
        near = concerning(part, case.held, case.names) if denied and not FORMERLY.search(case.claim.spread) else []
        for word in denied:
            fields = [one for fact in near for one in fact.fields if _has(word, one)]
            affirmed = fields and not any(DENYING.search(_NOUGHT.sub(" ", one)) for one in fields)
            if affirmed and stem(word) not in GENERIC | SMALL:
                return f"it denies {word!r}, and what it cites has it"
    return None


_REASON = re.compile(r"\b\w*[a-z][A-Z]\w*")
"""A name with capitals inside: its `Not` denies nothing."""


def _has(word: str, field: str) -> bool:
    """True when a field of a fact has a word without a sign of its own, or the declared thing that it names."""
    if any(one.kind != "topic" and one.said.fullmatch(word) for one in CONCEPTS):
        return False
    if any(stem(one) == stem(word) for one in words(field)):
        return True
    things = [one for one in CONCEPTS if one.kind == "topic" and one.said.fullmatch(word)]
    return any(one.held.search(field) for one in things if one.stage == DECLARED or one.name == "latency")


def ruled_out_is_later(case: Case) -> str | None:
    """What it rules out as a cause is dated after the effect."""
    for item in disclaimers(case.text):
        if not is_ruled_out_by_dates(item, case.held, case.names.peculiar):
            return f"it rules out {item.cause.strip()!r}, and what it cites does not"
    return None


def cause_comes_first(case: Case) -> str | None:
    """No cause of it comes after its effect, and none is given for a mere change."""
    link = misordered(case.claim, case.held, case.names)
    if link:
        return f"cause and effect are swapped: {link.cause.strip()!r} does not bring about {link.effect.strip()!r}"
    link = reason_of_change(case.claim)
    return f"no fact says why it was changed: {link.effect.strip()!r}" if link else None
