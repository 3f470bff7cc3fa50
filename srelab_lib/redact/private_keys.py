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
_MATERIAL = r"(?P<key>(?:(?!-----)[A-Za-z0-9+/=_-]){1,100}+)"
# What may stand behind it: nothing, an escaped line end, the quote that closes it.
_CLOSED = r"(?:\\{1,8}[nr])*+(?:[ \t]*\r?\Z|\\{0,8}[\"'`]|<(?!secret:)|-----)"
_STRING_ENDS = re.compile(r"(?:\\{1,8}[nr])*+(?:\\{0,8}[\"'`]|[ \t\r]*\Z)")
# Wherever it stands: a whole line of a key, in capitals, small letters and digits.
_LONG = re.compile(r"(?<![A-Za-z0-9+/=_-])(?=[^\s\"']{0,99}[A-Z])(?=[^\s\"']{0,99}\d)[A-Za-z0-9+/=_-]{48,100}(?![\w-])")
_MAX_KEY_LINES = 200
_MAX_PREFIX = 400


def conceal_private_keys(text: str) -> str:
    """The text without the material of its keys, also of one whose begin or end was cut off."""
    lines = _KEY_IN_LINE.sub(lambda match: match[1] + conceal(match[2]), text).split("\n")
    left, key_line = 0, re.compile("")
    for index, line in enumerate(lines):
        begins, ends = _KEY_BEGINS.search(line), _KEY_ENDS.search(line)
        if left:
            lines[index] = _key_line(line, key_line)
            left = 0 if ends else left - 1
        elif ends and not _KEY_STARTS.search(line, 0, ends.start()):
            _headless_key(lines, index, _line_like(line[: ends.start()]))
        if begins:
            left, key_line = _MAX_KEY_LINES, _line_like(line[: begins.start()])
            rest = line[begins.end() :]
            clean = _LONG.sub(_long, rest) if _STRING_ENDS.match(rest) else conceal(rest)
            lines[index] = lines[index].removesuffix(rest) + clean
    return "\n".join(lines)


def _line_like(prefix: str) -> re.Pattern[str]:
    """Lines of key material behind what stands before its first or last line: a level, a header, `{"msg": "`."""
    plain = _PLAIN.pattern
    same = "" if _PLAIN.fullmatch(prefix) else "|" + re.sub(r"\d+", r"\\d+", re.escape(prefix[:_MAX_PREFIX]))
    return re.compile(f"(?:{plain}{same}){_MATERIAL}{_CLOSED}")


def _key_line(line: str, like: re.Pattern[str]) -> str:
    """A line inside a key: other lines may be mixed in between, and stay."""
    found = like.match(line)
    if found is None:
        return _LONG.sub(_long, line)
    return line[: found.start("key")] + conceal(found["key"]) + line[found.end("key") :]


def _long(match: re.Match[str]) -> str:
    return conceal(match[0])


def _headless_key(lines: list[str], index: int, like: re.Pattern[str]) -> None:
    lines[index] = _key_line(lines[index], like)
    for earlier in range(index - 1, max(-1, index - _MAX_KEY_LINES), -1):
        if not like.match(lines[earlier]):
            return
        lines[earlier] = _key_line(lines[earlier], like)
