"""Where in a sentence a word stands that names something, though it is an English word: `the relation accounts`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.explanation.lexicon import TECHNICAL
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.words import stem, word_set

_OBJECT = (
    r"(?:pods?|containers?|deployments?|services?|stateful ?sets?|daemon ?sets?|replica ?sets?|"
    r"jobs?|cron ?jobs?|nodes?|namespaces?|ingress(?:es)?|servers?|apps?|applications?|databases?|hosts?|clusters?|"
    r"workloads?|images?|registry|process(?:es)?|replicas?|autoscalers?|webhooks?|quotas?|clients?|callers?)"
)
_DATUM = (
    r"(?:config ?maps?|secrets?|volumes?|claims?|class(?:es)?|columns?|tables?|relations?|keys?|entr(?:y|ies)|"
    r"variables?|"
    r"roles?|users?|files?|topics?|queues?|schemas?|accounts?|bindings?|budgets?|polic(?:y|ies)|groups?|zones?|tiers?|regions?)"
)
_INFINITIVE = re.compile(
    r"\b(?:fail\w*|unable|able|tr(?:y|ies|ied)|attempt\w*|had|has|have|needs?|wants?|order|"
    r"told|asked|set|meant|supposed|due) to $"
)
_COUNT = r"(?:(?:one|two|three|four|five|six|seven|eight|nine|ten|\d+|new|old|other|first|second|third|single) )?"
_BEFORE = re.compile(
    rf"(?:(?P<start>^|[.;,] )|\b(?:the|an?|its|of|by|on|in|for|from|to|because|since|another|any|no|"
    rf"as) ){_COUNT}(?P<word>[a-z][a-z']+) (?:· )?(?:{_OBJECT}|{_DATUM})\b(?!\s*[=:])"
)
_AUX = r"is|was|has|had|does|did|do|can|could|will|would|are|were|have"
_AFTER = (
    re.compile(rf"\b(?:(?P<object>{_OBJECT})|{_DATUM}) (?P<word>[a-z][a-z']+)(?= (?:{_AUX})\b)"),
    re.compile(r"\b(?P<object>container) (?P<word>[a-z][a-z']+)(?= (?:of|in) (?:the )?(?:pod|deployment|·))"),
    re.compile(r"\b(?:column|key|table|relation|entry|variable) (?P<word>[a-z][a-z']+)(?= (?:that|which)\b)"),
    re.compile(rf"\b{_DATUM} (?P<word>[a-z][a-z']+)(?=[.,;]|$| (?:in|of|from|on)\b)"),
)
_ENTRY = re.compile(r"\b(?:the|its|an?) (?P<word>[a-z][a-z']+) (?:key|entry|column|relation)\b")
_CALLED = re.compile(r"\b(?:called|named|labell?ed) (?P<word>[a-z][a-z']+)(?![\w=/]|[.-]\w)")
_RELATIVE = re.compile(
    r"\b(?:that|which|what|whom|as|than|all|whatever|how|where|when|why|ones|those) (?:the|this|its|an?) $"
)
"""`All that the policy governs`: a verb follows the thing."""
_PAST = word_set("made let left had got gave kept sent put set took cost broke hit cut lost held")
"""Verbs that may begin a clause: `..., made container web load ...`."""
_FOLLOWING = word_set(
    """
    itself themselves there here alone either today instead anyway anymore altogether again twice once yet still too
    count counts number limit limits usage use status state states rate rates ratio reason reasons name names check
    set budget spec environment command commands definition log logs label labels selector selectors side end port
    went came fell rose grew moved sets uses asks runs gives wants needs declares requests mounts reads
    account accounts discovery mesh backend backends sidecar sidecars
    write edit
    creation deletion termination replacement eviction connection communication selection configuration definition
    specification description annotation version condition environment resolution rotation migration allocation
    execution completion interruption initialization admission validation authentication authorization
    later now then also always never ever first else alike together otherwise already likewise
    """
)
"""What may follow a thing and names nothing: an adverb, what the thing has, or what is done with it."""


def named_words(text: str) -> Iterator[tuple[str, bool]]:
    """Words of a claim's spread text that stand where names stand; True for those behind the kind of a thing."""
    for match in _BEFORE.finditer(text):
        verb = match["start"] is not None and (match["word"].endswith("ing") or match["word"] in _PAST)
        verb = verb or _INFINITIVE.search(text[: match.start("word")]) is not None
        if not verb and match["word"] not in WORDS:
            yield match["word"], False
    for pattern in (*_AFTER, _ENTRY, _CALLED):
        for match in pattern.finditer(text):
            if _RELATIVE.search(text[: match.start()]):
                continue
            of_object = pattern.groupindex.get("object") is not None and match["object"] is not None
            if of_object and stem(match["word"]) in TECHNICAL:
                continue  # "The deployment's rollout did not finish."
            if match["word"] not in _FOLLOWING and not match["word"].endswith(("ed", "ing", "ly")):
                yield match["word"], True


def describes(word: str) -> bool:
    """True for what can only be said of a thing: `overloaded container`, `unreachable node`."""
    return re.search(r"(?:ed|ly|able|ible|ous|ful|less|ive|ary|ent|est)$", word) is not None or stem(word) in TECHNICAL
