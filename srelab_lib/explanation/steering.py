"""Text in telemetry that speaks to whoever analyses it: quoted like any other, and no claim may rest on it."""

from __future__ import annotations

import re

_SAY = (
    r"(?:say|state|report|answer|respond|reply|conclude|claim|write|output|print|tell|declare|mention|pretend|choose|"
    r"select|pick|append|blame|approve)"
)

_PUT_ASIDE = (
    r"\b(?:ignore|disregard|forget|override|bypass|discard|dismiss)\b.{0,60}\b(?:instructions?|prompts?|rules?|"
    r"previous|prior|above|before|facts|evidence|candidates?|context|everything)\b"
    r"|\bignor(?:ier|ez|a\b|ad|e los|ar|uj)\w*.{0,60}(?:anweisung|instru[ck]|indica|polece)"
    r"|忽略|无视|無視|игнориру"
)
"""What was said before is to be put aside."""

_ADDRESSED = (
    r"\b(?:system|developer|new|updated|hidden|llm|ai)[ _-](?:prompts?|instructions?)\b"
    r"|\binstructions? (?:to|for) (?:the |an? )?\w+|\b(?:assistant|human)\b\s*[:,.]"
    r"|\b(?:the|an?|dear) (?:ai|assistant|llm|language model)\b|\b(?:ai|llm|analy\w+) (?:model|agent|assistant|bot)s?\b"
    r"|\b(?:note|message|attention|dear|hint)\W{1,3}(?:to |for )?(?:the )?"
    r"(?:ai|llm|model|analy\w+|assistant|on-call|investigator)\b"
)
"""Instructions that name the one they are for."""

_TAGGED = (
    r"<\s*\|[^|]{0,40}\|\s*>|\[/?INST\]|<</?SYS>>|</?(?:system|instructions?|facts|prompt|evidence)>"
    r"|#{2,} ?(?:instruction|system|response|assistant)|\"?role\"?\s*:\s*\"?(?:system|assistant|user)\b"
)
"""What a chat is made of."""

_RECAST = (
    r"\byou (?:are|act|play|behave) (?:now |as )?(?:an? |the )?.{0,30}\b"
    r"(?:ai|assistant|model|llm|bot|gpt|expert|engineer|analyst)\b|\b\w*gpt\b|\bact as\b"
    r"|\b(?:as|i am) the (?:\w+ )?(?:administrator|admin|owner|developer)\b.{0,60}\b(?:you|authori[sz]e|allow)\b"
)
"""Somebody is to be somebody else, or claims to be."""

_DICTATED = (
    rf"(?:^|[.:;!,\"'\])>}}]\s*|\b(?:please|must|should|always|only|now|simply|just|do not|don't|never|to) ){_SAY}\b"
    r".{0,60}\b(?:that|with|only|nothing|everything|none|c\d|root cause|healthy|facts?|oomkilled|each|your)\b"
    r"|\b(?:the )?(?:real |true |actual |correct )?(?:root[ -]cause|verdict|choice)(?: here)?[ -](?:is|was|should be)\b"
    r"|\bno_fault\b|\bchoice\W{1,4}(?:c\d|none)\b|\"claims\"|\banswer[ -]c\d\b|\beverything else is noise\b"
)
"""The answer is given."""

_STEERS = re.compile("|".join((_PUT_ASIDE, _ADDRESSED, _TAGGED, _RECAST, _DICTATED)), re.IGNORECASE | re.DOTALL)


def steers(text: str) -> bool:
    """True when a text of a log, label, annotation or event addresses the one who reads it for an analysis.

    It tells people's instructions ("Do not use it in a production deployment", "DATABASE_URL must be set") from those
    to a model by what they are about: prompts, roles, answers, the form of this analysis.
    """
    return _STEERS.search(text.replace("-", " ")) is not None or _STEERS.search(text) is not None
