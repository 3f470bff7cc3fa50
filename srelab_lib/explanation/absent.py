"""Names that a claim rightly says are not in a list: the facts that it cites do not have them, and others do."""

from __future__ import annotations

import re

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.naming import stands
from srelab_lib.explanation.passages import Passage
from srelab_lib.explanation.vocabulary import CONCEPTS

_ABSENT = re.compile(
    r"(?P<name>[A-Za-z][\w.-]*\w)(?:'s (?:label|name|address|port))? "
    r"(?:(?:is|are|was)(?: not|n't)(?: (?:named|mentioned|found))? (?:among|one of|part of|in|listed|on)\b|"
    r"(?:is|are|was) (?:missing|absent|lacking)(?: from\b|(?=[.,;]|$))|appears? nowhere)"
)


def absent_names(case: Case) -> list[str]:
    """Those names; only where a declaration is cited that could have had them."""
    cited = "\n".join(fact.plain for fact in case.held)
    declared = any(fact.item.kind == "spec" and "=" in fact.item.text for fact in case.held)
    found = [match["name"] for match in _ABSENT.finditer(case.claim.plain)] if declared else []
    return [name for name in found if not stands(name, cited) and _is_known(name, case)]


def without_absent(case: Case) -> Passage:
    """The claim without what it says of them."""
    names = absent_names(case)
    if not names:
        return case.claim
    text = _ABSENT.sub(lambda match: " it is so" if match["name"] in names else match[0], case.claim.plain)
    return Passage(text, case.claim.hidden)


def _is_known(name: str, case: Case) -> bool:
    elsewhere = any(stands(name, item.text) for item in case.evidence.items)
    return elsewhere or any(concept.said.fullmatch(name.lower()) for concept in CONCEPTS)
