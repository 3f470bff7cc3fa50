"""What a text denies: how far `not`, `no` and `without` reach, and which words deny by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.words import clause_at

_NOT = re.compile(
    r"\b(?:not(?! only| just| enough| (?:an? )?(?:blip|one off|fluke|isolated|accident)|"
    r" (?:quite |even |yet )?(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|·|\d+) (?:full )?"
    r"(?:milliseconds?|seconds?|minutes?|hours?)\b)|never|no longer|hardly|neither|none of|(?:0|"
    r"zero) (?:out )?of|nothing|unrelated to|independent of|rul(?:e|es|ed|ing) out|"
    r"exclud\w*|avoid\w*|depriv\w*|robb(?:ed|ing)|stripp(?:ed|ing))\b"
)
_NO = re.compile(
    r"\b(?:no(?! (?:more|less|fewer|later) than| such)|none|nor|nobody|free (?:of|from)|devoid of|"
    r"deprived of|robbed of|empt(?:y|ied|ies)(?: [\w·]+){0,3} of|"
    r"(?:lo(?:se|ses|st|sing)|left without|ran out of|runs out of) (?:all|every|any)|"
    r"instead of|rather than|without (?:an?|one) (?:single|sole))\b"
)
_WITHOUT = re.compile(r"\bwithout\b")
_CONTRAST = re.compile(
    r"(?:\b(?:instead of|rather than)|, (?:and )?not(?: an?| by| from| due to| because of)?) (?:[\w·]+ ?){1,4}"
)
_DENIES = re.compile(
    f"{_NOT.pattern}|\\b(?:no(?! (?:more|less|fewer|later) than| such)|none|nor)\\b|{_WITHOUT.pattern}"
)
_SUBJECT = re.compile(
    r"^\W*(?:at \w+ |so |still )?(?:no(?! (?:longer|more|less|fewer|later|such))|none|nobody|nothing|neither|"
    r"not (?:one|an?|any))\b"
)
"""A subject that denies all of its clause: `No replica of the storefront is available`."""
_ZERO_BEFORE = re.compile(
    r"(?:^|\s)(?<!from )(?:0|zero|0/\d+) "
    r"(?:(?:ready|running|available|such|other|failed|failing|replicas?|pods?|of (?:them|those)) )?(?:of [\w·]+ )?"
    r"(?:(?:is|are|was|were|being) )?$"
)
_FALSE_AFTER = re.compile(
    r"^(?: (?:count|total|ready|replicas?|endpoints?|pods?|of ·|of [a-z]+|now)(?!\w))*\W{0,3}(?:of )?(?:(?:is|"
    r"was|were|are|can be|could be|may be|numbers?|total(?:s|ed)?|comes? to|amounts? to)\W+(?:both )?)?"
    r"(?:false\b|0\b(?![.\d])|none\b|not\b(?! (?:known|meant|intended|made|built|designed|fit|suited)\b)|"
    r"never\b|zero\b|absent\b|gone\b|ruled out|(?:been )?excluded)"
    r"|^(?:[^.;,]|\.(?=\d)){0,30}? (?:went away|vanished|disappeared|got lost|came to an end|"
    r"(?:was|were|is|are) over\b(?! \d)|(?:ended|ceased|subsided|(?:had|has|have) stopped)\b(?! (?:with|in|up|by)\b))"
    r"|^ (?:has|have|had|did|does|do) (?:not|never) (?:been |ever )?(?:happen|occur|take place|"
    r"seen|observed|apply|appear)"
    r"|^(?: replicas)? (?:stand|stay|remain|is|are|was|were)s? (?:stuck )?at (?:0\b(?!\.?\d)|zero\b)"
)
_FROM_NOUGHT = re.compile(r"\bfrom 0(?:\.0+)?(?!\.?\d)")
"""An old value, which denies nothing."""
_FAILED = re.compile(
    r"\bfail\w*|\bunable\b|\berr(?:or)?s?\b|\brefus\w*|\bdeni\w*|\breject\w*|\bproblem\w*|"
    r"\bprevent\w*|\bstop\w*|\bblock\w*|\bunsuccessful\w*|\bke(?:eps?|pt|eping)\b(?= [^,;.]{1,40} from\b)"
)
_INHERENT = re.compile(
    r"^un|^mis|\bmissing|\bmisses|absent|absence|\black|undefined|unset|non ?exist|no such|"
    r"there (?:is|are|was|were) no|back ?off|err image|never|unhealthy|^insufficient|too few|short"
)
_MANNER = re.compile(
    r" (?:cleanly|gracefully|normally|properly|alone|by (?:itself|themselves)|(?:on|of) (?:its|their) own|at once|"
    r"right away|immediately|together|simultaneously|with an? (?:error|failure|non ?zero code))\b"
)
"""`Did not end by itself`: how is denied, and not that it did."""
_ATTRIBUTIVE = re.compile(r"\b(?:the|its|their|this|that|these|those) $")
"""`Not from the cordoned node`: what is denied is something else."""
_OPEN = re.compile(
    r"\b(?:until|unless|whether|if|try|tries|tried|trying|attempt\w*|wait\w*|want\w*|needs?|needed|"
    r"expect\w*|demand\w*|requir\w*|insist\w*|supposed|should|would|"
    r"to (?:be|become|get)|in order to|before|asks?|asked|checks?|looks? for|that|which|"
    r"who)\s+(?:\w+\s+){0,3}$|\bthan\b[^,;]*$"
)
_DEPENDS = re.compile(
    r"\W+(?:only )?(?:after (?:\w+ )?(?:fail|miss|error|strike|unsuccess)\w*|once|if|when|as soon as|as long as|"
    r"until|unless)\b"
)
"""What follows a state that holds on a condition."""
_COUNTS_AS = re.compile(r"\b(?:counts? as|deemed|considered|regarded as|marked(?: as)?) $")
_WOULD_MAKE = re.compile(
    r"\b(?:misses|failures|strikes|fail(?:s|ed \w+)|time ?outs|errors) (?:in a row |running )?"
    r"(?:would |will )?(?:mark|make|render|turn|declare|take|set) [\w·]+ (?:as |to be )?$"
)
"""`Three misses mark it unready`: what a probe provides for."""
_DENIAL = re.compile(r"\b(?:not|no|never|none|nothing|neither|without)\b")
_DENIED_WORD = re.compile(
    r"\b(?:instead of|rather than) (?P<avoided>[a-z]+ing)\b|"
    r"\b(?:not|never|no longer)(?! (?:have|get|use|carry) (?:any|an?) )"
    r"(?: (?:be|been|being|have|yet|even|any|ever|actually|currently|once|get|got|still|"
    r"a|an|the|to))* (?P<done>(?!an?\b)[a-z]+)|"
    r"\b(?:no|without|not(?: have)? an?|not (?:have|get|use|carry) any|lacks?)"
    r"(?: (?:any|a|an|single|such|more|further|other|its|the))* "
    r"(?P<named>(?!longer\b)[a-z]+(?: (?!(?:the|an?|its|left|is|are|was|were|has|have|"
    r"had|can|could|at|in|on|of|for|to|from|behind|"
    r"when|and|or|by|with|it|that|which|anymore|any)\b)[a-z]+){0,2})"
)
_NO_MATCH = re.compile(r"(?: (?:of|on) (?:[\w·]+ ){0,3}?| )(?:match|fit|correspond|agree)\w*")
"""`No label of it matches`: the labels are there."""
_NEAR_WORDS, _NEXT_WORDS, _BESIDE_WORDS = 8, 4, 3
"""How far a denial reaches: `not` over what is done, `no` and `without` over what is named next."""


def signs(concept: Concept, text: str) -> set[bool | None]:
    """With which signs a claim's spread text speaks of an event or state; None where it leaves that open."""
    return {_sign(concept, text, match) for match in concept.said.finditer(text)}


