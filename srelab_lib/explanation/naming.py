"""Names in a claim: what is no ordinary word must stand in the facts that it cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srelab_lib.explanation.figures import quantities
from srelab_lib.explanation.lexicon import ACRONYMS, MODIFIERS, ORDINARY_HEADS, SERVICE_NOUNS, TECHNICAL
from srelab_lib.explanation.passages import Held, Names, Passage, mentions
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import english, spread, stem, words

_QUOTED = re.compile(r"[\"`“”«»]([^\"`“”«»]{1,120})[\"`“”«»]|(?<![\w])'([^']{2,120})'(?![\w])")
_TOKEN = re.compile(r"[/]?[A-Za-z0-9_$][\w.:/@$+-]*[\w)/]|[A-Za-z]")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|UTC)?|\d{4}-\d\d-\d\d(?:T[\d:.]+Z?)?", re.IGNORECASE)


_KIND_NOUN = (
    r"(?:pods?|containers?|deployments?|services?|stateful ?sets?|daemon ?sets?|replica ?sets?|"
    r"jobs?|cron ?jobs?|config ?maps?|secrets?|nodes?|namespaces?|"
    r"ingress(?:es)?|volumes?|claims?|servers?|apps?|applications?|databases?|hosts?|clusters?|"
    r"workloads?|images?|registry|process(?:es)?)"
)
_BEFORE_KIND = re.compile(
    rf"(?:^|[.;,] |\b(?:the|an?|its|of|by|on|in|for|from|to|because|since|"
    rf"as) )([a-z][a-z']+) (?:· )?({_KIND_NOUN})\b(?!\s*[=:])"
)
_CALLED = re.compile(r"\b(?:called|named|labell?ed)\s+([\w.-]+)", re.IGNORECASE)
_ORDINARY_TAIL = re.compile(
    r"(?:ed|ing|able|ible|free|related|like|wide|level|based|only|up|off|out|down|in|over|memory|"
    r"time|term|check|checks|visible|facing|side|grade|lived|known|"
    r"existent|loop|loops|kill|kills|killer|second|minute|hour|day|old|new|bound|heavy|hungry|"
    r"specific|driven|wise|fold|ready|side|back|case|long|high|low|aware|"
    r"sized|intensive|through|line|by|to)$"
)


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
    for phrase in _quoted(claim.plain):
        if not (_stands(phrase, facts) or spread(phrase) in loose or _ordinary(phrase, held)):
            return phrase
    for token in _tokens(claim.plain):
        if not _token_holds(token, facts, loose, held, names):
            return token
    return _unknown_word(covered, held)


def _quoted(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        yield (match[1] or match[2]).strip()


def _ordinary(phrase: str, held: Sequence[Held]) -> bool:
    """True for words in quotes that quote nothing: the vocabulary's, or in another order than the facts have them."""
    stems = {one for fact in held for one in fact.stems}
    loose = spread(phrase)
    return _is_vocabulary(loose) or (len(loose.split()) > 1 and all(stem(word) in stems for word in loose.split()))


def _tokens(text: str) -> Iterator[str]:
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
        if re.search(r"[\d_./:@$+-]", token) or re.search(r"[a-z][A-Z]", token) or (token.isupper() and len(token) > 1):
            yield token


def _token_holds(token: str, facts: str, loose: str, held: Sequence[Held], names: Names) -> bool:
    if token in names.objects:
        return mentions(token, facts)
    if _stands(token, facts) or (("/" in token and not token.startswith("/")) and _parts_stand(token, facts)):
        return True
    if _UNIT_TOKEN.fullmatch(token):
        return True
    parts = spread(token).strip()
    if _is_vocabulary(parts) and not re.search(r"[\d/.:@=]", token):
        # A reason in the words of a server: whether the facts hold it is the vocabulary's to say.
        return _same_reason(token, loose)
    if re.fullmatch(r"[A-Za-z]+(?:-[A-Za-z]+)+", token):
        pieces = token.lower().split("-")
        adjective = _ORDINARY_TAIL.search(pieces[-1]) or pieces[0] in ORDINARY_HEADS
        stems = {one for fact in held for one in fact.stems}
        return bool(adjective) and all(_plain_word(piece) or stem(piece) in stems for piece in pieces)
    return False


_UNIT_TOKEN = re.compile(r"(?:req|requests|errors|events|bytes)/s(?:ec)?|\d+x|x\d+|\d+(?:st|nd|rd|th)", re.IGNORECASE)


def _parts_stand(token: str, facts: str) -> bool:
    """`Deployment/default/web`, `default/web`: kind, namespace and name each stand in the facts."""
    return all(part and _stands(part, facts) for part in token.split("/"))


def _stands(token: str, facts: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(token)}(?![A-Za-z0-9])", facts, re.IGNORECASE) is not None


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


def _unknown_word(covered: str, held: Sequence[Held]) -> str | None:
    stems = {one for fact in held for one in fact.stems}
    for match in _CALLED.finditer(covered):
        if stem(match[1].lower()) not in stems and not MODIFIERS & {match[1]}:
            return match[1]
    for match in _BEFORE_KIND.finditer(covered):
        word = match[1]
        if word not in MODIFIERS and stem(word) not in stems and not _describes(word):
            return word
    for word in words(covered):
        if stem(word) in stems:
            continue
        if word in SERVICE_NOUNS or not (_plain_word(word) or _is_vocabulary(word)):
            return word
    return None


def _describes(word: str) -> bool:
    """True for what can only be said of a thing: `overloaded container`, `unreachable node`."""
    return re.search(r"(?:ed|ly|able|ible|ous|ful|less|ive|ary|ent|est)$", word) is not None or stem(word) in TECHNICAL


def _plain_word(word: str) -> bool:
    word = word.strip("'").removesuffix("'s")
    known = english() | TECHNICAL
    return len(word) < 2 or word.endswith("fold") or stem(word) in known or word in ACRONYMS or _prefixed(word, known)


def _prefixed(word: str, known: frozenset[str] | set[str]) -> bool:
    return any(
        word.startswith(prefix) and stem(word[len(prefix) :]) in known
        for prefix in ("re", "un", "mis", "over", "non", "pre", "under", "out")
    )
