"""Phase 07: the app is broken on purpose, the analysis has to find it, and the way back is proved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pandas as pd

from srelab_lib.errors import SettingsError, SrelabError
from srelab_lib.lab.applications import applications_healthy
from srelab_lib.lab.chaos_commit import APPLICATION, CommitBreak, nothing_in_force
from srelab_lib.lab.chaos_image import ImageBreak, proper_image
from srelab_lib.lab.chaos_names import catalogue, named, recorded_only
from srelab_lib.lab.chaos_rca import Report, analysed, first_change, proofs
from srelab_lib.lab.chaos_scenarios import Scenario
from srelab_lib.lab.chaos_signs import answering, baseline, damaged, healthy_since, signs
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.self_heal import self_healing
from srelab_lib.lab.step import Phase, Progress, StepResult
from srelab_lib.settings import check_types

__all__ = ["Chaos", "ChaosSettings", "Experiment", "catalogue", "recorded_only"]

MAX_MINUTES = 5
"""Of the analysed window; it never reaches back to the break before this one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChaosSettings:
    """What 07_chaos is asked to do.

    Attributes:
        scenarios: names of `chaos_scenarios.SCENARIOS` with commas between them, in the order of the runs.
        baseline_seconds: how long the app must have been healthy before it is broken, 60 to 600.
        model: the model's name in Ollama.
        model_deadline_seconds: what the model may take in each analysis; 0 asks none.
        output_dir: where summary.json and the reports go; empty is runs/<UTC>-07_chaos/.
    """

    scenarios: str = "B,A"
    baseline_seconds: int = 90
    model: str = "phi3"
    model_deadline_seconds: int = 0
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        named(self.scenarios)
        if not 60 <= self.baseline_seconds <= 600:
            raise SettingsError(f"baseline_seconds={self.baseline_seconds} is out of range", hint="60 to 600")
        if not 0 <= self.model_deadline_seconds <= 600:
            raise SettingsError(
                f"model_deadline_seconds={self.model_deadline_seconds} is out of range", hint="0 to 600"
            )


class Break(Protocol):
    """A way to break the app: by a commit, or past git."""

    commit: str
    subject: str
    diff: str
    synced_seconds: float

    def inject(self, phase: Phase) -> None:
        """Breaks the app."""

    def undo(self, phase: Phase) -> None:
        """The way back, step by step."""

    def put_back(self, progress: Progress) -> None:
        """The way back in a hurry, without waiting."""


