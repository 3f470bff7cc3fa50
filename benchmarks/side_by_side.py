"""Two ways to do one thing, timed in turn in one process, and tables of what came out."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

RUNS = 5
SPEED_COLUMNS = ("ours, s", "peer, s", "peer : ours", "lowest to highest")

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Wall-clock seconds of each run, ours and the peer's, in the order of the runs."""

    ours_seconds: tuple[float, ...]
    peer_seconds: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """The peer's time by ours, of each pair of neighbours: above 1 we are the faster, below 1 the peer is."""
        return tuple(peer / ours for ours, peer in zip(self.ours_seconds, self.peer_seconds, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the ratios. What else the machine does meets both of a pair, and so mostly drops out."""
        return median(self.ratios)

    def cells(self) -> tuple[str, ...]:
        """A row below SPEED_COLUMNS: the median seconds of each, the median ratio and its spread."""
        return (
            f"{median(self.ours_seconds):.3f}",
            f"{median(self.peer_seconds):.3f}",
            f"{self.ratio:.2f}",
            f"{min(self.ratios):.2f} to {max(self.ratios):.2f}",
        )


def side_by_side(ours: Work, peer: Work, *, runs: int = RUNS) -> Comparison:
    """Times both `runs` times, each warmed up once; who goes first changes from run to run."""
    ours()
    peer()
    ours_seconds, peer_seconds = [], []
    for run in range(runs):
        if run % 2:
            peer_seconds.append(_seconds(peer))
        ours_seconds.append(_seconds(ours))
        if not run % 2:
            peer_seconds.append(_seconds(peer))
    return Comparison(ours_seconds=tuple(ours_seconds), peer_seconds=tuple(peer_seconds))


def _seconds(work: Work) -> float:
    gc.collect()  # nobody pays for what the other has left behind
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table with even columns: it reads well on a terminal and can be pasted."""
    cells = [tuple(map(str, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(row, widths) for row in cells]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
