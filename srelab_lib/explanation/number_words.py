"""Numbers in words: counts, shares (`three quarters`), and so many in so many (`one request in six`)."""

from __future__ import annotations

import re

from srelab_lib.explanation.units import UNIT
from srelab_lib.explanation.words import word_list

WORDS = {
    word: float(value)
    for value, word in enumerate(
        word_list(
            """
            zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
            seventeen eighteen nineteen twenty
            """
        )
    )
} | {
    "thirty": 30.0,
    "forty": 40.0,
    "fifty": 50.0,
    "sixty": 60.0,
    "seventy": 70.0,
    "eighty": 80.0,
    "ninety": 90.0,
    "half a dozen": 6.0,
    "dozen": 12.0,
    "hundred": 100.0,
    "thousand": 1000.0,
    "once": 1.0,
    "twice": 2.0,
    "thrice": 3.0,
    "half": 0.5,
}
_NUMERATORS = {"a": 1.0, "an": 1.0} | {word: value for word, value in WORDS.items() if 1 <= value <= 19}
_DENOMINATORS = {
    word: float(value)
    for value, word in enumerate(word_list("third quarter fifth sixth seventh eighth ninth tenth"), start=3)
} | {"fourth": 4.0, "twentieth": 20.0, "hundredth": 100.0, "thousandth": 1000.0}
_DENOMINATORS |= {
    f"{tens}-{one}": WORDS[tens] + value
    for tens in word_list("twenty thirty forty fifty")
    for one, value in _DENOMINATORS.items()
    if value < 10
}
_FRACTION = (
    rf"(?P<part>{'|'.join(_NUMERATORS)})[ -](?P<whole>{'|'.join(sorted(_DENOMINATORS, key=len, reverse=True))})s?"
)
_COUNT_NOUN = (
    r"(?:times?|restarts?|attempts?|retries|kills?|crashes|failures?|errors?|occurrences?|seconds?|minutes?|hours?|"
    r"replicas?|cores?|millicores?|percent|per cent|(?:kilo|mega|giga|kibi|mebi|gibi)?bytes?)"
)
WORD_NUMBER = re.compile(
    rf"\b(?:(?P<share>{_FRACTION}|half)(?= of| the| all|,|\.|$| (?:its|their))"
    r"|(?P<tens>twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[ -]"
    r"(?P<ones>one|two|three|four|five|six|seven|eight|nine)"
    r"|(?P<half>half(?: an?)?)(?=\s+(?:seconds?|minutes?|hours?|days?|cores?)\b)"
    rf"|(?P<one>(?<!not )one)(?= {_COUNT_NOUN}\b| of (?:the )?(?:\d|two\b|three\b|four\b|five\b))"
    r"|(?P<once>(?<!at )(?<!even )(?<!not )once)"
    r"(?=(?: more| again| already| so far| now)?(?:[.,;)]|$| (?:and|or|by|in|during|within)\b))"
    rf"|(?P<word>{'|'.join(w for w in WORDS if w not in {'half', 'one', 'once'})}))\b"
    rf"(?:\s+(?P<unit>{UNIT})(?![\w/]))?",
    re.IGNORECASE,
)
"""A number in words. "Once" counts only where nothing follows that makes it mean "as soon as"."""

_SMALL = "|".join(word for word in WORDS if word not in {"half", "zero", "once", "twice", "thrice"})
ONE_IN = re.compile(
    rf"\b(?:(?P<part>{_SMALL})(?: [a-z]+){{0,2}}? (?:in|out of)(?: every)? (?P<whole>{_SMALL})|"
    rf"(?P<part2>[1-9]\d?) in (?P<whole2>10|100))\b(?! (?:seconds?|"
    rf"minutes?|hours?|"
    r"days?|weeks?)\b)",
    re.IGNORECASE,
)
"""A share as so many in so many."""


def share_of(match: re.Match[str]) -> float:
    """The value of a match of `ONE_IN`."""
    if match["part2"]:
        return int(match["part2"]) / int(match["whole2"])
    return WORDS[match["part"].lower()] / WORDS[match["whole"].lower()]


