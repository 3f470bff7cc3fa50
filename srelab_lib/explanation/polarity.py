"""Whether a text tells of something that went wrong or is lacking, or of something that went well."""

from __future__ import annotations

import re

from srelab_lib.explanation.concept import TROUBLE, WELL
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.words import stem, words

_DENIED = (
    r"\b(?:not|no|never|none|nothing|nobody|nowhere|neither|nor|without|cannot|hardly|barely|(?<![\d.,])0(?![.,]?\d)|zero|false|null|"
    r"unknown|only)\b"
)
_TROUBLE = (
    rf"{TROUBLE}|pressure|stopped|empty|too (?:many|few|long|short|low|small|large|big)|out of|longer than|reject|"
    rf"refus|more (?:\w+ )?than|"
    r"\b[45]xx\b|(?<![.\d])4\d\d\b|"
    r"disrupt|lack|absent|gone\b|lost|dr(?:y|ied|ies) up|ceas|vanish|"
    r"devoid|empt(?:y|ied|ies)|break|broke|mismatch|unexpected|untolerated|did ?n.t|no longer"
)
_DECLINED = (
    r"hit\b|declin|affect|strik|struck|suffer|wrong|bad\b|den(?:y|ies)\b|chok|complain|trip|trouble|problem|issue|"
    r"turn(?:s|ed)? (?:down|away)|block|"
    r"forbid|prohibit|prevent|stop|cease|quit|ended?\b|exit|terminat|shut|die|dying|dead\b|hang|hung|stall|wait|delay|slow|late\b|restart|"
    r"gave up|gives? up|giving up|bar(?:s|red) |silent|mute|down\b|unready|un\w+able|invalid|malformed|corrupt|"
    r"illegal|beyond|above|over\b|past\b|more than|less than|low on|short|full\b|fill|limit(?:ed|ing)\b|"
    r"pushed off|displac|preempt|taint|back(?:s|ed|ing)? off|backs? away|restrict|capped|locked|miss|vanish|disappear|"
    r"instead|at most|timing out|rather than|despite|although|though|too\b|signal|sigkill|sigterm|leak|"
    r"in vain|used up|idle\b(?! (?:connection|worker|slot|thread)s?\b)|"
    r"ke(?:eps?|pt|eping) [\w·-]+ (?:off|out|away|from)\b|"
    r"r[au]n(?:s|ning)? into|expect(?:s|ed)? (?:an? |the |its )?(?:[\w·-]+ ){1,2}(?:called|named)|"
    r"bl(?:own|ew)\b|overr[au]n|backlog|"
    r"reset|f[ae]ll(?:s|ing)? through|un(?!der|til|less|ique|it|iform|load)\w{4,}|"
    r"in(?:correct|complete|adequate|valid|sufficient|compatible)|mis\w{4,}|clos(?:e|es|ed|ing) (?:\w+ )?connections?|"
    r"connections? (?:was |were |being )?closed|prematur"
)
_ADVERSE_FACT = re.compile(f"{_DENIED}|{_TROUBLE}", re.IGNORECASE)
_ADVERSE_CLAIM = re.compile(rf"{_DENIED}|(?:{_TROUBLE})|\b(?:{_DECLINED})", re.IGNORECASE)
_WELL = re.compile(
    rf"{WELL}|state\W?running|\bsucce|healthy\W?[1-9]|ready\W{{0,2}}true|replicas\W?[1-9]|\bready_endpoints\W?[1-9]",
    re.IGNORECASE,
)
_ACHIEVED = re.compile(
    rf"\b(?:(?:finds?|found|(?:holds?|held)(?! (?:\d|{'|'.join(WORDS)}))|contains?|carries|exists?|gets?|"
    r"(?:has|have|had)(?! (?:\w+ed|been|got|gone|come|become|begun|made|seen|set)\b)|"
    r"got(?! as far)|obtain\w*|receiv\w*|includes?|"
    r"goes|went|gets) |through\b|is (?:in|on|there|part of)\b|present\b|in time\b|pass(?:es|ed)?\b|succe\w*|works?\b|"
    r"worked\b|fine\b|well\b|healthy\b|"
    r"still\b(?! (?:us|depend|rel(?:y|ies)|expect|refer|ask|point|look|call|quer|want|need)\w*)|"
    r"stay\w*|remain\w*|kept\b|keeps?\b|within\b|manag\w+ to|could\b|can\b|able\b|accept\w*|admit\w*|"
    r"allow\w*|grant\w*|permit\w*|lets?\b|reach\w*|connect(?:s|ed)\b|resolv\w*|(?<!what )(?:answers|answered)\b|"
    r"respond(?:s|ed)\b|repl(?:y|ies|ied)\b|"
    r"load(?:s|ed)\b|reads?\b|wr(?:ites?|ote|itten)\b|stor(?:es?|ed)\b|saved?\b|pars(?:es?|ed)\b|decod(?:es?|ed)\b|"
    r"start(?:s|ed)\b|came up|up\b(?! to\b)|(?:runs|running)\b(?! (?:on|as|with|in|an?)\b)|ready\b|available\b|"
    r"finish\w*|"
    r"complet\w*|provision\w*|"
    r"mount(?:s|ed)\b|pull(?:s|ed)\b|schedul(?:es?|ed)\b|plac(?:es?|ed)\b|bound\b|creat(?:es?|ed)\b|serv(?:es?|ed)\b|"
    r"deliver\w*|valid\b|enough\b|plenty\b|ample\b|sufficient\w*|recover\w*|correct\w*|proper\w*|normal\w*|good\b|"
    r"reports?\b|responsive\b|authenticat\w*|log(?:s|ged) in|match(?:es|ed)\b|fits?\b|knows?\b|knew\b|exchang\w*|"
    r"recogni[sz]\w*|free\b|spare\b|intact\b|unaffected\b|return(?:s|ed)\b|provid\w*|tolerat\w*|met\b|meets\b)",
    re.IGNORECASE,
)
_ATTEMPTED = re.compile(
    r"\b(?:ask|call|look|tr(?:y|ie)|request|quer|seek|sought|want|need|use|using|attempt|expect|log|report|warn|sa(?:y|id)|"
    r"sp(?:eak|oke)|belong|limit|run|point|send|sent|target|aim|refer|contact|fetch|poll|prob|check|listen|"
    r"go(?:es)? to|"
    r"start|stem|concern|com(?:es?|ing) from|happen|occur|mark|last\b|likely|probabl|presumabl|root cause)",
    re.IGNORECASE,
)
"""What is done before anything comes of it, merely told, or supposed to be the cause."""
_CONCEDED = re.compile(
    r"\b(?:although|though|even though|despite|in spite of|while|whereas)\b(?P<part>[^,;]*)", re.IGNORECASE
)


