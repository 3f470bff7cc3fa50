"""Where a part of a sentence stands in the course of a failure, by its words alone."""

from __future__ import annotations

import re
from collections.abc import Callable

from srelab_lib.explanation.concept import ENDED, FAILED, FELT, TRAFFIC, UNREADY, Concept
from srelab_lib.explanation.polarity import is_troubled
from srelab_lib.explanation.vocabulary import CONCEPTS

_LIFE = (
    r"(?:start|run|serve|becom|com(?:e|ing) up|stay|finish|complet|progress|roll|get(?:ting)? going|be(?:ing)? "
    r"(?:ready|served|available|created|started|used|replaced))"
)
_UNABLE = re.compile(rf"\b(?:can|could) (?:not|no longer)\b(?! {_LIFE})(?! (?:keep|be trusted|answer))|\bimpossible\b")
"""An operation that fails."""

_NO_LIFE = re.compile(
    rf"\b(?:(?:can|could|does|did|do|will|would) (?:not|no longer)|never|unable to|fail\w* to|not) (?:\w+ )?{_LIFE}|"
    r"\bnever (?:started|ran|came up|got going|became)|\bhad to (?:go|leave|stop)\b"
)
"""What cannot start or run: it is of no effect on what has to succeed before."""

_PARTS = re.compile(r"\b(?:pods?|replicas?|endpoints?|instances?|backends?)\b")
_NO_PARTS = re.compile(r"\b(?:0|zero) (?:\w+ )?(?:replicas?|pods?|endpoints?)\b")
_TRAFFIC = re.compile(
    rf"\b(?:missing|absent|absence of|lack of|lost|no) (?:\w+ ){{0,2}}?{TRAFFIC}\b|\b{TRAFFIC} (?:is|was|went) gone"
)
_PODS_GO = re.compile(
    r"\b(?:deletion|removal|termination|deleting|removing) of (?:the |its |all |both )?(?:\w+ )?(?:pods?|replicas?)\b|"
    r"\b(?:pods?|replicas?)(?: ·)? (?:was|were|got|being) (?:deleted|removed|terminated)\b"
)
"""What controllers do to pods: somebody changed something before."""
_RUNTIME = re.compile(r"\b(?:containers?|requests?|traffic|metrics?|answers?|responses?|routes?|nodes?)\b")
"""What comes and goes while things run: its absence is an effect like any other."""

_DECLARED_THING = (
    r"(?:keys?|secrets?|config ?maps?|columns?|tables?|relations?|class(?:es)?|claims?|accounts?|variables?|"
    r"services?|webhooks?|roles?|namespaces?|quotas?|labels?|envname|entr(?:y|ies)|settings?)"
)
_GONE = (
    r"(?:missing|absent|vanish\w*|disappear\w*|gone(?! (?:stale|bad|wrong|down|up|quiet|silent|cold|slow))|lost|"
    r"not (?:exist|be found|found|there|defined|present|set)|"
    r"no longer|non ?existent|unset|undefined)"
)
_ABSENT = re.compile(
    rf"\b{_DECLARED_THING}\b[^,;.]{{0,50}}\b{_GONE}\b|"
    rf"\b(?:absence|loss|lack) of\b[^,;.]{{0,30}}\b{_DECLARED_THING}\b|"
    rf"\b(?:no|missing) (?:\w+ ){{0,2}}?{_DECLARED_THING}\b|\bnobody (?:has|had|ever) (?:\w+ )?(?:defin|creat|"
    rf"made|set)\w*"
)
_CONDITION = re.compile(
    r"\b(?:expir\w*|self ?signed|locked|unbound|exhausted|used up|full\b|no space|out of (?:space|room)|"
    r"exceed\w*(?! (?:its |the )?(?:progress )?deadline)|(?:above|over|beyond|more than|larger than|"
    r"higher than) (?:the|its|"
    r"their|what|any)|too (?:low|small|high|large|big|tight|short|strict|few)|not enough|insufficient|lack\w*|"
    r"malformed|corrupt\w*|unknown|outdated|unlabel\w*|untolerat\w*|throttl\w*|taint\w*|cordon\w*|wrong|mistyped|misspelt)\b"
)
"""How something is: it makes operations fail, and no failed operation makes it so."""

