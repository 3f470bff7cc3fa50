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
    "a third": 1 / 3,
    "one third": 1 / 3,
    "two thirds": 2 / 3,
    "a quarter": 0.25,
    "one quarter": 0.25,
    "three quarters": 0.75,
}
_SHARES = {"half", "a third", "one third", "two thirds", "a quarter", "one quarter", "three quarters"}
_COUNT_NOUN = (
    r"(?:times?|restarts?|attempts?|retries|kills?|crashes|failures?|errors?|occurrences?|seconds?|minutes?|hours?|"
    r"replicas?)"
)
WORD_NUMBER = re.compile(
    r"\b(?:(?P<share>two[ -]thirds|three[ -]quarters|(?:a|one)[ -](?:third|quarter)|half)"
    r"(?= of| the| all|,|\.|$| (?:its|their))"
    r"|(?P<tens>twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[ -]"
    r"(?P<ones>one|two|three|four|five|six|seven|eight|nine)"
    r"|(?P<half>half(?: an?)?)(?=\s+(?:seconds?|minutes?|hours?|days?|cores?)\b)"
    rf"|(?P<one>(?<!not )one)(?= {_COUNT_NOUN}\b| of (?:the )?(?:\d|two\b|three\b|four\b|five\b))"
    r"|(?P<once>(?<!at )(?<!even )(?<!not )once)"
    r"(?=(?: more| again| already| so far| now)?(?:[.,;)]|$| (?:and|or|by|in|during|within)\b))"
    rf"|(?P<word>{'|'.join(w for w in WORDS if w not in _SHARES | {'one', 'once'})}))\b"
    rf"(?:\s+(?P<unit>{UNIT})(?![\w/]))?",
    re.IGNORECASE,
)
"""A number in words. "Once" counts only where nothing follows that makes it mean "as soon as"."""

_SMALL = "|".join(word for word in WORDS if word not in _SHARES | {"zero", "once", "twice", "thrice"})
ONE_IN = re.compile(
    rf"\b(?P<part>{_SMALL})(?: [a-z]+){{0,2}}? (?:in|out of)(?: every)? (?P<whole>{_SMALL})\b(?! (?:seconds?|"
    rf"minutes?|hours?|"
    r"days?|weeks?)\b)",
    re.IGNORECASE,
)
"""A share as so many in so many."""


def share_of(match: re.Match[str]) -> float:
    """The value of a match of `ONE_IN`."""
    return WORDS[match["part"].lower()] / WORDS[match["whole"].lower()]


_AND_A_HALF = re.compile(r"\b(?P<whole>\d+|[a-z]+) and a half\b", re.IGNORECASE)


def _with_half(match: re.Match[str]) -> str:
    """`five and a half` as digits."""
    whole = match["whole"].lower()
    return f"{WORDS.get(whole) or float(whole):g}.5" if whole in WORDS or whole.isdigit() else match[0]


_ONE_AND_A_HALF = re.compile(r"\b(?:an?|one) (?P<unit>second|minute|hour) and a half\b", re.IGNORECASE)


def with_halves(text: str) -> str:
    """A text with `five and a half` written as 5.5, and `a minute and a half` as 1.5 minutes."""
    return _AND_A_HALF.sub(_with_half, _ONE_AND_A_HALF.sub(r"1.5 \g<unit>s", text))
