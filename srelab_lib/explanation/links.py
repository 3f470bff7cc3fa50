"""Which part of a claim is said to bring about, or to come before, which other part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.words import sentences

_BE = r"(?:is|was|are|were|be|been|being)"
_NOUN = r"(?:cause|reason|trigger|source|origin|explanation|culprit)"

SPAN = (
    r"\b(?:(?:about|around|some|nearly|almost|roughly|just|only|exactly|barely|over|under|within|a mere|(?:less|"
    r"more) than|"
    rf"at most|at least) )*(?:[\d.]+[ -]?|(?:an?|a few|several|{'|'.join(WORDS)})[ -])(?:[a-z]+ )?"
    r"(?:milliseconds?|seconds?|minutes?|hours?|ms|s|min)\b"
)
"""`Some 21 seconds`: how long."""
_THEN = (
    rf"(?:[,;] ?|\band )(?:and |then )*{SPAN} (?:later(?! than)|afterwards?|after that|thereafter|on)\b,?|"
    r"\b(?:and )?(?:thereafter|subsequently|whereupon)\b,?|\bby the time(?: that)?|"
    r"\b(?:and )?(?:in its wake|afterwards|after that),?(?= \w)"
)
"""What stands between the earlier and the later."""
_BEHIND = (
    r"(?:came |happened |is |was |set in )?subsequent to|follow(?:s|ed)? (?:up)?on(?: from)?|"
    r"in the (?:wake|aftermath) of|on the heels of"
)
"""What stands between the later and the earlier."""

_EFFECT_FIRST = (
    rf"{_BEHIND}|"
    r"because(?: of)?|due to|(?:was |were |is |are |been |being )?(?:caused|triggered|produced|prompted|"
    r"brought about|brought on|set off|driven|explained|forced|provoked|induced|pushed) by|"
    r"as an? (?:\w+ )?(?:result|consequence|effect) of(?! (?:that|this|it)\b)|(?:is |was |are |were )?(?:an?|"
    r"the) (?:\w+ )?(?:result|consequence|effect|symptom|outcome|upshot|fallout) of|owing to|thanks to|"
    r"on account of|by reason of|for want of|for lack of|in view of|given that|seeing that|"
    rf"{_BE} down to(?! (?:\d|zero|nil|none|nothing|one|two|three|half)\b)(?! \d)|{_BE} rooted in|(?:has|have|"
    rf"had) (?:its|their) (?:root|origin|cause)s? in|"
    r"attribut(?:able|ed) to|stem(?:s|med|ming)? from|result(?:s|ed|ing)? from|"
    r"com(?:es|ing) from|came from|aris(?:es|ing) from|arose from|"
    r"(?:is|was|were|came as) (?:an? |the )?(?:\w+ )?(?:reaction|response|answer) to|react(?:s|ed|ing)? to|"
    r"(?<!\bbe )(?<!\bwas )(?<!\bwere )(?<!\bis )(?<!\bare )followed(?= (?:the|an?|its|on|after)\b)|preceded by|"
    r"follow(?:s|ed|ing)? from|originat\w+ (?:from|in)|blamed on|traced (?:back )?to|in response to|"
    r"(?<!the )following (?=the\b|an?\b|its\b)|after(?! all)|since(?! (?:about |around )?\d| then)|"
    r"as soon as|(?<!\bat )once(?! (?:more|again|already|so far|in|every|per|at|a)\b|[.,;]|$)|now that|"
    r"(?<=,) ?as(?= (?:\w|·))(?! (?:well|if|of|to|much|many|long|far|expected|usual|before))"
)
_DOES = (
    r"(?:exhaust(?:s|ed)|us(?:es|ed) up|fill(?:s|ed)(?: up)?|overload(?:s|ed)|overwhelm(?:s|ed)|"
    r"saturat(?:es|ed)|starv(?:es|ed))"
)
_CAUSE_FIRST = (
    rf"(?<=\w)(?= {_DOES} (?:the|its|their|all)\b)|"
    rf"{_THEN}|"
    rf"{_BE} (?:the (?:\w+ )?{_NOUN} (?:of|for|why|that|behind)|responsible for|to blame for|behind|why|"
    r"at the root of|the root of|what(?= \w))|"
    r"lies behind|for (?:that|this|which) (?:very )?reason|(?:and |, )?that (?:is|was) (?:why|what(?= \w))|"
    r"caus(?:es|ed|ing)|(?<=s )cause|(?<=to )cause|led to|led(?= [\w·-]+ to\b)|leads? to|leading to|result(?:s|ed|"
    r"ing)? in|trigger(?:s|ed|ing)?|ma(?:kes|de|king)(?! (?:of|up|from|by|sure|use|with|for|it to)\b)|"
    r"forc(?:es|ed|ing)|prompt(?:s|ed|ing)|spark(?:s|ed|ing)|push(?:es|ed|ing)(?! by)|"
    r"(?:brings|brought|bringing) (?:about|on)|g(?:ives|ave|iving)(?: rise to|(?= (?:the |its |"
    r"their )?[\w·-]+ (?:its|their|"
    r"the|an?)\b))|account(?:s|ed)? for|set(?:s|ting)? off|"
    r"produc(?:es|ed|ing)|provok(?:es|ed|ing)|explain(?:s|ed)?|means?(?: that)?|meant(?! (?:for|to)\b)(?: that)?|"
    r"(?:ke(?:eps|pt|eping)|stop(?:s|ped|ping)?|prevent(?:s|ed|ing)?)(?= [^,;.]{1,40} from \w+ing)|"
    r"le(?:aves|ft|aving)(?= (?:the |its |an? |all |every )?[\w·-]+ (?:with|without|unable|not|un\w+)\b)|"
    r"(?:turn(?:s|ed|ing)|sen(?:ds|t|ding)|puts?|thr[eo]ws?|plung(?:es|ed|ing)|dr(?:ives|ove))(?= [^,;.]{1,40} into )|"
    r"(?<!be )(?<!was )(?<!were )(?<!been )(?<!being )(?<!is )(?<!are )(?<!had )(?<!has )(?<!have )(?<!got )(?<!and )"
    r"(?:lower(?:s|ed)|rais(?:es|ed)(?! (?:an? |the |its )?(?:[\w-]+ )?\w*(?:error|exception)\b)|reduc(?:es|ed)|"
    r"increas(?:es|ed)|slow(?:s|ed)|drag(?:s|ged)|br(?:ings|ought)|"
    r"decreas(?:es|ed))(?= (?:(?:the|its|their|an?) |[\w·-]+(?:'s [\w-]+)* (?:down|up)\b))|"
    r"dr(?:ives|ove|iving|iven)|hence|therefore|thus|consequently|as a (?:result|consequence)|"
    r"which is (?:why|how)|so(?! (?:far|much|many|low|small|high|called)\b)(?: that)?|"
    r"(?<=, and )(?:as an? (?:result|consequence) of|because of|due to|owing to) (?:that|this|it)\b|"
    r"preced(?:es|ed|ing)(?! by)|before(?! (?:the|its|an?|their|this) (?:[\w-]+ ){0,3}?(?:time-?out|"
    r"deadline)\b)|and then|then|followed by|ahead of|prior to|culminat\w+ in|"
    r"end(?:s|ed|ing)? (?:up )?in(?! (?:an? )?(?:(?:exit|code|status|error)\b|[\"'`\d]))"
)
_TEMPORAL = re.compile(
    rf"{_THEN}|{_BEHIND}|"
    r"after|before|once|as soon as|now that|following|and then|then|followed(?: by)?|ahead of|prior to|"
    r"preced(?:es|ed|ing)(?: by)?",
    re.IGNORECASE,
)
_LINK = re.compile(
    rf"(?:\b|(?=[,;]))(?:(?P<effect_first>{_EFFECT_FIRST})|(?P<cause_first>{_CAUSE_FIRST}))(?![\w-])|"
    r"(?P<as>^as(?= (?:(?:the|its|there|no|nobody|nothing|an?) |"
    r"[\w·-]+ (?:is|was|were|are|has|had|can|could|did|does) ))|"
    r"^(?:having|lacking)(?= )|^with(?= (?:no|0|zero|none) ))|"
    rf"\bso (?:\w+ )that\b",
    re.IGNORECASE,
)
_NAMED_CAUSE = re.compile(
    rf"^\W*(?:(?:the|its|one|a) (?:\w+ )?{_NOUN} (?:of|for|why|that|behind)|what (?:caused|causes|triggered|triggers|"
    rf"led to|leads to|made|makes|brought about|explains|explained|drove|pushed|sent|raised|lowered|"
    rf"slowed|broke|stopped|blocked|took down)) (?P<effect>.+?) {_BE} (?:that )?(?P<cause>.+)$",
    re.IGNORECASE,
)

_APART = re.compile(r"\s*(?P<cause>\S.*?) (?P<effect>(?:the|its|an?|no|there|all|every|each) \S+ .+)$", re.IGNORECASE)
"""`Due to the failed mount the Secret went missing`: no comma parts them, but another subject begins."""

_EVENT = (
    r"(?:change|roll-?out|restart|update|edit|patch|release|deployment|scale-?(?:down|up)|removal|deletion|cut|switch|"
    r"reduction|increase|upgrade|move|step|swap)"
)
_APART_EVENT = re.compile(
    rf"\s*(?P<cause>(?:the|its|an?|that|this) (?:[\w-]+ ){{0,2}}?{_EVENT}) (?P<effect>[\w·-]+ \w.+)$", re.I
)
"""`Seven seconds after the change bidder got a 504`."""
_ALONE = re.compile(rf"\W*(?:(?:it was|only|just|not until|shortly|soon|right|{SPAN}) ?)+", re.IGNORECASE)
_OWN_CLAUSE = re.compile(rf"[,;] ?(?:and|but|then) (?P<span>{SPAN}\W*)$", re.IGNORECASE)
"""`The Job drops an index, and 25 seconds after it was created ...`: what stands before it is another clause."""
_AFTER_IT = re.compile(
    r"\s*(?:it|that|this|them),? (?P<effect>(?:the|its|an?|no|there|all|every|each) .+)", re.IGNORECASE
)
"""`The rollout, as some 21 seconds after it an exception was logged`."""
_CONTINUED = re.compile(r"[,;] ?(?:and|but|yet) ?$", re.IGNORECASE)
"""What stands before a cause that comes first in its clause: `..., and since the Secret is gone, the pod fails`."""
_INVERTED = re.compile(
    r"\s*(?P<cause>\S.*) (?P<effect>(?:was|were|is|did|does|has|could) (?:the|its|an?|[\w·-]+) .+)$", re.IGNORECASE
)
"""`Only after the errors had begun was the image changed`."""


_FIRST = (
    re.compile(
        r"^\W*(?P<cause>[^,;]{3,}?) (?:(?:had |has )?(?:come|came|happened|occurred|began|started|"
        r"arose) (?:first|earlier)|"
        r"(?:was|were) (?:there |here |seen |the )?(?:first|earlier)(?: to \w+)?|first)[,;]? (?:and (?:then )?|"
        r"then )(?:only )?"
        r"(?P<effect>.{3,}?)(?: (?:in its wake|later(?: on)?|afterwards|thereafter))?\W*$",
        re.IGNORECASE,
    ),
    re.compile(
        rf"^\W*(?P<cause>[^,;]{{3,}}?\bfirst\b[^;]*?),? and (?:then )?(?P<effect>[^,;]{{3,}}?) (?:came |happened )?"
        rf"(?:{SPAN} )?(?:later|afterwards|after that)\W*$",
        re.IGNORECASE,
    ),
    re.compile(
        rf"^\W*first,? (?P<cause>.{{3,}}?),? (?:and|then)[, ]+(?:then,? |{SPAN} (?:later|afterwards|on),? )?"
        r"(?P<effect>.{3,})$",
        re.IGNORECASE,
    ),
    re.compile(
        r"^\W*(?P<cause>[^;]*?\balready\b[^;]*?),? (?:when|by the time(?: that)?|as) (?P<effect>[^;]{3,})$",
        re.IGNORECASE,
    ),
)
"""`The errors came first, and ...`, `First ..., then ...`, `... was already ... when ...`."""


_SUPPOSED = re.compile(r"\b(?:likely|probably|presumably|must|seems?|appears?|apparently)\b", re.IGNORECASE)
"""`It most likely came with the rollout, since ...`: why one thinks so."""


class Link(NamedTuple):
    """A cause and an effect as a claim has them; `temporal` when it only says what came first."""

    cause: str
    effect: str
    temporal: bool


def links(text: str) -> list[Link]:
    """Every cause and effect that a text names."""
    return [link for sentence in sentences(text) for link in _links(sentence)]


def _links(sentence: str) -> Iterator[Link]:
    named = _NAMED_CAUSE.match(sentence)
    if named is not None:
        return iter([Link(named["cause"], named["effect"], False)])
    first = next((found for pattern in _FIRST if (found := pattern.match(sentence))), None)
    if first is not None:
        return iter([Link(first["cause"], first["effect"], True), *_linked(sentence)])
    return _linked(sentence)


def _linked(sentence: str) -> Iterator[Link]:
    matches = _connectives(sentence)
    bounds = [0, *(match.end() for match in matches)]
    ends = [*(match.start() for match in matches), len(sentence)]
    parts = [sentence[start:end] for start, end in zip(bounds, ends, strict=True)]
    for position, match in enumerate(matches):
        left, right = parts[position], parts[position + 1]
        if match[0].lower() == "since" and _SUPPOSED.search(left):
            continue
        temporal = _TEMPORAL.fullmatch(match[0].strip()) is not None
        if _LACK.fullmatch(match[0]):
            right = "lack of" + _LACK_ENDS.split(right)[0]
        if position and _ALONE.fullmatch(parts[position - 1]) and "," in left:
            left = left.partition(",")[2]  # "Six minutes after the claim was made, it failed for want of a class."
        if temporal and _ALONE.fullmatch(left.rpartition(":")[2]):
            left = left.rpartition(":")[2]
        if temporal and (own := _OWN_CLAUSE.search(left)):
            left = own["span"]
        dates = position and (_of_other_time(matches[position - 1], left) or _ALONE.fullmatch(left))
        if match["effect_first"] and not temporal and dates:
            left = parts[position - 1]  # "It got no second try after its deadline, because the limit is 0."
        if not (match["effect_first"] or match["as"]):
            yield Link(left, right, temporal)
        elif pronoun := _AFTER_IT.match(right):
            yield Link(left, pronoun["effect"], temporal)
        elif re.search(r"\w{3}", left) and not (_ALONE.fullmatch(left) or (_CONTINUED.search(left) and "," in right)):
            yield Link(right.partition(",")[0] if position + 2 == len(parts) else right, left, temporal)
        else:
            # "Because the limit was lowered, the container was killed": both stand after the word.
            cause, comma, effect = right.partition(",")
            apart = None if comma else _INVERTED.match(right) or _APART.match(right) or _APART_EVENT.match(right)
            if comma or apart:
                yield Link(apart["cause"], apart["effect"], temporal) if apart else Link(cause, effect, temporal)


_LACK = re.compile(r"for (?:want|lack) of", re.IGNORECASE)
_LACK_ENDS = re.compile(r"[,;]| (?:and|but|while|when|at|after|before|with)\b")
"""`Killed for lack of memory and at 2 restarts`: only what is lacking is the cause."""


def _of_other_time(before: re.Match[str], left: str) -> bool:
    """True for a time that only dates what stands before it: `..., after its deadline, because ...`."""
    dated = before["effect_first"] and _TEMPORAL.fullmatch(before[0].strip())
    return bool(dated) and left.rstrip().endswith(",")


def _connectives(sentence: str) -> list[re.Match[str]]:
    """Those of a sentence; of two with nothing between them (`were what pushed`) the last."""
    found = list(_LINK.finditer(sentence))
    nexts = [match.start() for match in found[1:]]
    kept = [
        match for match, start in zip(found, nexts, strict=False) if re.search(r"\w", sentence[match.end() : start])
    ]
    return [*kept, *found[-1:]]
