"""Which limit an error message means, and a child process that runs into each of them without hurting anybody."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from srelab_lib.errors import SourceError
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Observation, Step

CHILD = Path(__file__).with_name("exhaustion_child.py")
CHILD_SECONDS = 30
INSTANCES, WATCHES, DESCRIPTORS = "inotify instances", "inotify watches", "open files of one process"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What an error message says about a limit.

    Attributes:
        limit: what has run out.
        call: the system call that fails, and with which error.
        mend: what gives more of it.
    """

    limit: str
    call: str
    mend: str


MEANINGS = {
    INSTANCES: Meaning(
        limit=INSTANCES,
        call="inotify_init1 gives EMFILE",
        mend="sudo sysctl fs.inotify.max_user_instances=512",
    ),
    WATCHES: Meaning(
        limit=WATCHES,
        call="inotify_add_watch gives ENOSPC",
        mend="sudo sysctl fs.inotify.max_user_watches=524288",
    ),
    DESCRIPTORS: Meaning(
        limit=DESCRIPTORS,
        call="open, socket and others give EMFILE",
        mend="close what is not needed; ulimit -n, or LimitNOFILE of the service",
    ),
}

_EMFILE = re.compile(r"too many open files|\bEMFILE\b", re.IGNORECASE)
_ENOSPC = re.compile(
    r"no space left on device|\bENOSPC\b|watch(?:es|ers)? limit|number of file watchers", re.IGNORECASE
)
_WATCHING = re.compile(r"inotify|fsnotify|\bwatch(?:er|ers|es|ing)?\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One limit, reached on purpose in the child.

    Attributes:
        limit: which.
        call: the system call that was repeated.
        allowed: what the limit was set to, for the child alone.
        succeeded: how often it went well; -1 where it could not be tried.
        error: name of the error, such as EMFILE.
        message: what a program says then.
        open_files: descriptors that the child held at that moment.
    """

    limit: str
    call: str
    allowed: int
    succeeded: int
    error: str
    message: str
    open_files: int

    @property
    def tried(self) -> bool:
        """Whether the limit could be reached here at all."""
        return self.succeeded >= 0


def named(message: str) -> Meaning | None:
    """Which limit a log line complains of; None when of none.

    "too many open files" has two meanings: with a word on watching it is the user's inotify instances, without one it
    is the process's own descriptors. "no space left on device" needs a word on watching, else a disk is full.
    """
    watching = _WATCHING.search(message) is not None
    if _EMFILE.search(message):
        return MEANINGS[INSTANCES if watching else DESCRIPTORS]
    return MEANINGS[WATCHES] if watching and _ENOSPC.search(message) else None


def trials() -> list[Trial]:
    """Starts the child and lets it reach each limit.

    Its limits on inotify hold in a user namespace that only the child is in, those on descriptors in the child alone:
    both end with it. Meanwhile it takes at most 4 instances and 8 watches of this user's.

    Raises:
        SourceError: the child told nothing that can be read.
        CommandError, DeadlineError: it failed, or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="srelab-inotify-") as folder:
        answer = run(sys.executable, "-I", str(CHILD), folder, timeout_seconds=CHILD_SECONDS)
    try:
        return [Trial(**item) for item in json.loads(answer)]
    except (ValueError, TypeError) as error:
        raise SourceError("the scratch process gave no result", source=CHILD.name) from error


def table(done: list[Trial]) -> pd.DataFrame:
    """One row for each limit: how far the child came, and in which words it failed."""
    rows = [
        {
            "limit": trial.limit,
            "allowed": trial.allowed,
            "went well": trial.succeeded if trial.tried else "not tried",
            "the next call": f"{trial.call}: {trial.error}" if trial.tried else trial.call,
            "message": trial.message,
            "files open then": trial.open_files,
        }
        for trial in done
    ]
    columns = ["limit", "allowed", "went well", "the next call", "message", "files open then"]
    return pd.DataFrame(rows, columns=columns)


def named_table(*messages: str) -> pd.DataFrame:
    """One row for each log line: the limit that it names, and what gives more of it."""
    rows = []
    for message in messages:
        meaning = named(message)
        limit, mend = (meaning.limit, meaning.mend) if meaning else ("none of these", "")
        rows.append({"log line": message, "limit": limit, "what mends it": mend})
    return pd.DataFrame(rows, columns=["log line", "limit", "what mends it"])


def reproduced(done: list[Trial]) -> Step:
    """The step: each limit that can be tried here ended in the error that the message means."""
    errors = {INSTANCES: "EMFILE", WATCHES: "ENOSPC", DESCRIPTORS: "EMFILE"}

    def observe() -> Observation:
        tried = [trial for trial in done if trial.tried]
        words = [f"{trial.limit}: {trial.error} after {trial.succeeded}" for trial in tried]
        words += [f"{trial.limit}: not tried, {trial.message}" for trial in done if not trial.tried]
        right = all(trial.error == errors[trial.limit] and trial.succeeded <= trial.allowed for trial in tried)
        return Observation(holds=bool(tried) and right, text="; ".join(words))

    return Step(
        title="the errors are reproduced in a scratch process",
        expected="EMFILE for instances, ENOSPC for watches, EMFILE for descriptors",
        reason="Two limits share one message, and one limit has a message that speaks of something else.",
        hint="a security profile may forbid namespaces or inotify: run the notebook outside of a container",
        observe=observe,
    )
