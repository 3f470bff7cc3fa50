"""Finds the numbers of a text: with their units, the role that their words give them, and times of day."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from srelab_lib.explanation.number_roles import roles_between
from srelab_lib.explanation.number_words import ONE_IN, WORD_NUMBER, WORDS, fraction_of, share_of, with_halves
from srelab_lib.explanation.quantities import Quantity
from srelab_lib.explanation.units import UNIT, unit_of

_NUMBER = re.compile(
    rf"(?<![\w.:/@#-])(?P<sign>[-+]?)(?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+)"
    rf"(?:\s*\(?(?P<unit>{UNIT})(?![\w/]|[=:]\S)|(?P<times>x|×)(?!\w))?(?![\w])(?!\.\d)(?!:\d\d)(?!-\w)",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"(?<!\w)[x×](?P<number>\d+)\b")
_PORT = re.compile(r"(?<=[A-Za-z\d\]]):(?P<number>\d{2,5})(?!\w|[:.-]\w)")
_FOLD = re.compile(
    rf"\b(?P<count>\d+(?:\.\d+)?|{'|'.join(WORDS)})"
    r"(?:[ -]?fold\b|(?:x| times) (?:as(?! of\b)|more|less|higher|lower|larger|smaller|bigger|slower|faster|longer|"
    r"(?:its|their|the|what) (?:it was |they were )?(?:former|previous|earlier|old|"
    r"original|initial|usual|normal|before)|what\b|(?:the )?(?=\d)|"
    r"the (?:\w+ )?(?:memory|cpus?|cores?|number|amount|rate|latency|limit|size|load|value|capacity|request))\b)"
    r"|\b(?P<verb>doubl(?:ed|es|ing)|tripl(?:ed|es|ing)|quadrupl(?:ed|es|ing)|quintupl(?:ed|es|ing)|halv(?:ed|es|ing)|"
    r"half (?:as (?:much|many|high|large|big) )?again)\b"
    r"|\b(?P<times>twice|double|thrice) (?=(?:the|as|its|what|that)\b)",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"(?<![\w.:/-])(?P<part>\d+)/(?P<whole>\d+)(?![\w./:-])")
_CLOCK = re.compile(r"(?<![\d:.])(?P<h>[01]?\d|2[0-3]):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?(?:\.\d+)?(?!\d|:\d)")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d(?=\b|T|t)")
_DURATION = re.compile(r"(?<![\w.])(?:\d+(?:\.\d+)?(?:h|ms|m|s)){2,}(?!\w)")
_PART_OF_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")

MAX_EXIT_CODE = 255
_KEY_UNIT = re.compile(
    r"(?:_|(?<=[a-z]))(bytes|seconds|ratio|cores|percent)(?:_per_second)?\W{1,2}$|"
    r"\b\w+_(bytes|seconds|ratio|cores|percent) (?:\w+ )?$",
    re.IGNORECASE,
)
_PER = re.compile(
    r"\s*(?:of (?:\w+ )?memory )?(?:/|(?:per|a|an|each|every)\s+)(?P<span>s|sec|second|m|min|minute|h|hour|day)\b",
    re.IGNORECASE,
)
_TIMED_KEY = re.compile(
    r"(?:timeout|period|delay|deadline|grace|interval|duration|sleep)\w*\"?\s?[=:]?\s?$", re.IGNORECASE
)
_CPU_KEY = re.compile(r"\bcpu(?:[ _](?:request|limit)s?)?(?: of [\w -]{1,40})?\s?[=:]\s?$", re.IGNORECASE)
_NOT_NOUGHT = re.compile(r"!=$")
_ABOUT = re.compile(
    r"(?:\babout|\baround|\broughly|\bapproximately|\bnearly|\balmost|"
    r"\bsome|\bin the order of|\bclose to|\bjust (?:over|under)|~)\s?$",
    re.I,
)
_OVER = re.compile(
    r"(?:\bover|\bmore than|\babove|\bat least|\bbeyond|\bexceed\w*|"
    r"\b(?:not|n't|never|neither|none|nor|no)\b(?: [\w-]+){0,7} (?:below|under|less than|fewer than)|>=?)\s?$",
    re.I,
)
_WITHIN = re.compile(
    r"^(?!.*(?:\b(?:not|never|no|none|unable|fail\w*)\b|n't\b)).*\bwithin (?:(?:about|some|only|just|a mere) )?$", re.I
)
"""`Failed within 30 seconds of the change`, and not `got no connection within 30 seconds`."""
_APART = re.compile(r"\s*(?:of|from) (?:each|one an)other\b", re.IGNORECASE)
"""`Both failed within five seconds of each other`."""
_UNDER = re.compile(r"(?:\bunder|\bless than|\bbelow|\bat most|\bfewer than|\bup to|<=?)\s?$", re.I)

_HYPHENED = re.compile(r"(?<=\w)-(?=(?:milli)?(?:seconds?|minutes?|hours?|days?|weeks?|cores?|bytes?|percent)\b)", re.I)
"""`three-second` intervals, a `30-minute` window."""


def quantities(text: str) -> list[Quantity]:
    """Every number of a text that is not part of a name, in order."""
    return [*_quantities(text)]


@lru_cache(maxsize=8192)
def _quantities(text: str) -> tuple[Quantity, ...]:
    text = _HYPHENED.sub(" ", with_halves(text))
    blank = _blanked(text, _CLOCK, _DATE)
    found = [_duration(match) for match in _DURATION.finditer(blank)]
    found += [_fold(match) for match in _FOLD.finditer(blank)]
    found += [_share(match[0], share_of(match), match) for match in ONE_IN.finditer(blank)]
    blank = _blanked(blank, _DURATION, _FOLD, ONE_IN)
    for match in _FRACTION.finditer(blank):
        found += [
            _bare(match["part"], match.start("part"), match.end("part")),
            _bare(match["whole"], match.start("whole"), match.end("whole")),
        ]
    blank = _blanked(blank, _FRACTION)
    for pattern in (_COUNTED, _PORT):
        found += [_bare(match["number"], match.start("number"), match.end()) for match in pattern.finditer(blank)]
    found += [_parsed(match) for match in _NUMBER.finditer(blank)]
    found += [_spelled(match) for match in WORD_NUMBER.finditer(blank)]
    found.sort(key=lambda item: item.start)
    return tuple(_shared_rates([_in_context(item, text) for item in _shared_units(found, text)], text))


def clock_times(text: str) -> list[str]:
    """Times of day as HH:MM or HH:MM:SS."""
    return [
        f"{int(match['h']):02}:{match['m']}" + (f":{match['s']}" if match["s"] else "")
        for match in _CLOCK.finditer(text)
    ]


def _blanked(text: str, *patterns: re.Pattern[str]) -> str:
    """The text with matches replaced by an equal number of middle dots: positions stay, numbers do not join."""
    for pattern in patterns:
        text = pattern.sub(lambda match: "·" * len(match[0]), text)
    return text


def _duration(match: re.Match[str]) -> Quantity:
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    total = sum(float(number) * units[unit] for number, unit in _PART_OF_DURATION.findall(match[0]))
    return Quantity(text=match[0], value=total, family="seconds", start=match.start(), end=match.end())


def _fold(match: re.Match[str]) -> Quantity:
    """`tenfold`, `4 times higher`, `doubled`: how many times one number is another."""
    verbs = {"doub": 2.0, "trip": 3.0, "quad": 4.0, "quin": 5.0, "halv": 2.0, "half": 1.5, "twic": 2.0, "thri": 3.0}
    count = match["count"]
    value = (
        verbs[(match["verb"] or match["times"]).lower()[:4]]
        if count is None
        else WORDS.get(count.lower()) or float(count)
    )
    return Quantity(text=match[0], value=value, family="fold", manner="about", start=match.start(), end=match.end())


def _bare(number: str, start: int, end: int) -> Quantity:
    return Quantity(text=number, value=float(number), start=start, end=end)


def _parsed(match: re.Match[str]) -> Quantity:
    digits = match["number"].replace(",", "")
    value = float(digits) * (-1 if match["sign"] == "-" else 1)
    mantissa = digits.lower().partition("e")[0]
    step = 10.0 ** -len(mantissa.partition(".")[2]) * (10 ** int(digits.lower().partition("e")[2] or 0))
    return _with_unit(match[0], value, step, match["unit"] or "", match.start("number"), match.end())


def _share(text: str, value: float, match: re.Match[str]) -> Quantity:
    return Quantity(text=text, value=value, family="share", step=0.04, start=match.start(), end=match.end())


def _spelled(match: re.Match[str]) -> Quantity:
    if match["share"]:
        return _share(match[0], fraction_of(match), match)
    if match["tens"]:
        value = WORDS[match["tens"].lower()] + WORDS[match["ones"].lower()]
    elif match["half"]:
        value = 0.5
    else:
        value = WORDS[(match["one"] or match["once"] or match["word"]).lower()]
    return _with_unit(match[0], value, 1.0, match["unit"] or "", match.start(), match.end())


def _with_unit(text: str, value: float, step: float, unit: str, start: int, end: int) -> Quantity:
    family, base, factor = unit_of(unit)
    return Quantity(
        text=text.strip(), value=value * factor, family=family, base=base, step=step * factor, start=start, end=end
    )


def _shared_units(found: list[Quantity], text: str) -> list[Quantity]:
    """`from 0.2 to 1.4 seconds`, `1.4 seconds instead of 0.2`: one number has the other one's unit."""
    result = list(found)
    for position in range(len(found) - 2, -1, -1):
        one, other = result[position], result[position + 1]
        gap = text[one.end : other.start]
        if not one.family and _has_unit(other) and _UNIT_FOLLOWS.fullmatch(gap):
            result[position] = _in_unit_of(one, other)
        elif (
            not other.family
            and _has_unit(one)
            and not _is_part(one, gap)
            and (_UNIT_PRECEDES.fullmatch(gap) or _is_carried(gap, text, other))
        ):
            result[position + 1] = _in_unit_of(other, one)
    return result


