"""What a claim must be before its words are weighed: cited, in English, a statement, about what it cites."""

from __future__ import annotations

import re

from srelab_lib.explanation.absent import without_absent
from srelab_lib.explanation.case import Case, speaks
from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.derived import spans
from srelab_lib.explanation.lexicon import GENERIC, MODIFIERS, SERVICE_NOUNS, SMALL, TECHNICAL
from srelab_lib.explanation.naming import stands, tokens, unknown_name
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.passages import Held, Passage, concerning, mentions, workload_of
from srelab_lib.explanation.rules_numbers import beyond, held_quantities
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import spread, stem
from srelab_lib.model import split_ref


def cites_what_exists(case: Case) -> str | None:
    """It cites something, and all of it exists."""
    if not case.cited:
        return "it cites nothing"
    unknown = [item for item in case.cited if item not in case.evidence.ids()]
    return f"it cites {', '.join(unknown)}, which does not exist" if unknown else None


def rests_on_facts(case: Case) -> str | None:
    """Not all that it cites tells its reader what to say."""
    return None if case.held else "what it cites tells its reader what to say, and is no evidence"


_COMMAND = re.compile(
    r"\b(?:kubectl|helm|docker|crictl|curl|wget|sudo|bash|sh -c|rm -\w+|chmod|systemctl|ssh|nc -|"
    r"apt(?:-get)?|pip|python3? -|base64|eval)\b(?=\s+[\w/-])|"
    r"\$\(|`[^`]*\s[^`]*`|&&|\|\s*(?:ba)?sh\b|;\s*(?:rm|curl|wget)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"\b(?:https?|ftp|file|data|javascript):\S+|\bwww\.\S+|!?\[[^\]]*\]\([^)]*\)", re.IGNORECASE)
_MARKUP = re.compile(r"<\s*/?\s*[a-z!][^>]*>|<\|[^|]*\|>|\[/?INST\]", re.IGNORECASE)
_ADVICE = re.compile(
    r"^\W*(?:please|ignore|disregard|run|execute|delete|restart the|scale the|roll back|rollback|"
    r"increase the|raise the|lower the|set the|fix|check|verify|ensure|"
    r"make sure|consider|try|apply|edit|open|visit|contact|call|send|use|install|disable|upgrade|"
    r"remove|add|do not|don't)\b(?! (?:of|rate|to)\b)|"
    r"\b(?:you|we|engineers?|someone|admins?|administrators?) (?:should|must|need|needs|can|could|may|have to|ought)\b|"
    r"\b(?<!there )should(?: not)? (?:be|have(?! (?:\d|an? |one |two |three ))|"
    r"set|use|run|raise|lower|increase|scale|restart|roll|delete)\b|"
    rf"\bthere should (?:not )?be (?!(?:only |just |exactly |at least )?(?:an?|\d+|{'|'.join(WORDS)}|one)\b)|"
    r"\b(?:it is|we) recommend|\brecommend(?:ed|s|ation)?\b|\bsuggest(?:s|ed)? (?:to|that you)\b|"
    r"\b(?:ignore|disregard|forget) (?:all|any|the|previous|prior|your)\b|\bas an ai\b|\binstructions?\b",
    re.IGNORECASE,
)
_TOLD_ADVICE = re.compile(
    r"\b(?:logs?|warnings?|messages?|lines?|outputs?|servers?|programs?|it) (?:itself )?(?:also )?"
    r"(?:recommend(?:s|ed)|suggest(?:s|ed)|tells \w+ to|advis(?:es|ed)|says that)\b[^.;]*|"
    r"\bof the (?:[\w-]+ )?(?:replicas?|pods?) (?:that |which )?[\w-]+ should (?:run|have)\b",
    re.IGNORECASE,
)
"""Advice that a log gives, and the claim only reports; how many there are to be."""


def is_a_plain_statement(case: Case) -> str | None:
    """No command, link, markup or advice that the facts do not hold."""
    facts = "\n".join(fact.plain for fact in case.held)
    for pattern, what in ((_COMMAND, "a command"), (_LINK, "a link"), (_MARKUP, "markup")):
        found = pattern.search(case.text)
        if found and (what == "markup" or found[0].strip("`").rstrip(".,;:!?)").lower() not in facts.lower()):
            return f"it holds {what}"
    text = _TOLD_ADVICE.sub(" ", case.claim.plain)
    advice = (match for match in _ADVICE.finditer(text) if match[0].lower().split()[0] not in case.names.objects)
    if any(not _is_told(match, facts) for match in advice):
        return "it gives advice or an instruction, and states no fact"
    return None


