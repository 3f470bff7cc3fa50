"""Phase 99: everything of one lab is removed, in an order that works on a half-built one too, and looked for again."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from srelab_lib.errors import SrelabError
from srelab_lib.lab import egress
from srelab_lib.lab.airgap_probes import OUTSIDE, remove_outside
from srelab_lib.lab.cluster import check_name
from srelab_lib.lab.leftovers import KINDS, Leftover, ask_docker, leftovers, listening, processes, table
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.step import Observation, Progress, Step, StepError
from srelab_lib.lab.terraform import Terraform
from srelab_lib.lab.terraform_state import FOLDER, files, resources
from srelab_lib.settings import LAB_CLUSTER, check_types

REMOVE_SECONDS = 180.0
FINISH_SECONDS = 90.0
"""What a Terraform or kind that is at work gets to finish in order."""
END_SECONDS = 5.0
DIRECT = ("container", "network", "volume", "kubeconfig entry")
"""What is removed by its own command where Terraform has left it, in this order: a network has to be empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanupSettings:
    """What 99_cleanup is asked to do.

    Attributes:
        cluster_name: the lab that is removed; nothing of any other is touched.
        remove_images: remove the lab's images from this machine's engine too.
        reset_sysctl: set the inotify limits back to what they were before 05_tuning raised them.
        output_dir: where summary.json goes; empty is runs/<UTC>-99_cleanup/.
    """

    cluster_name: str = LAB_CLUSTER
    remove_images: bool = False
    reset_sysctl: bool = False
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        check_name(self.cluster_name)


@dataclass(kw_only=True, slots=True)
class Cleanup:
    """The end of one lab, as steps; each is harmless on what is gone already.

    Attributes:
        folder: where main.tf is.
        found: what was there at the first look.
    """

    settings: CleanupSettings
    folder: Path = FOLDER
    found: list[Leftover] = field(default_factory=list)
    _refused: str = ""

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.settings.cluster_name

    def look(self) -> pd.DataFrame:
        """What is there now; it is remembered, to be looked for again at the end."""
        self.found = leftovers(self.name, self.folder)
        return table(self.found)

    def processes_ended(self) -> Step:
        """The step: no program works on this lab any more."""

        def observe() -> Observation:
            found = processes(self.name)
            words = "; ".join(f"{number}: {command[:60]}" for number, command in found.items())
            return Observation(
                holds=not found, text=words or "no port-forward, no Terraform, no kind, no scratch process"
            )

        def apply(progress: Progress) -> None:
            for number, command in processes(self.name).items():
                progress(f"       ending process {number}: {command[:80]}")
                end_process(number, command)

        return Step(
            title="no process of the lab runs",
            expected="none",
            reason="A Terraform at work would build what is removed here; a port-forward would keep a port.",
            hint="kill NUMBER, with sudo where it is another user's",
            observe=observe,
            apply=apply,
        )

    def proof_undone(self) -> Step:
        """The step: nothing is left of a proof of the air gap or of a model being made that was killed."""
        kinds = ("firewall rule", "namespace")

        def mine() -> list[Leftover]:
            found = leftovers(self.name, self.folder)
            return [item for item in found if item.kind in kinds or item.remove.startswith("docker rm ")]

        def observe() -> Observation:
            found = mine()
            return Observation(holds=not found, text=", ".join(item.name for item in found) or "no rule, no helper")

        def apply(progress: Progress) -> None:
            for item in mine():
                if item.kind == "firewall rule":
                    egress.restore(self.name)
                elif item.name == OUTSIDE:
                    remove_outside()
                else:
                    _by_command(item, progress)

        return Step(
            title="no cut of egress and no helper container is left",
            expected="no SRELAB-EGRESS rule, no namespace, no container beside the nodes",
            reason="A helper on the lab's network would keep the network.",
            hint="docker rm --force NAME",
            observe=observe,
            apply=apply,
        )

    def destroyed(self) -> Step:
        """The step: Terraform has destroyed what is in its state. Where it cannot, the next step does it directly."""

        def observe() -> Observation:
            if self._refused:
                return Observation(holds=True, text=f"not by Terraform, the rest is removed directly: {self._refused}")
            held = resources(Terraform(cluster=self.name, folder=self.folder).state)
            text = ", ".join(item["name"] for item in held) if held else "nothing is in the state"
            return Observation(holds=not held, text=text)

        def apply(progress: Progress) -> None:
            try:
                Terraform(cluster=self.name, folder=self.folder).destroy(progress)
            except SrelabError as error:
                self._refused = error.message

        return Step(
            title="terraform destroy",
            expected="nothing is in the state",
            reason="What Terraform made it also removes, in the reverse order.",
            hint="cd terraform; terraform destroy",
            observe=observe,
            apply=apply,
        )

    def rest_removed(self) -> Step:
        """The step: no container, network, volume or kubeconfig entry is left, whatever Terraform knew of it."""

        def mine() -> list[Leftover]:
            return [item for item in leftovers(self.name, self.folder) if item.kind in DIRECT]

        def observe() -> Observation:
            found = mine()
            return Observation(holds=not found, text=", ".join(item.name for item in found) or "none is left")

        def apply(progress: Progress) -> None:
            for kind in DIRECT:
                # Looked for again each time: a cluster takes its volumes and its context with it.
                for command in dict.fromkeys(item.remove for item in mine() if item.kind == kind):
                    _by_command(Leftover(kind=kind, name="", remove=command), progress)

        return Step(
            title="what Terraform does not know is removed too",
            expected="no container, network, volume or kubeconfig entry",
            reason="A cluster that somebody made or half deleted by hand is not in a state.",
            hint=f"docker network inspect {self.name} names the containers that keep a network",
            observe=observe,
            apply=apply,
        )

    def files_removed(self) -> Step:
        """The step: state, notes and lock of this lab are gone."""

        def observe() -> Observation:
            found = files(self.name, self.folder)
            return Observation(holds=not found, text=", ".join(file.name for file in found) or "no file")

        def apply(progress: Progress) -> None:
            for file in files(self.name, self.folder):
                progress(f"       removing {file.name}")
                shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
            for empty in (self.folder / ".records", self.folder / "terraform.tfstate.d"):
                if empty.is_dir() and not any(empty.iterdir()):
                    empty.rmdir()

        return Step(
            title="Terraform's files of the lab are removed",
            expected="no state, note or lock",
            reason="A state of what is gone would be destroyed once more, or mislead the next apply.",
            hint="see the table of what was there: each has its command",
            observe=observe,
            apply=apply,
        )

    def nothing_left(self) -> Step:
        """The step: the same search as at the start finds nothing, and what was found then is gone, by name."""

        def observe() -> Observation:
            left = self._left()
            kinds = ", ".join(f"no {kind}" for kind in KINDS)
            return Observation(holds=not left, text=", ".join(f"{x.kind} {x.name}" for x in left) or kinds)

        return Step(
            title=f"nothing of {self.name} is left",
            expected="nothing",
            reason="Believed rather than checked, a clean-up leaves a port taken, a volume full, a context astray.",
            hint="run this notebook again; what stays has its command in the table below",
            observe=observe,
            timeout_seconds=10,
        )

    def proof(self) -> pd.DataFrame:
        """One row for each kind of thing: how many there were at the first look, and how many there are now."""
        left = self._left()
        rows = [(kind, _count(self.found, kind), _count(left, kind)) for kind in KINDS]
        return pd.DataFrame(rows, columns=["kind", "found at the start", "left now"])

    def _left(self) -> list[Leftover]:
        now = leftovers(self.name, self.folder)
        return now + [item for item in self.found if item not in now and _still_there(item)]