class Experiment:
    """One scenario: break, damage, analysis, way back. Whatever stops it on its way, the break is taken back.

    Attributes:
        scenario: what is done and what has to be found.
        report: of the analysis; empty before it.
    """

    def __init__(self, scenario: Scenario, settings: ChaosSettings, phase: Phase, progress: Progress = print) -> None:
        self.scenario = scenario
        self.report: Report = {}
        self._settings = settings
        self._phase = phase
        self._progress = progress
        self._kubectl = Kubectl()
        self._break: Break = CommitBreak(scenario, scenario.edit) if scenario.edit else ImageBreak()
        self._damage_seconds = self._heal_seconds = 0.0
        self._since = datetime.now(UTC)
        self._signs_before: frozenset[str] = frozenset()

    def wait(self) -> list[StepResult]:
        """A healthy while before the break."""
        with self._told() as results:
            self._phase.verify(baseline(self._kubectl, self._settings.baseline_seconds))
        self._since = healthy_since(self._kubectl) or self._since
        self._signs_before = frozenset(signs(self._kubectl))
        return results

    def inject(self) -> list[StepResult]:
        """Breaks the app."""
        with self._told() as results, self._put_back_when_stopped():
            self._break.inject(self._phase)
        return results

    def damage(self) -> list[StepResult]:
        """Waits until the cluster shows it."""
        clock = time.monotonic()
        with self._told() as results, self._put_back_when_stopped():
            sign, seconds = self.scenario.sign, self.scenario.lasting_seconds
            self._phase.verify(damaged(self._kubectl, sign, seconds, self._signs_before))
        self._damage_seconds = max(time.monotonic() - clock - seconds, 0.0)
        return results

    def analyse(self) -> Report:
        """Runs 06_rca over a window that begins after the app was last unwell."""
        folder, now = self._phase.folder / self.scenario.name, datetime.now(UTC)
        with self._put_back_when_stopped():
            self.report = analysed(
                folder,
                self._minutes(now),
                now,
                self._settings.model,
                self._settings.model_deadline_seconds,
                self._progress,
            )
        return self.report

    def prove(self) -> list[StepResult]:
        """What the report has to say."""
        with self._told() as results, self._put_back_when_stopped():
            for step in proofs(self.report, self.scenario, self._break.commit, self._break.subject):
                self._phase.verify(step)
        return results

    def heal(self) -> list[StepResult]:
        """The way back, and the proof that users get their answers again."""
        clock = time.monotonic()
        with self._told() as results, self._put_back_when_stopped():
            self._break.undo(self._phase)
            self._phase.verify(applications_healthy([APPLICATION]))
            self._phase.verify(answering(self._kubectl))
        self._heal_seconds = time.monotonic() - clock
        return results

    def whole(self) -> list[StepResult]:
        """All of it, one after the other."""
        self._progress(f"{self.scenario.name}: {self.scenario.edit or self.scenario.fault}")
        results = [*self.wait(), *self.inject(), *self.damage()]
        self.analyse()
        return [*results, *self.prove(), *self.heal()]

    @property
    def diff(self) -> str:
        """What was changed, as `git diff` shows it."""
        return self._break.diff

    def row(self) -> dict[str, object]:
        """A line of the table at the end."""
        verdict, commit = self.report.get("verdict") or {}, self._break.commit
        told = first_change(self.report)["commit"] if self.report else ""
        return {
            "scenario": self.scenario.name,
            "commit": f"{commit[:8]} {self._break.subject}" if commit else "none, past git",
            "synced after s": round(self._break.synced_seconds, 1) if commit else None,
            "damage after s": round(self._damage_seconds, 1),
            "verdict": f"{verdict.get('fault')} of {verdict.get('object')}",
            "commit named": ("yes" if told == commit else "no") if commit else "there is none",
            "healed after s": round(self._heal_seconds, 1),
        }

    def _minutes(self, now: datetime) -> int:
        """Whole minutes since the app was well before the break, no more than MAX_MINUTES."""
        lasted = (now - self._since).total_seconds()
        return min(max(int(lasted // 60), 1), MAX_MINUTES)

    @contextmanager
    def _told(self) -> Iterator[list[StepResult]]:
        """A list that holds the block's steps when it has ended."""
        before, results = len(self._phase.results), list[StepResult]()
        yield results
        results += self._phase.results[before:]

    @contextmanager
    def _put_back_when_stopped(self) -> Iterator[None]:
        """Takes the break back on an error and on Ctrl-C; where that fails too, the next run begins with it."""
        try:
            yield
        except BaseException:
            self._progress("       stopped: taking the break back")
            try:
                self._break.put_back(self._progress)
            except SrelabError as error:
                self._progress(f"       not taken back: {error.message}. The next run of 07_chaos begins with it")
            raise


class Chaos:
    """All experiments of a run.

    Attributes:
        experiments: in the order of the parameter.
    """

    def __init__(self, settings: ChaosSettings, phase: Phase, progress: Progress = print) -> None:
        self.experiments = [Experiment(scenario, settings, phase, progress) for scenario in named(settings.scenarios)]
        self._phase = phase
        self._kubectl = Kubectl()

    def healthy(self) -> list[StepResult]:
        """A healthy lab; what an earlier run left behind is taken back."""
        steps = [self_healing(), nothing_in_force(), *proper_image(self._kubectl)]
        done = [self._phase.ensure(step) for step in steps]
        return [*done, self._phase.verify(applications_healthy()), self._phase.verify(answering(self._kubectl))]

    def rest(self) -> list[StepResult]:
        """Every experiment but the first."""
        return [result for experiment in self.experiments[1:] for result in experiment.whole()]

    @property
    def folder(self) -> Path:
        """Where summary.json and the reports are."""
        return self._phase.folder

    def steps(self) -> pd.DataFrame:
        """One row for each step so far."""
        return self._phase.table()

    def table(self) -> pd.DataFrame:
        """One row for each experiment."""
        return pd.DataFrame([experiment.row() for experiment in self.experiments])
