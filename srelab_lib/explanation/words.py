"""Words of claims and facts: one spelling for `OOMKilled`, `oom-killed` and `oom killed`, stems, and plain English."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib import resources

_HUMP = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ONE_WORD = re.compile(
    r"\b(?:SQLite|[A-Z][a-z]*SQL|MongoDB|[A-Z][a-z]+MQ|NVMe|PodIP|GitHub|GitLab|OpenSSL|[A-Z][a-z]+DB|No(?:Schedule|Execute)|"
    r"IPv[46]|JavaScript|NumPy|PyPI)(?![a-z])"
)
"""Names with capitals inside that are one word all the same."""
_PLURAL = re.compile(r"\b[A-Z]{2,}s\b")
_JOINT = re.compile(r"(?<=[a-z])[-_](?=[a-z])|(?<=[a-z])_|_(?=[a-z])")
_WORD = re.compile(r"[a-z][a-z']*")
_CONTRACTED = (
    (re.compile(r"\bcan't\b|\bcannot\b|\bcan not\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"(?<=\w)'(?:re|ve|ll|d|m)\b"), ""),
    (re.compile(r"(?<=\w)'s\b"), ""),
)
_REWRITTEN = (
    (
        re.compile(
            r"\b(?:(?:without|with no) (?:any )?(?:error|failure)|(?:without|with no|no) (?:any |an? (?:single )?)?"
            r"(?:problem|issue|trouble|difficult|hitch))\w*"
        ),
        "successfully",
    ),
    (re.compile(r"\bwhat (?:it|they)(?: is| are| may| can)? (?:allowed|permitted|use)\b"), "the limit"),
    (
        re.compile(r"(?<=\d)( ?[a-z]+) (?:allowed|permitted)\b|\b(?:allowed|permitted) (?=memory|cpus?\b|cores?\b)"),
        r"\1 limit ",
    ),
    (re.compile(r"\b(?:number|amount|count|figure) (?:allowed|permitted)\b"), "limit"),
    (re.compile(r"(?<=\d)( ?[a-z]+) (?:that |which )?[\w·-]+ (?:is|was) (?:allowed|permitted)\b"), r"\1 of the limit"),
    (re.compile(r"\b(than|as) (?:is|are|was|were) (?:allowed|permitted|admitted|accepted)\b"), r"\1 the limit"),
    (
        re.compile(
            r"\b(?:within|before|inside|ahead of) (?:the|its|their|an?|this|that) (?:[\d.]+ ?[a-z]* )?(?:[a-z]+ ){0,3}?"
            r"(?:time ?out|deadline)\b(?: (?:ran out|expired|passed|was up|elapsed|was over|struck))?"
        ),
        "in time",
    ),
    (re.compile(r"\btime ?out (?:that |which )?(?:had |has )?expired\b|\bexpired time ?out\b"), "timed out"),
    (
        re.compile(
            r"\brais(?:es|ed|ing) (?=(?:an? |the |its )?(?:[\w'.·]+ ){0,3}?(?:errors?|exceptions?|time ?outs?)\b)"
        ),
        "threw ",
    ),
    (re.compile(r"\braised (?:from|in|at) (?=[\w./]*\.[a-z]{1,4}\b)"), "thrown in "),
    (re.compile(r"\brais(?:es|ed|ing) (?=[\"`'])"), "threw "),
    (
        re.compile(
            r"\b(?:enough|suffic\w*|needed|need\w*|takes?|required) (?:for|to) "
            r"(?:an?|have|get|trigger|cause|force|[\w·-]+ to be) "
            r"(?:[\w·']+ ){0,3}?restart\w*"
        ),
        "the failure threshold",
    ),
    (re.compile(r"\b(?:no|not) (?:more|greater|larger|longer|higher) than\b"), "at most"),
    (
        re.compile(
            r"\b(?:(?:may|can|must|could|should|is|are) not|never) (?:be )?(?:(?:allowed|permitted|able) to )?"
            r"(?:\w+ )?(?:more than|exceed|surpass|(?:go|grow|rise|climb|get|be) (?:over|beyond|above|past))\b"
        ),
        "at most",
    ),
    (
        re.compile(
            r"\b((?:traffic|requests?)\b(?: (?:to|at|on|for|of|from) [\w·]+)?(?:, which)?(?: (?:has|have|had))?) "
            r"(?:stopped|ended)\b(?! (?:in|with|up)\b)"
        ),
        r"\1 ceased",
    ),
    (
        re.compile(
            r"\bstopp(?:ed|ing) (?:getting|seeing|receiving|handling|taking|having) (?=requests?|traffic|calls)"
        ),
        "lost ",
    ),
    (re.compile(r"\bstopped (?=(?:[\w·']+ ){0,3}?(?:traffic|requests?)\b)"), "lost "),
    (re.compile(r"\bun(?:limited|restricted|bounded|capped)\b"), "without limit"),
    (re.compile(r"\b(?:do|did|does) not lack\b"), "has"),
    (re.compile(r"\b(?:do|did|does) not all (\w+) (?:alike|the same(?: way)?|in the same way)\b"), r"\1 differently"),
    (re.compile(r"\bno ([a-z]+) (?:that|which) (?:is|are|was|were) (ready|available|healthy|running)\b"), r"no \2 \1"),
    (re.compile(r"\b(?:completed|ended|finished|terminated) unsuccessfully\b"), "failed"),
    (
        re.compile(
            r"\b(?:gr[eo]wn?|risen|rose|climbed|swollen|swelled|went|gone) (?:past|beyond|over) (its|the|their) limit\b"
        ),
        r"exceeded \1 limit",
    ),
    (re.compile(r"\bno route (?=(?:failure|error)s?\b)"), "route "),
    (re.compile(r"\b(certificates?(?: [\w·]+){0,4}?) (?:(?:has|have|had) )?r[ua]n(?:s)? out\b(?! of)"), r"\1 expired"),
    (re.compile(r"\bcut off(?= by\b)"), "ended"),
    (re.compile(r"\b(?:d(?:ie[sd]?|ying)|killed) (?:of|for) (?:(?:lack|want) of )?memory\b"), "was oom killed"),
)
"""Phrases whose words would mislead one by one."""
_SENTENCE = re.compile(r"(?<=[a-z)\"%\d])(?:[.;!?]\s+|:\s+(?=[A-Za-z]))")
_CLAUSE = re.compile(
    r"[,;!?()\n]|:\s|\.\s|\s[-–—]\s|\b(?:and|but|while|whereas|although|though|(?<!not )yet|which|who|that|"
    r"because|so|then|after|"
    r"before|since|until|when|where|if|"
    r"(?<!recorded )(?<!reported )(?<!marked )(?<!counted )(?<!listed )(?<!regarded )as)\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """One line of compatible characters with straight quotes, case kept."""
    text = unicodedata.normalize("NFKC", text).translate(
        {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2212: "-"}
    )
    return " ".join(text.split())


@lru_cache(maxsize=8192)
def spread(text: str) -> str:
    """Lower case, camel and snake case taken apart, contractions written out: what patterns are matched against."""
    for whole in (_ONE_WORD, _PLURAL):
        text = whole.sub(lambda match: match[0].lower(), text)
    text = _HUMP.sub(" ", text).lower()
    for pattern, replacement in _CONTRACTED:
        text = pattern.sub(replacement, text)
    text = _JOINT.sub(" ", text)
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    return text


def clause_at(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after a span within its clause."""
    before = _CLAUSE.split(text[:start])[-1]
    after = _CLAUSE.split(text[end:])[0]
    return before, after


