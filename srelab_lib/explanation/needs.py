"""What an operation needs comes before it: a failed request is no cause of the lookup, connection or login in it."""

from __future__ import annotations

import re
from collections.abc import Callable

_STEPS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\bresolv\w*|\bdns\b|\bname (?:look ?up|resolution|server)|\bno such host|\bname or service|\bnxdomain",
        r"\bconnect\w*|\brefus\w*|\bunreachable",
        r"\btls\b|\bssl\b|\bcertificate|\bhandshake",
        r"\blog(?:ged|s|ging)? ?in\b|\bpasswords?\b|\bcredentials?\b|\bauthenticat\w*|\busername\b",
        (
            r"\bquer(?:y|ies)\b|\bstatements?\b|\bcolumns?\b|\btables?\b|\brelations?\b|\bpool\b|\bpars(?:e|ed|ing)\b|"
            r"\btime[ds]? ?outs?\b|\b(?:did|does|do) not (?:answer|respond)|\bexceptions?\b|\btrace ?back|"
            r"(?<!\d )\berrors?\b(?! (?:ratio|rate|share|answer|status|page|code))"
        ),
        (
            r"\b5(?:\d\d|xx)\b|\b(?:get|post|put|patch|delete|head)\b[^.;]{0,60}?\b(?:fail|answer|return|respon|end)\w*|"
            r"\bfail\w* (?:get|post|put|patch|delete)\b|\brequests?\b(?: [\w·/]+){0,4}? (?:fail|los)\w*|"
            r"\bfail\w* requests?\b|\berror (?:ratio|rate|share)\b|"
            r"\b(?:drop|fall|loss|decline|collapse|end) (?:of|in) (?:[\w·]+ ){0,4}?(?:rate|traffic|requests|"
            r"throughput)\b|"
            r"\b(?:rate|traffic|requests|throughput) (?:[\w·]+ ){0,4}?(?:fell|dropp\w+|declin\w+|collaps\w+|ceas\w+) "
            r"(?:to (?:0|zero|nothing)\b)?"
        ),
    )
)
"""Name, connection, encryption, login, the work itself, the answer: how a failure of each is spoken of."""
_OTHERS = re.compile(r"\b(?:upstream|backend|dependency|downstream|server)\b")
"""Whose answer is part of what the other one does."""


def comes_too_late(cause: str, effect: str) -> bool:
    """True when the cause is a later step of an operation than the effect; both are spread texts."""
    later, earlier = _step(cause, min), _step(effect, max)
    return later is not None and earlier is not None and later > earlier and not _OTHERS.search(cause)


def _step(text: str, choose: Callable[[list[int]], int]) -> int | None:
    found = [place for place, pattern in enumerate(_STEPS) if pattern.search(text)]
    return choose(found) if found else None
