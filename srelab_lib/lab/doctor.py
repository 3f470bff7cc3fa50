"""Is this machine ready for the lab? Everything is looked at, nothing is changed, and what is wrong is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pandas as pd

from srelab_lib.errors import SettingsError, SrelabError, UnreachableError
from srelab_lib.lab import doctor_steps as steps
from srelab_lib.lab import host, inotify, leftovers
from srelab_lib.lab.consoles import CONSOLES
from srelab_lib.lab.image_list import NODE_IMAGE, builds, needed
from srelab_lib.lab.step import Observation, Phase, Progress, Step, StepResult
from srelab_lib.lab.ticking import ticking
from srelab_lib.lab.tools import TOOLS, installed
from srelab_lib.lab.tuning import CLUSTER, Tuning, TuningSettings
from srelab_lib.settings import LAB_CLUSTER, check_types

PORTS = {console.preferred: console.name for console in CONSOLES}
RECORDED = "06_rca, on a recorded incident"
ANALYSIS = "06_rca, in the cluster"
IN_CLUSTER = (
    "01_infrastructure",
    "02_gitops",
    "03_airgap",
    "04_ai_engine",
    ANALYSIS,
    "07_chaos",
    "08_dashboards",
    "09_explore",
    "99_cleanup",
)
NOTEBOOKS = tuple(sorted((*IN_CLUSTER, "05_tuning", RECORDED)))
COLUMNS = ["", "what", "found", "why the lab needs it", "what mends it"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorSettings:
    """What 00_doctor is asked to do.

    Attributes:
        strict: end with an error where the lab is impossible; without it that is a line in the table.
        cluster: name of the lab's kind cluster.
        output_dir: where summary.json goes; empty is runs/<UTC>-00_doctor/.
    """

    strict: bool = True
    cluster: str = LAB_CLUSTER
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        if not CLUSTER.fullmatch(self.cluster):
            raise SettingsError(f"cluster={self.cluster!r} is not a cluster's name", hint="for example sre-lab")


def never() -> bool:
    """For what may be too little, and makes nothing impossible."""
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A step that is only looked at.

    Attributes:
        notebooks: what suffers when it does not hold.
        impossible: whether they cannot run at all then; otherwise it is a warning.
    """

    step: Step
    notebooks: tuple[str, ...]
    impossible: Callable[[], bool] = never


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """How a check went; `blocks` says that its notebooks cannot run."""

    check: Check
    result: StepResult
    blocks: bool

    @property
    def sign(self) -> str:
        """Well, in the way, or a warning."""
        return "✔" if self.result.ok else "✘" if self.blocks else "!"


