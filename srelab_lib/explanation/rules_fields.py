"""Fields of facts: what `optional=false`, `tolerations=none` or `host=cache` says, a claim must not say otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator

from srelab_lib.explanation.case import Case
from srelab_lib.explanation.denial import DENYING, denial_in, is_denied
from srelab_lib.explanation.lexicon import SMALL
from srelab_lib.explanation.naming import stands
from srelab_lib.explanation.passages import Held, mentions_whole, workload_of
from srelab_lib.explanation.polarity import is_troubled
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import clause_at, clauses, sentences, spread, stem, words

_TRUE_CONDITION = re.compile(r"\bcondition=([A-Za-z]+) status=True\b")
_FLAG = re.compile(r"\b([A-Za-z][\w.]*)=(true|false)\b", re.IGNORECASE)


def flags_agree(case: Case) -> str | None:
    """`optional=false`: a claim that it is optional is denied by the field itself."""
    flags: dict[str, set[bool]] = {}
    for fact in case.held:
        for name, value in _FLAG.findall(fact.plain):
            flags.setdefault(words(spread(name))[-1], set()).add(value.lower() == "true")
    for word, values in flags.items():
        for match in re.finditer(rf"\b{re.escape(word)}\b", case.claim.spread):
            counted = re.search(r"\d", clause_at(case.claim.spread, match.start(), match.end())[0])
            if not counted and (not is_denied(case.claim.spread, match)) not in values:
                return f"it says {word!r} otherwise than what it cites"
    for name in (match[1] for fact in case.held for match in _TRUE_CONDITION.finditer(fact.plain)):
        word = words(spread(name))[-1]
        found = re.search(rf"\b{re.escape(word)}\b", case.claim.spread)
        if found and is_denied(case.claim.spread, found):
            return f"it denies {word!r}, and what it cites has condition={name} status=True"
    return None


_NOTHING = re.compile(
    r"\b(?P<name>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)=(?:none|null|\[\]|\"\"|<none>)(?![\w.])", re.IGNORECASE
)
_GIVEN = re.compile(r"(?<![\w.])([a-z][A-Za-z]+)=(?!none\b|null\b|false\b|0\b|\[\]|\"\")\S")
_HAS_NO = re.compile(
    r"\b(?:has|have|had|with|carries|carry|defines?|declares?|sets?) no (?P<what>\w+) (?:settings?|rules?|fields?)\b"
)
_LONG = 6
"""So much of a word tells it from others: `tolerates` of `tolerations=none`."""
_HAS = re.compile(
    r"\b(?:has|have|had|having|with|defines?|sets?|declares?|carries|got|gets|includes?|lists?|contains?) "
    r"(?P<what>(?:[\w·]+ ){0,3}[\w·]+)"
)


def nothing_is_had(case: Case) -> str | None:
    """`tolerations=none`: a claim that there is a toleration is denied by the field itself."""
    lacking = {stem(words(spread(match["name"]))[-1]) for fact in case.held for match in _NOTHING.finditer(fact.plain)}
    for name in lacking:
        for verb in re.finditer(
            rf"\b{name[:_LONG]}\w*(?:es|ed)\b(?! (?:no|none|nothing|neither|only)\b)", case.claim.spread
        ):
            if len(verb[0]) > _LONG and not is_denied(case.claim.spread, verb):
                return f"it says {verb[0]!r}, and what it cites has none of it"
    specs = [fact.item.text for fact in case.held if fact.item.kind == "spec"]
    given = {stem(words(spread(name))[-1]) for text in specs for name in _GIVEN.findall(text)}
    for match in _HAS_NO.finditer(case.claim.spread):
        if {stem(word) for word in words(match["what"])} & given:
            return f"it says {match[0]!r}, and what it cites has it"
    for match in _HAS.finditer(case.claim.spread):
        had = {stem(word) for word in words(match["what"])} & lacking
        if had and not is_denied(case.claim.spread, match) and not DENYING.search(match[0]):
            return f"it says that there is what {sorted(had)[0]}=none denies"
    return None


_NAME = r"[\"'`]?(?P<name>[A-Za-z0-9][\w.-]*\w)(?![\w(])"
_CALLED = r"(?: (?:called|named|name))?"
_HOSTS = re.compile(r"\bhost='?([\w.-]+)|//([\w.-]+)|\blookup ([\w.-]+)")
_SLOTS = (
    (re.compile(rf"\bhost(?:name)?{_CALLED} {_NAME}"), _HOSTS),
    (
        re.compile(rf"(?<![\w-])(?:table|relation){_CALLED} (?!\d+(?:\.\d+)? ?[a-z]*\b|again\b|once\b){_NAME}"),
        re.compile(r"(?<![\w-])(?:from|into|table|relation) \W?(?!(?:is|was|has|had|not)\b)([\w.]+)"),
    ),
    (re.compile(rf"\bclass{_CALLED} {_NAME}"), re.compile(r"(?i:class)(?:Name|\.[\w.]+)?[= ]\W?([\w.-]+)")),
    (re.compile(rf"\bcolumn{_CALLED} {_NAME}"), re.compile(r"\bcolumn:?(?: named| called)? \W?([\w.]+)")),
    (re.compile(rf"\bvolume{_CALLED} {_NAME}"), re.compile(r"\bvolume[= ]\W{0,3}([\w.-]+)")),
    (
        re.compile(rf"\bkey{_CALLED} {_NAME}"),
        re.compile(r"\bkey[= ]\W?([\w.-]+)|KeyError: \W([\w.-]+)|data\[([\w.-]+)"),
    ),
)
"""How a claim names the thing in a place, and how facts do."""
_NO_NAME = SMALL | {stem("error")}


def places_are_right(case: Case) -> str | None:
    """A host, table, column, volume or key that it names stands there, where the facts name what stands there."""
    for said, held in _SLOTS:
        known = {name.lower() for fact in case.held for found in held.findall(fact.item.text) for name in _one(found)}
        for match in said.finditer(case.claim.plain) if known else ():
            name = match["name"].lower()
            if (
                (any(name in fact.plain.lower() for fact in case.held) or re.search(r"[\"'`]", match[0]))
                and name not in known
                and stem(name) not in _NO_NAME
            ):
                return f"it says {match[0]!r}, and what it cites has {sorted(known)[0]!r} there"
    return None


_PAIR = re.compile(r"(?<![\w.])(?P<key>[a-z][\w./-]*)=\"?(?P<value>[A-Za-z][\w.-]*\w)")


def values_are_of_their_key(case: Case) -> str | None:
    """`The wing east` where the fact that it cites has wing=west and another one wing=east; a label as it stands."""
    facts = "\n".join(fact.plain for fact in case.held)
    for key, value in _PAIR.findall(case.claim.plain):
        if not (stands(value, facts) and stands(key, facts)):
            return f"{key}={value} does not stand in what it cites"
    here = {pair for fact in case.held for pair in _PAIR.findall(fact.item.text)}
    for key, value in {pair for item in case.evidence.items for pair in _PAIR.findall(item.text)} - here:
        said = re.search(
            rf"\b{re.escape(key)} (?:is |was |named |called )?{re.escape(value)}(?![\w-])", case.claim.plain
        )
        if said and any(key == other for other, _ in here) and not stands(value, facts):
            return f"it says {said[0]!r}, and what it cites has another {key}"
    return None


def _one(found: str | tuple[str, ...]) -> Iterator[str]:
    yield from (name.rstrip(".") for name in ([found] if isinstance(found, str) else found) if name)


_THING = r"(?P<kind>secret|config ?map|key|volume|column|table|host|user|service ?account|claim|class|role|queue|topic)"
_SAID_THING = re.compile(rf"\b{_THING} {_NAME}", re.IGNORECASE)
_HELD_THING = re.compile(
    rf"\b{_THING}(?:KeyRef\.name|\.secretName|Ref\.name|Name)?[=: ]{{1,2}}\W?(?:[\w-]+/)?{_NAME}", re.IGNORECASE
)


def things_are_of_their_kind(case: Case) -> str | None:
    """`Key stripe` where the facts have a Secret of that name."""
    kinds: dict[str, set[str]] = {}
    for match in (found for fact in case.held for found in _HELD_THING.finditer(fact.item.text)):
        kinds.setdefault(match["name"].lower(), set()).add(match["kind"].replace(" ", "").lower())
    for match in _SAID_THING.finditer(case.claim.plain):
        known = kinds.get(match["name"].lower(), set()) if stem(match["name"].lower()) not in SMALL else set()
        if known and match["kind"].replace(" ", "").lower() not in known:
            return f"it says {match[0]!r}, and what it cites has a {sorted(known)[0]} of that name"
    return None


_CONTAINER = re.compile(r"\bcontainer=([\w-]+)")


_OF_CONTAINER = re.compile(r"\b(?:in|of) container \"?([a-z][\w-]*)")


def containers_are_right(case: Case) -> str | None:
    """`Container web`: a fact has that container, or is of the workload of that name."""
    known = {
        name
        for fact in case.held
        for name in (*_CONTAINER.findall(fact.item.text), *_OF_CONTAINER.findall(fact.item.text))
    }
    known |= {workload_of(fact.item.object) for fact in case.held} if known else case.names.objects
    hosts = {name for fact in case.held for found in _HOSTS.findall(fact.item.text) for name in _one(found)}
    for name in sorted((case.names.objects | hosts) - known):
        match = re.search(
            rf"\bcontainer {re.escape(name)}(?![\w-]|\.\w)|(?<![\w-]){re.escape(name)} container\b",
            case.claim.plain,
            re.IGNORECASE,
        )
        if match and not any(re.search(rf"\bcontainer {re.escape(name)}\b", fact.item.text) for fact in case.held):
            return f"it says {match[0]!r}, and what it cites is of container {sorted(known)[0]}"
    return None


_NONE_DONE = re.compile(r"\b(?P<things>[a-z]+)s_(?P<done>[a-z]{3,})ed=0\b")


def none_is_some(case: Case) -> str | None:
    """`pods_selected=0`: a claim that pods are selected is denied by the field itself."""
    for match in (found for fact in case.held for found in _NONE_DONE.finditer(fact.item.text)):
        done, thing = rf"\b{match['done']}(?:s|es|ed)?\b", rf"\b{match['things']}s?\b"
        said = rf"{done} (?:[\w·]+ ){{0,3}}?{thing}|{thing} (?:that|which) (?:\w+ ){{0,2}}?{done}"
        if re.search(said, case.claim.spread) and not denial_in(case.claim.spread):
            return f"it says otherwise than {match[0]}"
    return None


_OF_LIMIT = re.compile(r"(?P<used>[\d.]+) of a limit of (?P<limit>[\d.]+)")
_EXCEEDS = re.compile(
    r"\b(?:exceed|surpass|overrun|outgrow)\w*|\b(?:above|beyond|over|past|more than|higher than) (?:its|the|"
    r"their|what)\b"
)


def stays_within_limit(case: Case) -> str | None:
    """`0.0412 of a limit of 0.05` exceeds nothing."""
    pairs = [(float(m["used"]), float(m["limit"])) for fact in case.held for m in _OF_LIMIT.finditer(fact.item.text)]
    if not pairs or len(pairs) < len(case.held) or any(used > limit for used, limit in pairs):
        return None
    match = next((one for one in _EXCEEDS.finditer(case.claim.spread) if not is_denied(case.claim.spread, one)), None)
    return f"it says {match[0]!r}, and what it cites stays below the limit" if match else None


_LABELLED = re.compile(
    r"\blabell?ed(?: both| as| with)? (?P<labels>[\w./-]+=[\w.-]+(?:,? (?:and )?[\w./-]+=[\w.-]+)*)", re.IGNORECASE
)
LABELS = re.compile(r"\blabels=(\S+)")


def labels_are_had(case: Case) -> str | None:
    """`Labelled both app=web and track=blue`, where a fact lists the labels without the latter."""
    known = {label for fact in case.held for found in LABELS.findall(fact.item.text) for label in found.split(",")}
    for match in _LABELLED.finditer(case.claim.plain) if known else ():
        lacking = [label for label in re.findall(r"[\w./-]+=[\w.-]*\w", match["labels"]) if label not in known]
        if lacking and not denial_in(match.string[: match.start()].lower()):
            return f"it says that the label {lacking[0]} is had, and what it cites does not"
    return None


_LET_IN = re.compile(r"'matchLabels': \{'(?P<key>[\w./-]+)': '(?P<value>[\w.-]+)'\}")


def policies_let_in(case: Case) -> str | None:
    """`Shuts app=web out`, where the policy has a rule for just that label."""
    for fact in (one for one in case.held if one.item.object.startswith("NetworkPolicy/")):
        rules = fact.item.text.partition("ingress=")[2] or fact.item.text.partition("egress=")[2]
        for match in _LET_IN.finditer(rules):
            label = f"{match['key']}={match['value']}"
            shut = rf"\b(?:shut|keep|kept|lock|leav|left)\w* (?:[\w-]+ )?{re.escape(label)} (?:pods )?out\b"
            refused = rf"\b(?:block|den[iy]|refus|forbid|exclud|bar)\w* (?:[\w-]+ ){{0,3}}{re.escape(label)}(?![\w-])"
            if re.search(f"{shut}|{refused}", case.claim.plain) and not denial_in(case.claim.spread):
                return f"it has {label} shut out, and what it cites lets it in"
    return None


_NONE_LEFT = re.compile(
    r"\b(?:no|without) (?:free |spare |remaining )?(?P<things>(?:[a-z]+ ){0,2}?[a-z]{3,}) (?:left|available|"
    r"remaining|free)\b|"
    r"\bno (?:free|spare|remaining) (?P<free>[a-z]{3,})"
)
_AT_HAND = r"(?:free|spare|enough|available|remaining|plenty of|room)"


def nothing_is_left(case: Case) -> str | None:
    """`No space left on device`: a claim that there was free space is denied by the words themselves."""
    found = [one for fact in case.held for one in _NONE_LEFT.finditer(fact.item_spread)]
    for root in {stem((one["things"] or one["free"]).split()[-1]) for one in found}:
        thing = rf"{re.escape(root)}\w{{0,3}}"
        said = (
            rf"\b{_AT_HAND} (?:[a-z]+ )?{thing}\b|"
            rf"\b{thing} (?:\w+ )?(?:(?:is|are|was|were) )?(?:still )?(?:left|available|free)\b"
        )
        for match in re.finditer(said, case.claim.spread):
            around = " ".join(clause_at(case.claim.spread, match.start(), match.end()))
            if not (is_denied(case.claim.spread, match) or is_troubled(around)):
                return f"it says {match[0]!r}, and what it cites has none left"
    return None


_LISTED_IN = re.compile(r"(?<![\w.])(?P<what>[a-z]+s)_in_(?P<place>[a-z]+)=(?P<names>[\w.,-]+)")


def has_listed_member(case: Case) -> bool:
    """True where it names one of what a fact lists as being there."""
    lists = [match["names"] for fact in case.held for match in _LISTED_IN.finditer(fact.item.text)]
    return any(mentions_whole(name, case.claim.plain) for names in lists for name in names.split(","))


def members_are_listed(case: Case) -> str | None:
    """`services_in_namespace=front,tracking`: a claim that tracking-v2 is there is denied by the list."""
    for match in (found for fact in case.held for found in _LISTED_IN.finditer(fact.item.text)):
        listed = match["names"].split(",")
        there = (
            rf"(?<![\w.-])(?P<name>[a-z][\w.-]*\w) (?:(?:is|was) (?:also |itself )?(?:present|there|among|listed|"
            rf"one of|"
            rf"(?:in|part of) (?:the|that|its) {match['place']})|exists)\b|"
            rf"\bthere (?:is|was) (?:an? |the )?(?:[A-Z]\w+ )?(?:called |named )?(?P<named>[a-z][\w.-]*-[\w.-]*\w)"
        )
        for said in re.finditer(there, case.claim.plain):
            name = said["name"] or said["named"]
            if name in case.names.objects and name not in listed and not denial_in(case.claim.spread):
                return f"it has {name} in the {match['place']}, and what it cites lists others"
    return None


_NAMED_AS = re.compile(
    r"\b(?P<kind>secret|config ?map|service ?account|claim|storage ?class|volume|role)\b(?: [\w-]+){0,8}? "
    r"(?:is|was|named|called) (?P<name>[a-z][\w.-]*(?:[/-][\w.-]+)+)(?<![.])",
    re.IGNORECASE,
)


def names_stand_whole(case: Case) -> str | None:
    """`The service account is shop/web` where the facts have shop/web-irsa: a name is not cut short."""
    for match in _NAMED_AS.finditer(case.claim.plain):
        kind = match["kind"].replace(" ", "").lower()
        place = re.compile(rf"\b{' ?'.join(kind)} ?[\"'=:]{{0,2}}(?P<name>[\w./-]+\w)", re.IGNORECASE)
        known = {one["name"].rpartition("/")[2] for fact in case.held for one in place.finditer(fact.item.text)}
        name = match["name"].rpartition("/")[2]
        if name not in known and any(one.startswith(f"{name}-") or name.startswith(f"{one}-") for one in known):
            return f"it says {match[0]!r}, and what it cites has {sorted(known)[0]!r} there"
    return None


_UNDONE = re.compile(
    r"\b(?:can|could) not (?:be )?(?P<cannot>[a-z]{4,})|\b(?:unable|fail(?:ed|s)?) to (?P<failed>[a-z]{4,})"
)
_DONE = re.compile(r"(?<!\bbeing )(?<!\bto be )\b[a-z]+ed\b")
_CEASED = re.compile(r"\bstopped (?P<word>[a-z]{3,}ing)\b")
_WENT_ON = r"\b(?:ke(?:pt|eps?)|still|continu\w+|(?:went|goes|carri(?:es|ed)) on)(?: on)? "
_NOT_SO = re.compile(r"\b(?:not|never|no longer|nor) (?:\w+ )?(?:keep|kept|still|continu\w+|go|carry)\b")


def did_what_failed(case: Case) -> str | None:
    """`Can't open file`, `stopped posting`: a claim that it was opened, or kept on posting, is denied by the facts."""
    undone = {stem(one["cannot"] or one["failed"]) for fact in case.held for one in _UNDONE.finditer(fact.item_spread)}
    ceased = {one["word"] for fact in case.held for one in _CEASED.finditer(fact.item_spread)}
    for part in clauses(case.claim.spread):
        done = [one for one in _DONE.findall(part) if stem(one) in undone]
        gone_on = [one for one in ceased if re.search(f"^[^,;]*{_WENT_ON}{one}", part) and not _NOT_SO.search(part)]
        if gone_on or (done and not is_troubled(part)):
            return f"it says {(done or gone_on)[0]!r}, and what it cites denies it"
    return None


_IS_NOT = re.compile(r"\b(?:is|are|was|were) not (?P<word>[a-z]{5,})")


def affirms_what_is_not(case: Case) -> str | None:
    """`Preemption is not helpful`: a claim that it would have helped is denied by the words themselves."""
    lacking = {match["word"] for fact in case.held for match in _IS_NOT.finditer(fact.item_spread)}
    for word in sorted(word for word in lacking if not any(one.said.search(word) for one in CONCEPTS)):
        root = word[: max(4, len(word) - 3)]
        for sentence in sentences(case.claim.spread):
            if any(stem(one).startswith(root) for one in words(sentence)) and not denial_in(sentence):
                return f"it affirms {word!r}, and what it cites denies it" if _only_denied(word, case.held) else None
    return None


def _only_denied(word: str, held: list[Held]) -> bool:
    return all(
        len(re.findall(word, fact.item_spread)) == len(re.findall(f"not {word}", fact.item_spread)) for fact in held
    )