def _is_part(one: Quantity, gap: str) -> bool:
    """`Half of the four nodes`: a share counts what follows."""
    return one.family == "share" and "of" in gap.split()


def _is_carried(gap: str, text: str, other: Quantity) -> bool:
    """True for a number with nothing that it counts, behind one with a unit."""
    if _MORE_OF_IT.match(text, other.end):
        return ";" not in gap and len(gap) < 40
    return _UNIT_CARRIED.fullmatch(gap) is not None and _NO_NOUN.match(text, other.end) is not None


_ROUGHLY = r"(?:(?:about|around|some|nearly|almost|roughly|just over|just under|approximately) )?"
_UNIT_FOLLOWS = re.compile(
    rf"\s*(?:to|and|or|-|–|->|→|(?:out )?of(?: the| its| a| an allowed|"
    rf"(?= \d[\d.]* (?:cores|[KMGT]i?B)\b)))\s*{_ROUGHLY}"
)
_UNIT_PRECEDES = re.compile(
    r"(?:\s*at (?:the )?p\d\d)?,?\s*(?:instead of|rather than|up from|"
    r"down from|from|"
    r"and the (?:smallest|largest|biggest|lowest|highest|shortest|longest|last)(?: one)?(?: at| had| was)?|"
    r"compared (?:to|with)|versus|vs\.?|and not|(?:out )?of (?:the|its|a))\s*"
)
_UNIT_CARRIED = re.compile(
    rf"\s*to {_ROUGHLY}|[^;.]{{0,60}}, (?:and )?the other (?:one )?(?:at )?{_ROUGHLY}|"
    rf"[^;.]{{0,40}},? against {_ROUGHLY}|\s*after {_ROUGHLY}"
)
"""`From 1.5 per cent to nearly 20.`, `88 per cent of it, the other 94.`, `12 requests/s, against 0.9 before`"""
_NO_NOUN = re.compile(r"\s*(?:[.,;)]|$|(?:in|at|after|before|earlier|when|within|on|by|while|and|during|as)\b)")
_MORE_OF_IT = re.compile(r"\s*(?:more|less|higher|lower) than\b")


