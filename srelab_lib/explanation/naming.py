"""Names in a claim: what is no ordinary word must stand in the facts that it cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.lexicon import (
    ACRONYMS,
    EVERYDAY_NOUNS,
    MODIFIERS,
    ORDINARY_HEADS,
    SERVICE_NOUNS,
    SMALL,
    TECHNICAL,
)
from srelab_lib.explanation.name_places import describes, named_words
from srelab_lib.explanation.number_words import WORDS
from srelab_lib.explanation.passages import Held, Names, Passage, is_named
from srelab_lib.explanation.units import UNIT
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import english, spread, stem, words
from srelab_lib.model import split_ref

_QUOTED = re.compile(r"[\"`“”«»]([^\"`“”«»]{1,120})[\"`“”«»]|(?<![\w])'([^']{2,120})'(?![\w])")
_TOKEN = re.compile(r"[/]?[A-Za-z0-9_$][\w.:/@$+-]*[\w)/]|[A-Za-z]")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|UTC)?|\d{4}-\d\d-\d\d(?:T[\d:.]+Z?)?", re.IGNORECASE)


_NOT_THIS = re.compile(r"(?P<yes>[\w./:-]*\w), (?:and |but )?not (?P<no>[\w./:-]*\w)")
"""A name that a claim sets another one against: `is broken-app, not broken-app-v2`."""
_ORDINARY_TAIL = re.compile(
    r"(?:ed|ing|able|ible|free|related|like|wide|level|based|only|up|off|out|down|in|over|memory|"
    r"time|term|check|checks|visible|facing|side|grade|lived|known|"
    r"existent|loop|loops|kill|kills|killer|second|minute|hour|day|old|new|bound|heavy|hungry|"
    r"specific|driven|wise|fold|ready|side|back|case|long|high|low|aware|"
    r"sized|intensive|through|line|by|to)$"
)


_NUMBERED = re.compile(r"(?<!\w)#(?P<number>\d+)\b")
"""`Dog #75`."""


def unknown_name(claim: Passage, held: Sequence[Held], names: Names, covered: str) -> str | None:
    """The first name of a claim that does not stand in the facts, or None.

    Args:
        claim: the claim.
        held: the cited facts.
        names: every object of the incident: their names are names also where they are English words.
        covered: the claim's spread text with what the vocabulary knows blanked.
    """
    facts = "\n".join(fact.plain for fact in held)
    loose = spread(facts)
    for phrase in quoted(claim.plain):
        known = stands(phrase, facts) or spread(phrase) in loose or _bare(phrase) in _bare(facts)
        if not (known or _ordinary(phrase, held)):
            return phrase
    for match in _NUMBERED.finditer(claim.plain):
        sign = "#" if _NUMBERED.search(facts) else ""
        if not re.search(rf"(?<![\w.]){sign}{match['number']}(?![\w.])", facts):
            return match[0]
    set_against = {match["no"] for match in _NOT_THIS.finditer(claim.plain) if stands(match["yes"], facts)}
    for token in tokens(claim.plain):
        if token not in set_against and not _token_holds(token, facts, loose, held, names):
            return token
    return _unknown_word(claim, covered, held, names)


def quoted(text: str) -> list[str]:
    """What a text has in quotes."""
    return [(match[1] or match[2]).strip() for match in _QUOTED.finditer(text)]


def _bare(text: str) -> str:
    """Its words alone: `429: Too Many` and `429 Too Many` are one."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _ordinary(phrase: str, held: Sequence[Held]) -> bool:
    """True for words in quotes that quote nothing: the vocabulary's, or in another order than the facts have them."""
    stems = {one for fact in held for one in fact.stems}
    loose = spread(phrase)
    return _is_vocabulary(loose) or (len(loose.split()) > 1 and all(stem(word) in stems for word in loose.split()))


def tokens(text: str) -> Iterator[str]:
    """What looks like a name: with a digit, a joint, an inner capital, or all in capitals."""
    for match in _TOKEN.finditer(text):
        token = match[0].rstrip(".:,/)")
        token = token if "(" in token else token.rstrip(")")
        if (
            not token
            or _CLOCK.fullmatch(token)
            or token.lower() in ACRONYMS
            or quantities(f" {token}")
            or token.isdigit()
        ):
            continue
        if (
            re.search(r"[\d_./:@$+-]", token)
            or re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}", token)
            or (token.isupper() and len(token) > 1)
        ):
            yield token


