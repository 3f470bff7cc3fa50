"""What facts say in so many words, and a claim denies; and help that they deny, and a claim has."""

from __future__ import annotations

import re

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.denial import denial_in
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.naming import stands
from srelab_lib.explanation.passages import Passage
from srelab_lib.explanation.relations import steps
from srelab_lib.explanation.words import sentences, stem

_LEFT = re.compile(
    r"\b(?:left|leav(?:es|ing)|kept|keep(?:s|ing)?) (?P<what>[^.;]{1,60}?) "
    r"(?:(?:just |exactly )?(?:as|what|where|how) (?:it|they) (?:was|were|had been|stood)|unchanged|untouched|alone|"
    r"as before|(?:at )?the same)\b|"
    r"(?P<subject>[^.;,]{1,60}?) (?:was|were|had been|has been|is|stayed|remained) "
    r"(?:left )?(?:unchanged|untouched|unaltered|not (?:changed|touched|altered))\b",
    re.IGNORECASE,
)


def changed_is_not_left(case: Case) -> str | None:
    """`Left the CPU limit as it had been` of a limit that was lowered."""
    changed = [fact for fact in case.held if fact.item.kind == "change" and steps(fact.item.text)]
    for match in _LEFT.finditer(case.claim.plain) if changed else ():
        what = Passage(match["what"] or match["subject"], case.claim.hidden).stems - SMALL
        if what and any(what <= fact.own_stems for fact in changed):
            return f"it says {match[0].strip()!r}, and what it cites has it changed"
    return None


_AT_OLD = re.compile(
    r"\b(?:left|leav(?:es|ing)|kept|keep(?:s|ing)?|stay(?:s|ed)?|remain(?:s|ed)?)\b"
    r"[^.;]{0,50}?\b(?:at|on) (?P<value>[\w./:@-]*\w)"
)


def old_is_not_kept(case: Case) -> str | None:
    """`Left the image at 0.7.4` of a change from that to another one."""
    known = [step for fact in case.held if fact.item.kind == "change" for step in steps(fact.item.text)]
    for match in _AT_OLD.finditer(case.claim.plain):
        old = any(stands(match["value"], step[0]) and not stands(match["value"], step[1]) for step in known)
        if old and not denial_in(case.claim.plain[: match.start()].lower()):
            return f"it says {match[0]!r}, and what it cites has it changed"
    return None


_NO_HELP = re.compile(
    r"\b(?P<what>[a-z]{5,}) is not (?:helpful|possible|supported|allowed|enabled|permitted)\b|"
    r"\bno (?P<none>[a-z]{5,}) victims found\b",
    re.IGNORECASE,
)
_USELESS = re.compile(r"\b(?:un\w+ful|useless|futile|in vain|of little|ruled out|un(?:able|likely)|fail\w*)\b")


def help_is_had(case: Case) -> str | None:
    """`Preemption would make room` where a fact has `Preemption is not helpful`."""
    told = [match["what"] or match["none"] for fact in case.held for match in _NO_HELP.finditer(fact.item.text)]
    others = [fact for fact in case.held if not _NO_HELP.search(fact.item.text)]
    told = [word for word in told if not any(stem(word.lower()) in fact.own_stems for fact in others)]
    for sentence in sentences(case.claim.plain) if told else ():
        said = Passage(sentence, case.claim.hidden)
        named = {stem(word.lower()) for word in told} & said.stems
        if named and not denial_in(said.spread) and not _USELESS.search(said.spread):
            return f"it has help of what {sorted(told)[0]!r} is, and what it cites denies it"
    return None


_TOO = re.compile(r"\btoo (?P<how>[a-z]+)\b")
_CONTAINS = re.compile(r"\bcontain(?:s|ed|ing)? (?:an? |the |some )?(?P<what>(?!no\b)[a-z]{3,})")
_HAS_NO = r"\b(?:no|without(?: any)?|free (?:of|from)(?: any)?|not (?:\w+ )?(?:any|an?|contain\w*)(?: any| an?)?)"
_UNABLE = re.compile(
    r"\b(?:(?:unable|not able|failed|fails|not manage) to|(?:could|can) not) "
    r"(?P<verb>[a-z]+(?: (?:out|back|up|down))?)\b"
)


def tells_what_is_contained(case: Case) -> bool:
    """`Reporting nulls` of `contains null values`: a line of trouble may say no more than what it met."""
    found = {match["what"] for fact in case.held for match in _CONTAINS.finditer(fact.item_spread)}
    return any(stem(word) in case.claim.stems for word in found)


def stated_is_not_denied(case: Case) -> str | None:
    """`Not too large` of `too large body`, `no null values` of `contains null values`."""
    facts = " ".join(fact.item_spread for fact in case.held)
    said = case.claim.spread
    for match in _TOO.finditer(facts):
        denied = re.search(rf"\bnot (?:\w+ )?too {match['how']}\b", said)
        if denied:
            return f"it says {denied[0]!r}, and what it cites has {match[0]!r}"
    for match in _CONTAINS.finditer(facts):
        denied = re.search(rf"{_HAS_NO} {match['what']}\b", said)
        if denied:
            return f"it says {denied[0]!r}, and what it cites has {match[0]!r}"
    return None


def able_was_done(case: Case) -> str | None:
    """`Unable to roll out the commit` where a change has `rolled out commit`."""
    changed = [fact for fact in case.held if fact.item.kind == "change"]
    for match in _UNABLE.finditer(case.claim.spread) if len(changed) == len(case.held) else ():
        verb, _, particle = match["verb"].partition(" ")
        done = re.compile(rf"\b{re.escape(stem(verb))}\w*ed\b{f' {particle}' if particle else ''}")
        if any(done.search(fact.item_spread) for fact in changed):
            return f"it says {match[0]!r}, and what it cites has it done"
    return None


_WRITES = r"(?:'s)? (?:itself |also |has |had )?(?:logged|logs|wrote|writes|log\b)"


def writer_is_right(case: Case) -> str | None:
    """`Departures logged ...` where the line is of gps-store, and of departures there is no line."""
    logs = [fact for fact in case.held if fact.item.kind == "log"]
    for name in sorted(case.names.objects) if logs else ():
        said = re.search(rf"(?<![\w.-]){re.escape(name)}{_WRITES}", case.claim.plain)
        own = any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.])", f"{f.item.object} {f.item.text}") for f in logs)
        if said and not own:
            return f"it says {said[0]!r}, and what it cites was logged by {logs[0].item.object}"
    return None
