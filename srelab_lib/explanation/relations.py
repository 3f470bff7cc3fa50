"""What rose or fell, came or went, and what was altered into what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.passages import Held, Passage
from srelab_lib.explanation.words import clause_at

_UP = re.compile(
    r"\brais(?:e|es|ed|ing)\b(?! (?:an? |the |its )?(?:[\w']+ ){0,3}?(?:alarm|alert|exception|error))|"
    r"\bincreas\w*|\bgr[eo]w(?:s|n|ing|th)?\b|\brose\b|\bris(?:e|es|en|ing)\b|\bclimb\w*|"
    r"\bhigher\b(?! (?:than|priorit))|\bjump\w*|\bsurg\w*|\bspik\w*|"
    r"\bbump\w*(?! (?:[\w·-]+ ){0,4}?v?\d+\.\d+\.\d+)|"
    r"\bscal\w* (?:\w+ )?(?:up|out)\b|"
    r"\bexpand\w*|\bsoar\w*|\bdoubl(?:ed|es|ing)\b|\btripl(?:ed|es|ing)\b|"
    r"\bmore (?:[\w·-]+ ){1,4}than (?:before|earlier|previously)\b|"
    r"\bswell\w*|\bswoll?en\b|"
    r"(?<!passed )(?<!handed )(?<!relayed )(?<!bubbled )(?<!coming )(?<!came )\bup from\b|"
    r"\bescalat\w*|\bballoon\w*|\bintensif\w*|\bgrown\b|"
    r"\b(?:went|goes|go|gone|going) up\b|\bworsen\w*|\bshot up\b"
)
_DOWN = re.compile(
    r"\blower(?:ed|ing|s)\b|\breduc\w*|\bdecreas\w*|\bdropp?(?:s|ed|ing)?\b"
    r"(?! (?:(?:an? |the |its )?(?:bid|call|order|message|event|job|session)s?\b|"
    r"connections?|requests?|packets?|(?=[a-z-]*\d)[\w-]*[a-z][\w-]*))|\bfell\b(?! over| back| behind| through)|"
    r"\bfall(?:s|en|ing)?\b(?! over| back| behind| through)|"
    r"\bcut(?:s|ting)?\b(?! (?:[\w·-]+ ){0,3}?off)|\bshr[aiu]nk\w*|"
    r"\bhalv\w*|\bdeclin\w*\b(?! (?:to (?!\d|zero|nothing|about|around|nearly|almost)|"
    r"(?:(?:the|its|all|any|new) )?(?:traffic|requests?|connections?|calls?)\b))|"
    r"\bsmaller\b(?! (?:[\w·-]+ ){0,2}?than\b(?! (?:before|earlier|previously)))|\bscal\w* (?:\w+ )?(?:down|in)\b|"
    r"\btighten\w*|\bplummet\w*|\bcollaps\w* (?:to|from|by)\b|\bslash\w*|\btrim\w* (?:to|from|by|down)\b|\bdown from\b|"
    r"\b(?:fewer|less) (?:[\w·-]+ ){1,4}than (?:before|earlier|previously)\b|"
    r"(?<!\bit )(?<!\bthey )\b(?:went|goes|came|comes) down\b|"
    r"\bsank\b|\bscal\w* to zero|\bdipp?\w*|\beas(?:ed|es|ing)\b|\babat\w*|\bsubsid\w*|"
    r"\breced(?:e[ds]?|ing)\b|\bdiminish\w*|\bdwindl\w*|\bsoften\w*|\b(?:died|calmed|cooled|wound) down\b|\blet up\b|"
    r"\b(?:tail|taper|level)(?:l?ed)? off\b|\bimproved\b|"
    r"\b(?:throttling|errors?|ratio|latency|rate|restarts|time ?outs|failures|problems?|spikes?|"
    r"load)\b(?: [\w·]+){0,3}? "
    r"(?:went away|disappear\w*|vanish\w*)"
)
_UNIT = r"(?: (?:[KMGT]i?B|bytes|seconds|ms|s|cores|ratio|%)(?!\w))?"
_CHANGE = re.compile(
    rf"(?:\bfrom\s+)?(?P<old>\{{[^{{}}]*\}}|\"[^\"]*\"|\d+,\d+(?!\d|,\d)|(?!set\b)[^\s,;(){{}}]+{_UNIT})"
    rf"(?:\s+(?:back|down|up|over|straight))?\s*(?:->|→|=>|⟶|\bto\b|\binto\b|"
    rf"\bnow\b)\s*(?P<new>\{{[^{{}}]*\}}|\"[^\"]*\"|\d+,\d+(?!\d|,\d)|[^\s,;(){{}}]+{_UNIT})",
    re.IGNORECASE,
)
_OLD_NEW = re.compile(r"\bold=\"?(?P<old>[^\s,;\"]+)\"?\W.*?\bnew=\"?(?P<new>[^\s,;\"]+)", re.IGNORECASE)


_ADDED = re.compile(
    r"\badd(?:ed|s|ing| column)\b|\b(?:was|were|been|got) given (?:an?|the|its)\b"
    r"(?! (?:[45]\d\d|answer|response|error|status))|\bgained\b|\bequipped\b|\b(?:none|null|"
    r"unset|nothing)>?\W*(?:->|→) ?\w"
)
_REMOVED = re.compile(
    r"\bremov\w*|\bdelet\w*|\bdrop (?:column|table|index)\b|\b(?:taken|took) (?:out|away|off)\b|"
    r"\bstripped\b|(?:->|→) ?<?(?:none|null|unset|nothing)\b"
)
_DENIED = re.compile(
    r"(?:\bnot|\bnever|\bno longer|\bneither|\b(?:no|without)(?: \w+)?|\bn't)"
    r"(?: (?:be|been|being|get|any|an?|ever|even))* $"
)
NAMED_MOVE = re.compile(r"\b(?:the|this|that|its|an?) scale (?:down|up|out|in)\b")
"""A move that is only named: `in the second of the scale-down`."""
_DROPPED = re.compile(r"\b(?:dropp?(?:s|ed|ing)?|cut(?:s|ting)?|los(?:t|es|ing))\b(?! (?:to|from|by|in|below|under)\b)")
"""What a thing is when it is taken away: the word for a fall of its number."""
_DIRECTIONS = (("rose", _UP), ("fell", _DOWN), ("was added", _ADDED), ("was removed", _REMOVED))
_REPLACED = re.compile(
    r"(?P<new>[^\s,;()]+) (?:has |have )?replac(?:ed|es|"
    r"ing) (?:\w+ ){0,2}?(?P<old>[^\s,;()]*\d[^\s,;()]*)",
    re.IGNORECASE,
)
_REPLACED_BY = re.compile(
    r"(?P<old>[^\s,;()]+) (?:was |is |been )?replaced (?:by|"
    r"with) (?:\w+ ){0,2}?(?P<new>[^\s,;()]*\d[^\s,;()]*)",
    re.IGNORECASE,
)
_INSTEAD = re.compile(
    r"(?P<new>[^\s,;()]*\w) (?:instead of|rather than|in place of) (?:the |its )?(?P<old>[^\s,;()]*\w)", re.IGNORECASE
)
_STEPS = (_CHANGE, _OLD_NEW, _REPLACED, _REPLACED_BY, _INSTEAD)


def directions(text: str) -> set[str]:
    """What a spread text says of where something went: `rose`, `fell`, `was added`, `was removed`."""
    return {name for name, match in _moves(text) if not _DENIED.search(text[: match.start()])}


def denied_directions(text: str) -> set[str]:
    """Where a spread text says that something did not go."""
    return {
        name
        for name, match in _moves(text)
        if _DENIED.search(text[: match.start()]) and not _MANNER.match(text, match.end())
    }


_MANNER = re.compile(
    r" (?:[\w·]+ ){0,2}?(?:together|at the same time|simultaneously|at once|immediately|until|right away|in step)\b"
)
"""`Did not rise together with it`: how or when is denied."""


def without_dropped(said: set[str], text: str, held: set[str]) -> set[str]:
    """What is said of where something went; `dropped` is a removal where the facts have one."""
    rest = directions(_DROPPED.sub(" ", text))
    return (said & rest) | {"was removed"} if said - rest and "was removed" in held else said


def _moves(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for name, pattern in _DIRECTIONS:
        yield from ((name, match) for match in pattern.finditer(text) if not _breaks_down(text, match))


_AMOUNT = rf"(?:\d[\w.]*|{'|'.join(WORDS)}|extra|additional|further)\b"
_OF_AMOUNT = re.compile(
    rf"\b{_AMOUNT}[^.,;]{{0,40}}?\b(?:taken|removed|added)\b|\b(?:gain\w*|tak\w+|took|remov\w+|add\w*) (?:away |"
    rf"off |another )?{_AMOUNT}|"
    r"\b(?:took|taken?|takes|gave|given) (?:away )?(?:the|a|one|its|an?other) (?:\w+ )?"
    r"(?:pods?|replicas?|instances?)\b|"
    rf"\b(?:extra|additional|further)\b.*\b(?:they|which|that) (?:was|were) added"
)
_AMOUNTS = (("was removed", "fell"), ("was added", "rose"))


def without_amounts(said: set[str], text: str, held: set[str]) -> set[str]:
    """`540m of CPU were taken away`, `four replicas were added`: the number fell, or rose."""
    if not _OF_AMOUNT.search(text):
        return said
    moved = {(one, other) for one, other in _AMOUNTS if one in said - held and other in held}
    return (said - {one for one, _ in moved}) | {other for _, other in moved}


_BREAKS_DOWN = re.compile(r" (?:along |together )?with\b| too\b| as well\b| entirely\b| completely\b")


def _breaks_down(text: str, match: re.Match[str]) -> bool:
    """`GET /cart goes down with it`: it fails, and no number of it falls."""
    return match[0] in {"went down", "goes down"} and _BREAKS_DOWN.match(text, match.end()) is not None


@lru_cache(maxsize=4096)
def steps(text: str) -> tuple[tuple[str, str], ...]:
    """Old and new value of what a plain text says was altered, as written: `from 256Mi to 10Mi`, `app:v1 -> app:v2`."""
    found = [(match["old"], match["new"]) for pattern in _STEPS for match in pattern.finditer(text)]
    return tuple((_bare(old), _bare(new)) for old, new in [*found, *_rewritten(text)])


_BECAME = re.compile(r"\bwritten again by \S+: (?P<old>.+) became (?P<new>.+?)(?: \(commit \w+\))?$")
_PAIR = re.compile(r"(?P<key>[A-Za-z][\w./-]*)(?:=|: )(?P<value>\"[^\"]*\"|[^\s;,]+)")


def _rewritten(text: str) -> list[tuple[str, str]]:
    """`TIMEOUT: "2.0"; MODE: a became TIMEOUT: "0.15"; MODE: a`: what each key had, and has."""
    edit = _BECAME.search(text)
    olds, news = (
        ({one["key"]: one["value"] for one in _PAIR.finditer(edit[end])} if edit else {}) for end in ("old", "new")
    )
    return [(old, news[key]) for key, old in olds.items() if news.get(key, old) != old]


def reversed_step(claim: Passage, held: Sequence[Held]) -> tuple[str, str] | None:
    """A step of the claim that the facts have the other way round, and not as the claim has it."""
    known = [step for fact in held for step in steps(fact.plain)]
    for old, new in steps(claim.plain):
        forward = any(_equal(old, a) and _equal(new, b) for a, b in known)
        if not forward and any(_equal(old, b) and _equal(new, a) for a, b in known):
            return old, new
    return _wrong_end(claim, known) or _misplaced(claim, held)


_EDIT = re.compile(
    r"\bchanged from (?P<old>.+?) to (?P<new>.+?)(?: by [\w-]+)?(?: \(revision \d+\))*(?: \(commit \w+\))?$"
)
_VALUE = re.compile(r"\d+,\d+(?!\d|,\d)|[^\s,;(){}\[\]\"'=]+")
_ONCE = (
    re.compile(
        r"\b(?:(?<!comes )(?<!come )(?<!read )(?<!reads )(?<!taken )from|off|"
        r"instead of|rather than|in place of|replac\w+|abandon\w+|dropped) (?:the |an? )?\W*$",
        re.I,
    ),
    re.compile(
        r"^\W*(?:before\b(?!hand)|until|previously|formerly|originally|earlier|at first|gave way|made way)\b", re.I
    ),
)
_SINCE = (
    re.compile(r"\b(?:into|onto|now|became|switched to|moved to) (?:the |an? )?\W*$", re.I),
    re.compile(r"^\W*(?:since|now|in its place|instead(?! of)|from then on|thereafter|afterwards|as of)\b", re.I),
)
"""What stands before, or behind, a value that something had once, and one that it has since."""


def _misplaced(claim: Passage, held: Sequence[Held]) -> tuple[str, str] | None:
    """The new value of a change as what was there once, and the old one as what is there since: a claim names both."""
    for fact in (one for one in held if one.item.kind == "change"):
        edit = _EDIT.search(fact.item.text)
        olds, news = ({_bare(one) for one in _VALUE.findall(edit[end])} if edit else set() for end in ("old", "new"))
        said = [(match, _bare(match[0])) for match in _VALUE.finditer(claim.plain)]
        old = [match for match, value in said if value in olds - news]
        new = [match for match, value in said if value in news - olds]
        wrong = [match for match in new if _stands_by(match, _ONCE)] + [
            match for match in old if _stands_by(match, _SINCE)
        ]
        right = [match for match in old if _stands_by(match, _ONCE)] + [
            match for match in new if _stands_by(match, _SINCE)
        ]
        if old and new and wrong and not right:
            return new[0][0], old[0][0]
    return None


def _stands_by(value: re.Match[str], patterns: tuple[re.Pattern[str], re.Pattern[str]]) -> bool:
    before, after = patterns
    text = value.string
    return bool(before.search(text[: value.start()]) or after.match(text[value.end() :]))


FORMERLY = re.compile(
    r"\b(?:previously|earlier|formerly|used to|had been|until then|originally|initially|"
    r"at first|prior to|before (?:that|then|this|the (?:change|incident)|revision))\b|^\W*before\b|\bbefore\W*$",
    re.IGNORECASE,
)
"""What makes the old value the one that is spoken of."""
_SWITCHED = re.compile(r"\b(?:turned|switched|flipped) (on|off)\b", re.IGNORECASE)
_TO = re.compile(r"(?<!amount )(?<!amounted )(?<!came )(?<!amounting )\b(?:to|into|now) (\"[^\"]*\"|[^\s,;()]+)")
_FROM = re.compile(r"\bfrom (\"[^\"]*\"|[^\s,;()]+)")


def _wrong_end(claim: Passage, known: list[tuple[str, str]]) -> tuple[str, str] | None:
    """`changed to v8` where v8 is what it was changed from."""
    for pattern, end in ((_TO, 1), (_SWITCHED, 1), (_FROM, 0)):
        for match in pattern.finditer(claim.plain):
            token = "" if FORMERLY.search(clause_at(claim.plain, match.start(), match.end())[0]) else _bare(match[1])
            right = any(_equal(token, step[end]) for step in known)
            wrong = next((step for step in known if _equal(token, step[1 - end])), None)
            if wrong is not None and not right and re.search(r"\w", token):
                return wrong
    return None


_STILL = re.compile(
    r"\b(?:left (?:[\w'-]+ ){1,6}?(?:at|on|unchanged|untouched|alone|as it was)\b|still|continu\w*|remain\w*|"
    r"keeps?(?! (?:none|no|zero|0)\b)|kept|stay\w*|as ever)\b",
    re.IGNORECASE,
)
_GONE = re.compile(r"\bdeleted?\b|\bremoved\b|\bkilling\b")


def stays_as_it_was(claim: Passage, held: Sequence[Held]) -> str:
    """The word with which a claim has last what all of the facts have end; empty where it has not."""
    found = _STILL.search(claim.plain)
    if any(item.family == "share" for item in claim.quantities):
        return ""  # "One request in five still succeeds": a part of them, which the numbers settle.
    if found is None or re.search(r"\bnot\b|\bno\b|n't\b", claim.plain) or _moves_at_all(claim.spread):
        return ""
    known = [(fact, steps(fact.plain) if fact.item.kind != "log" else []) for fact in held]
    if not known or not all(found or _GONE.search(fact.spread) for fact, found in known):
        return ""
    news = [new for _, found in known for _, new in found]
    return "" if any(_has_value(claim, new) for new in news) else found[0]


def _moves_at_all(text: str) -> bool:
    text = re.sub(r"\b(?:the|this|that) change\b", " ", text)
    return bool(directions(text)) or re.search(r"\bchang|\bswitch|\balter|\bmodif", text) is not None


_REVISION = re.compile(r"\brevision \d+", re.IGNORECASE)


def _has_value(claim: Passage, value: str) -> bool:
    found = quantities(value)
    if found:
        told = [one for one in claim.quantities if "revision" not in one.roles]
        return any(abs(one.value - found[0].value) <= 0.06 * abs(found[0].value) for one in told)
    tail = value.rpartition(":")[2]
    text = _REVISION.sub(" ", claim.plain)
    return re.search(rf"(?<![\w-]){re.escape(tail)}(?![\w-])", text, re.IGNORECASE) is not None


def held_directions(fact: Held) -> set[str]:
    """Where a fact says that something went, by its words or by its old and new number."""
    found = directions(fact.spread)
    if re.search(r"\bcreated\b", fact.spread):
        found.add("was added")
    found |= _version_directions(fact)
    for old, new in (*steps(fact.plain), *_edited_words(fact)):
        one, other = quantities(old), quantities(new)
        if one and other and one[0].value != other[0].value:
            found.add("rose" if other[0].value > one[0].value else "fell")
    return found


_VERSION = re.compile(r"(?P<name>[\w./-]*?):?v?(?P<numbers>\d+(?:\.\d+)*)(?P<rest>(?:-[\w.]+)?)")
_UPGRADE, _DOWNGRADE = re.compile(r"\bupgrad\w*"), re.compile(r"\bdowngrad\w*")


def _version_directions(fact: Held) -> set[str]:
    """`app:1.9.0` became `app:1.10.0`: it rose."""
    found = set()
    for old, new in steps(fact.item.text) if "image" in fact.item.text else ():
        one, other = _VERSION.fullmatch(old), _VERSION.fullmatch(new)
        if one and other and one["name"] == other["name"] and one["numbers"] != other["numbers"]:
            numbers = [[int(part) for part in match["numbers"].split(".")] for match in (one, other)]
            found.add("rose" if numbers[1] > numbers[0] else "fell")
    return found


def mistaken_version_move(claim: Passage, held: Sequence[Held]) -> str:
    """`Downgraded`, where the version that facts have is the higher one since; empty where nothing is mistaken."""
    moved = {one for fact in held if fact.item.kind == "change" for one in _version_directions(fact)}
    for pattern, way in ((_UPGRADE, "rose"), (_DOWNGRADE, "fell")):
        found = pattern.search(claim.spread)
        if found and moved and way not in moved:
            return found[0]
    return ""


def _edited_words(fact: Held) -> list[tuple[str, str]]:
    """Of `changed from maxmemory 48mb to maxmemory 2mb` the words that differ."""
    edit = _EDIT.search(fact.item.text) if fact.item.kind == "change" else None
    old, new = (edit["old"].split(), edit["new"].split()) if edit else ([], [])
    return [(a, b) for a, b in zip(old, new, strict=True) if a != b] if len(old) == len(new) else []


def _bare(token: str) -> str:
    return token.strip("\"'`.:").lower()


def _equal(one: str, other: str) -> bool:
    if one == other or one.endswith(f":{other}") or other.endswith(f":{one}"):
        return True
    if one.isdigit() and other.isdigit():
        return False  # a port is no other port
    first, second = quantities(one), quantities(other)
    return bool(first and second) and abs(first[0].value - second[0].value) <= 0.005 * abs(second[0].value)
