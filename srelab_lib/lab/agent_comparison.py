"""What the Job in the cluster found, beside what the notebook found over the same window."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from srelab_lib.lab.agent_job import (
    IMAGE,
    LAB,
    NAMESPACE,
    SHOW_LOG,
    Json,
    config_map,
    environment,
    finished,
    read_log,
    read_report,
)
from srelab_lib.lab.image_list import BUILDS, built
from srelab_lib.lab.images import local_id, side_loaded
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.step import Observation, Phase, Step
from srelab_lib.settings import AGENT_JOB, LAB_CONTEXT

COMPARED = ("outcome", "fault", "object")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRun:
    """A report of the notebook beside the one that the Job made over the same window.

    Attributes:
        notebook: report.json of the notebook.
        job: report.json of the Job, None where it was not run.
        log: everything that the Job wrote, report.md included.
        not_run: why it was not run; empty where it was.
    """

    notebook: Json
    job: Json | None = None
    log: str = ""
    not_run: str = ""

    @property
    def differences(self) -> list[str]:
        """What should be equal and is not, as `fault: notebook oom_killed, Job null`."""
        if self.job is None:
            return []
        ours, theirs = self.notebook["verdict"], self.job["verdict"]
        return [f"{key}: notebook {ours[key]}, Job {theirs[key]}" for key in COMPARED if ours[key] != theirs[key]]

    def comparison(self) -> pd.DataFrame:
        """One row for each of COMPARED, the window and what was not seen: `notebook`, `job`, `equal`."""
        ours, theirs = _told(self.notebook), _told(self.job)
        rows = [(name, ours[name], theirs[name], ours[name] == theirs[name]) for name in ours]
        table = pd.DataFrame(rows, columns=["", "notebook", "job", "equal"]).set_index("")
        return table if self.job is not None else table.iloc[:0]

    def excerpt(self, lines: int = 30) -> str:
        """The log's first lines and its last one; or why there is none."""
        if self.not_run:
            return self.not_run
        told = self.log.splitlines()
        rest = [f"... {len(told) - lines} more lines ...", *told[-1:]] if len(told) > lines else []
        return "\n".join([*told[:lines], *rest])

    def __str__(self) -> str:
        return (
            self.not_run or f"Job {NAMESPACE}/{AGENT_JOB} found the same: {', '.join(map(str, _found(self.notebook)))}"
        )


def as_job(report: Path, phase: Phase, kubectl: Kubectl = LAB) -> JobRun:
    """Runs the Job over the window of a notebook's report.json and compares what both found.

    Not run, with the reason in the result, where there is no live lab or the agent's image was never built.

    Raises:
        StepError: the Job failed, or found something else.
    """
    notebook: Json = json.loads(report.read_text(encoding="utf-8"))
    if reason := why_not(notebook):
        return JobRun(notebook=notebook, not_run=f"Not run: {reason}.")
    [build] = [item for item in BUILDS if item.image == IMAGE]
    phase.ensure(built(build))
    phase.ensure(side_loaded([IMAGE]))
    phase.ensure(finished(environment(notebook), kubectl))
    run = JobRun(notebook=notebook, job=read_report(kubectl), log=read_log(kubectl))
    phase.verify(_logged(run, kubectl))
    phase.verify(_agrees(run))
    return run


def why_not(notebook: Json) -> str:
    """Why the Job cannot analyse what the notebook did; empty where it can."""
    source = notebook["run"]["source"]
    if source["kind"] != "live":
        return f"no live cluster; a recording was analysed ({source.get('incident', '')})"
    if source.get("context") != LAB_CONTEXT:
        return f"the lab creates objects in context {LAB_CONTEXT} alone, and {source.get('context')} was analysed"
    if notebook["run"]["namespace"] != NAMESPACE:
        return f"its ServiceAccount may read namespace {NAMESPACE} alone"
    if not notebook["run"]["settings"]["job_deadline_seconds"]:
        return "job_deadline_seconds is 0"
    if not local_id(IMAGE):
        return f"there is no image {IMAGE} yet, 03_airgap.ipynb builds it"
    return ""


def _logged(run: JobRun, kubectl: Kubectl) -> Step:
    page = config_map(kubectl).get("data", {}).get("report.md", "")

    def observe() -> Observation:
        return Observation(holds=bool(page) and page in run.log, text=f"{len(run.log.splitlines())} lines in its log")

    return Step(
        title="the Job printed its report",
        expected="report.md of the ConfigMap stands in the log",
        reason="Whoever may read logs can read the report.",
        hint=SHOW_LOG,
        observe=observe,
    )


def _agrees(run: JobRun) -> Step:
    def observe() -> Observation:
        same = ", ".join(map(str, _found(run.notebook)))
        return Observation(holds=not run.differences, text="; ".join(run.differences) or same)

    return Step(
        title="the Job found what the notebook found",
        expected=f"the same {', '.join(COMPARED[:-1])} and {COMPARED[-1]}",
        reason="One library and one window give one answer, whoever asks.",
        hint="objects are read as they are now: when something changed in between, run the notebook again",
        observe=observe,
    )


def _found(report: Json) -> list[Any]:
    return [report["verdict"][key] for key in COMPARED if report["verdict"][key]]


def _told(report: Json | None) -> dict[str, str]:
    """What the comparison shows of a report."""
    if report is None:
        return dict.fromkeys((*COMPARED, "window's end", "not seen"), "")
    told = {key: str(report["verdict"][key] or "") for key in COMPARED}
    missing = ", ".join(sorted({item["source"] for item in report["missing"]}))
    return {**told, "window's end": report["run"]["window"]["end"], "not seen": missing}
