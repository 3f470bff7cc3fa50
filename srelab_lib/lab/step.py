"""A phase of the lab as steps: what is expected, what was observed, why it matters, what to do when it is not so."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pandas as pd

from srelab_lib.errors import SrelabError
from srelab_lib.redact import redact_text
from srelab_lib.settings import given_folder

Progress = Callable[[str], None]
Status = Literal["already", "done", "holds", "failed", "warning", "interrupted"]

PROJECT = Path(__file__).resolve().parents[2]
"""The working copy."""
SUMMARY_VERSION = 1
POLL_SECONDS = 1.0
QUIET_SECONDS = 2.0
"""Whatever takes longer than this says so, with the time that has passed."""
REPEAT_SECONDS = 15.0
"""How often an unchanged observation is said again."""


class StepError(SrelabError):
    """A step does not hold. The hint says what a person can do about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What is the case now, in a few words ("2 of 3 nodes Ready"), and whether that is what was expected."""

    holds: bool
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that shall be so.

    Attributes:
        title: the step as a sentence that is true when it holds ("three nodes are Ready").
        expected: what `observe` says then.
        reason: why the lab needs it.
        hint: what a person does when it does not hold: a command where there is one.
        observe: looks, changes nothing, answers within seconds. A SrelabError in it counts as "does not hold".
        apply: makes it so; safe to call again after it was cut short. None: it can only be looked at.
        undo: the way back; safe on what is not there.
        timeout_seconds: how long `observe` may need to hold; it is asked once more after that.
    """

    title: str
    expected: str
    reason: str
    hint: str
    observe: Callable[[], Observation]
    apply: Callable[[Progress], None] | None = None
    undo: Callable[[Progress], None] | None = None
    timeout_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """How a step went; a line of `summary.json`, and a line in a notebook."""

    action: Literal["ensure", "verify", "check", "reset"]
    title: str
    status: Status
    observed: str
    expected: str
    reason: str
    hint: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the step holds now."""
        return self.status in {"already", "done", "holds"}

    def __str__(self) -> str:
        hint = "" if self.ok else f" Expected: {self.expected}. {self.hint}"
        return f"{_SIGNS[self.status]} {self.title}: {self.observed} ({self.status}, {self.seconds:.1f} s){hint}"

    def _repr_markdown_(self) -> str:
        return str(self).replace("`", "").replace("<", "&lt;")


_SIGNS: dict[Status, str] = {
    "already": "✔",
    "done": "✔",
    "holds": "✔",
    "failed": "✘",
    "warning": "!",
    "interrupted": "✘",
}


def phase_folder(name: str, output_dir: str = "", *, now: datetime | None = None) -> Path:
    """Where a phase's files go: `output_dir` as given, or runs/<UTC>-<name>/ in the working copy."""
    if output_dir:
        return given_folder(output_dir)
    return PROJECT / "runs" / f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"


