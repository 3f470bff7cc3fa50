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
    """Argo CD's history and the sync that failed since, oldest first, with what each deployment changed.

    `status.sync.revision` is not used: it moves to HEAD also when nothing of the application changed.

    Returns:
        For each deployment: application (ref), revision, previous, started_at, deployed_at, repository, path, resources
        (refs of the objects that the application manages, its hooks too), pruned (refs of those that it deleted),
        failed, and of the newest commit that touched its path commit, author, subject, committed_at, with the diff of
        all of them. The revision is another one where the newest commit of all touched something else. Where the
        repository is not at hand, it is the commit; where nothing touched the path, there is none.
    """
    found = [item for application in applications for item in _deployed(application, read)]
    return sorted(found, key=lambda item: (item["deployed_at"], item["application"]))


def _deployed(application: Raw, read: Reader) -> list[dict[str, Any]]:
    meta, status = application.get("metadata") or {}, application.get("status") or {}
    operation = status.get("operationState") or {}
    synced = operation.get("syncResult") or {}
    handled = synced.get("resources") or ()
    history = sorted(status.get("history") or (), key=lambda entry: entry.get("id", 0))
    about = {
        "application": object_ref("Application", meta.get("namespace") or "", meta.get("name") or ""),
        "resources": _refs([*(status.get("resources") or ()), *(one for one in handled if one.get("hookType"))]),
    }
    pruned = _refs([one for one in handled if one.get("status") == "Pruned"])
    found: list[dict[str, Any]] = []
    entries = [*history, *_failed(operation, history)]
    for entry in entries:
        revision = entry.get("revision") or next(iter(entry.get("revisions") or ()), "")
        source: Raw = entry.get("source") or next(iter(entry.get("sources") or ()), {})
        url, path = source.get("repoURL") or "", source.get("path") or "."
        previous = found[-1]["revision"] if found else None
        told = _commit(read(url, revision, previous, path))
        found.append({
            **about,
            "revision": revision,
            "previous": previous,
            "started_at": entry.get("deployStartedAt") or entry.get("deployedAt") or "",
            "deployed_at": entry.get("deployedAt") or "",
            "repository": url,
            "path": path,
            "pruned": pruned if entry is entries[-1] and revision == synced.get("revision") else (),
            "failed": "failed" in entry,
            **told,
        })  # fmt: skip
    at_hand = any(item["diff"] for item in found)
    return found if at_hand else [{**item, "commit": item["revision"]} for item in found]


def _failed(operation: Raw, history: Sequence[Raw]) -> list[dict[str, Any]]:
    """The last sync as an entry of the history, where it failed: the history has only those that went well."""
    synced = operation.get("syncResult") or {}
    if operation.get("phase") not in ("Failed", "Error") or not synced.get("revision"):
        return []
    if history and history[-1].get("revision") == synced["revision"]:
        return []
    times = {"deployStartedAt": operation.get("startedAt"), "deployedAt": operation.get("finishedAt")}
    return [{**synced, **times, "failed": True}]


def _refs(items: Sequence[Raw]) -> tuple[str, ...]:
    return tuple(object_ref(x.get("kind") or "", x.get("namespace") or "", x.get("name") or "") for x in items)


def _commit(text: str) -> dict[str, str]:
    """Hash, author, subject and time of the newest commit, and the whole text as the diff."""
    found = match.groupdict() if (match := _HEADER.match(text)) else dict.fromkeys(_HEADER.groupindex, "")
    about = {"commit": found["sha"], "author": found["author"], "subject": found["subject"]}
    return {**about, "committed_at": found["date"], "diff": text}


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
            back = _git(repository, deadline, "diff", previous, revision, "--", path)
            text = (
                _git(repository, deadline, "log", "-n1", f"--format={_FORMAT}", revision, "--") + back if back else ""
            )
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