@dataclass(kw_only=True, slots=True)
class Doctor:
    """Looks at a machine, group by group, and keeps what it saw.

    Attributes:
        seen: every check with its result, in order.
    """

    settings: DoctorSettings
    seen: list[Seen] = field(default_factory=list)
    _answer: host.Engine | SrelabError | None = None

    def look(self, phase: Phase, group: Callable[[], Sequence[Check]], *, progress: Progress = print) -> pd.DataFrame:
        """Looks at each check of a group, such as `doctor.tools`, whatever the others say.

        Returns:
            One row for each, with the command that mends it where it does not hold.
        """
        rows = []
        with ticking(progress, f"looking at: {group.__name__}"):
            for check in group():
                result = phase.check(check.step)
                seen = Seen(check=check, result=result, blocks=not result.ok and check.impossible())
                self.seen.append(seen)
                mend = "" if result.ok else result.hint
                rows.append((seen.sign, result.title, result.observed, result.reason, mend))
        return pd.DataFrame(rows, columns=COLUMNS)

    def tools(self) -> list[Check]:
        """Python, and every program that the lab calls."""
        checks = [Check(step=steps.python(), notebooks=NOTEBOOKS)]
        for tool in TOOLS:
            concerned = ("02_gitops", "07_chaos") if tool.name == "git" else IN_CLUSTER
            checks.append(Check(step=installed(tool), notebooks=concerned, impossible=partial(_lacks, tool.name)))
        return checks

    def machine(self) -> list[Check]:
        """The engine, memory, processors, disk, control groups."""
        answer, engine = self._ask(), self.engine()
        working = ("04_ai_engine", ANALYSIS)
        disk = steps.disk(engine, running=steps.running(self.settings.cluster))
        return [
            Check(step=steps.engine_answers(answer), notebooks=IN_CLUSTER, impossible=lambda: engine is None),
            Check(step=steps.memory(engine), notebooks=working),
            Check(step=steps.processors(engine), notebooks=working),
            Check(step=disk, notebooks=("01_infrastructure", "03_airgap", "04_ai_engine")),
            Check(step=steps.cgroups(engine), notebooks=("01_infrastructure",)),
        ]

    def inotify(self) -> list[Check]:
        """The two limits that 05 raises."""
        tuning = Tuning(settings=TuningSettings(cluster=self.settings.cluster))
        concerned = ("05_tuning", ANALYSIS)
        return [Check(step=tuning.raised(name), notebooks=concerned) for name in (inotify.INSTANCES, inotify.WATCHES)]

    def ports(self) -> list[Check]:
        """The ports of the walkthrough."""
        concerned = ("08_dashboards",)
        return [Check(step=steps.port_free(port, name), notebooks=concerned) for port, name in PORTS.items()]

    def images(self) -> list[Check]:
        """The image of the nodes, and those that run on them and are not built here."""
        built = {build.image for build in builds()}
        pulled = sorted({*needed(), *steps.bases(builds(), self.engine())} - built)
        node = steps.images_present([NODE_IMAGE], "the nodes' image is in the engine", self.engine())
        others = steps.images_present(pulled, "images that are not built here are in the engine", self.engine())
        return [
            Check(step=node, notebooks=("01_infrastructure",)),
            Check(step=others, notebooks=("02_gitops", "03_airgap")),
        ]

    def earlier(self) -> list[Check]:
        """What an earlier run has left: nothing, a lab that runs, or parts of one."""
        return [Check(step=steps.earlier_lab(self.settings.cluster, self.engine()), notebooks=("01_infrastructure",))]

    def left(self) -> pd.DataFrame:
        """One row for each thing of the lab that is here, with the command that removes it; empty without an engine."""
        try:
            return leftovers.table(leftovers.leftovers(self.settings.cluster))
        except UnreachableError:  # the row of the engine says so
            return leftovers.table([])

    def engine(self) -> host.Engine | None:
        """The engine; None where none answers. It is asked once."""
        answer = self._ask()
        return None if isinstance(answer, SrelabError) else answer

    def ready(self) -> pd.DataFrame:
        """One row for each notebook: whether it can run here, and what stands against it."""
        rows = []
        for notebook in NOTEBOOKS:
            against = [seen for seen in self.seen if notebook in seen.check.notebooks and not seen.result.ok]
            blocked = any(seen.blocks for seen in against)
            word = "not ready" if blocked else "ready, with a warning" if against else "ready"
            because = "; ".join(seen.result.title for seen in against if seen.blocks or not blocked)
            rows.append({"notebook": notebook, "state": word, "because this does not hold": because})
        return pd.DataFrame(rows, columns=["notebook", "state", "because this does not hold"])

    def possible(self) -> Step:
        """The step: nothing that was looked at makes the lab impossible. With strict off it is told, and no error."""
        broken = [seen.result for seen in self.seen if seen.blocks]
        told = "; ".join(f"{result.title}: {result.observed}" for result in broken)

        def observe() -> Observation:
            if broken:
                return Observation(holds=not self.settings.strict, text=f"no: {told}")
            warnings = sum(not seen.result.ok for seen in self.seen)
            return Observation(holds=True, text=f"yes; {len(self.seen)} things looked at, {warnings} warnings")

        return Step(
            title="the lab is possible on this machine",
            expected="every program, and an engine that answers",
            reason=f"Without them there is no cluster; {RECORDED}, works all the same.",
            hint="; ".join(f"{result.title}: {result.hint}" for result in broken),
            observe=observe,
        )

    def _ask(self) -> host.Engine | SrelabError:
        if self._answer is None:
            try:
                self._answer = host.ask_engine()
            except SrelabError as error:
                self._answer = error
        return self._answer


def _lacks(program: str) -> bool:
    return shutil.which(program) is None