class Phase:
    """The steps of one notebook run. `summary.json` in `folder` is true after each of them, also when cut short.

    Args:
        name: the notebook's name without ending.
        folder: where `summary.json` goes; created.
        progress: is told of whatever takes longer than two seconds.
    """

    def __init__(self, name: str, folder: Path, *, progress: Progress = print) -> None:
        self.name = name
        self.folder = folder
        self.results: list[StepResult] = []
        self._progress = progress
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        self._write()

    def ensure(self, step: Step) -> StepResult:
        """Makes the step hold; does nothing where it holds already.

        Raises:
            StepError: it does not hold, even after `apply` and the step's time.
        """
        with self._recorded("ensure", step) as note:
            seen = _look(step)
            if seen.holds:
                return note("already", seen.text)
            if step.apply is None:
                return note("failed", seen.text)
            step.apply(self._progress)
            seen = wait_for(step, self._progress)
            return note("done" if seen.holds else "failed", seen.text)

    def verify(self, step: Step) -> StepResult:
        """Looks, and gives the step its time; changes nothing.

        Raises:
            StepError: it does not hold.
        """
        with self._recorded("verify", step) as note:
            seen = wait_for(step, self._progress)
            return note("holds" if seen.holds else "failed", seen.text)

    def check(self, step: Step) -> StepResult:
        """Looks once and goes on: what does not hold is a warning."""
        with self._recorded("check", step) as note:
            seen = _look(step)
            return note("holds" if seen.holds else "warning", seen.text)

    def reset(self, step: Step) -> StepResult:
        """Goes the step's way back; harmless where there is nothing to undo.

        Raises:
            StepError: it still holds afterwards.
        """
        with self._recorded("reset", step) as note:
            if step.undo is not None:
                step.undo(self._progress)
            seen = _look(step)
            return note("failed" if seen.holds else "done", seen.text)

    def table(self) -> pd.DataFrame:
        """One row for each step so far."""
        columns = ["action", "title", "status", "observed", "expected", "reason", "hint", "seconds"]
        return pd.DataFrame([asdict(result) for result in self.results], columns=columns)

    @property
    def status(self) -> str:
        """`failed` when any step did, else `ok`."""
        return "failed" if any(result.status in {"failed", "interrupted"} for result in self.results) else "ok"

    @contextmanager
    def _recorded(self, action: Literal["ensure", "verify", "check", "reset"], step: Step) -> Iterator[_Note]:
        note = _Note(action, step)
        try:
            yield note
        except KeyboardInterrupt:
            note("interrupted", "stopped by the user; run the notebook again, it goes on from here")
            raise
        except SrelabError as error:
            note("failed", redact_text(error.message))
            error.hint = "\n".join(dict.fromkeys(filter(None, (error.hint, step.hint))))
            raise
        finally:
            if note.result is not None:
                self.results.append(note.result)
            self._write()
        if note.result is not None and note.result.status == "failed":
            raise StepError(
                f"{step.title}: expected {step.expected}, observed {note.result.observed}. {step.reason}",
                source=self.name,
                hint=step.hint,
            )

    def _write(self) -> None:
        summary = {
            "schema_version": SUMMARY_VERSION,
            "notebook": self.name,
            "status": self.status,
            "started": self._started.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "seconds": round(time.monotonic() - self._clock, 1),
            "steps": [asdict(result) for result in self.results],
        }
        target = self.folder / "summary.json"
        draft = target.with_suffix(".json.part")
        draft.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(target)


class _Note:
    """Takes down how the one step went that it was made for."""

    def __init__(self, action: Literal["ensure", "verify", "check", "reset"], step: Step) -> None:
        self.result: StepResult | None = None
        self._action = action
        self._step = step
        self._clock = time.monotonic()

    def __call__(self, status: Status, observed: str) -> StepResult:
        step = self._step
        self.result = StepResult(
            action=self._action,
            title=step.title,
            status=status,
            observed=redact_text(observed),
            expected=step.expected,
            reason=step.reason,
            hint=step.hint,
            seconds=round(time.monotonic() - self._clock, 2),
        )
        return self.result


def wait_for(step: Step, progress: Progress) -> Observation:
    """Looks until the step holds or its time is up, and says what it waits for."""
    clock = time.monotonic()
    said, said_at = "", clock
    while True:
        seen = _look(step)
        now = time.monotonic()
        if seen.holds or now - clock >= step.timeout_seconds:
            return seen
        if now - clock >= QUIET_SECONDS and (seen.text != said or now - said_at >= REPEAT_SECONDS):
            progress(redact_text(f"{now - clock:4.0f} s  {step.title}: {seen.text}"))
            said, said_at = seen.text, now
        time.sleep(POLL_SECONDS)


def _look(step: Step) -> Observation:
    try:
        return step.observe()
    except SrelabError as error:
        return Observation(holds=False, text=error.message)