def _has_unit(item: Quantity) -> bool:
    return item.family not in {"", "milli", "fold"}


def _in_unit_of(item: Quantity, other: Quantity) -> Quantity:
    factor = _factor(other)
    return replace(item, value=item.value * factor, step=item.step * factor, family=other.family, base=other.base)


def _factor(item: Quantity) -> float:
    number = re.match(r"[-+]?[\d,.]+(?:e[+-]?\d+)?", item.text, re.IGNORECASE)
    bare = float(number[0].replace(",", "")) if number else WORDS.get(item.text.split()[0].lower(), 0.0)
    return item.value / bare if bare else 1.0


def _in_context(item: Quantity, text: str) -> Quantity:
    """The quantity with what the words around it say: its role, the unit of its key, about or over."""
    before, after = text[max(0, item.start - 48) : item.start], text[item.end : item.end + 32]
    roles = roles_between(before, after) - (frozenset({"exit"}) if item.value > MAX_EXIT_CODE else frozenset())
    manner = next((name for name, pattern in _MANNERS if pattern.search(before)), item.manner)
    if _APART.match(after) and before.endswith("within "):
        manner = "within"
    per = _PER.match(after)
    item = replace(item, roles=roles, manner=manner, per=per["span"][0].lower() if per and item.family else "")
    counted = _COUNTED_PER.match(after) if not item.family else None
    if counted:
        return _rate(item, unit_of(counted["span"])[2])
    if not item.family and _RATE_KEY.search(before) and not _OTHER_SPAN.search(after):
        return replace(item, family="rate")
    return item if item.family or after.startswith(" times") else _with_key_unit(item, before)


