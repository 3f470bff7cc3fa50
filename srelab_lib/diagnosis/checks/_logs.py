"""Log lines as evidence: which lines count, since when, and whether they still come.

Everyone who can send a request can write into a log, and every program logs errors that hurt nobody. So a line counts
only when it reports (an error's own wording, not a debug line, not prose that addresses its reader), and a pattern is
evidence only when it began while the log was watched, or fills the log, or the workload is seen to be unwell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from srelab_lib.diagnosis.checks._facts import Row, grouped, in_window, live_containers, log_fact, one_each, rows
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._relay import own_words
from srelab_lib.model import Fact, Snapshot
from srelab_lib.signals.log_levels import NO_TROUBLE

QUIET = frozenset({"debug", "trace", "info"})
ERROR_LEVELS = frozenset({"error", "critical"})
COMPLAINT_LEVELS = ERROR_LEVELS | {"warning"}
MANY_COMPLAINTS = 5
DOMINANT_RATIO = 0.3
"""From this share of its lines on, a workload does little else than fail."""
SETTLED_BEFORE = timedelta(seconds=20)
"""A log that ran this long without a line ran without it."""
STARTING = timedelta(seconds=10)
AT_WORK_LINES = 3
"""So many lines after a start show that somebody was at work."""
AT_ONCE = 50
"""So many complaints in a row are no trouble of starting."""
SETTLE = timedelta(seconds=60)
"""What has been silent this long is over."""
LONGEST_PATIENCE = timedelta(minutes=3)
"""What has been silent this long is over, however seldom it came."""

ANYTHING = re.compile("")
_PROSE = re.compile(
    r"ignore (?:all|any|every|the|your|previous|prior)\b.{0,40}\b(?:instruction|prompt|rule|evidence|above)"
    r"|\broot cause\b|\byou are (?:an?|the|now)\b|\b(?:system|assistant|developer)\s*(?:prompt|message|:)\s"
    r"|<\|im_(?:start|end)\|>|\bverdict\b|\bkubectl (?:delete|apply|scale|patch|edit)\b|\bdisregard\b",
    re.IGNORECASE,
)
"""Text that speaks to whoever reads the log, or names causes and commands: a claim, never an observation."""

_ACCESS_LINE = re.compile(r'"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S.{0,2000}? HTTP/\d(?:\.\d)?"? \d{3}\b')
"""A line of an access log: its path and user agent are the client's words."""


_USAGE = re.compile(r"^usage: |(?:^|\s)--?[A-Za-z][\w-]*(?: [A-Z]+)?\t", re.IGNORECASE)
"""How a program wants to be called: it tells of time-outs and errors that can be set."""


_NO_FILE = re.compile(r'\bopen\(\) "[^"]*" failed \(2: ')
"""What nginx writes as an error of every request that it answers with 404."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """Lines of one workload that match one pattern, oldest first, against the whole of its log."""

    object: str
    lines: tuple[Row, ...]
    log_start: datetime
    log_end: datetime
    log_lines: int
    holes: tuple[datetime, ...] = ()
    """Where lines were not kept: the times of the first ones after."""

    @property
    def first(self) -> datetime:
        return _time(self.lines[0])

    @property
    def last(self) -> datetime:
        """The time of the latest one; one more by itself, long after many, does not say that they go on."""
        times, paused = [_time(line) for line in self.lines[-2:]], pauses(self.lines, self.holes)
        alone = len(paused) >= MANY_COMPLAINTS and paused[-1] > max(LONGEST_PATIENCE, 3 * max(paused[:-1]))
        return times[0] if alone else times[-1]

    @property
    def risen(self) -> bool:
        """The log ran without such lines before, and longer than it ever pauses between them."""
        return len(self.lines) > 1 and self.first - self.log_start >= max(
            SETTLED_BEFORE, 2 * max(pauses(self.lines, self.holes), default=SETTLED_BEFORE)
        )

    @property
    def ongoing(self) -> bool:
        """They still come: the last one is near the log's end."""
        return self.log_end - self.last <= self.patience

    @property
    def patience(self) -> timedelta:
        """After this long without a line they are over."""
        return min(max(SETTLE, 2 * max(pauses(self.lines, self.holes), default=SETTLE)), LONGEST_PATIENCE)

    @property
    def dominant(self) -> bool:
        """They fill much of the log since its start: a program that has failed since it started."""
        return len(self.lines) > 2 and len(self.lines) >= DOMINANT_RATIO * self.log_lines

    def facts(self, limit: int = 3) -> tuple[Fact, ...]:
        """The first line and the latest one of each template, word for word."""
        latest = {line["template"]: index for index, line in enumerate(self.lines)}
        chosen = dict.fromkeys([0, *latest.values(), *reversed(range(len(self.lines)))])
        return one_each((log_fact(self.lines[index]) for index in chosen), limit)


def pauses(lines: Sequence[Row], holes: Sequence[datetime] = ()) -> list[timedelta]:
    """The times between each line and the next; where lines between them were not kept, from the first kept one on."""
    pairs = [(_time(earlier), _time(later)) for earlier, later in pairwise(lines)]
    return [later - max([earlier, *(hole for hole in holes if earlier < hole <= later)]) for earlier, later in pairs]


