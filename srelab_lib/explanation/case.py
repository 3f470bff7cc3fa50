"""One claim before the facts that it cites: what every rule looks at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.dates import without_days
from srelab_lib.explanation.disclaimers import set_aside
from srelab_lib.explanation.links import links
from srelab_lib.explanation.passages import Held, Names, Passage, names_of, read_claim, read_fact
from srelab_lib.explanation.steering import steers
from srelab_lib.explanation.vocabulary import CONCEPTS
from srelab_lib.explanation.words import clauses
from srelab_lib.model import EvidenceSet

_NUMBERED = re.compile(
    r"\b(?P<noun>[a-z]{3,})s (?P<one>\d+)(?P<between>(?:, \d+)*),? and (?P<other>\d+)\b", re.IGNORECASE
)
_BESIDE = re.compile(r"\b(?:lin(?:es?|ed|ing) up|coincid\w+|tall(?:y|ies|ied)|correlat\w+) (?:\w+ )?with\b")
"""`The time-out of one lines up with the 500 of the other`: each side is said of its own."""
WORDS_OF_A_CLAUSE = 3
"""What is left between causes and effects says something of its own from here on; less is what links them."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One claim before its facts."""

    text: str
    cited: tuple[str, ...]
    about: str
    evidence: EvidenceSet

    @cached_property
    def names(self) -> Names:
        """Every object of the incident."""
        return names_of(self.evidence)

    @cached_property
    def claim(self) -> Passage:
        """The claim, read; a cause that it rules out is judged by itself."""
        text = _NUMBERED.sub(self._each_by_itself, set_aside(without_days(self.text)))
        claim = read_claim(text, self.names)
        return Passage(claim.plain, claim.hidden | self._copied_keys(claim.plain))

    def _copied_keys(self, text: str) -> set[str]:
        """Fields that it writes as the facts do: in `minAvailable=2` nothing is said to be available."""
        keys = set(re.findall(r"\b([a-z]+[A-Z]\w*)(?==)", text))
        return {key for key in keys if any(f"{key}=" in fact.item.text for fact in self.held)}

    def _each_by_itself(self, things: re.Match[str]) -> str:
        """`Desks 7 and 2` where a fact has `desk 7` and an object is called desks: the things, and not the object."""
        one = f"{things['noun']} {things['one']}"
        counted = any(re.search(rf"\b{re.escape(one)}\b", fact.item.text, re.IGNORECASE) for fact in self.held)
        others = f"{things['between']}, {things['other']}".split(", ")[1:]
        return " and ".join([one, *(f"{things['noun']} {other}" for other in others)]) if counted else things[0]

    @cached_property
    def held(self) -> list[Held]:
        """The cited facts, read; without those that tell their reader what to say."""
        items = [self.evidence[item] for item in self.cited]
        return [read_fact(item, self.names) for item in items if not steers(item.text)]

    @cached_property
    def parts(self) -> list[Passage]:
        """The claim's causes, effects and clauses: each may speak of another object."""
        pieces = [piece for link in links(self.claim.plain) for piece in link[:2]]
        rest = self.claim.plain
        for piece in pieces:
            rest = rest.replace(piece, "; ")
        parts = [clause for piece in pieces for clause in clauses(piece)]
        parts += [clause for clause in clauses(rest) if len(clause.split()) >= WORDS_OF_A_CLAUSE]
        return [Passage(side, self.names.peculiar) for clause in parts for side in _BESIDE.split(clause)]

    @cached_property
    def concepts(self) -> list[Concept]:
        """What of the vocabulary the claim speaks of."""
        return [concept for concept in CONCEPTS if concept.said.search(self.claim.spread)]

    @cached_property
    def uncovered(self) -> str:
        """The claim's spread text without what the vocabulary knows."""
        text = self.claim.spread
        for concept in self.concepts:
            text = concept.said.sub(_without_ends, text)
        return text


def _without_ends(match: re.Match[str]) -> str:
    """A match blanked; of a long one only its ends, which the pattern names: what lies between may be anything."""
    first, *between, last = match[0].split(" ") if " " in match[0] else (match[0], "")
    return " ".join(["·", *(between if len(between) > 1 else []), "·"])


def speaks(concept: Concept, held: Sequence[Held]) -> bool:
    """True when one of the facts has the concept, with whatever sign."""
    return any(concept.held.search(fact.spread) for fact in held)
