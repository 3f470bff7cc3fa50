"""Who in the cluster complains of a limit: the nodes' own services, and containers that were started again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from srelab_lib.errors import SourceError, SrelabError
from srelab_lib.lab.exhaustion import named
from srelab_lib.lab.images import nodes
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Observation, Phase, Progress, Step, StepResult
from srelab_lib.lab.ticking import ticking
from srelab_lib.redact import redact_text
from srelab_lib.settings import LAB_CLUSTER

PHRASES = "too many open files|no space left on device|EMFILE|ENOSPC|watch(es|ers)? limit"
SINCE = "1 hour ago"
LINES = 40
MOST_CONTAINERS, ALL_SECONDS, ONE_SECONDS = 20, 60.0, 15.0
COLUMNS = ["who", "limit", "mend", "line"]


def complaints(cluster: str = LAB_CLUSTER) -> pd.DataFrame:
    """One row for each service of a node and each container that names a limit, with its last such line.

    Of a node the journal of the last hour is read; of containers the last lines before they were started again, for at
    most MOST_CONTAINERS, and for ALL_SECONDS in all; `attrs["unread"]` counts those that were left out.

    Raises:
        SourceError: no cluster, or it could not be asked.
        CommandError: docker, kind or kubectl failed.
    """
    names = nodes(cluster)
    if not names:
        raise SourceError(f"there is no kind cluster {cluster!r}", hint="run 01_infrastructure.ipynb first")
    found: dict[tuple[str, str], dict[str, str]] = {}
    restarted, unread = _restarted(cluster)
    for who, line in [*(pair for node in names for pair in _journal(node)), *restarted]:
        meaning = named(line)
        if meaning is not None:
            row = {"who": who, "limit": meaning.limit, "mend": meaning.mend, "line": redact_text(line.strip()[:300])}
            found[who, meaning.limit] = row
    table = pd.DataFrame(list(found.values()), columns=COLUMNS)
    table.attrs["unread"] = unread
    return table


@dataclass(kw_only=True, slots=True)
class Search:
    """One look through a cluster, as a step and as a table.

    Attributes:
        found: what the step saw; empty before it.
    """

    cluster: str = LAB_CLUSTER
    found: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))

    def look(self, phase: Phase, *, progress: Progress = print) -> StepResult:
        """Checks the step, and says that it is at it: some seconds for each node."""
        with ticking(progress, "reading the nodes' journals and the logs of restarted containers"):
            return phase.check(self.nobody())

    def nobody(self) -> Step:
        """The step: no node and no restarted container has named a limit lately."""

        def observe() -> Observation:
            self.found = complaints(self.cluster)
            words = [f"{row['who']}: {row['limit']}" for row in self.found.to_dict("records")]
            unread = self.found.attrs["unread"]
            left = f"; {unread} restarted containers were not read" if unread else ""
            return Observation(holds=not words, text=("; ".join(words) or "no line names a limit") + left)

        return Step(
            title="no node and no restarted container complains of a limit",
            expected=f"no such line since {SINCE}",
            reason="Such a line comes once, before a crash; afterwards only CrashLoopBackOff is to be seen.",
            hint="the table of complaints names the limit of each line and the command that raises it",
            observe=observe,
        )


def _journal(node: str) -> Iterator[tuple[str, str]]:
    script = f"journalctl --quiet --no-pager --output short --since '{SINCE}' | grep -iE '{PHRASES}' | tail -n {LINES}"
    for line in run("docker", "exec", node, "sh", "-c", script, timeout_seconds=ONE_SECONDS).splitlines():
        service = line.split()[4].split("[")[0].rstrip(":") if len(line.split()) > 4 else ""
        yield f"{node} {service}".strip(), line


def _restarted(cluster: str) -> tuple[list[tuple[str, str]], int]:
    """Lines by container, and how many containers were not read."""
    kubectl = Kubectl(context=f"kind-{cluster}")
    clock = time.monotonic()
    candidates = list(_candidates(kubectl.items("pods", "--all-namespaces")))
    found: list[tuple[str, str]] = []
    for position, (namespace, pod, container) in enumerate(candidates):
        if position == MOST_CONTAINERS or time.monotonic() - clock > ALL_SECONDS:
            return found, len(candidates) - position
        where = ("--namespace", namespace, pod, "--container", container)
        try:
            text = kubectl("logs", *where, "--previous", f"--tail={LINES}", timeout_seconds=ONE_SECONDS)
        except SrelabError:
            continue  # the log of the run before is gone
        found += [(f"{namespace}/{pod} {container}", line) for line in text.splitlines()]
    return found, 0


def _candidates(pods: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Containers that were started again, those with most restarts first."""
    counts = [
        (status["restartCount"], pod["metadata"]["namespace"], pod["metadata"]["name"], status["name"])
        for pod in pods
        for kind in ("containerStatuses", "initContainerStatuses")
        for status in pod.get("status", {}).get(kind) or ()
        if status.get("restartCount")
    ]
    return (entry[1:] for entry in sorted(counts, reverse=True))
