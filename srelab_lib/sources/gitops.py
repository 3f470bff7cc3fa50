"""Which commits Argo CD rolled out, and what they changed, where their repository is at hand."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from srelab_lib.clients.deadline import Deadline
from srelab_lib.errors import SourceError
from srelab_lib.model import object_ref
from srelab_lib.redact import redact_text

Raw = Mapping[str, Any]
Reader = Callable[[str, str, str | None, str], str]
"""Repository URL, revision, the one before or None, path -> `git log -p` of what lies between; empty when unknown."""

MAX_BYTES = 32 * 1024
"""Of the commits of one deployment; what is longer is cut, and says so."""
GIT_SECONDS = 10.0
MAX_COMMITS = 20
_SHA = re.compile(r"[0-9a-f]{7,64}")
_FORMAT = "commit %H%nauthor %an%ndate %aI%nsubject %s%n"
_HEADER = re.compile(r"commit (?P<sha>[0-9a-f]+)\nauthor (?P<author>.*)\ndate (?P<date>.*)\nsubject (?P<subject>.*)\n")
# No configuration of the machine or of its user, and no prompt.
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}


def deployments(applications: Sequence[Raw], read: Reader) -> list[dict[str, Any]]:
    """Argo CD's history, oldest first, with what each deployment changed.

    Only `status.history` is used: `status.sync.revision` moves to HEAD also when nothing of the application changed.

    Returns:
        For each deployment: application (ref), revision, previous, started_at, deployed_at, repository, path, resources
        (refs of the objects that the application manages), author, subject, committed_at, diff.
    """
    found = [item for application in applications for item in _history(application, read)]
    return sorted(found, key=lambda item: (item["deployed_at"], item["application"]))


def _history(application: Raw, read: Reader) -> list[dict[str, Any]]:
    meta, status = application.get("metadata") or {}, application.get("status") or {}
    ref = object_ref("Application", meta.get("namespace") or "", meta.get("name") or "")
    resources = tuple(
        object_ref(item.get("kind") or "", item.get("namespace") or "", item.get("name") or "")
        for item in status.get("resources") or ()
    )
    found: list[dict[str, Any]] = []
    previous: str | None = None
    for entry in sorted(status.get("history") or (), key=lambda entry: entry.get("id", 0)):
        revision = entry.get("revision") or next(iter(entry.get("revisions") or ()), "")
        source: Raw = entry.get("source") or next(iter(entry.get("sources") or ()), {})
        url, path = source.get("repoURL") or "", source.get("path") or "."
        found.append({
            "application": ref,
            "revision": revision,
            "previous": previous,
            "started_at": entry.get("deployStartedAt") or entry.get("deployedAt") or "",
            "deployed_at": entry.get("deployedAt") or "",
            "repository": url,
            "path": path,
            "resources": resources,
            **_commit(read(url, revision, previous, path)),
        })  # fmt: skip
        previous = revision
    return found


def _commit(text: str) -> dict[str, str]:
    """Author, subject and time of the newest commit, and the whole text as the diff."""
    match = _HEADER.match(text)
    if match is None:
        return {"author": "", "subject": "", "committed_at": "", "diff": text}
    return {"author": match["author"], "subject": match["subject"], "committed_at": match["date"], "diff": text}


def no_repository(_url: str, _revision: str, _previous: str | None, _path: str) -> str:
    """A reader for where there is no repository."""
    return ""


def repository_reader(repository: Path, *, seconds: float = GIT_SECONDS) -> Reader:
    """A reader of a local clone, bounded in all: time, commits and bytes; what it gives is redacted.

    Raises (the reader):
        SourceError: git is not there, or the clone does not answer in time. A revision that the clone does not have is
            no error: nothing is known of it.
    """
    deadline = Deadline(seconds)

    def read(_url: str, revision: str, previous: str | None, path: str) -> str:
        if not _SHA.fullmatch(revision) or (previous and not _SHA.fullmatch(previous)) or not _is_inside(path):
            return ""
        commits = f"{previous}..{revision}" if previous else revision
        count = MAX_COMMITS if previous else 1
        text = _git(repository, deadline, "log", "-p", f"-n{count}", f"--format={_FORMAT}", commits, "--", path)
        if not text and previous:  # back to an earlier commit
            text = _git(repository, deadline, "log", "-n1", f"--format={_FORMAT}", revision, "--")
            text += _git(repository, deadline, "diff", previous, revision, "--", path)
        return redact_text(text)

    return read


def _is_inside(path: str) -> bool:
    return not path.startswith(("/", ":")) and ".." not in path.split("/")


def _git(repository: Path, deadline: Deadline, command: str, *arguments: str) -> str:
    """What git writes, at most MAX_BYTES of it; empty when it fails."""
    deadline.check("git")
    options = ["--no-ext-diff", "--no-textconv", "--no-color"]
    line = [
        "git",
        "-C",
        str(repository),
        "--no-pager",
        "-c",
        f"safe.directory={repository.resolve()}",
        command,
        *options,
    ]
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and every argument is checked
            [*line, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)},
        )
    except OSError as error:
        raise SourceError(f"git cannot be run: {error}", source="git", hint="install git") from error
    with process:
        return _output(process, deadline)


def _output(process: subprocess.Popen[bytes], deadline: Deadline) -> str:
    """A timer ends the process when the time is up, and with it the read."""
    timer = threading.Timer(deadline.remaining(), process.kill)
    timer.start()
    written = process.stdout.read(MAX_BYTES + 1) if process.stdout else b""
    timer.cancel()
    deadline.check("git")
    if len(written) > MAX_BYTES:
        process.kill()
        return written[:MAX_BYTES].decode(errors="replace") + f"\n[cut after {MAX_BYTES} bytes]\n"
    return written.decode(errors="replace") if process.wait() == 0 else ""
