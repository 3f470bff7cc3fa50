"""Log templates: our masks against drain3, which learns, over the log lines of all recordings.

Ours replaces what looks like a number, a time, an address or an id, each line by itself: a line has the same template
in every run, and a status code stays in it. drain3 (here as it comes, without masks of one's own) learns: lines of as
many words that are alike enough are one template, and the words in which they differ become `<*>`. So it also joins
lines that differ in a name, which ours keeps apart; and it may join what says that all is well with what does not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig

from benchmarks.recordings import recordings, snapshot
from benchmarks.side_by_side import RUNS, SPEED_COLUMNS, Comparison, side_by_side, table
from srelab_lib.signals.log_templates import template_of

Grouping = Callable[[Sequence[str]], Sequence[Hashable]]
"""For each line of one recording, the template that it belongs to."""

_FAILING = {"error", "critical"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Templates:
    """What one side made of all lines.

    Attributes:
        lines: how many it has put under a template.
        templates: how many there are, each recording's counted by itself.
        once: those with a single line: what was not recognised as the same again.
        mixed: those that hold lines of level error and lines of a lower level.
    """

    lines: int
    templates: int
    once: int
    mixed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Speed and outcome of both sides."""

    speed: Comparison
    ours: Templates
    peer: Templates


def masked(lines: Sequence[str]) -> list[str]:
    """Ours."""
    return [template_of(line) for line in lines]


def learned(lines: Sequence[str]) -> list[int]:
    """drain3, which begins with nothing, as an analysis does."""
    miner = TemplateMiner(config=TemplateMinerConfig())
    return [miner.add_log_message(line)["cluster_id"] for line in lines]


def measure(folders: Sequence[Path], *, runs: int = RUNS) -> Result:
    """Both sides over the messages of these recordings, as `logs_table` cuts them out of the logs."""
    tables = [snapshot(folder)["logs"] for folder in folders]
    texts = [list(logs["message"]) for logs in tables]
    levels = [list(logs["level"]) for logs in tables]
    return Result(
        speed=side_by_side(lambda: list(map(masked, texts)), lambda: list(map(learned, texts)), runs=runs),
        ours=_templates(masked, texts, levels),
        peer=_templates(learned, texts, levels),
    )


def _templates(group: Grouping, texts: Sequence[Sequence[str]], levels: Sequence[Sequence[str | None]]) -> Templates:
    sizes: list[int] = []
    mixed = 0
    for lines, said in zip(texts, levels, strict=True):
        groups = group(lines)
        failing: dict[Hashable, set[bool]] = defaultdict(set)
        for template, level in zip(groups, said, strict=True):
            failing[template].add(level in _FAILING)
        sizes += Counter(groups).values()
        mixed += sum(len(kinds) > 1 for kinds in failing.values())
    return Templates(lines=sum(sizes), templates=len(sizes), once=sizes.count(1), mixed=mixed)


def report() -> str:
    """Everything measured, as text."""
    result = measure(recordings())
    sides = {"ours: masks": result.ours, "drain3: learns": result.peer}
    made = [(name, side.lines, side.templates, side.once, side.mixed) for name, side in sides.items()]
    return "\n\n".join(
        (
            f"Log templates, {len(recordings())} recordings:",
            table(("log templates", *SPEED_COLUMNS), [("masks against drain3", *result.speed.cells())]),
            table(("log templates", "lines", "templates", "of one line", "of errors and others"), made),
        )
    )


if __name__ == "__main__":
    print(report())