def _token_holds(token: str, facts: str, loose: str, held: Sequence[Held], names: Names) -> bool:
    if token in names.objects:
        return any(is_named(token, fact, names) for fact in held)
    if (
        stands(token, facts)
        or (token[-1] == "s" and token[-2].islower() and stands(token[:-1], facts))
        or (("/" in token and not token.startswith("/")) and _parts_stand(token, facts))
    ):
        return True
    if _is_commit_of(token, facts):
        return True
    name, colon, effect = token.partition(":")
    if _UNIT_TOKEN.fullmatch(token) or (colon and effect.isalpha() and stands(name, facts) and stands(effect, facts)):
        return True
    parts = spread(token).strip()
    if re.search(r"[a-z][A-Z]", token) and re.search(rf"\b{re.escape(parts)}\b", loose):
        return True
    if _is_vocabulary(parts) and not re.search(r"[\d/.:@=]", token):
        # A reason in the words of a server: whether the facts hold it is the vocabulary's to say.
        return _same_reason(token, loose)
    if re.fullmatch(r"[A-Za-z]+(?:-[A-Za-z]+)+", token):
        pieces = token.lower().split("-")
        adjective = _ORDINARY_TAIL.search(pieces[-1]) or pieces[0] in ORDINARY_HEADS
        stems = {one for fact in held for one in fact.stems}
        if re.search(rf"(?<![a-z]){' ?'.join(pieces)}(?![a-z])", loose):
            return True
        return bool(adjective) and all(_plain_word(piece) or stem(piece) in stems for piece in pieces)
    return False


_COMMIT = re.compile(r"(?<![\w-])(?=[0-9a-f]*\d)[0-9a-f]{7,40}(?![\w-])")


def _is_commit_of(token: str, facts: str) -> bool:
    """True for a commit's id that is longer or shorter than in the facts."""
    return _COMMIT.fullmatch(token) is not None and any(
        one.startswith(token) or token.startswith(one) for one in _COMMIT.findall(facts)
    )


_UNIT_TOKEN = re.compile(r"(?:req|requests|errors|events|bytes)/s(?:ec)?|\d+x|x\d+|\d+(?:st|nd|rd|th)", re.IGNORECASE)


def _parts_stand(token: str, facts: str) -> bool:
    """`Deployment/default/web`, `default/web`: kind, namespace and name each stand in the facts."""
    return all(part and stands(part, facts) for part in token.split("/"))


def stands(token: str, facts: str) -> bool:
    """True when the facts have the token as a whole; a path also at the end of a URL, a word also with a version."""
    if token.isalpha() and len(token) >= 5 and re.search(r"[A-Z]", token[1:]):
        # A product's name, as in `pymysql` or `MYSQL_PASSWORD`.
        return token.lower() in facts.lower()
    before = "" if token.startswith("/") else "(?<![A-Za-z0-9])"
    after = "(?![A-Za-z])" if len(token) > 3 and token.isalpha() else "(?![A-Za-z0-9])"
    return re.search(f"{before}{re.escape(token)}{after}", facts, re.IGNORECASE) is not None


def _is_vocabulary(text: str) -> bool:
    """True when the vocabulary knows every word of it."""
    for concept in CONCEPTS:
        text = concept.said.sub(" ", text)
    return not text.strip()


_REASONS = {
    "crashloopbackoff": r"crash ?loop|back ?off restarting",
    "backoff": r"back ?off",
    "oomkilled": r"\boom|out of memory",
    "imagepullbackoff": r"image ?pull ?back|back ?off pulling|err image pull|fail\w* to pull",
    "errimagepull": r"image ?pull ?back|back ?off pulling|err image pull|fail\w* to pull",
    "failedscheduling": r"fail\w* ?scheduling|nodes are available|unschedulable",
    "unschedulable": r"fail\w* ?scheduling|nodes are available|unschedulable",
}


def _same_reason(token: str, loose: str) -> bool:
    """True when the facts have the reason, or the other reason under which a server reports the same."""
    if not re.search(r"[a-z][A-Z]", token):
        return True
    pattern = _REASONS.get(token.lower())
    return re.search(pattern, loose) is not None if pattern else spread(token) in loose


