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
_ASKED = re.compile(r"://([a-z][a-z0-9-]*)(?=[:/.\s\"]|$)")
"""The host of an address, whether or not any fact is of it."""
_BEFORE, _AFTER = re.compile(_CALLED, re.IGNORECASE), re.compile(_CALLS, re.IGNORECASE)
_ANSWER, _NEVER = re.compile(_ANSWERS, re.IGNORECASE), re.compile("(?!)")
_CALL_OF = r"\b(?:calls?|requests?|attempts?) (?:of|by|from) (?:the )?"
_CALLS_OF = re.compile(rf"{_CALL_OF}$", re.IGNORECASE)
_TO_OTHER = re.compile(r" (?:to|on|at|for|against)\b")
_CALLED_BY = re.compile(rf"{_CALL_OF}[\w-]+ (?:to|on|at|for|against) (?:the )?$", re.IGNORECASE)
"""`A call of orders to billing`: the first one is who calls, the second who is called."""


_ENV_OF = re.compile(r"^environment variable (?P<name>\S+) of container (?P<container>\S+)")


def settings_are_of_their_object(case: Case) -> str | None:
    """`APP_RELEASE of registry`, `revision 2 of Deployment forge-pg`: the change is of that object."""
    for fact in (one for one in case.held if one.item.kind == "change"):
        edit, own = _ENV_OF.search(fact.item.text), workload_of(fact.item.object)
        settings = ["revision \\d+", *([re.escape(edit["name"])] if edit else [])]
        hosts = set(_ASKED.findall(fact.item.text))
        for name in sorted((case.names.objects | hosts) - {own, edit["container"] if edit else own}):
            place = rf"(?:of|in|on) (?:the )?(?:container |Deployment )?{re.escape(name)}(?![\w-])"
            named = rf"\b(?:{'|'.join(settings)}) {place}"
            others = [one for one in case.held if one is not fact and workload_of(one.item.object) == name]
            told = any(re.search("|".join(settings), one.item.text) for one in others)
            if not told and name not in fact.item.object and re.search(named, case.claim.plain):
                return f"it says of {name} what was changed of {own}"
    return None


def caller_calls(case: Case) -> str | None:
    """Of two workloads of which the one's log names the other, it has the one call and the other be called."""
    logs = [(fact, other) for fact in case.held if fact.item.kind == "log" for other in _named_by(fact, case)]
    for fact, other in logs:
        writer = workload_of(fact.item.object)
        for name, wrong in ((writer, (_BEFORE, _ANSWER)), (writer, (_CALLED_BY, _NEVER)), (other, (None, _AFTER))):
            if name == other and any(workload_of(one.item.object) == other for one in case.held):
                continue  # what it logs itself is cited, too
            if not any(one == name for _, one in logs if one != other) and _stands(name, case.claim.plain, *wrong):
                return f"it has {name} where the log has {writer} call {other}"
    return None


def hosts_stand_in_facts(case: Case) -> str | None:
    """`Calls of shop to stock`, where other facts have shop call stock, and those that it cites do not."""
    hosts = {host for item in case.evidence.items if item.kind == "log" for host in _ASKED.findall(item.text)}
    for host in sorted(hosts - case.names.objects):
        named = re.search(
            rf"\b(?:to|from|of|by|on|at) (?:the )?(?:service )?{re.escape(host)}(?![\w-])", case.claim.plain
        )
        if named and not any(mentions(host, fact.plain) for fact in case.held):
            return f"it names {host}, and what it cites does not"
    return None


_AS_CLIENT = r"\b(?:app|application_name|client|peer|user)[=:] ?\"?"
"""`app=cards-api`: a server names the client for which it works."""


def _named_by(fact: Held, case: Case) -> list[str]:
    writer = workload_of(fact.item.object)
    known = {other for one, other in case.names.calls if one == writer and mentions(other, fact.item.text)}
    known -= {other for other in known if re.search(_AS_CLIENT + re.escape(other), fact.item.text, re.IGNORECASE)}
    return sorted(known | {host for host in _ASKED.findall(fact.item.text) if host != writer})


def _stands(name: str, text: str, before: re.Pattern[str] | None, after: re.Pattern[str]) -> bool:
    """True when a name stands in a text behind the one pattern, or before the other."""
    for match in re.finditer(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text):
        ahead = text[: match.start()]
        if _CALLS_OF.search(ahead) and _TO_OTHER.match(text, match.end()):
            continue
        calls = after.search(text[match.end() :]) and not _CALLED_BY.search(ahead)
        if calls or (before is not None and before.search(ahead)):
            return True
    return False