def _is_told(advice: re.Match[str], facts: str) -> bool:
    """`A commit about recommended labels`: the facts have it so, with the next word."""
    phrase = re.match(r"\W*\w+ [\w-]+", advice.string[advice.start() :])
    return advice.start() > 0 and phrase is not None and phrase[0].lower() in facts.lower()


def is_about_what_it_cites(case: Case) -> str | None:
    """The object that it says it is about is one that its facts speak of."""
    if not case.about or not case.about.count("/") >= 2:
        return None
    name = split_ref(case.about)[2]
    near = any(fact.item.object == case.about or mentions(name, fact.plain) for fact in case.held)
    return None if near else f"it is about {case.about}, and what it cites is not"


def concerns_its_object(case: Case) -> str | None:
    """What it says of an object that it names, the facts say of that object."""
    for part in case.parts:
        near = concerning(_with_antecedent(part, case), case.held, case.names)
        named = ", ".join(sorted(name for name in case.names.objects if mentions(name, part.plain)))
        if not near:
            return f"it names {named}, and what it cites does not"
        near = [fact for fact in case.held if fact in near or _bears_on(fact, part, case)]
        if len(near) == len(case.held):
            continue
        events = [concept for concept in CONCEPTS if concept.kind == "event" and concept.said.search(part.spread)]
        elsewhere = any(
            not speaks(concept, near) and speaks(concept, case.held) and not _is_done(concept, part.spread)
            for concept in events
        )
        numbers = [*held_quantities(case, near), *spans(case.claim, case.held)]
        if elsewhere or beyond(part.quantities, numbers, case):
            return f"what it says of {named}, its facts say of something else"
    return None


_ITS = re.compile(r"\W*its\b", re.IGNORECASE)


def _with_antecedent(part: Passage, case: Case) -> Passage:
    """`..., and its p95 rose`: of the one object that the claim has named by then."""
    before = case.claim.plain.partition(part.plain)[0]
    named = [name for name in case.names.objects if mentions(name, before)]
    own = any(mentions(name, part.plain) for name in case.names.objects)
    return (
        Passage(f"{named[0]} {part.plain}", part.hidden)
        if _ITS.match(part.plain) and len(named) == 1 and not own
        else part
    )


_OTHER_END = r"\b(?:to|from|with|by|of|on|at) (?:the )?(?:service )?"
_PRONOUN = re.compile(r"\b(?:it|its|they|their|them|this|that|these|those)\b", re.IGNORECASE)


def _bears_on(fact: Held, part: Passage, case: Case) -> bool:
    """True for the log of one that calls what the part names, and for what a name or pronoun of it stands for."""
    named = [name for name in case.names.objects if mentions(name, part.plain)]
    ends = [name for name in named if re.search(_OTHER_END + re.escape(name), part.plain, re.IGNORECASE)]
    if fact.item.kind == "log" and any((workload_of(fact.item.object), name) in case.names.calls for name in ends):
        return True
    if any(stands(token, fact.item.text) for token in tokens(part.plain) if token not in named and token.isupper()):
        return True
    before = case.claim.plain.partition(part.plain)[0]
    earlier = Passage(before, part.hidden)
    pronoun = _PRONOUN.search(part.plain) and any(mentions(name, before) for name in case.names.objects)
    return bool(pronoun) and fact in concerning(earlier, case.held, case.names)


_KIND = (
    r"(?P<kind>Service|Deployment|StatefulSet|DaemonSet|CronJob|ConfigMap|Secret|Ingress|NetworkPolicy|PersistentVolumeClaim|"
    r"Node|Namespace|ServiceAccount|Role|RoleBinding)"
)


_OF_KIND = re.compile(
    r"\b(Service|Deployment|StatefulSet|DaemonSet|CronJob|Ingress|Application) ([a-z][\w-]*\w)(?![\w./-])"
)


