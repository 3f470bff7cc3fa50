"""A claim and the facts that it cites, read once into what the rules compare: words, names, numbers, times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from srelab_lib.explanation.codes import explained
from srelab_lib.explanation.figures import clock_times, quantities
from srelab_lib.explanation.number_words import with_halves
from srelab_lib.explanation.quantities import Quantity
from srelab_lib.explanation.words import english, plain, spread, stem, words
from srelab_lib.model import Evidence, EvidenceSet, split_ref

CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")
_POD_SUFFIX = re.compile(r"(?:-[a-z0-9]{5,11})?-[a-z0-9]{5}|-[a-f0-9]{8,10}|-\d{1,4}|-\d{6,11}(?:-[a-z0-9]{5})?")
POD_END = re.compile(f"(?:{_POD_SUFFIX.pattern})$")
_GENERIC = frozenset(
    {
        "",
        "app",
        "application",
        "main",
        "server",
        "service",
        "container",
        "job",
        "node",
        "pod",
        "init",
        "process",
        "program",
    }
)
"""Names of containers that are also what anyone calls any container."""

_CONTAINER = re.compile(r"\bcontainer=([\w-]+)")
_IN_CONTAINER = re.compile(r"\(container=[^)]*\)")
_NEXT_FIELD = re.compile(r"(?<=[a-z]\.) (?=[A-Z])| (?=(?!reason=|message=|status=)[\w.]+=)")
_ENV_NAME = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
_PATH = re.compile(r"(?<![\w.:/])(?:/(?=[^/\s]*[a-z])[\w.-]+){2,}/?")
"""A path of several parts is a name, whatever words it is made of."""
_CODES = re.compile(
    r"(?<!for )(?<!in )(?<!after )(?<!within )(?<!every )(?<!took )(?<!takes )(?<!than )(?<!about )(?<!to )(?<!=)"
    r"\b([45]0\d|429)s(?= |$|[.,;:])|\b([45]0\d|429)s(?= (?:on|from|by) [/a-zA-Z])"
)
"""`The 404s of the probe`: how often, and no seconds."""
_CITATION = re.compile(r"[\[(]\s*E\d+(?:\s*(?:,|;|and|&|-|–)\s*E\d+)*\s*[\])]|\bE\d+\b")
CITED_ID = re.compile(r"\bE\d+\b")


@lru_cache(maxsize=64)
def _any_of(names: frozenset[str]) -> re.Pattern[str]:
    """Any of the names as a whole, or as the beginning of a pod's name; the longest first."""
    longest_first = "|".join(map(re.escape, sorted(names, key=lambda name: (-len(name), name))))
    return re.compile(rf"(?<![\w.-])(?:{longest_first})(?:{_POD_SUFFIX.pattern}|-v\d+)?(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True)
class Passage:
    """A text, read: `plain` keeps case and names, `spread` has names of objects blanked and the rest taken apart."""

    plain: str
    hidden: frozenset[str]

    @cached_property
    def spread(self) -> str:
        """What patterns of the vocabulary are matched against."""
        text = _PATH.sub(" ·", self.plain)
        return spread(_any_of(self.hidden).sub("·", text) if self.hidden else text)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Its numbers."""
        return quantities(self.plain)

    @cached_property
    def times(self) -> list[str]:
        """Its times of day."""
        return clock_times(self.plain)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of all its words, also of those inside names."""
        return frozenset(stem(word) for word in words(spread(self.plain)))


@dataclass(frozen=True)
class Held(Passage):
    """A cited fact."""

    item: Evidence

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of all its words but those of its namespace."""
        space = split_ref(self.item.object)[1] if self.item.object.count("/") >= 2 else ""
        text = self.plain.replace(f"/{space}/", "/") if space else self.plain
        return frozenset(stem(word) for word in words(spread(text)))

    @cached_property
    def own_stems(self) -> frozenset[str]:
        """Stems of what it says and of the name of its object."""
        return frozenset(
            stem(word) for word in words(spread(f"{self.item.object.rpartition('/')[2]} {self.item.text}"))
        )

    @cached_property
    def fields(self) -> list[str]:
        """What it says, spread, each `key=value` and each sentence by itself."""
        return [Passage(part, self.hidden).spread for part in _NEXT_FIELD.split(self.item.text)]

    @cached_property
    def item_spread(self) -> str:
        """What it says, spread, without its source."""
        return Passage(self.item.text, self.hidden).spread


@dataclass(frozen=True, kw_only=True)
class Names:
    """Every object that the facts of an incident speak of."""

    refs: frozenset[str]
    containers: frozenset[str] = frozenset()
    homes: tuple[tuple[str, str], ...] = ()
    """Containers and pods, each with the workload that it is of."""
    calls: frozenset[tuple[str, str]] = frozenset()
    """Workloads whose logs name another one, each with that one: it calls it."""

    @cached_property
    def objects(self) -> frozenset[str]:
        """Names without kind and namespace, those of pods also without what their controller added, and containers."""
        split = [split_ref(ref) for ref in self.refs if ref.count("/") >= 2]
        bases = {POD_END.sub("", name) for kind, _, name in split if kind in {"Pod", "Job"}}
        bases |= {name.rpartition("-")[0] for kind, _, name in split if kind == "ReplicaSet"} - {""}
        return frozenset({name for _, _, name in split} | bases | self.containers) - _GENERIC

    @cached_property
    def spaces(self) -> frozenset[str]:
        """Namespaces."""
        return frozenset(split_ref(ref)[1] for ref in self.refs if ref.count("/") >= 2) - {""}

    @cached_property
    def peculiar(self) -> frozenset[str]:
        """Names that no ordinary word is: patterns must not find `memory` in `memory-hog`."""
        return frozenset(name for name in self.objects | self.spaces if stem(name) not in english())

    def owners(self, pod: str) -> tuple[str, ...]:
        """Kinds of what may own a pod: those of the controllers that bear its name, any when none does."""
        kinds = [
            kind
            for kind, _, name in (split_ref(ref) for ref in sorted(self.refs) if ref.count("/") >= 2)
            if kind in CONTROLLERS and pod.startswith(name) and _POD_SUFFIX.fullmatch(pod[len(name) :])
        ]
        return tuple(kinds) or CONTROLLERS


@lru_cache(maxsize=64)
def names_of(evidence: EvidenceSet) -> Names:
    """The objects of all facts, and the containers that they name."""
    homes = {(name, workload_of(item.object)) for item in evidence.items for name in _CONTAINER.findall(item.text)}
    workloads = {workload_of(item.object) for item in evidence.items}
    homes |= {(split_ref(ref)[2], workload_of(ref)) for ref in (item.object for item in evidence.items) if _is_pod(ref)}
    return Names(
        refs=frozenset(item.object for item in evidence.items),
        containers=frozenset(name for name, _ in homes) - {split_ref(ref)[2] for ref in _pods(evidence)},
        homes=tuple(sorted(homes)),
        calls=frozenset(
            (workload_of(item.object), name)
            for item in evidence.items
            for name in workloads
            if item.kind == "log" and _names_another(item, name)
        ),
    )


def _names_another(item: Evidence, name: str) -> bool:
    one = workload_of(item.object)
    alike = one.startswith(name) or name.startswith(one)
    return bool(name) and not alike and mentions(name, _IN_CONTAINER.sub("", item.text))


def _is_pod(ref: str) -> bool:
    return ref.startswith("Pod/") and ref.count("/") >= 2


def _pods(evidence: EvidenceSet) -> list[str]:
    return [item.object for item in evidence.items if _is_pod(item.object)]


def workload_of(ref: str) -> str:
    """The name of an object without what controllers add to it: one for a Deployment, its pods and its Service."""
    if ref.count("/") < 2:
        return ref
    kind, _, name = split_ref(ref)
    if kind == "ReplicaSet":
        return name.rpartition("-")[0] or name
    return POD_END.sub("", name) if kind in {"Pod", "Job"} else name


def is_named(name: str, fact: Held, names: Names) -> bool:
    """True when a fact has a name, or is about the workload of the container or pod of that name and of no other."""
    if mentions(name, fact.plain):
        return True
    if _is_pod(fact.item.object) or _CONTAINER.search(fact.item.text):
        return False
    return (name, workload_of(fact.item.object)) in names.homes


def read_claim(text: str, names: Names) -> Passage:
    """A claim without the ids that it cites inside its text."""
    return Passage(_CODES.sub(r"\1\2 errors", with_halves(plain(_CITATION.sub(" ", text)))), names.peculiar)


@lru_cache(maxsize=1024)
def read_fact(item: Evidence, names: Names) -> Held:
    """A fact with its source: object, kind, time, and the kinds that own a pod."""
    parts = [item.object, f"kind {item.kind}", item.text]
    if item.time is not None:
        parts.append(f"{item.time:%Y-%m-%d %H:%M:%S}")
    kind, _, name = split_ref(item.object) if item.object.count("/") >= 2 else ("", "", "")
    if kind == "Pod":
        parts.append(" ".join(f"owner {owner}" for owner in names.owners(name)))
    parts += explained(item.text)
    if "httpGet" in item.text:
        parts.append("GET")
    if _ENV_NAME.search(item.text):
        parts.append("envname")
    return Held(plain(" · ".join(parts)), names.peculiar, item)


def mentions(name: str, text: str) -> bool:
    """True when a text has a name as a whole, or as the beginning of a pod's name."""
    return (
        re.search(rf"(?<![\w.-]){re.escape(name)}(?:{_POD_SUFFIX.pattern})?(?![\w-])", text, re.IGNORECASE) is not None
    )


def mentions_whole(name: str, text: str) -> bool:
    """True when a text has a name just as it is."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", text, re.IGNORECASE) is not None


def concerning(claim: Passage, held: Sequence[Held], names: Names) -> list[Held]:
    """The facts that can carry the claim: those of the objects that it names, all when it names none.

    A kind that it mentions (`the node`) brings in the facts of objects of that kind.
    """
    named = {name for name in names.objects if mentions(name, claim.plain)}
    if not named:
        return list(held)
    near = [fact for fact in held if _concerns(fact, named, claim, names)]
    of_its_own = [fact for fact in near if fact.item.object.startswith(("Pod/", "Job/"))]
    meant = [fact for fact in of_its_own if _is_meant(fact, claim)] if not _COMPARES.search(claim.plain) else []
    siblings = {workload_of(fact.item.object) for fact in meant}
    return [
        fact
        for fact in near
        if fact not in of_its_own or fact in meant or workload_of(fact.item.object) not in siblings
    ]


_COMPARES = re.compile(r"\b(?:than|unlike|compared|same as)\b", re.IGNORECASE)


def _is_meant(fact: Held, claim: Passage) -> bool:
    """True when a claim has the whole name of a pod or a Job: what is known of another one of its kind is not of it."""
    return re.search(rf"(?<![\w.-]){re.escape(split_ref(fact.item.object)[2])}(?![\w-])", claim.plain) is not None


def _concerns(fact: Held, named: Iterable[str], claim: Passage, names: Names) -> bool:
    if any(is_named(name, fact, names) for name in named):
        return True
    kind = fact.item.object.partition("/")[0]
    if kind in {"Pod", "", *CONTROLLERS}:
        return not fact.item.object
    # "The frontend Service" is that one, and no other Service.
    others = "|".join(map(re.escape, sorted(named, key=len, reverse=True)))
    word = re.sub(r"(?<=[a-z])(?=[A-Z])", " ?", kind)
    rest = re.sub(rf"\b(?:{others}) {word}\b|\b{word} (?:{others})(?![\w-])", " ", claim.plain, flags=re.IGNORECASE)
    return re.search(rf"\b{word}s?\b", rest, re.IGNORECASE) is not None


def times_of(held: Sequence[Held]) -> list[datetime]:
    """Times of facts, each once."""
    return sorted({fact.item.time for fact in held if fact.item.time is not None})
