"""The host's two inotify sysctls as steps: read, compared with what the lab asks for, raised only when asked."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from srelab_lib.errors import SettingsError, SrelabError
from srelab_lib.lab import inotify
from srelab_lib.lab.images import nodes
from srelab_lib.lab.inotify import SYSCTLS, WANTED, Limits, Usage
from srelab_lib.lab.step import Observation, Progress, Step, StepError
from srelab_lib.settings import LAB_CLUSTER, check_types

SPARE_INSTANCES = 32
"""What a lab that goes on needs: a node holds 14 to 27, and each `kubectl logs -f` takes one for as long as it runs."""
FILE = "/etc/sysctl.d/99-srelab.conf"
CLUSTER = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningSettings:
    """What 05_tuning is asked to do.

    Attributes:
        apply_sysctl: raise the limits that are too low; without it they are only looked at.
        cluster: the kind cluster whose nodes are asked what they see.
        output_dir: where summary.json goes; empty is runs/<UTC>-05_tuning/.
    """

    apply_sysctl: bool = False
    cluster: str = LAB_CLUSTER
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        if not CLUSTER.fullmatch(self.cluster):
            raise SettingsError(f"cluster={self.cluster!r} is not a cluster's name", hint="for example sre-lab")


@dataclass(kw_only=True, slots=True)
class Tuning:
    """The limits of this machine, or of the virtual machine that the nodes run in.

    Attributes:
        folder: where the kernel shows the two sysctls.
        before: limits that were raised here, as they were.
    """

    settings: TuningSettings
    folder: Path = SYSCTLS
    before: dict[str, int] = field(default_factory=dict)

    def nodes(self) -> list[str]:
        """The cluster's node containers; none where there is no cluster, no kind or no engine."""
        try:
            return nodes(self.settings.cluster)
        except SrelabError:
            return []

    def limits(self) -> Limits:
        """The limits that count for the nodes.

        Raises:
            SourceError: neither this machine nor a node tells them.
        """
        return inotify.limits(next(iter(self.nodes()), ""), self.folder)

    def readable(self) -> Step:
        """The step: the limits can be read."""

        def observe() -> Observation:
            seen = self.limits()
            text = f"{seen.max_user_instances} instances and {seen.max_user_watches} watches for each user"
            return Observation(holds=True, text=f"{text}, read on {seen.where}")

        return Step(
            title="the inotify limits can be read",
            expected="two numbers, of this machine or of a node",
            reason="They are the kernel's, so they hold for everything on it, nodes and pods included.",
            hint=f"{inotify.ELSEWHERE}: run 01_infrastructure.ipynb first",
            observe=observe,
        )

    def by_user(self, seen: Usage) -> pd.DataFrame:
        """One row for each user, with the limits beside what it holds; empty where nothing can be read."""
        try:
            return inotify.user_table(seen, self.limits())
        except SrelabError:
            return pd.DataFrame()

    def most_instances(self) -> int:
        """The limit of instances, for the length of a bar; where it cannot be read, what the lab asks for."""
        try:
            return self.limits().max_user_instances
        except SrelabError:
            return WANTED[inotify.INSTANCES]

    def room(self) -> Step:
        """The step: root, the user of all nodes, is not near its limit of instances."""

        def observe() -> Observation:
            limit = self.limits().max_user_instances
            seen = inotify.usage()
            instances, _ = seen.of_user(0)
            if not instances and seen.unreadable:
                return Observation(holds=False, text="not known: root's processes do not let this user look")
            text = f"root holds {instances} of {limit} instances, {limit - instances} are left"
            return Observation(holds=limit - instances >= SPARE_INSTANCES, text=text)

        return Step(
            title="root has inotify instances to spare",
            expected=f"{SPARE_INSTANCES} or more left",
            reason="All nodes and most pods are the same root for the kernel: what one takes, the others lack.",
            hint="raise max_user_instances, as below; to see what root holds, start Jupyter with sudo",
            observe=observe,
        )

    def raised(self, name: str) -> Step:
        """The step: one of the two limits is at least what the lab asks for. It is never lowered.

        Its way back writes the value of before, where this run has raised it.
        """
        wanted = WANTED[name]

        def observe() -> Observation:
            value = self.limits().value(name)
            text = f"{value}"
            if name in self.before and value != self.before[name]:
                text += f", was {self.before[name]}; back: {command(name, self.before[name])}"
            return Observation(holds=value >= wanted, text=text)

        def apply(progress: Progress) -> None:
            value = self.limits().value(name)
            if value < wanted:
                self.before.setdefault(name, value)
                progress(f"       sysctl fs.inotify.{name}={wanted}, was {value}")
                self._write(name, wanted)

        def undo(progress: Progress) -> None:
            if name in self.before:
                progress(f"       sysctl fs.inotify.{name}={self.before[name]}")
                self._write(name, self.before.pop(name))

        return Step(
            title=f"fs.inotify.{name} is {wanted} or more",
            expected=f"{wanted} or more",
            reason=_REASONS[name],
            hint=f"{command(name, wanted)} (or, as root, 05_tuning with apply_sysctl = True)",
            observe=observe,
            apply=apply,
            undo=undo,
        )

    def seen_by_nodes(self) -> pd.DataFrame:
        """One row for this machine and one for each node: the limits as they are seen there."""
        rows: list[dict[str, str]] = []
        here: list[tuple[str, Callable[[], Limits]]] = [("this machine", lambda: inotify.limits(folder=self.folder))]
        for name, read in here + [(node, _reader(node)) for node in self.nodes()]:
            try:
                seen = read()
                rows.append({"seen from": name} | {limit: str(seen.value(limit)) for limit in WANTED})
            except SrelabError as error:
                rows.append({"seen from": name} | dict.fromkeys(WANTED, error.message))
        return pd.DataFrame(rows, columns=["seen from", *WANTED])

    def _write(self, name: str, value: int) -> None:
        file = self.folder / name
        try:
            file.write_text(f"{value}\n")
        except OSError as error:
            reason = "this user may not" if isinstance(error, PermissionError) else (error.strerror or str(error))
            raise StepError(
                f"fs.inotify.{name} was not changed: {reason}", source=str(file), hint=command(name, value)
            ) from error


