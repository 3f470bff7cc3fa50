"""Days of the calendar that claims and facts name: `27 November 2026`, `Nov 27`, `2026-11-27`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from srelab_lib.explanation.passages import Held
from srelab_lib.explanation.words import word_list

_MONTHS = word_list("jan feb mar apr may jun jul aug sep oct nov dec")
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_DAY, _YEAR = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?", r"(?:,? (?P<year>20\d\d)\b)?"
_IN_WORDS = (
    re.compile(rf"\b{_DAY}(?: of)? {_MONTH}{_YEAR}"),
    re.compile(rf"\b{_MONTH} {_DAY}\b(?![:.]\d){_YEAR}"),
)
_IN_DIGITS = re.compile(r"\b(?P<year>20\d\d)[-/](?P<month>[01]\d)[-/](?P<day>[0-3]\d)(?!\d)")


class Day(NamedTuple):
    """A day; `year` is 0 where none is named."""

    year: int
    month: int
    day: int


def days_in(text: str) -> list[Day]:
    """The days that a text names."""
    found = [match for pattern in (*_IN_WORDS, _IN_DIGITS) for match in pattern.finditer(text)]
    return [Day(int(match["year"] or 0), _month(match["month"]), int(match["day"])) for match in found]


def without_days(text: str) -> str:
    """A text without the days that it names in words."""
    for pattern in _IN_WORDS:
        text = re.sub(rf"(?:,? ?\b(?:on|of) )?(?:the )?{pattern.pattern}", "", text)
    return text


def is_of(day: Day, held: Sequence[Held]) -> bool:
    """True when a fact has the day, or was on it."""
    known = [one for fact in held for one in days_in(fact.plain)]
    return any(one[1:] == day[1:] and (not (one.year and day.year) or one.year == day.year) for one in known)


def _month(text: str) -> int:
    return int(text) if text.isdigit() else 1 + _MONTHS.index(text[:3].lower())
