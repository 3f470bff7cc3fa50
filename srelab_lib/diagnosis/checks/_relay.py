"""Lines that repeat what another program answered: what follows its status are its words, not the writer's."""

from __future__ import annotations

import re

_ANSWER = re.compile(
    r"https?://[^\s'\"]{1,200}(?=[\s'\"])"
    r"(?:[\W_]|(?:https?|status|code|an?|with|error|failed|was|is|got|gave|answer\w*|return\w*|repl\w+|respon\w+)(?![^\W_])"
    r"|(?:1\.[01]|2\.0)(?= )){1,30}?5\d\d(?!\d|[.:]\d| ?m?s\b)"
    r"|\brpc error: code = (?:Internal|Unknown) desc = ",
    re.IGNORECASE,
)
"""Who was asked and that it failed: `POST http://stock:8080/take: status 500`; what the other one said follows."""


def own_words(message: str) -> str:
    """A line without what it repeats of another program's answer."""
    answer = _ANSWER.search(message)
    return message[: answer.end()] if answer else message
