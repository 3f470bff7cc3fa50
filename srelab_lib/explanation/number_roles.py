"""What the words around a number say that it counts: a port, an exit code, restarts, a limit, a difference."""

from __future__ import annotations

import re

from srelab_lib.explanation.quantities import DIFFERENCE

_OF_IT = r"(?:of )?(?:(?:the |its )?(?:[\w-]+ ){0,2}(?:is|was) )?"
"""`the last exit code of the container is`."""
_CODE = r"(?:code|status)"
_MOVED = (
    r"(?:increas|rais|ris|rose|gr[eo]w|climb|jump|gain|f[ea]ll|drop|lower|reduc|decreas|cut|shr[aiu]nk|declin|up|down)"
)
_ROLES = (
    (
        "exit",
        (
            rf"\b(?:exit(?:s|ed|ing)?(?:[ _]?{_CODE}| with(?: an?)?(?: (?:exit )?{_CODE})?)?|(?<!status )code)"
            rf"\W{{0,3}}{_OF_IT}$|\b(?:runs?|containers?|process(?:es)?|programs?) ended with $"
        ),
        rf"^ (?:(?:as|is|was|being) )?(?:(?:its|the|an?) )?(?:last )?(?:exit|return) {_CODE}\b",
    ),
    ("signal", r"\bsignal\W{0,3}$", r"(?!)"),
    (
        "restart",
        r"\brestart(?:s|ed|ing)?(?:[ _]?count)?(?: is| was| of| to| at| about| around| some)?\W{0,3}$",
        r"^ (?:more |container |pod )?restarts?\b",
    ),
    ("retry", r"\bretri(?:ed|es)\W{0,3}$", r"^ retries\b"),
    ("port", r"(?:\bports?\b\W{0,3}(?:is |was |number )?|\w:)$", r"(?!)"),
    ("http", r"(?:\bhttp(?:/\d\.\d\"?)?|(?<!exit )\bstatus(?:[ _]?code)?)\W{0,3}(?:of )?$", r"(?!)"),
    ("replicas", r"\breplicas\W{0,3}$", r"^ (?:\w+ )?(?:replicas?|pods?)\b"),
    (
        "ready",
        r"(?<!not )(?<!un)\bready(?:[ _]replicas)?\W{0,3}$",
        r"^ (?:(?:out )?of (?:the |its )?\w+ )?(?:replicas? |pods? )?(?:(?:is|are|was|were|became) )?ready\b",
    ),
    (
        "updated",
        r"\bupdated(?:[ _]replicas)?\W{0,3}$",
        r"^ (?:(?:out )?of (?:the |its )?\w+ )?(?:replicas? |pods? )?(?:(?:is|are|was|were) )?updated\b",
    ),
    ("nodes", r"\bnodes\W{0,3}$", r"^ (?:\w+ )?nodes?\b"),
    ("revision", r"\brevision\W{0,3}$", r"(?!)"),
    (
        "limit",
        r"\blimits?(?:[ .]?(?:memory|cpu))?\W{0,3}(?:\w+ ){0,3}$|\b(?:ceiling|cap|max(?:imum)?) (?:\w+\W){0,2}$",
        r"^ (?:memory |cpu )?(?:limit|ceiling|cap)\b",
    ),
    (
        "request",
        r"\brequest(?:s?[ .]?(?:memory|cpu)|(?= ?=))\W{0,3}$|\b(?:memory|cpu)[ _]requests?\W{0,3}(?:\w+ ){0,3}$",
        r"^ (?:memory |cpu )request\b",
    ),
    ("timeout", r"\btime ?out\w*\W{0,3}(?:\w+ ){0,2}$", r"^ (?:read |connect(?:ion)? |call |request )?time ?out\b"),
    (
        DIFFERENCE,
        rf"\b{_MOVED}\w* (?:[\w-]+ ){{0,4}}by (?:about |around |some |nearly |almost |roughly )?$",
        (
            r"^ (?:of (?:the |its )?(?:\w+ )?|replicas? |instances? )(?:was|were|has been|have been|"
            r"got) (?:taken|removed|added)\b|"
            r"^ (?:[\w/]+ ){0,2}(?:more|less|fewer|higher|lower|longer) than (?:before|it was|previously|"
            r"earlier|usual)\b"
        ),
    ),
    ("period", r"\bperiod\w*(?: seconds)?\W{0,3}(?:\w+ ){0,2}$|\bevery $", r"^ period\b"),
    ("delay", r"\binitial delay(?: seconds)?\W{0,3}(?:\w+ ){0,2}$", r"^ (?:initial |start(?:ing|up)? )delay\b"),
)
_ROLE_PATTERNS = tuple((name, re.compile(before, re.I), re.compile(after, re.I)) for name, before, after in _ROLES)
_KEY_FOLLOWS = re.compile(r"\s*[\w.]+\s*[=:]")


def roles_between(before: str, after: str) -> frozenset[str]:
    """The roles of a number that stands between two pieces of text."""
    left_text, right_text = _role_text(before), _role_text(after)
    return frozenset(
        name
        for name, left, right in _ROLE_PATTERNS
        if left.search(left_text) or (right.search(right_text) and not _KEY_FOLLOWS.match(after))
    )


def _role_text(text: str) -> str:
    return re.sub(r"(?<=[a-z])_(?=[a-z])|(?<=[a-z])(?=[A-Z])", " ", text)