def usage() -> Usage:
    """Who holds what now; nothing where there is no /proc."""
    try:
        return inotify.usage()
    except SrelabError:
        return Usage(holders=(), processes=0, unreadable=0)


def coverage(seen: Usage) -> str:
    """How much of the machine a table of holders speaks of."""
    if not seen.processes:
        return "There is no /proc here: the nodes run in Docker's virtual machine, and what is held there is not shown."
    text = f"{seen.processes} processes were looked at."
    if seen.unreadable:
        text += f" {seen.unreadable} of them did not let this user look, and what they hold is missing below."
        text += "" if os.geteuid() == 0 else " With sudo everything is seen."
    return text


def command(name: str, value: int) -> str:
    """What a person types to set a limit until the next start of the machine."""
    if sys.platform == "linux":
        return f"sudo sysctl fs.inotify.{name}={value}"
    return f"docker exec {LAB_CLUSTER}-control-plane sysctl -w fs.inotify.{name}={value}"


def lasting() -> str:
    """What a person types to keep the limits over a restart; nothing of it is run here."""
    lines = "".join(f"fs.inotify.{name} = {value}\\n" for name, value in WANTED.items())
    return f"printf '{lines}' | sudo tee {FILE}\nsudo sysctl --system"


def _reader(node: str) -> Callable[[], Limits]:
    return lambda: inotify.limits_in(node)


_REASONS = {
    inotify.INSTANCES: "Used up, the next watcher fails with 'too many open files', and what needs one crash-loops.",
    inotify.WATCHES: "Used up, the next watch fails with 'no space left on device', on a disk with space.",
}