def event_signs(concept: Concept, text: str) -> set[bool]:
    """With which signs a fact's spread text has an event."""
    text = _FROM_NOUGHT.sub("from nought", text)
    return {not _denied(text, match.start(), match.end()) for match in concept.held.finditer(text)}


def _sign(concept: Concept, text: str, match: re.Match[str]) -> bool | None:
    denied = _denied(text, match.start(), match.end())
    if concept.kind == "event":
        if match[0].endswith("ed") and _ATTRIBUTIVE.search(text[: match.start()]):
            return True
        return None if denied and _MANNER.match(text, match.end()) else not denied
    before, after = clause_at(text, match.start(), match.end())
    near_before, near_after = _near(before, last=True), _near(after, last=False)
    if _COUNTS_AS.search(text[: match.start()]) and _DEPENDS.match(text[match.end() :]):
        return None
    if _WOULD_MAKE.search(text[: match.start()]):
        return None
    if denies_itself(match[0]):
        return _inherent_sign(match[0], after, denied)
    if (
        denied
        or _FAILED.search(near_before)
        or _FAILED.search(near_after)
        or _DENIES.search(f"{match[0]} {near_after}")
    ):
        return False
    if _OPEN.search(text[: match.start()]) or _DEPENDS.match(text[match.end() :]):
        return None
    if concept.affirmed is not None and not concept.affirmed.search(f"{near_before} {match[0]} {near_after}"):
        return None
    return True


