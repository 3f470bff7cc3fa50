"""What the machine under the lab has: the engine, memory, processors, disk, control groups. It is only read.

On Linux the engine shares this machine. Docker Desktop runs it in a virtual machine with a share of memory, processors
and disk of its own: then those are what counts. So the engine's own words go first, where there is one.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from srelab_lib.errors import SourceError, UnreachableError
from srelab_lib.lab.process import CommandError, run

ASK_SECONDS = 20
CGROUPS = Path("/sys/fs/cgroup")
HERE = "of this machine, no engine answers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """What the Docker engine says of itself and of the machine it runs on.

    Attributes:
        folder: where it keeps images and containers.
        cgroup_version: `1` or `2`; empty where it does not tell.
    """

    version: str
    memory_bytes: int
    cpu_count: int
    folder: str
    cgroup_version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """A quantity, and whose it is."""

    value: int
    where: str


def ask_engine() -> Engine:
    """What `docker info` tells.

    Raises:
        UnreachableError: no docker, nothing answers, or this user may not ask; the hint says what to do.
        SourceError: the answer cannot be read.
    """
    try:
        answer = run("docker", "info", "--format", "{{json .}}", timeout_seconds=ASK_SECONDS)
    except CommandError as error:
        raise unreachable(error.output or error.message) from error
    return read_engine(answer)


def read_engine(answer: str) -> Engine:
    """The engine from the JSON of `docker info`; older clients end well where nothing answers, and tell it there.

    Raises:
        UnreachableError: the client answered, the engine did not.
        SourceError: it cannot be read.
    """
    try:
        told = json.loads(answer)
        if told.get("ServerErrors"):
            raise unreachable(" ".join(told["ServerErrors"]))
        return Engine(
            version=told["ServerVersion"],
            memory_bytes=int(told["MemTotal"]),
            cpu_count=int(told["NCPU"]),
            folder=told["DockerRootDir"],
            cgroup_version=str(told.get("CgroupVersion", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError("`docker info` gave no answer that can be read", source="docker") from error


def unreachable(said: str) -> UnreachableError:
    """The error for what docker said when it reached no engine."""
    last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
    if "permission denied" in said.lower():
        hint = "sudo usermod -aG docker $USER, then log out and in again"
        return UnreachableError("this user may not speak to the engine", source="docker", hint=hint)
    if "not on the PATH" in said:
        return UnreachableError("docker is not installed", source="docker", hint="https://docs.docker.com/get-docker")
    hint = "start it: sudo systemctl start docker, or open Docker Desktop"
    return UnreachableError(f"no engine answers: {last[:200]}", source="docker", hint=hint)


def memory(engine: Engine | None) -> Amount:
    """Memory in bytes of the machine that the nodes run on; of this one without an engine."""
    if engine is not None:
        return Amount(value=engine.memory_bytes, where="seen by the engine")
    return Amount(value=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), where=HERE)


def processors(engine: Engine | None) -> Amount:
    """Processors of the machine that the nodes run on; of this one without an engine."""
    if engine is not None:
        return Amount(value=engine.cpu_count, where="seen by the engine")
    return Amount(value=os.cpu_count() or 0, where=HERE)


def disk(engine: Engine | None, home: Path | None = None) -> Amount:
    """Free bytes where the engine stores images; in the home folder where that cannot be seen from here."""
    if engine is not None:
        try:
            return Amount(value=shutil.disk_usage(engine.folder).free, where=f"at {engine.folder}")
        except OSError:
            where = f"in the home folder: {engine.folder} is in Docker's own machine, see its settings"
    else:
        where = "in the home folder, no engine answers"
    return Amount(value=shutil.disk_usage(home or Path.home()).free, where=where)


def cgroup_version(engine: Engine | None, mount: Path = CGROUPS) -> str:
    """`1` or `2`, as the engine tells or as the mount shows; empty where neither knows (macOS without an engine)."""
    if engine is not None and engine.cgroup_version:
        return engine.cgroup_version
    if not mount.is_dir():
        return ""
    return "2" if (mount / "cgroup.controllers").is_file() else "1"
