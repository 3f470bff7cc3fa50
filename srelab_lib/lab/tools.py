"""The programs that the lab calls, the versions it needs, and how each is installed."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from srelab_lib.errors import SourceError
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Observation, Step

ASK_SECONDS = 20
QUIET = {"CHECKPOINT_DISABLE": "1"}
"""Terraform would ask the network for news."""
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A program.

    Attributes:
        name: as it is called, and as it is found on the PATH.
        ask: arguments that make it tell its version, without a cluster, an engine or a network.
        minimum: the oldest version that will do: major and minor.
        reason: what the lab does with it.
        mend: how it is installed or brought up to date.
    """

    name: str
    ask: tuple[str, ...]
    minimum: tuple[int, int]
    reason: str
    mend: str

    @property
    def wanted(self) -> str:
        """The oldest version as a person writes it."""
        return f"{self.minimum[0]}.{self.minimum[1]}"


TOOLS = (
    Tool(
        name="docker",
        ask=("--version",),
        minimum=(24, 0),
        reason="The three nodes are Docker containers; images are built and saved with it.",
        mend="https://docs.docker.com/engine/install (Linux) or Docker Desktop",
    ),
    Tool(
        name="terraform",
        ask=("version",),
        minimum=(1, 5),
        reason="01 creates the network and the cluster with it, 99 destroys them.",
        mend="https://developer.hashicorp.com/terraform/install; macOS: brew install hashicorp/tap/terraform",
    ),
    Tool(
        name="kubectl",
        ask=("version", "--client"),
        minimum=(1, 27),
        reason="Every phase from 02 on speaks to the cluster with it.",
        mend="https://kubernetes.io/docs/tasks/tools; macOS: brew install kubectl",
    ),
    Tool(
        name="kind",
        ask=("version",),
        minimum=(0, 20),
        reason="It turns three containers into a cluster, and carries images onto the nodes.",
        mend="https://kind.sigs.k8s.io/docs/user/quick-start/#installation; macOS: brew install kind",
    ),
    Tool(
        name="git",
        ask=("--version",),
        minimum=(2, 30),
        reason="02 pushes the manifests to the server in the cluster, 07 breaks and heals by commits.",
        mend="https://git-scm.com/downloads; Debian and Ubuntu: sudo apt-get install git",
    ),
)


def version_in(text: str) -> tuple[int, int]:
    """Major and minor of the first version in a text: `Docker version 24.0.7, build x` -> (24, 0).

    Raises:
        SourceError: there is none.
    """
    found = _VERSION.search(text)
    if found is None:
        raise SourceError(f"no version in {text.strip()[:80]!r}")
    return int(found[1]), int(found[2])


def installed(tool: Tool) -> Step:
    """The step: the program is on the PATH and new enough."""

    def observe() -> Observation:
        if shutil.which(tool.name) is None:
            return Observation(holds=False, text="not on the PATH")
        text = run(tool.name, *tool.ask, timeout_seconds=ASK_SECONDS, environment=QUIET)
        found = _VERSION.search(text)
        return Observation(holds=version_in(text) >= tool.minimum, text=found[0] if found else "")

    return Step(
        title=f"{tool.name} {tool.wanted} or newer",
        expected=f"{tool.wanted} or newer, on the PATH",
        reason=tool.reason,
        hint=tool.mend,
        observe=observe,
    )
