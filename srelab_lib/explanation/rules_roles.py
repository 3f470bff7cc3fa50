"""Who calls and who is called: a log is written by the one, and names the other."""

from __future__ import annotations

import re

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.passages import Held, mentions, workload_of

_CALLED = (
    r"(?:call(?:s|ed|ing)?(?: (?:to|on|of))?|read(?:s|ing)? (?:from|of)|(?:connect\w*|contact\w*) (?:to|with)?|"
    r"wait\w* (?:for|on)|(?:time ?outs?|timed out) (?:of|from|on)|reading from|reach(?:es|ed|ing)?|"
    r"get(?:s|ting)? through to|refused by|talk\w* to) ?(?:the |host |service )*$"
)
_CALLS = (
    r"^(?: (?:itself|also|has|had))* (?:log(?:s|ged)|gave up|gives up|timed out (?:wait|read|call)\w*|wait(?:s|ed)|"
    r"call(?:s|ed) |complain(?:s|ed)|(?:ask|poll|request)(?:s|ed) |quer(?:ies|ied) )|"
    r"^ (?:can ?not|can't|could(?: not|n't)|fail(?:s|ed) to|(?:is|was) unable to) "
    r"(?:reach|connect|get|call|read|contact|resolve)|"
    r"^'s? (?:own )?(?:calls?|reads?|logs?|client)\b"
)
_ANSWERS = (
    r"^ (?:did|does|has|had|was|could|failed|never)(?: not| never| to)* (?:answer|respond|repl)\w*|"
    r"^,? (?:which )?(?:answers|answered|refuses|refused|rejects|rejected|turns|turned) (?:it|its|them|their)\b"
)
_BEFORE, _AFTER = re.compile(_CALLED, re.IGNORECASE), re.compile(_CALLS, re.IGNORECASE)
_ANSWER = re.compile(_ANSWERS, re.IGNORECASE)


def caller_calls(case: Case) -> str | None:
    """Of two workloads of which the one's log names the other, it has the one call and the other be called."""
    logs = [(fact, other) for fact in case.held if fact.item.kind == "log" for other in _named_by(fact, case)]
    for fact, other in logs:
        writer = workload_of(fact.item.object)
        for name, wrong in ((writer, (_BEFORE, _ANSWER)), (other, (None, _AFTER))):
            if not any(one == name for _, one in logs if one != other) and _stands(name, case.claim.plain, *wrong):
                return f"it has {name} where the log has {writer} call {other}"
    return None


def _named_by(fact: Held, case: Case) -> list[str]:
    writer = workload_of(fact.item.object)
    return [other for one, other in sorted(case.names.calls) if one == writer and mentions(other, fact.item.text)]


def _stands(name: str, text: str, before: re.Pattern[str] | None, after: re.Pattern[str]) -> bool:
    """True when a name stands in a text behind the one pattern, or before the other."""
    for match in re.finditer(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text):
        if after.search(text[match.end() :]) or (before is not None and before.search(text[: match.start()])):
            return True
    return False
