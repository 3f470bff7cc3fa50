"""Codes of the operating system and of HTTP by their other names: ECONNREFUSED is `Connection refused`."""

from __future__ import annotations

import errno
import os
import re
from http import HTTPStatus

_HTTP_CODE = re.compile(r"\bstatus(?:_?code)?[=: ]+([45]\d\d)\b", re.IGNORECASE)
_HTTP_CODES = frozenset(HTTPStatus)
_PHRASES = {status.value: status.phrase.lower() for status in HTTPStatus if status.value > 400} | {403: "forbidden"}
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_ERRORS = tuple((number, name, os.strerror(number)) for number, name in sorted(errno.errorcode.items()))


def explained(text: str) -> list[str]:
    """Phrase and code of each HTTP status, name and message of each system error, that a text has in any form."""
    phrases = [HTTPStatus(int(code)).phrase for code in _HTTP_CODE.findall(text) if int(code) in _HTTP_CODES]
    numbers, loose = {int(number) for number in _ERRNO.findall(text)}, text.lower()
    codes = [f"status {code}" for code, phrase in _PHRASES.items() if phrase in loose]
    found = [row for row in _ERRORS if row[0] in numbers or row[1] in text or row[2].lower() in loose]
    return [*phrases, *codes, *(f"{name} {message}" for _, name, message in found)]