def clauses(text: str) -> list[str]:
    """A plain text taken apart at commas and conjunctions."""
    return [part for part in _CLAUSE.split(text) if part.strip()]


def sentences(text: str) -> list[str]:
    """The sentences of a claim; a dot inside a name or number ends none."""
    return [part for part in _SENTENCE.split(text) if part.strip()]


def words(text: str) -> list[str]:
    """The words of a spread text, in order."""
    return _WORD.findall(text)


@cache
def stem(word: str) -> str:
    """A word without its usual endings: `restarting`, `restarted` and `restarts` are one."""
    word = word.removesuffix("'s").replace("'", "").replace("isation", "ization")
    for ending, replacement in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: len(word) - len(ending)] + replacement
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeosl":
        word = word[:-1]
    return word.rstrip("e") if len(word) > 3 else word


_ENDINGS = (
    ("ations", "at"),
    ("ation", "at"),
    ("ically", "ic"),
    ("iness", "y"),
    ("ments", ""),
    ("ment", ""),
    ("edly", ""),
    ("ingly", ""),
    ("ies", "y"),
    ("ied", "y"),
    ("ily", "y"),
    ("sses", "ss"),
    ("ness", ""),
    ("ions", ""),
    ("ion", ""),
    ("ings", ""),
    ("ing", ""),
    ("ers", "er"),
    ("xes", "x"),
    ("shes", "sh"),
    ("ches", "ch"),
    ("es", "e"),
    ("ed", ""),
    ("ly", ""),
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("s", ""),
)


def word_list(text: str) -> list[str]:
    """The words of a text, in order: how a long list of words is written down."""
    return text.split()


def word_set(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


@cache
def english() -> frozenset[str]:
    """Stems of ordinary English words (from SCOWL's word lists): what stands here is no name of anything."""
    text = resources.files(__package__).joinpath("english.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