_RATE_KEY = re.compile(
    r"\b(?:request|traffic) rate\b(?: [\w.-]+){0,4}? (?:from|to|at|of)"
    r"(?: (?:about|around|some|nearly|almost|roughly))? $",
    re.IGNORECASE,
)
_COUNTED_PER = re.compile(
    r"(?: (?!(?:within|in|for|after|before|over|than|half|about|around|only|and|or|to|of|at|on|by|when)\b)"
    r"[a-z-]+){1,3}? (?:per|each|every|an?(?= \w+(?! (?:later|before|after|earlier|ago|apart|on|from|in|or)\b))) "
    r"(?P<span>second|minute|hour|day)\b",
    re.IGNORECASE,
)
"""`154 answers per second`, `3 times a minute`: how often, whatever is counted."""
_OTHER_SPAN = re.compile(r"\b(?:per|an?|each|every) (?!sec)\w+|/(?!s)", re.IGNORECASE)


def _shared_rates(found: list[Quantity], text: str) -> list[Quantity]:
    """`From 240 requests a minute to 60`: both are of a minute."""
    result = list(found)
    for position, (one, other) in enumerate(zip(found, found[1:], strict=False)):
        gap = text[one.end : other.start]
        first, second = _COUNTED_PER.match(gap), _COUNTED_PER.match(text, other.end)
        if first and not other.family and _UNIT_CARRIED.fullmatch(gap, first.end()):
            result[position + 1] = _rate(other, unit_of(first["span"])[2])
        elif second and not one.family and _UNIT_FOLLOWS.fullmatch(gap):
            result[position] = _rate(one, unit_of(second["span"])[2])
    return result


def _rate(item: Quantity, span_seconds: float) -> Quantity:
    """`60 requests a minute`: one per second."""
    return replace(item, value=item.value / span_seconds, step=item.step / span_seconds, family="rate")


_OTHER_UNIT_KEY = re.compile(r"(?:_|(?<=t))(?:ms|millis|minutes|bytes|percent)\W{1,3}$", re.IGNORECASE)


def _with_key_unit(item: Quantity, before: str) -> Quantity:
    """`timeoutSeconds=1`, `memory_limit_bytes 10485760`: the unit stands in the field's name."""
    if _TIMED_KEY.search(before) and not _OTHER_UNIT_KEY.search(before):
        return replace(item, family="seconds", base="" if "econds" in before[-24:] else "unwritten")
    keyed = _KEY_UNIT.search(before)
    if keyed is None:
        return replace(item, family="cores") if _CPU_KEY.search(before) else item
    name = (keyed[1] or keyed[2]).lower()
    if name == "percent":
        return replace(item, family="share", value=item.value / 100, step=item.step / 100)
    return replace(item, family="share" if name == "ratio" else name)


_MANNERS = (("not", _NOT_NOUGHT), ("about", _ABOUT), ("over", _OVER), ("within", _WITHIN), ("under", _UNDER))