_DECLARES = re.compile(
    r"\b(?:uses (?!more|up\b|about|\d)|asks? for|wants?\b|requests? (?=\d)|requires (?!a restart)|needs (?!to\b)|"
    r"insists on|"
    r"specif\w+|declares?|(?:points?|pointed) (?:at|to)|refers? to|listens? on|serves? on|targets?\b|selects?\b|"
    r"runs? (?:as|with|under)|reads? (?:\w+ ){0,3}from|is (?:set|configured|labell?ed|named|called|limited|"
    r"declared|started with)|allows? only)"
)
_OUTCOME = re.compile(
    r"\b(?:can not|could not|unable|fail\w*|refus\w*|reject\w*|forbid\w*|turn\w* (?:down|away)|kill\w*|evict\w*|"
    r"crash\w*|"
    r"exit\w*|restart\w*|stuck|pending|unschedul\w*|not ready|unready|unavailable|errors?|exceptions?|"
    r"time ?outs?|timed out|"
    r"back ?off|never|had to|dies|died|stops?|stopped|preempt\w*)\b"
)


_RESOURCE_REQUEST = re.compile(r"\b(cpu|memory|resource) requests?\b")
"""What a container asks for, and nothing that users send."""


def stages(text: str, place: Callable[[Concept], int | None], *, things: bool = True) -> set[int]:
    """Places of the events and states that a spread text speaks of; those of `things` where there are no others."""
    text = _RESOURCE_REQUEST.sub(r"\1 setting", text)
    found: dict[bool, set[int]] = {True: {FELT} if _TRAFFIC.search(text) else set(), False: set()}
    if _PODS_GO.search(text):
        found[True].add(ENDED)
        text = _PODS_GO.sub("·", text)
    for concept in CONCEPTS:
        stage = place(concept)
        if stage is None or not concept.said.search(text):
            continue
        if concept.name == "it exists":
            found[True] |= _of_existence(text, stage)
        else:
            found[concept.kind != "topic"].add(stage)
        # "Failing requests" are what users feel, and no errors of any other kind.
        text = concept.said.sub("·", text)
    if _NO_PARTS.search(text):
        found[True].add(UNREADY)
    found[True] |= _of_inability(text, place(_EITHER) == FELT, alone=not found[True])
    return found[True] or (found[False] if things else set())


_EITHER = Concept(name="", kind="event", said=re.compile("(?!)"), held=re.compile("(?!)"), stage=(FAILED, FELT))
"""Tells which end of a range `place` takes."""


def _of_inability(text: str, last: bool, *, alone: bool) -> set[int]:
    if _NO_LIFE.search(text):
        return {FELT if last else ENDED}
    return {FELT if last else FAILED} if alone and _UNABLE.search(text) else set()


def _of_existence(text: str, stage: int) -> set[int]:
    if _PARTS.search(text):
        return {UNREADY}
    return set() if _RUNTIME.search(text) else {stage}


def is_absence(text: str) -> bool:
    """True for a declared thing that is not there: a key, a class, a Secret."""
    return _ABSENT.search(text) is not None


def is_condition(text: str) -> bool:
    """True for how something is, or what it was told to be, and not for what came of it."""
    declared = _DECLARES.search(text) is not None and not is_troubled(text)
    return declared or _CONDITION.search(text) is not None


def is_failing(text: str) -> bool:
    """True for an operation that failed or a process that ended."""
    return _OUTCOME.search(text) is not None


def is_outcome(text: str) -> bool:
    """True for an operation that failed or a process that ended, and no word of how anything is."""
    return _OUTCOME.search(text) is not None and _CONDITION.search(text) is None
