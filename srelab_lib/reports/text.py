"""Words and numbers for people, out of telemetry that nobody should trust.

Text from a cluster can hold terminal escapes, characters that turn the reading direction, or a megabyte without a
blank. Here it becomes one that is safe to show in every format: what cannot be seen is written as its escape.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime

MAX_TEXT = 4000
"""Longest text that a page shows; report.json holds more."""

_KEEP = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKDOWN = re.compile(r"([\\`*\[\]<>|~$&#!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_BLOCK_START = re.compile(r"^(\s*)(?:([-+=])|(\d+)([.)])(?=\s|$))", re.MULTILINE)


def visible(text: str) -> str:
    """The text with every character that cannot be seen written as its escape; line feeds and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char in _KEEP or unicodedata.category(char) not in _HIDDEN:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clip(text: str, length: int = MAX_TEXT) -> str:
    """At most `length` characters, and how many more there are."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length} characters more)"


def shorten(text: str, length: int) -> str:
    """One line of at most `length` characters, with an ellipsis where something is gone."""
    line = " ".join(visible(text).split())
    return line if len(line) <= length else line[: max(length - 1, 0)].rstrip() + "…"


def one_line(text: str) -> str:
    """All on one line."""
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """Split where a full stop is followed by a blank and a capital letter."""
    return [part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", one_line(text)) if part]


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: no emphasis, link, HTML, table cell or heading comes out of it."""
    escaped = _MARKDOWN.sub(r"\\\1", clip(visible(text)))
    escaped = escaped.replace("://", r":\//").replace("www.", r"www\.").replace("@", r"\@")
    return _BLOCK_START.sub(_unblocked, escaped)


def _unblocked(match: re.Match[str]) -> str:
    indent, bullet, number, stop = match.groups()
    return f"{indent}\\{bullet}" if bullet else f"{indent}{number}\\{stop}"


def code_span(text: str) -> str:
    """Text as Markdown code within a line, whatever backticks it holds."""
    line = one_line(clip(visible(text)))
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    pad = " " if line[:1] == "`" or line[-1:] == "`" or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def code_block(text: str, language: str = "text", *, indent: str = "") -> str:
    """Text as a fenced Markdown block that its content cannot close."""
    body = clip(visible(text))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    lines = [f"{fence}{language}", *body.split("\n"), fence]
    return "\n".join(indent + line for line in lines)


def object_name(ref: str) -> str:
    """`Deployment/default/web` -> `web`."""
    return ref.split("/", 2)[-1]


def rfc3339(time: datetime | None) -> str | None:
    """UTC with Z, whole seconds."""
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def clock(time: datetime) -> str:
    """`12:03:11` in UTC."""
    return f"{time.astimezone(UTC):%H:%M:%S}"


def day(start: datetime, end: datetime) -> str:
    """`31 January 2026`, or both days where midnight lies between them."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    if first.date() == last.date():
        return f"{last.day} {last:%B %Y}"
    return f"{first.day} {first:%B} to {last.day} {last:%B %Y}"


def finite(value: float) -> float | None:
    """The number, or None for what JSON has no word for."""
    return float(value) if math.isfinite(value) else None


def quantity(value: float, unit: str) -> str:
    """A value with its unit as a person says it: `38 %`, `10 MiB`, `230 ms`, `7.5 requests/s`."""
    if not math.isfinite(value):
        return "no value"
    factor, shown = scale(unit, abs(value))
    number = value * factor
    return f"{_number(number)} {shown}".strip()


def scale(unit: str, largest: float) -> tuple[float, str]:
    """Factor and unit in which values up to `largest` are read most easily."""
    if unit == "ratio":
        return 100.0, "%"
    if unit == "seconds":
        return (1.0, "s") if largest >= 1 else (1000.0, "ms")
    if unit == "cores":
        return (1.0, "cores") if largest >= 1 else (1000.0, "millicores")
    if unit in {"bytes", "bytes/s"}:
        steps = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
        size, name = next((step for step in steps if largest >= step[0]), (1.0, "B"))
        return 1.0 / size, name + unit.removeprefix("bytes")
    return 1.0, unit


def _number(value: float) -> str:
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}".replace(",", "\u202f") if size >= 10000 else f"{value:.0f}"
    return f"{value:.2g}" if size < 10 else f"{value:.0f}"
