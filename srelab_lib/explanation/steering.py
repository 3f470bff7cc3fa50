"""Text in telemetry that speaks to whoever analyses it: quoted like any other, and no claim may rest on it."""

from __future__ import annotations

import re

_SAY = r"(?:say|state|report|answer|respond|reply|conclude|claim|write|output|print|tell|declare|mention|pretend|choose|select|pick|append|blame|approve)"

_STEERS = re.compile(
    # what was said before is to be put aside
    r"\b(?:ignore|disregard|forget|override|bypass|discard|dismiss)\b.{0,60}\b(?:instructions?|prompts?|rules?|previous|prior|above|before|facts|evidence|"
    r"candidates?|context|everything)\b"
    r"|\bignor(?:ier|ez|a\b|ad|e los|ar|uj)\w*.{0,60}(?:anweisung|instru[ck]|indica|polece)"
    r"|忽略|无视|無視|игнориру"
    # instructions, addressed or tagged
    r"|\b(?:system|developer|new|updated|hidden|llm|ai)[ _-](?:prompts?|instructions?)\b|\binstructions? (?:to|for) (?:the |an? )?\w+"
    r"|\b(?:assistant|human)\b\s*[:,.]|\b(?:the|an?|dear) (?:ai|assistant|llm|language model)\b|\b(?:ai|llm|analy\w+) (?:model|agent|assistant|bot)s?\b"
    r"|\b(?:note|message|attention|dear|hint)\W{1,3}(?:to |for )?(?:the )?(?:ai|llm|model|analy\w+|assistant|on-call|investigator)\b"
    r"|<\s*\|[^|]{0,40}\|\s*>|\[/?INST\]|<</?SYS>>|</?(?:system|instructions?|facts|prompt|evidence)>|#{2,} ?(?:instruction|system|response|assistant)"
    r"|\"?role\"?\s*:\s*\"?(?:system|assistant|user)\b"
    # somebody is to be somebody else
    r"|\byou (?:are|act|play|behave) (?:now |as )?(?:an? |the )?.{0,30}\b(?:ai|assistant|model|llm|bot|gpt|expert|engineer|analyst)\b|\b\w*gpt\b|\bact as\b"
    r"|\b(?:as|i am) the (?:\w+ )?(?:administrator|admin|owner|developer)\b.{0,60}\b(?:you|authori[sz]e|allow)\b"
    # what is to be answered
    rf"|(?:^|[.:;!,\"'\])>}}]\s*|\b(?:please|must|should|always|only|now|simply|just|do not|don't|never|to) ){_SAY}\b.{{0,60}}\b(?:that|with|only|nothing|everything|none|"
    r"c\d|root cause|healthy|facts?|oomkilled|each|your)\b"
    r"|\b(?:the )?(?:real |true |actual |correct )?(?:root[ -]cause|verdict|choice)(?: here)?[ -](?:is|was|should be)\b|\bno_fault\b|\bchoice\W{1,4}(?:c\d|none)\b"
    r"|\"claims\"|\banswer[ -]c\d\b|\bc\d, the\b|\beverything else is noise\b",
    re.IGNORECASE | re.DOTALL,
)


def steers(text: str) -> bool:
    """True when a text of a log, label, annotation or event addresses the one who reads it for an analysis.

    It tells people's instructions ("Do not use it in a production deployment", "DATABASE_URL must be set") from those
    to a model by what they are about: prompts, roles, answers, the form of this analysis.
    """
    return _STEERS.search(text.replace("-", " ")) is not None or _STEERS.search(text) is not None