def _unknown_word(claim: Passage, covered: str, held: Sequence[Held], names: Names) -> str | None:
    facts = "\n".join(fact.plain for fact in held)
    stems = {one for fact in held for one in fact.stems}
    stems |= {stem(part) for token in tokens(claim.plain) if stands(token, facts) for part in words(spread(token))}
    loose = set(words(covered))
    spaces = set(_own_namespaces(claim, held))
    leading = _LEADING.match(claim.plain)
    begins = [(leading["word"], False)] if leading else []
    for word, is_name in (*begins, *named_words(_NO_SERVICE.sub(" ", claim.spread))):
        known = word in spaces or stem(word) in stems | SMALL or f"{word}server" in facts.lower()
        if known or word in MODIFIERS | ACRONYMS or _is_product(word, facts):
            continue
        if is_name and not _happens(word):
            return word
        if not is_name and word in loose and not describes(word):
            return word
    for word in words(_NO_SERVICE.sub(" ", covered)):
        if stem(word) in stems or _UNIT_WORD.fullmatch(word) or word in spaces or _ends_a_name(word, facts):
            continue
        if _is_service(word, claim.spread, names) or not (
            _plain_word(word) or _is_vocabulary(word) or _is_product(word, facts)
        ):
            return word
    return None


def _ends_a_name(word: str, facts: str) -> bool:
    """`The proxy` of `haproxy.cfg`."""
    return len(word) > 3 and re.search(rf"[a-z]{re.escape(word)}(?![a-z])", facts) is not None


def _own_namespaces(claim: Passage, held: Sequence[Held]) -> Iterator[str]:
    """Namespaces of the facts' objects that a claim names as such: `in the recipes namespace`."""
    for space in {split_ref(fact.item.object)[1] for fact in held if fact.item.object.count("/") >= 2} - {""}:
        said = rf"(?<![\w-]){re.escape(space)} namespace\b|\bnamespace (?:called |named )?{re.escape(space)}(?![\w-])"
        if re.search(said, claim.plain, re.IGNORECASE):
            yield space


def _is_service(word: str, text: str, names: Names) -> bool:
    """True for what services are called by; of everyday nouns where they are bare: `replicas of backend`."""
    if word.endswith("s") and re.search(rf"\b{word} (?:were|are|have)\b", text):
        return False  # one service is, and was
    if word not in EVERYDAY_NOUNS or any(word in re.split(r"\W", name) for name in names.objects):
        return word in SERVICE_NOUNS
    return re.search(rf"(?:^|\b(?:of|by|from|in|for|at|on|with) ){word}\b", text) is not None


def _happens(word: str) -> bool:
    """True for the vocabulary's verbs and adjectives: `the container crashes`."""
    return any(concept.kind != "topic" and concept.said.fullmatch(word) for concept in CONCEPTS)


_NO_SERVICE = re.compile(
    r"(?<=\bto )queue\b|\b(?:no|any|its|ready|healthy)(?: ready| healthy)? backends?\b|\bbackends? \d+\b|"
    r"\b(?:bad gateway|gateway time ?outs?)\b"
)
"""Where these words name no service."""
_PRODUCTS = {
    **dict.fromkeys(("postgres", "postgresql"), r"(?<![a-z])(?:pg|pq|psql|sqlstate)(?![a-z])"),
    "nginx": r"while (?:connecting to|reading \w+ \w+ from) upstream|limiting requests, excess",
}
"""Signs of a product in facts that do not name it."""


def _is_product(word: str, facts: str) -> bool:
    return word in _PRODUCTS and re.search(_PRODUCTS[word], facts.lower()) is not None


_LEADING = re.compile(r"(?P<word>[a-z][a-z']+) (?=\w)")
"""A sentence begins with a capital, a name as it is written."""
_UNIT_WORD = re.compile(UNIT, re.IGNORECASE)


@cache
def _known_words() -> frozenset[str]:
    return frozenset(english() | TECHNICAL)


def _plain_word(word: str) -> bool:
    word = word.strip("'").removesuffix("'s")
    known = _known_words()
    return (
        len(word) < 2
        or re.fullmatch(r"\w+fold|(?:tri|quadru|quintu)pl\w+", word) is not None
        or word in WORDS
        or stem(word) in known
        or _is_derived(word, known)
        or word in ACRONYMS
        or _prefixed(word, known)
    )


_DERIVED = re.compile(r"(?P<base>\w{4,}?)(?:i?al|ness|ity|ance|ence|ure|ment|ship|age|able|ible|ally|wise|ful|less)s?")


def _is_derived(word: str, known: frozenset[str] | set[str]) -> bool:
    """True for what English makes of its own words: `renewal`, `slowness`."""
    match = _DERIVED.fullmatch(word)
    return match is not None and stem(match["base"]) in known


def _prefixed(word: str, known: frozenset[str] | set[str]) -> bool:
    return any(
        word.startswith(prefix) and stem(word[len(prefix) :]) in known
        for prefix in ("re", "un", "mis", "over", "non", "pre", "under", "out")
    )
