"""What 99_cleanup keeps unless asked: images, inotify limits, reports. Listed with sizes, removed on demand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from srelab_lib.errors import SrelabError
from srelab_lib.lab import tuning
from srelab_lib.lab.image_list import NODE_IMAGE, needed
from srelab_lib.lab.images import QUICK_SECONDS, local_id
from srelab_lib.lab.inotify import WANTED
from srelab_lib.lab.leftovers import ask_docker
from srelab_lib.lab.process import run
from srelab_lib.lab.step import PROJECT, Observation, Progress, Step, StepError
from srelab_lib.lab.tuning import Tuning, TuningSettings

REMOVE_SECONDS = 120.0
COLUMNS = ["kind", "name", "value", "remove"]
_NOTE = re.compile(r"back: sudo sysctl fs\.inotify\.(max_user_\w+)=(\d+)")


def kept(images: Sequence[str] | None = None, runs: Path = PROJECT / "runs") -> pd.DataFrame:
    """One row for each image of the lab, inotify limit, file and folder that outlives it, with COLUMNS.

    Args:
        images: empty list or names; None is every image that the lab needs.
        runs: the folder of summaries and reports.
    """
    rows = []
    for name in images_here(images):
        size = int(run("docker", "image", "inspect", "--format", "{{.Size}}", name, timeout_seconds=QUICK_SECONDS))
        rows.append(("image", name, f"{size / 1e6:,.0f} MB", f"docker image rm {name}"))
    before = noted(runs)
    for name in WANTED:
        back = tuning.command(name, before[name]) if name in before else "not raised by the lab"
        rows.append(("sysctl", f"fs.inotify.{name}", _limit(name), back))
    if Path(tuning.FILE).exists():
        rows.append(("file", tuning.FILE, "keeps the limits over a restart", f"sudo rm {tuning.FILE}"))
    count = len(list(runs.iterdir())) if runs.is_dir() else 0
    rows.append(("folder", f"{runs.name}/", f"{count} entries: your reports and summaries", f"rm -r {runs.name}"))
    return pd.DataFrame(rows, columns=COLUMNS).astype("string")


def images_here(images: Sequence[str] | None = None) -> list[str]:
    """Which of the lab's images are in this machine's engine."""
    return [name for name in ([NODE_IMAGE, *needed()] if images is None else images) if local_id(name)]


def images_removed(images: Sequence[str] | None = None, *, asked: bool) -> Step:
    """The step: the lab's images are gone; those that a container of somebody else uses stay."""

    def removable() -> list[str]:
        return [name for name in images_here(images) if not ask_docker("ps", "-aq", "--filter", f"ancestor={name}")]

    def observe() -> Observation:
        if not asked:
            return Observation(holds=True, text=f"{len(images_here(images))} kept: remove_images = False")
        left = removable()
        used = len(images_here(images)) - len(left)
        text = f"still here: {', '.join(left)}" if left else f"none is left, {used} stay as a container uses them"
        return Observation(holds=not left, text=text)

    def apply(progress: Progress) -> None:
        for name in removable():
            progress(f"       docker image rm {name}")
            run("docker", "image", "rm", name, timeout_seconds=REMOVE_SECONDS, progress=progress)

    return Step(
        title="the images of the lab",
        expected="kept, or gone where that was asked for",
        reason="They are slow to get, and without a network they cannot be got again.",
        hint="docker image rm NAME",
        observe=observe,
        apply=apply,
    )


def noted(runs: Path = PROJECT / "runs") -> dict[str, int]:
    """Limit -> its value before 05_tuning raised it for the first time, out of that notebook's summaries."""
    before: dict[str, int] = {}
    for file in sorted(runs.rglob("summary.json"), key=lambda file: file.stat().st_mtime):
        for name, value in _NOTE.findall(file.read_text(encoding="utf-8", errors="replace")):
            before.setdefault(name, int(value))
    return before


def sysctl_reset(runs: Path = PROJECT / "runs", *, asked: bool, tuned: Tuning | None = None) -> Step:
    """The step: the inotify limits are as before 05_tuning raised them, and the file that keeps them is gone.

    Args:
        runs: where the summaries of 05_tuning are.
        asked: without it they stay.
        tuned: the limits of this machine; None reads them where the kernel shows them.
    """
    limits = tuned or Tuning(settings=TuningSettings())

    def observe() -> Observation:
        if not asked:
            return Observation(holds=True, text="kept: reset_sysctl = False")
        before = noted(runs)
        if not before:
            return Observation(holds=True, text="no summary of 05_tuning tells of a change: left as they are")
        seen = limits.limits()
        raised = [name for name, value in before.items() if seen.value(name) > value]
        text = ", ".join(f"{name} {seen.value(name)}, was {value}" for name, value in before.items())
        return Observation(holds=not raised and not Path(tuning.FILE).exists(), text=text)

    def apply(progress: Progress) -> None:
        limits.before = noted(runs)
        for name in list(limits.before):
            undo = limits.raised(name).undo
            if undo is not None:
                undo(progress)
        try:
            Path(tuning.FILE).unlink(missing_ok=True)
        except PermissionError as error:
            raise StepError("this user may not remove it", source=tuning.FILE, hint=f"sudo rm {tuning.FILE}") from error

    return Step(
        title="the inotify limits",
        expected="kept, or as they were before where that was asked for",
        reason="Higher limits harm nobody, and an editor or another cluster may count on them by now.",
        hint="; ".join(tuning.command(name, value) for name, value in noted(runs).items()) or "nothing to do",
        observe=observe,
        apply=apply,
    )


def _limit(name: str) -> str:
    try:
        return str(Tuning(settings=TuningSettings()).limits().value(name))
    except SrelabError as error:
        return error.message
