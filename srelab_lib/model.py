"""The nouns that pass between the parts. All frozen, all in UTC, all checked at birth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import pandas as pd

from srelab_lib.errors import SettingsError
from srelab_lib.faults import FAULTS

Outcome = Literal["fault", "no_fault", "inconclusive"]
Confidence = Literal["high", "medium", "low"]


def object_ref(kind: str, namespace: str, name: str) -> str:
    """The one spelling of an object: `Deployment/default/web`, `Node//worker-1` where it has no namespace."""
    return f"{kind}/{namespace}/{name}"


def split_ref(ref: str) -> tuple[str, str, str]:
    """`Deployment/default/web` -> `("Deployment", "default", "web")`."""
    kind, namespace, name = ref.split("/", 2)
    return kind, namespace, name


def spoken(ref: str) -> str:
    """An object as a person says it: `Deployment default/web`, `Node worker-1`; what is no reference stays as it is."""
    if ref.count("/") < 2:
        return ref
    kind, namespace, name = split_ref(ref)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def sentence(text: str) -> str:
    """With a capital letter, unless it begins with a name such as `spec.replicas` or `web-1`, and a full stop."""
    text = text.strip()
    if re.match(r"[a-z]+(?:[\s,:;'.]*$|[\s,:;'])", text):
        text = text[0].upper() + text[1:]
    return text if not text or text[-1] in ".!?" else f"{text}."


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeWindow:
    """A closed span of time, UTC, whole seconds.

    Raises:
        SettingsError: a bound without time zone, or an end that is not after its start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise SettingsError("a time window needs times with a time zone", hint="use UTC: 2026-01-31T12:00:00Z")
        if self.end <= self.start:
            raise SettingsError(f"the window ends at {self.end} and does not start before that ({self.start})")

    @classmethod
    def last(cls, *, minutes: float, now: datetime) -> TimeWindow:
        """The `minutes` before `now`, both bounds on whole seconds."""
        end = now.astimezone(UTC).replace(microsecond=0)
        return cls(start=end - timedelta(minutes=minutes), end=end)

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()

    @property
    def step_seconds(self) -> int:
        """Resolution of range queries: 10 s up to 30 minutes, then at most 180 points."""
        return max(10, -(-int(self.seconds) // 1800) * 10)

    def widened(self, factor: float = 2.0) -> TimeWindow:
        """The window with the same end that begins earlier."""
        return TimeWindow(start=self.end - (self.end - self.start) * factor, end=self.end)


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """A source that failed, was cut or holds nothing; `matters` says what cannot be judged without it."""

    source: str
    reason: str
    matters: str = ""
    deciding: bool = False
    """True when a whole kind of fault cannot be ruled out without it (the pods, the events, ...)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceInfo:
    """Where a snapshot comes from. `name` is the kube context or the incident's name."""

    kind: Literal["live", "incident"]
    name: str
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The tables of one time window. `tables` holds one frame for each schema in `signals.frames.SCHEMAS`."""

    source: SourceInfo
    namespace: str
    window: TimeWindow
    tables: Mapping[str, pd.DataFrame]
    missing: tuple[Missing, ...] = ()
    seconds: float = 0.0
    widened: bool = False
    """Whether the window is twice the one that was asked for: what began lay at its left edge."""

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.tables[table]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One row that something was judged from, in one quoted line.

    `kind` is its source: `status`, `event`, `log`, `metric`, `change`, `spec`, `alert`. `text` holds values exactly
    as the source has them, with their field's name: a claim is checked word for word against it.
    """

    kind: Literal["status", "event", "log", "metric", "change", "spec", "alert"]
    object: str
    text: str
    time: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One judged symptom of one object.

    Attributes:
        fault: id from `faults.FAULTS`.
        object: what the fix edits, as `Kind/namespace/name`.
        summary: one sentence: what happens to which object.
        cause: one clause: why, as far as the facts carry it ("its memory limit is 10Mi").
        facts: the rows, most telling first.
        since: when it began, None when unknown.
        strength: 3 a server states the fault itself; 2 facts of one kind that fit little else; 1 a symptom that
            many faults share. Never a tuned weight.
        related: objects that the finding also concerns (a called Service, a node): used to link cause and effect.
    """

    fault: str
    object: str
    summary: str
    cause: str
    facts: tuple[Fact, ...]
    since: datetime | None = None
    strength: Literal[1, 2, 3] = 2
    related: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"unknown fault id {self.fault!r}")
        if not self.facts:
            raise ValueError(f"a finding without facts: {self.fault} on {self.object}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What was altered, when, and by which revision or commit. `text` is one sentence with old and new value."""

    time: datetime
    object: str
    field: str
    old: str | None
    new: str | None
    text: str
    revision: str = ""
    rolled_back_to: str = ""
    revision_before: str = ""
    commit: str = ""
    diff: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """A numbered fact shown to the model and to the reader: `id` is E1..En."""

    id: str
    kind: str
    object: str
    text: str
    time: datetime | None = None

    @property
    def source(self) -> str:
        """`event of Pod/default/web-1 at 12:03:11Z`."""
        at = f" at {self.time:%H:%M:%SZ}" if self.time is not None else ""
        return f"{self.kind} of {self.object}{at}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceSet:
    """What fits the budget, and what was left out and why."""

    items: tuple[Evidence, ...]
    dropped: tuple[str, ...] = ()
    tokens: int = 0

    def ids(self) -> tuple[str, ...]:
        """`E1`..`En`, in order."""
        return tuple(item.id for item in self.items)

    def __getitem__(self, evidence_id: str) -> Evidence:
        return next(item for item in self.items if item.id == evidence_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A possible root cause that findings support; `why` says why it stands where it stands."""

    fault: str
    object: str
    summary: str
    cause: str
    evidence: tuple[str, ...]
    change: Change | None = None
    since: datetime | None = None
    why: str = ""
    effects: tuple[str, ...] = ()
    """Summaries of findings that follow from it, in order of time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Onset:
    """A change point of one series. `score` is the robust distance from the baseline, signed."""

    signal: str
    object: str
    time: datetime | None
    before: float
    after: float
    score: float
    unit: str
    began_before_window: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelineMark:
    """A thing with a time on the timeline."""

    time: datetime
    kind: Literal["change", "event", "restart", "log", "onset"]
    object: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """Everything with a time, sorted; `onset` is when the trouble began."""

    marks: tuple[TimelineMark, ...]
    onset: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """A command from a checked template, to be read and pasted by a person; never executed by us."""

    purpose: str
    command: str
    kind: Literal["fix", "verify", "inspect"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The answer. `summary` is one or two sentences for someone who was just woken up."""

    outcome: Outcome
    fault: str | None
    object: str | None
    summary: str
    cause: str
    change: str | None
    since: datetime | None
    confidence: Confidence
    confidence_reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Ranked candidates with their evidence and the timeline: a pure function of a snapshot."""

    snapshot: Snapshot
    verdict: Verdict
    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]
    evidence: EvidenceSet
    onsets: tuple[Onset, ...]
    timeline: Timeline
    actions: tuple[Action, ...]
    checked: tuple[str, ...]
    """Titles of the checks that ran and found nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One sentence of the model. A struck claim is shown, as struck, with the reason."""

    text: str
    evidence: tuple[str, ...]
    status: Literal["kept", "struck"]
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Analysis:
    """The model's grounded words, or in `unavailable` one line on why there are none and what to run."""

    model: str
    choice: str | None = None
    """`C1`..`Cn`, the candidate that the model chose, or None."""
    agrees: bool | None = None
    claims: tuple[Claim, ...] = ()
    unavailable: str = ""
    digest: str = ""
    prompt_tokens: int = 0
    output_tokens: int = 0
    omitted: tuple[str, ...] = ()
    """Ids of the evidence that did not fit the prompt: the model has not seen it."""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInfo:
    """What a report says of the run that made it; where the signals come from stands in the snapshot.

    Attributes:
        settings: the parameters, without anything that is secret.
        versions: of the library and of what it stands on.
        seconds: of the whole run so far; None is what collecting and the model took.
    """

    settings: Mapping[str, str | int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