def last_episode(lines: Sequence[Row], holes: Sequence[datetime] = ()) -> Sequence[Row]:
    """The lines since the last long pause after which far more came at once than before; all where there is none.

    Programs complain while they start and wait for each other; that is over when they run, and no onset.
    """
    paused = pauses(lines, holes)
    usual = median(pause.total_seconds() for pause in paused) if paused else 0.0
    long = max(SETTLE / 2, timedelta(seconds=5 * usual))
    starts = [0, *(index + 1 for index, pause in enumerate(paused) if pause > long), len(lines)]
    sizes = [end - start for start, end in pairwise(starts)]
    far_more = [i for i in range(1, len(sizes)) if max(sizes[:i]) <= min(AT_ONCE, max(sizes[i:]) / 3)]
    return lines[starts[far_more[-1]] :] if far_more else lines


@once
def matching(s: Snapshot, pattern: re.Pattern[str], *, quiet: bool = False) -> list[Row]:
    """Lines of the namespace that report what the pattern says, oldest first.

    Args:
        s: the snapshot.
        pattern: what the line must hold.
        quiet: lines of level info and below count too.
    """
    df = s["logs"]
    df = df[(df["namespace"] == s.namespace) & df["time"].notna()]
    if not quiet:
        df = df[~df["level"].isin(QUIET)]
    # A template's lines differ in numbers and names only: one of them tells whether the words are there.
    examples = df.drop_duplicates("template")
    wanted = [bool(pattern.search(str(message))) for message in examples["message"]]
    df = df[df["template"].isin(examples["template"][wanted])].sort_values("time", kind="stable")
    return [
        row for row in rows(df) if pattern.search(without_none(str(row["message"]))) and reports(str(row["message"]))
    ]


@lru_cache(maxsize=32768)
def without_none(message: str) -> str:
    """A line without the troubles of which it says that there were none: `16 ok, 0 failed`."""
    return NO_TROUBLE.sub("", message)


def complaints_since(s: Snapshot, moment: datetime) -> list[Hits]:
    """Warnings and errors of kinds that no workload logged before a moment, and that began right after it."""
    lines = [line for line in matching(s, ANYTHING) if line["level"] in COMPLAINT_LEVELS]
    first: dict[tuple[str, str], datetime] = {}
    for line in lines:
        first.setdefault((line["object"], line["template"]), line["time"])
    fresh = [line for line in lines if first[line["object"], line["template"]] >= moment]
    return [
        hit
        for hit in by_workload(s, fresh)
        if len(hit.lines) >= MANY_COMPLAINTS and hit.ongoing and hit.log_start < moment and hit.first <= moment + SETTLE
    ]


@lru_cache(maxsize=32768)
def reports(message: str) -> bool:
    """True for a line that reports something itself; false for an access line, a usage text and prose that claims."""
    return not any(pattern.search(message) for pattern in (_PROSE, _ACCESS_LINE, _USAGE, _NO_FILE))


@once
def hits(s: Snapshot, pattern: re.Pattern[str], *, quiet: bool = False) -> list[Hits]:
    """The lines that match, by workload; without those who repeat an answer where somebody says it in its own words."""
    lines = matching(s, pattern, quiet=quiet)
    own = {line["object"] for line in lines if pattern.search(own_words(str(line["message"])))}
    return by_workload(s, [line for line in lines if not own or line["object"] in own])


def by_workload(s: Snapshot, lines: Iterable[Row]) -> list[Hits]:
    """Lines grouped by workload and set against the whole log of it."""
    found = []
    for ref, group in grouped(lines).items():
        log = _log_of(s, ref)
        found.append(Hits(object=ref, lines=tuple(last_episode(group, log.holes)), **log._asdict()))
    return found


class _Log(NamedTuple):
    """The whole log of a workload: `log_start`, `log_end` and `holes` as `Hits` has them."""

    log_start: datetime
    log_end: datetime
    log_lines: int
    holes: tuple[datetime, ...]


@once
def _log_of(s: Snapshot, ref: str) -> _Log:
    logs = s["logs"]
    own = logs[(logs["object"] == ref) & logs["time"].notna()]
    holes = tuple(row["time"] for row in rows(own[own["after_hole"]]))
    return _Log(_log_starts(s)[ref], own["time"].max().to_pydatetime(warn=False), len(own), holes)


@once
def _log_starts(s: Snapshot) -> dict[str, datetime]:
    """From when on the silence of each workload counts: from its start, where others were at work before it spoke."""
    logs = s["logs"]
    logs = logs[logs["time"].notna()]
    first = logs.groupby("object")["time"].min()
    settled = logs[logs["time"] > logs["object"].map(first) + STARTING]
    found = {str(ref): time.to_pydatetime(warn=False) for ref, time in first.items()}
    for row in live_containers(s):
        spoke, began = found.get(row["object"]), row["started_at"]
        if spoke is not None and in_window(s, began) and began < spoke:
            others = settled[settled["object"] != row["object"]]["time"]
            if others.between(began + STARTING, spoke, inclusive="neither").sum() >= AT_WORK_LINES:
                found[row["object"]] = began
    return found


def _time(line: Row) -> datetime:
    time: datetime = line["time"]
    return time
