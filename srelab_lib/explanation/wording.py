"""A claim as its rules read it: without formatting and lead-ins, and without phrases that turn words round."""

from __future__ import annotations

import re

from srelab_lib.explanation.links import links
from srelab_lib.explanation.words import plain

_CODE = re.compile(r"`(?P<inner>[^`\s]+)`")
_EMPHASIS = re.compile(r"(?<![\w*])(?P<mark>\*{1,3})(?=\S)(?P<inner>[^*]+)(?<=\S)(?P=mark)(?![\w*])")
_BULLET = re.compile(r"^(?:[-*•>] |#{1,6} |\d{1,2}[.)] )+")
_LABEL = (
    r"(?:[A-Za-z]+[ -]){0,3}?(?:cause|trigger|explanation|summary|symptoms?|effects?|impact|diagnosis|conclusion|"
    r"findings?|result|reason|hypothesis|note|observation|evidence|consequence|culprit|suspect|timeline|verdict) ?: "
)
_HEDGE = (
    r"(?:this|that|it|all of this|the (?:evidence|logs?|data|facts?|timing|metrics?)) (?:strongly |clearly |also )?"
    r"(?:(?:suggests?|indicates?|shows?|implies|imply|means?|confirms?|tells? us) that|seems(?: likely)? that|"
    r"appears that|looks (?:like|as if)|(?:is|seems) (?:most |very )?(?:likely|probable|plausible|clear|evident) that) "
)
_SUMMING_UP = r"(?:it|this|everything|all of (?:it|this)) (?:all )?(?:comes|came|boils|boiled) down to (?=[^:]+: )"
_ADVERB = r"(?:in short|in other words|in summary|to sum up|apparently|evidently|presumably|most likely|very likely), ?"
_LEAD_IN = re.compile(rf"^(?:{_LABEL}|{_HEDGE}|{_SUMMING_UP}|{_ADVERB})", re.IGNORECASE)
"""What language models open with: it is said of the sentence, and no part of what it says."""