_NAMED_ONE = re.compile(
    rf"(?<!that )(?<!which )(?<!that the )(?<!which the )\b(?:{_KIND}|container) (?P<name>[a-z]{{4,}})"
    r"(?= (?:was|is|were|are|has|had|got|gets|lost|went|did|does|can|could|cannot|"
    r"keeps|kept|fails|ran|runs|answers|refuses|became|being|\w+ed)\b)"
)
"""`Deployment ticketing was`, `the container lockers being killed`: what stands between is what it is called."""


_NO_NAME = re.compile(
    r"still|also|then|once|itself|alone|ever|soon|(?:get|keep|stay|remain|go|end|look|seem|become|be|show)s?|\w+(?:ly|ed)"
)


def _is_name(word: str, case: Case) -> bool:
    """True for what the vocabulary does not know, and is none of the trade's own words."""
    known = stem(word) in TECHNICAL | SMALL | GENERIC or word in MODIFIERS or _NO_NAME.fullmatch(word)
    return not known and word in spread(case.uncovered).split()


def _may_be(kind: str, name: str, fact: Held) -> bool:
    """False where a fact has the name for another kind (`Deployment.apps "web"`), or only for its namespace."""
    own_kind, space, own_name = split_ref(fact.item.object) if fact.item.object.count("/") >= 2 else ("", "", "")
    told = set(
        re.findall(rf"\b([A-Z][A-Za-z]+)(?:\.\w+)?[ /](?:[\w-]+/)?\"?{re.escape(name)}(?![\w-])", fact.item.text)
    )
    if told or own_name == name:
        return kind in {*told, own_kind if own_name == name else ""}
    if kind == "Application":
        return re.search(r"\bapplication|\bargo", fact.plain, re.IGNORECASE) is not None
    return name != space or mentions(name, fact.item.text)


def kinds_are_right(case: Case) -> str | None:
    """`Service web`: a fact is of a Service, where facts are of other objects of that name; `cache` names one."""
    for match in re.finditer(rf"\b{_KIND} (?P<name>[a-z]+)(?![\w.-])", case.claim.plain):
        alone = re.compile(rf"(?<![\w-]){match['name']}(?![\w-])")
        if match["name"] in SERVICE_NOUNS and not any(alone.search(fact.plain) for fact in case.held):
            return f"it says {match[0]}, and what it cites does not"
    for match in _NAMED_ONE.finditer(case.claim.plain):
        of_name = any(case.claim.plain[: match.start()].endswith(f"{name} ") for name in case.names.objects)
        if (
            not of_name
            and _is_name(match["name"], case)
            and not any(stands(match["name"], fact.plain) for fact in case.held)
        ):
            return f"it says {match[0]}, and what it cites does not"
    for kind, name in _OF_KIND.findall(case.claim.plain):
        if not any(_may_be(kind, name, fact) for fact in case.held):
            return f"it says {kind} {name}, and what it cites does not"
    for name in case.names.objects:
        own = [fact for fact in case.held if workload_of(fact.item.object) == name and "/" in fact.item.object]
        if not own:
            continue
        for match in re.finditer(rf"\b{_KIND} {re.escape(name)}(?![\w-]|\.\w)", case.claim.plain):
            if not any(re.search(rf"(?<![a-z]){match['kind']}\b", fact.plain) for fact in case.held):
                return f"it says {match[0]}, and what it cites is of {own[0].item.object.partition('/')[0]} {name}"
    return None


_DOING = re.compile(r"\W*(?:the )?(?P<doing>\w+ing)\b")


def _is_done(concept: Concept, text: str) -> bool:
    """`Shrinking the pool starved orders-api`: who does it is not said, and whom it hits is another object."""
    doing = _DOING.match(text)
    return doing is not None and concept.name == "changed" and "·" not in text[: doing.end() + 1]


def names_stand_in_facts(case: Case) -> str | None:
    """Every name in it stands in the facts."""
    name = unknown_name(without_absent(case), case.held, case.names, case.uncovered)
    return f"{name} does not stand in what it cites" if name else None


def is_english(case: Case) -> str | None:
    """It is written in Latin letters; the vocabulary is English."""
    letters = [letter for letter in case.claim.plain if letter.isalpha()]
    if letters and sum(letter.isascii() for letter in letters) >= 0.9 * len(letters):
        return None
    return "it is not in English, and cannot be checked"