POLICY = re.compile(r"failure (?:threshold|policy)|back ?off limit|time ?out seconds|max unavailable|deadline seconds")
"""Fields whose names speak of trouble that they only provide for."""


def is_adverse(fact: str) -> bool:
    """True when a fact's spread text tells of something that failed, or is not there."""
    return _ADVERSE_FACT.search(POLICY.sub(" ", fact)) is not None


def is_well(fact: str) -> bool:
    """True when a fact's spread text tells of something that holds or succeeded."""
    return _WELL.search(fact) is not None


def is_troubled(claim: str) -> bool:
    """True when a claim's spread text, or a part of it, tells of trouble in any of the words for it."""
    return _ADVERSE_CLAIM.search(claim) is not None


def tells_no_trouble(claim: str) -> bool:
    """True when a claim's spread text tells of no trouble, and not only of what was attempted."""
    return not is_troubled(claim) and _ATTEMPTED.search(claim) is None


_MEANWHILE = re.compile(
    r"\bwhile (?:(?:it|they) )?(?:(?:was|were) )?(?:serv|handl|process|read|answer|work|fetch|load)\w*", re.IGNORECASE
)
"""When it was, and no success: `closed the connection while it served GET /`."""


def only_succeeds(claim: str, known: frozenset[str] = frozenset()) -> bool:
    """True when a claim's spread text, or what it concedes (`although ...`), tells of success and of no trouble.

    What is conceded in words whose stems are all `known` (those of the facts) goes beyond nothing.
    """
    claim = _MEANWHILE.sub("during", claim)
    conceded = [match["part"] for match in _CONCEDED.finditer(claim)]
    beyond = [part for part in conceded if {stem(word) for word in words(part)} - known - SMALL]
    parts = [claim, *beyond, _CONCEDED.sub(" ", claim)]
    return any(_ACHIEVED.search(part) is not None and not is_troubled(part) for part in parts)
