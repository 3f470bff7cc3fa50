"""06_rca run headless, as somebody on call would, and what its report has to say of a break."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from srelab_lib.errors import SourceError
from srelab_lib.lab.chaos_scenarios import Scenario
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.step import PROJECT, Observation, Progress, Step
from srelab_lib.lab.ticking import ticking
from srelab_lib.settings import LAB_CONTEXT

NOTEBOOK = "notebooks/06_rca.ipynb"
RCA_SECONDS = 300

Report = dict[str, Any]


def analysed(
    folder: Path, minutes: int, end: datetime, model: str, model_deadline_seconds: int, progress: Progress
) -> Report:
    """Runs 06_rca on the last minutes of the live cluster and reads its report.

    The window ends when it was asked for: on a busy machine 06 needs most of a minute to begin, and a window that ended
    then would have left the break behind. Its Job is left out: 06 by itself shows that the Job finds the same.

    Raises:
        SourceError: the notebook failed, or wrote no report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "source": "live",
        "context": LAB_CONTEXT,
        "minutes": minutes,
        "end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "model": model,
        "model_deadline_seconds": model_deadline_seconds,
        "job_deadline_seconds": 0,
        "output_dir": str(folder),
    }
    flags = [
        text for name, value in values.items() for text in ("-p" if isinstance(value, int) else "-r", name, str(value))
    ]
    command = (sys.executable, "-m", "papermill", str(PROJECT / NOTEBOOK), str(folder / "06_rca.ipynb"))
    progress(f"       papermill {NOTEBOOK}: live, the {minutes} minutes to {end:%H:%M:%S} UTC")
    try:
        with ticking(progress, NOTEBOOK):
            run(*command, "--no-progress-bar", *flags, timeout_seconds=RCA_SECONDS + model_deadline_seconds)
    except CommandError as error:
        raise SourceError(
            f"{NOTEBOOK} failed: {error.output[-500:]}", source=NOTEBOOK, hint=f"see {folder / '06_rca.ipynb'}"
        ) from error
    return read_report(folder / "report.json")


def read_report(path: Path) -> Report:
    """report.json, parsed.

    Raises:
        SourceError: it is not there or no JSON.
    """
    try:
        report: Report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError("the analysis left no report", source=str(path)) from error
    return report


def proofs(report: Report, scenario: Scenario, commit: str, subject: str) -> list[Step]:
    """The steps: fault and object, the change, what is cited, and the commit where there is one."""
    verdict, change = report["verdict"], first_change(report)
    found = f"{verdict['fault'] or verdict['outcome']} of {verdict['object'] or 'nothing'}"
    wanted = f"{scenario.fault} of {scenario.object}"
    cited = next((item["text"] for item in report["evidence"] if re.search(scenario.cites, item["text"])), "")
    steps = [
        _proof("the analysis names fault and object", wanted, found, lambda text: text == wanted),
        _proof("it names the change", scenario.change, told_change(change), lambda text: _has(scenario.change, text)),
        _proof("it cites the sign", scenario.cites, cited, bool),
    ]
    if commit:
        pushed, named = (
            f"{sha[:8]} {words}" for sha, words in ((commit, subject), (change["commit"], subject_of(change)))
        )
        steps.append(_proof("it names the commit", pushed, named.strip() or "no commit", lambda text: text == pushed))
    return steps


def first_change(report: Report) -> dict[str, str]:
    """The change that the first candidate began with; empty texts where it names none."""
    change = report["candidates"][0]["change"] if report["candidates"] else None
    return change or {"text": "", "commit": "", "diff": ""}


def told_change(change: dict[str, str]) -> str:
    """The change in words, and the lines of its commit: of a Service, the cluster keeps no earlier value."""
    lines = re.findall(r"^[+-](?![+-]{2}).*\S", change["diff"], re.MULTILINE)
    return f"{change['text']}; its commit: {', '.join(lines)}" if lines else change["text"]


def subject_of(change: dict[str, str]) -> str:
    """The subject of the change's commit, as the report has it."""
    match = re.search(r"^subject (.*)$", change["diff"], re.MULTILINE)
    return match[1] if match else ""


def _has(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def _proof(title: str, expected: str, observed: str, holds: Callable[[str], bool]) -> Step:
    def observe() -> Observation:
        return Observation(holds=holds(observed), text=(observed or "nothing")[:400])

    return Step(
        title=title,
        expected=expected,
        reason="An analysis that misses what was just broken would miss it at three in the morning, too.",
        hint="read report.html in the scenario's folder: its candidates, and what was not seen",
        observe=observe,
    )
