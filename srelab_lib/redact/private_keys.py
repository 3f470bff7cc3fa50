"""Private keys in PEM, line by line, so that a log keeps its timestamps and what other lines are mixed in."""

from __future__ import annotations

import re

from srelab_lib.redact.words import conceal

_BEGIN = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY_IN_LINE = re.compile(rf"({_BEGIN})((?:(?!-----)[^\n])*+)(?={_END})")
_KEY_BEGINS = re.compile(rf"{_BEGIN}(?!<secret:)(?!.*{_END})")
_KEY_STARTS, _KEY_ENDS = re.compile(_BEGIN), re.compile(_END)
# What may stand before a line of key material anyway: a log's timestamp, a diff's sign, indentation, a gutter.
_PLAIN = re.compile(r"(?:\d{4}-\d\d-\d\dT\S{8,24} )?+[ \t]*+[+-]?+[ \t]*+(?:[|>] )?+")
# Key material, and what may stand behind it: nothing, an escaped line end, the quote that closes it.
_MATERIAL = re.compile(
    r"(?P<key>(?:(?!-----)[A-Za-z0-9+/=_-])++)"
    r"(?:\\{1,8}[nr])*+(?:[ \t]*+\r?\Z|\\{0,8}[\"'`]|<(?!secret:)|-----)"
)
_DIGITS = re.compile(r"(\d+)")
_STRING_ENDS = re.compile(r"(?:\\{1,8}[nr])*+(?:\\{0,8}[\"'`]|[ \t\r]*\Z)")
# Wherever it stands: a whole line of a key, with capitals and digits.
_LONG = re.compile(r"(?<![A-Za-z0-9+/=_-])(?=[^\s\"']{0,99}[A-Z])(?=[^\s\"']{0,99}\d)[A-Za-z0-9+/=_-]{48,}+(?![\w-])")
_MAX_KEY_LINES = 200


def conceal_private_keys(text: str) -> str:
    """The text without the material of its keys, also of one whose begin or end was cut off."""
    lines = _KEY_IN_LINE.sub(lambda match: match[1] + conceal(match[2]), text).split("\n")
    left, prefix = 0, _prefix("")
    for index, line in enumerate(lines):
        begins, ends = _KEY_BEGINS.search(line), _KEY_ENDS.search(line)
        if left:
            lines[index] = _key_line(line, prefix)
            left = 0 if ends else left - 1
        elif ends and not _KEY_STARTS.search(line, 0, ends.start()):
            _headless_key(lines, index, _prefix(line[: ends.start()]))
        if begins:
            left, prefix = _MAX_KEY_LINES, _prefix(line[: begins.start()])
            rest = line[begins.end() :]
            clean = _LONG.sub(_long, rest) if _STRING_ENDS.match(rest) else conceal(rest)
            lines[index] = lines[index].removesuffix(rest) + clean
    return "\n".join(lines)


def _material(line: str, prefix: list[str]) -> re.Match[str] | None:
    """The key material of a line that begins as plain lines do, or as the key's first or last one does."""
    plain = _PLAIN.match(line)
    found = _MATERIAL.match(line, plain.end() if plain else 0)
    at = None if found or not prefix else _behind(line, prefix)
    return found if at is None else _MATERIAL.match(line, at)


def _behind(line: str, prefix: list[str]) -> int | None:
    """Where the line goes on behind the same prefix, in which only numbers may differ."""
    at = 0
    for part in prefix:
        number = _DIGITS.match(line, at) if part.isdecimal() else None
        if number is None and (part.isdecimal() or not line.startswith(part, at)):
            return None
        at = number.end() if number else at + len(part)
    return at


def _prefix(text: str) -> list[str]:
    """`I0101 main.go:10] ` in its numbers and what parts them; nothing when any line may begin so."""
    return [] if _PLAIN.fullmatch(text) else [part for part in _DIGITS.split(text) if part]


def _key_line(line: str, prefix: list[str]) -> str:
    """A line inside a key: other lines may be mixed in between, and stay."""
    found = _material(line, prefix)
    if found is None:
        return _LONG.sub(_long, line)
    return line[: found.start("key")] + conceal(found["key"]) + line[found.end("key") :]


def _long(match: re.Match[str]) -> str:
    return conceal(match[0])


def _headless_key(lines: list[str], index: int, prefix: list[str]) -> None:
    lines[index] = _key_line(lines[index], prefix)
    for earlier in range(index - 1, max(-1, index - _MAX_KEY_LINES), -1):
        if not _material(lines[earlier], prefix):
            return
        lines[earlier] = _key_line(lines[earlier], prefix)