def end_process(number: int, command: str) -> None:
    """Ends a process; Terraform and kind are interrupted first and get time to finish.

    Raises:
        StepError: it is another user's, or does not end.
    """
    at_work = Path(command.split()[0]).name in {"terraform", "kind"}
    steps = [(signal.SIGINT, FINISH_SECONDS)] if at_work else []
    for sign, seconds in (*steps, (signal.SIGTERM, END_SECONDS), (signal.SIGKILL, END_SECONDS)):
        try:
            os.kill(number, sign)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise StepError(f"process {number} is another user's", hint=f"sudo kill {number}") from error
        if _ended(number, seconds):
            return
    raise StepError(f"process {number} does not end", hint=f"sudo kill -9 {number}")


def _ended(number: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = run("ps", "-o", "stat=", "-p", str(number), timeout_seconds=END_SECONDS, accepted=(0, 1)).strip()
        if not state or state.startswith("Z"):
            return True
        time.sleep(0.1)
    return False


def _by_command(item: Leftover, progress: Progress) -> None:
    """Runs the command that the table shows."""
    progress(f"       {item.remove}")
    try:
        run(*shlex.split(item.remove), timeout_seconds=REMOVE_SECONDS, progress=progress)
    except CommandError as error:
        raise StepError(
            f"{item.remove}: {error.output or error.message}", source="99_cleanup", hint=error.hint
        ) from error


def _still_there(item: Leftover) -> bool:
    """For what only the lab's own notes knew, and these are gone."""
    checks: dict[str, Callable[[], bool]] = {
        "volume": lambda: item.name in ask_docker("volume", "ls", "--quiet").split(),
        "port": lambda: listening(int(item.name.split()[0].rpartition(":")[2])),
    }
    return item.kind in checks and checks[item.kind]()


def _count(items: Sequence[Leftover], kind: str) -> int:
    return sum(item.kind == kind for item in items)