def fraction_of(match: re.Match[str]) -> float:
    """The value of a share that `WORD_NUMBER` found: `half`, `two fifths`."""
    return _ratio(match) if match["part"] else WORDS["half"]


def _ratio(match: re.Match[str]) -> float:
    return _NUMERATORS[match["part"].lower()] / _DENOMINATORS[match["whole"].lower().removesuffix("s")]


_AND_A_HALF = re.compile(r"\b(?P<whole>\d+|[a-z]+) and (?P<part>an? half|a quarter|three quarters)\b", re.IGNORECASE)
_PARTS = {"half": 5, "quarter": 25, "quarters": 75}
_ONE_AND_A_HALF = re.compile(r"\b(?:an?|one) (?P<unit>second|minute|hour) and a half\b", re.IGNORECASE)
_PART_OF_ONE = re.compile(rf"\b{_FRACTION} of (?:an?|one) (?=(?:[a-z]+ )?(?:cores?|cpus?|seconds?|minutes?)\b)", re.I)
_COUNT = rf"\d+|an?|(?:{'|'.join(word for word, value in WORDS.items() if value >= 20)})-[a-z]+|{'|'.join(WORDS)}"
_COMPOUND = re.compile(
    rf"\b(?P<large>{_COUNT}) (?P<of>hour|minute)s?,? (?:and )?(?P<small>{_COUNT}) (?P<unit>minute|second)s?\b",
    re.IGNORECASE,
)
_A_SPAN = re.compile(
    r"(?<!half )\ban? (?P<unit>second|minute|hour)(?= (?:later|before|after|earlier|on|apart|afterwards)\b)",
    re.IGNORECASE,
)
_OR_TWO = re.compile(r"\ban? (?:milli)?(?:second|minute|hour) or (?:two|so)\b", re.IGNORECASE)
"""How long is left open."""
_THERE_SHOULD_BE_ONE = re.compile(r"\bthere should be (?:only |just )?one\b", re.IGNORECASE)
_WHOLE_UNIT = re.compile(
    r"\b(?P<count>one|two|three|\d+) (?:full|whole|entire) (?=(?:second|minute|hour)s?\b)", re.IGNORECASE
)
"""`One full minute`."""
_NOT_NOUGHT = re.compile(r"\bnon[ -]?zero\b", re.IGNORECASE)


def with_halves(text: str) -> str:
    """A text with numbers of several words as digits: `five and a half`, `six hundredths of a core`, `2m20s`."""
    text = _WHOLE_UNIT.sub(r"\g<count> ", text)
    text = _AND_A_HALF.sub(_with_half, _ONE_AND_A_HALF.sub(r"1.5 \g<unit>s", text))
    text = _OR_TWO.sub("moments", text)
    text = _PART_OF_ONE.sub(lambda match: f"about {_ratio(match):g} ", text)
    text = _THERE_SHOULD_BE_ONE.sub("there should be 1", text)
    text = _A_SPAN.sub(r"1 \g<unit>", text)
    return _NOT_NOUGHT.sub("!=0", _COMPOUND.sub(_compound, text))


def _with_half(match: re.Match[str]) -> str:
    whole = match["whole"].lower()
    part = _PARTS[match["part"].split()[-1].lower()]
    return f"{WORDS.get(whole) or float(whole):g}.{part}" if whole in WORDS or whole.isdigit() else match[0]


def _compound(match: re.Match[str]) -> str:
    large, small = _count(match["large"]), _count(match["small"])
    return f"{large:g}{match['of'][0].lower()}{small:g}{match['unit'][0].lower()}"


def _count(text: str) -> float:
    """`a`, `20`, `twenty`, `twenty-five`."""
    tens, _, ones = text.lower().partition("-")
    return 1.0 if tens in {"a", "an"} else WORDS.get(tens, 0.0) + WORDS.get(ones, 0.0) or float(text)