def _inherent_sign(said: str, after: str, denied: bool) -> bool | None:
    """Of words that deny by themselves; open for `no unavailable pod`, which says it of a pod that may not be."""
    if denied and said.startswith("un") and re.match(r" \w", after):
        return None
    return denied and not re.search(r"\bnot\b|back ?off|err image", said)


def denies_itself(said: str) -> bool:
    """True for words that deny what they name: `unready`, `missing`."""
    return _INHERENT.search(said) is not None


def denial_in(text: str) -> str:
    """The first word with which a claim's spread text denies anything; empty when it does not."""
    found = _DENIAL.search(text)
    return found[0] if found else ""


def denied_words(text: str) -> Iterator[str]:
    """What a claim's spread text denies: the word after each `not`, the noun after each `no` and `without`."""
    for match in _DENIED_WORD.finditer(text):
        if match["named"] and _NO_MATCH.match(text, match.end()):
            continue
        yield match["avoided"] or match["done"] or match["named"].split()[-1]


def is_contrast(text: str, match: re.Match[str]) -> bool:
    """True when a match stands in what a claim sets its statement against: `Error rather than OOMKilled`."""
    return any(one.start() <= match.start() < one.end() for one in _CONTRAST.finditer(text))


def is_denied(text: str, match: re.Match[str]) -> bool:
    """True when a match in a spread text is denied within its clause."""
    return _denied(text, match.start(), match.end())


def _denied(text: str, start: int, end: int) -> bool:
    before, after = clause_at(text, start, end)
    near = _near(before, last=True)
    tail = before.split()
    denied = (
        _SUBJECT.search(before)
        or _NOT.search(near)
        or _NO.search(" ".join(tail[-_NEXT_WORDS:]))
        or _WITHOUT.search(" ".join(tail[-_BESIDE_WORDS:]))
    )
    return bool(denied or _ZERO_BEFORE.search(before) or _FALSE_AFTER.search(after))


def _near(text: str, *, last: bool) -> str:
    parts = text.split()
    return " ".join(parts[-_NEAR_WORDS:] if last else parts[:_NEAR_WORDS])


HELD_DENIAL = re.compile(
    r"\bout of [a-z]|\b(?:not|no|never|none|nothing|neither|without|false|unable|fail\w*|missing|refused|denied|"
    r"unknown|invalid|error|back off|oom|crash|kill\w*|zero|null|"
    r"5xx|peak|max\w*|insufficient|exceed\w*|forbidden|unhealthy|time ?out|timed out|unavailable)\b|\b0\b|=\"\"|"
    r"in namespace=|"
    r"(?<!updated )(?<!ready )(?<!available )replicas=(\d+)\b.*?\b(?:ready|available) replicas=(?!\1\b)\d"
)
DENYING = re.compile(rf"{HELD_DENIAL.pattern}|\bremoved\b|\bdeleted\b|(?<=to )0(?![.\d])|\bun[a-z]{{4,}}ed\b")
