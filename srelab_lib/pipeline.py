"""The whole flow on one page: collect, diagnose, render, explain, render again."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from srelab_lib import diagnosis as _diagnosis
from srelab_lib import explanation, reports
from srelab_lib.clients.ollama import OllamaClient
from srelab_lib.errors import SourceError
from srelab_lib.lab.git_clone import REPOSITORY, mirror
from srelab_lib.lab.process import CommandError
from srelab_lib.model import Analysis, Diagnosis, RunInfo, Snapshot
from srelab_lib.redact import redact_text
from srelab_lib.settings import LAB_CONTEXT, Settings, given_folder
from srelab_lib.sources.connect import cluster, connect
from srelab_lib.sources.gitops import Reader, repository_reader
from srelab_lib.sources.snapshot import collect as _collect

Progress = Callable[[str], None]

PROJECT = Path(__file__).resolve().parent.parent
"""The working copy: notebooks/, incidents/ and runs/ lie in it."""

OLLAMA_SERVICE = ("default", "ollama-svc", 80)
LOCAL_OLLAMA = "http://localhost:11434"


def utc_now() -> datetime:
    """The one place where a run asks for the time."""
    return datetime.now(UTC)


def silent(_: str) -> None:
    """Progress for nobody."""


def collect(
    settings: Settings,
    *,
    now: datetime | None = None,
    progress: Progress = silent,
    repository: Path | None = None,
) -> Snapshot:
    """Reads everything that the window holds; the only part that waits.

    Args:
        settings: what to read.
        now: the moment of the run.
        progress: is told of each source.
        repository: a clone of what Argo CD deploys from: changes then have author, subject and diff. In the lab's own
            cluster none is needed: what it deploys from is in it.

    Raises:
        SettingsError: an unknown context or a parameter that fits no source.
        SourceError: the cluster does not answer, or namespace or incident do not exist.
    """
    moment = now or utc_now()
    incidents = PROJECT / "incidents"
    with ExitStack() as stack:
        connection = stack.enter_context(connect(settings, incidents_dir=incidents, now=moment, progress=progress))
        if repository:
            connection = replace(connection, commits=repository_reader(repository))
        elif connection.info.kind == "live" and connection.info.name == LAB_CONTEXT:
            connection = replace(connection, commits=_lab_commits(stack, progress))
        return _collect(connection, progress=progress)


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Ranked candidates, evidence, timeline and verdict. Pure."""
    return _diagnosis.diagnose(snapshot)


def explain(diagnosis: Diagnosis, settings: Settings, *, progress: Progress = silent) -> Analysis:
    """The model's words on a diagnosis, each claim checked; never raises for a model that is slow, down or wrong."""
    with _ollama(settings, diagnosis.snapshot) as client:
        return explanation.explain(
            diagnosis,
            client,
            model=settings.model,
            deadline_seconds=settings.model_deadline_seconds,
            progress=progress,
        )


def render(diagnosis: Diagnosis, settings: Settings, folder: Path, analysis: Analysis | None = None) -> dict[str, Path]:
    """Writes report.html, report.md, report.json and the figures, each whole or not at all.

    Call it before `explain` and again after it: the report is on disk before a model is asked.

    Returns:
        Paths by file name.
    """
    run = RunInfo(settings=_shown(settings), versions=_versions())
    return reports.render(diagnosis, analysis, folder, run=run)


def output_folder(settings: Settings, *, now: datetime | None = None) -> Path:
    """Where a run's files go: `output_dir` as given, or runs/<UTC>-<source>/ in the working copy."""
    if settings.output_dir:
        return given_folder(settings.output_dir)
    return PROJECT / "runs" / f"{now or utc_now():%Y%m%dT%H%M%SZ}-{settings.source}"


def _lab_commits(stack: ExitStack, progress: Progress) -> Reader:
    """A reader of the git server in the lab's cluster, which is copied when the first commit is asked for."""

    @cache
    def copied() -> Reader:
        progress(f"commits: {REPOSITORY}")
        try:
            return repository_reader(stack.enter_context(mirror()))
        except CommandError as error:
            raise SourceError(error.message, source=REPOSITORY, hint=error.hint) from error

    def read(url: str, revision: str, previous: str | None, path: str) -> str:
        return copied()(url, revision, previous, path) if url == REPOSITORY else ""

    return read


@contextmanager
def _ollama(settings: Settings, snapshot: Snapshot) -> Iterator[OllamaClient]:
    """The model server: as given, else the lab's through the API server, else the one of this machine."""
    with ExitStack() as stack:
        if settings.ollama_url or snapshot.source.kind == "incident":
            client = OllamaClient.from_url(settings.ollama_url or LOCAL_OLLAMA)
        else:
            kubernetes = cluster(settings)
            stack.callback(kubernetes.close)
            client = OllamaClient.through(kubernetes, *OLLAMA_SERVICE)
        stack.callback(client.close)
        yield client


def _shown(settings: Settings) -> dict[str, str | int]:
    """The parameters as a report may show them, without secrets."""
    return {name: redact_text(value) if isinstance(value, str) else value for name, value in settings.shown().items()}


def _versions() -> dict[str, str]:
    packages = ("srelab", "pandas", "kubernetes")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