_KNOW = r"(?:tell|say|see|know|be told|be said|be known|be seen)"
_NOT = r"(?: not|n't)"
_WAS = r"(?:was|were|is|are|had|has)"
_FIGURES = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (
            rf"\b(?:we|one|you|i|nobody|no one) (?:can{_NOT}|can't|cannot|do{_NOT}|could{_NOT}|can) {_KNOW}\b",
            "it is not known",
        ),
        (r"\bnever (?:below|under|less than)\b", "at least"),
        (r"\bnext to no(?P<thing> \w+)\b", r"little\g<thing>"),
        (r"\b(?P<of>\d\d)(?:st|nd|rd|th)[ -]percentile\b", r"p\g<of>"),
        (
            r"(?<!from )(?<![\w.:-])(?P<old>\d[\d.]*)(?P<unit>(?: ?[%a-zA-Z]+)?) ?(?:->|→|=>|⟶) ?(?=\d)",
            r"from \g<old>\g<unit> to ",
        ),
        (r"(?P<who>, (?:which|that) (?:the |its )?(?:[\w-]+ ){1,3}?)adds\b", r"\g<who>asks for"),
        (
            r"^it was (?:only |just |exactly )?(?P<when>at \d\d?:\d\d(?::\d\d)?(?: UTC)?),? that (?P<done>[^.;]+)",
            r"\g<done> \g<when>",
        ),
        (
            (
                r"\b(?P<who>\w[\w-]*) did(?: not|n't) (?P<verb>\w+) (?:a single|one single|"
                r"any) (?P<what>\w+) (?:that|which) "
                rf"{_WAS}{_NOT} "
            ),
            r"every \g<what> that \g<who> did \g<verb> was ",
        ),
        (
            (
                r"\b(?:not one|not a single one|none) of (?P<what>[^,;.]{1,60}?) (?:was|were|is|are) anything "
                r"(?:but|other than|except)\b"
            ),
            r"all of \g<what> were",
        ),
        (
            r"\bno (?P<what>[^,;.]{1,40}?) (?:was|were|is|are) anything (?:but|other than|except)\b",
            r"every \g<what> was",
        ),
        (
            (
                rf"\bit (?:was|is){_NOT} (?P<other>[^,;.]{{1,50}}?) (?:that|which) (?P<done>[^,;.]{{3,60}}), but "
                r"(?:rather )?(?P<it>[^,;.]{3,60})"
            ),
            r"\g<it> \g<done> rather than \g<other>",
        ),
        (
            (
                r"\bthe two\b(?= (?:do|does|did|are|were|have|had|can|could|will|never|no longer|differ|"
                r"(?:dis)?agree|match)\b|"
                r" (?:do|did|are|were)n't\b|[.,;]|$)"
            ),
            "both",
        ),
        (r"\b(?:has|have) been (?P<set>set|limited|capped|restricted|configured) (?=to\b|at\b)", r"is \g<set> "),
        (
            r"\b(?:agree|match|coincide|are (?:the same|equal)): (?P<what>zero|none|nil|\d+)(?: each)?\b",
            r"are both \g<what>",
        ),
        (
            (
                r"\bneither (?:of )?(?:the )?(?:two )?(?P<what>[^,;.]{2,40}?) (?:was|is|were|are) (?:below|under|"
                r"less than)\b"
            ),
            r"both \g<what> were at least",
        ),
        (
            rf"\b(?P<is>was|is|were|are){_NOT} (?:below|under|less than)\b|\b(?:not|no) (?:less|fewer) than\b",
            r"\g<is> at least",
        ),
        (
            (
                r"(?P<what>(?<!_)(?:error|exception|timeout)\b[^.;]{0,40}?) "
                r"(?P<be>is|was|are|were|gets|got|being) raised\b"
            ),
            r"\g<what> \g<be> thrown",
        ),
        (
            (
                r"\bwithin (?P<gap>(?!the\b|its\b|an?\b)[\w.]+ (?!(?:milli)?seconds?\b|minutes?\b|hours?\b|ms\b|s\b|"
                r"min\b)\w+) of\b"
            ),
            r"less than \g<gap> away from",
        ),
        (
            (
                r"^(?:(?:hardly|scarcely|barely) had (?P<one>[^,;]{5,80}?),? when|no sooner (?:had|was|"
                r"were) (?P<two>[^,;]{5,80}?),? "
                r"than) "
            ),
            r"Once \g<one>\g<two>, ",
        ),
        (r"\ban? clean (?P<end>exit|shutdown|shut-down|termination|stop)\b", r"an \g<end> with code 0"),
        (r"\b(?P<first>first|earlier); (?=\w)", r"\g<first>, and "),
        (r"\ball but (?=\w+ed\b)", "nearly "),
        (r"\bfrom no (?P<what>(?!to\b)\w+)(?: at all)?\b", r"from 0 \g<what>"),
        (r"^(?P<what>[A-Z][\w' ]{3,40}): (?=(?:none|no|zero|nil|\d)\b)", r"\g<what> is "),
        (r"\bf(?:e|a)ll(?:s|ing|en)? over\b", "failed"),
        (
            (
                r"\b(?P<what>(?:errors?|messages?|complaints?|failures?)(?: [\w-]+){0,2}?) changed"
                r"(?: (?:with|over) time)?(?=,? from\b)"
            ),
            r"\g<what> went",
        ),
        (r"\bwith no (?P<what>failures?|errors?) among (?:them|these|those)\b", r"of which none are \g<what>"),
        (
            (
                r"\b(?P<what>requests?|calls?|attempts?|quer(?:y|ies)|look ?ups?)(?P<more>(?: (?:to|for|on|of|"
                r"from) [^\s,;]+)?"
                r"(?: [\w']+){0,2}?) (?:die|dies|died|crash|crashe[sd]|blow up|blew up|collapsed?)\b(?! (?:to|from))"
            ),
            r"\g<what>\g<more> failed",
        ),
    )
)
"""Phrases whose words would be taken for something else: a doubled denial says yes, `the two` counts nothing."""


_WAS_SET = re.compile(r"\b(?:was|were) set (?=to\b)", re.IGNORECASE)
"""Where nothing else happens, how it is and no change."""


_HALF_DAY = re.compile(
    r"(?<![\d:.])(?P<hour>1[0-2]|0?[1-9]):(?P<rest>[0-5]\d(?::[0-5]\d)?) ?(?P<half>[ap])(?:\.m\.|m\b)", re.IGNORECASE
)
NOON = 12


def _of_whole_day(match: re.Match[str]) -> str:
    """`1:28 p.m.` is 13:28."""
    hour = int(match["hour"]) % NOON + (NOON if match["half"].lower() == "p" else 0)
    return f"{hour:02}:{match['rest']}"


def worded(text: str) -> str:
    """A claim's text in one line, without formatting, lead-in and figures of speech; commands and links stay."""
    text = _HALF_DAY.sub(_of_whole_day, _BULLET.sub("", plain(text)))
    for pattern in (_EMPHASIS, _CODE):
        text = pattern.sub(r"\g<inner>", text)
    shorter = _LEAD_IN.sub("", text)
    while shorter != text and shorter:
        text = shorter[:1].upper() + shorter[1:]
        shorter = _LEAD_IN.sub("", text)
    for pattern, replacement in _FIGURES:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split())
    return text if links(text) else _WAS_SET.sub("is set ", text)
