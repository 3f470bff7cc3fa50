"""What 00_doctor looks at, one step each. None of them can change anything: they have no `apply`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from srelab_lib.errors import SrelabError
from srelab_lib.lab import host, leftovers
from srelab_lib.lab.image_list import Build
from srelab_lib.lab.images import local_id
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.pods import ready
from srelab_lib.lab.step import PROJECT, Observation, Step

GB = 10**9
ENGINE_MAJOR = 24
MEMORY_BYTES = 16 * GB * 9 // 10
"""Of 16 GB the firmware and the kernel keep some."""
CPU_COUNT = 4
DISK_BYTES, RUNNING_DISK_BYTES = 20 * GB, 5 * GB
"""Before anything is there, and with a lab that has taken its part already."""
PYTHON = (3, 11)
NODE_COUNT = 3
LASTING_TROUBLE = frozenset({"firewall rule", "namespace"})
"""Kinds of leftovers that do not belong in a lab that runs."""


def python() -> Step:
    """The step: this Python is new enough. Its folder is told: a notebook may run in another one than the shell."""
    return Step(
        title=f"Python {PYTHON[0]}.{PYTHON[1]} or newer",
        expected=f"{PYTHON[0]}.{PYTHON[1]} or newer",
        reason="The notebooks and their library run in it.",
        hint="python3.11 -m venv .venv, then: .venv/bin/pip install -r requirements.txt",
        observe=lambda: Observation(holds=sys.version_info >= PYTHON, text=platform.python_version()),
    )


def engine_answers(engine: host.Engine | SrelabError) -> Step:
    """The step: the Docker engine answers and is new enough; handed in is what it said, or why it said nothing."""

    def observe() -> Observation:
        if isinstance(engine, SrelabError):
            return Observation(holds=False, text=engine.message)
        major = engine.version.split(".")[0]
        new = major.isdigit() and int(major) >= ENGINE_MAJOR
        return Observation(holds=new, text=f"version {engine.version}")

    return Step(
        title="the Docker engine answers",
        expected=f"version {ENGINE_MAJOR}.0 or newer",
        reason="The program `docker` only asks; the engine is what runs the nodes.",
        hint=engine.hint if isinstance(engine, SrelabError) else "https://docs.docker.com/engine/install",
        observe=observe,
    )


def memory(engine: host.Engine | None) -> Step:
    """The step: there are 16 GB."""

    def observe() -> Observation:
        seen = host.memory(engine)
        return Observation(holds=seen.value >= MEMORY_BYTES, text=f"{seen.value / GB:.1f} GB {seen.where}")

    return Step(
        title="16 GB of memory",
        expected="16 GB, of which the system may keep a tenth",
        reason="The model and the monitoring take 6 to 8 GB; with less the kernel kills one of them (OOMKilled).",
        hint="Docker Desktop: Settings, Resources, Memory; else a smaller model: 04_ai_engine with model = ...",
        observe=observe,
    )


def processors(engine: host.Engine | None) -> Step:
    """The step: there are four processors."""

    def observe() -> Observation:
        seen = host.processors(engine)
        return Observation(holds=seen.value >= CPU_COUNT, text=f"{seen.value} {seen.where}")

    return Step(
        title=f"{CPU_COUNT} processors",
        expected=f"{CPU_COUNT} or more",
        reason="The model computes on them. With fewer everything works, and an answer may take minutes.",
        hint="Docker Desktop: Settings, Resources, CPU; else pause_monitoring = True in 04_ai_engine",
        observe=observe,
    )


def disk(engine: host.Engine | None, *, running: bool) -> Step:
    """The step: there is room where images and nodes are stored; less is enough once a lab is there."""
    wanted = RUNNING_DISK_BYTES if running else DISK_BYTES

    def observe() -> Observation:
        seen = host.disk(engine)
        return Observation(holds=seen.value >= wanted, text=f"{seen.value / GB:.0f} GB free {seen.where}")

    return Step(
        title=f"{wanted // GB} GB of free disk",
        expected=f"{wanted // GB} GB or more" + (", as the lab has its images already" if running else ""),
        reason="Each image is stored by the engine and on three nodes; on a full disk the kubelet evicts pods.",
        hint="docker system df shows what takes it; docker system prune removes what no container uses",
        observe=observe,
    )


def cgroups(engine: host.Engine | None) -> Step:
    """The step: the nodes' Kubernetes knows this kind of control groups."""

    def observe() -> Observation:
        version = host.cgroup_version(engine)
        text = {"1": "version 1: terraform/ tells newer kubelets to accept it", "2": "version 2"}.get(version)
        return Observation(holds=text is not None, text=text or "not told")

    return Step(
        title="control groups of version 1 or 2",
        expected="1 or 2",
        reason="The kernel holds a pod to its limits by them. From 1.35 on a kubelet refuses version 1 unless told.",
        hint="docker info shows Cgroup Version once the engine runs",
        observe=observe,
    )


def port_free(port: int, program: str) -> Step:
    """The step: nothing listens on a port of the walkthrough."""

    def observe() -> Observation:
        taken = leftovers.listening(port)
        return Observation(holds=not taken, text="something listens there" if taken else "free")

    return Step(
        title=f"port {port} is free",
        expected="free",
        reason=f"{program} is reached there; 08 takes another port when it is taken, the plain command fails.",
        hint=f"lsof -nP -iTCP:{port} -sTCP:LISTEN shows who it is (with sudo: also other users')",
        observe=observe,
    )


def images_present(images: Sequence[str], title: str, engine: host.Engine | None) -> Step:
    """The step: this machine's engine has every one of the images."""
    absent = [] if engine is None else [image for image in images if not local_id(image)]

    def observe() -> Observation:
        if engine is None:
            return Observation(holds=False, text="not known, no engine answers")
        if not absent:
            return Observation(holds=True, text=", ".join(images) if len(images) == 1 else f"all {len(images)}")
        return Observation(holds=False, text=f"{len(absent)} of {len(images)} missing: {', '.join(absent)}")

    pulls = "; ".join(f"docker pull {image}" for image in absent or images)
    return Step(
        title=title,
        expected=f"{len(images)} in the engine",
        reason="In the cluster nothing is pulled: an image is carried onto the nodes from this engine.",
        hint=f"with a network: {pulls}; without one: 03_airgap.ipynb with bundle = FOLDER",
        observe=observe,
    )


def bases(wanted: Sequence[Build], engine: host.Engine | None, root: Path = PROJECT) -> list[str]:
    """What the images are built on that are not there yet; one that a bundle has brought needs no base."""
    lines = [
        line.split()
        for build in wanted
        if engine is None or not local_id(build.image)
        for line in (root / build.dockerfile).read_text(encoding="utf-8").splitlines()
    ]
    return sorted({words[1] for words in lines if len(words) > 1 and words[0] == "FROM"})


def earlier_lab(cluster: str, engine: host.Engine | None) -> Step:
    """The step: of an earlier run there is nothing, or a lab that runs. Parts of one are in the way."""

    def observe() -> Observation:
        if engine is None:
            return Observation(holds=False, text="not known, no engine answers")
        found = leftovers.leftovers(cluster)
        if not found:
            return Observation(holds=True, text="nothing of an earlier run")
        if running(cluster):
            strange = [f"{item.kind} {item.name}" for item in found if item.kind in LASTING_TROUBLE]
            text = f"the lab runs: {NODE_COUNT} nodes Ready" + (
                f"; left behind: {', '.join(strange)}" if strange else ""
            )
            return Observation(holds=not strange, text=text)
        return Observation(holds=False, text="parts of a lab: " + ", ".join(f"{i.kind} {i.name}" for i in found))

    return Step(
        title="nothing is left of an earlier run, or the lab runs",
        expected="nothing, or three nodes Ready",
        reason="Half a cluster, an old context or a cut network makes the next run fail in a way that is hard to read.",
        hint="01_infrastructure.ipynb mends it, 99_cleanup.ipynb removes it; below is the command for each part",
        observe=observe,
    )


def running(cluster: str) -> bool:
    """Whether the cluster is there with all its nodes Ready."""
    try:
        nodes = leftovers.node_containers(cluster)
        if len(nodes) < NODE_COUNT or not all(node.running for node in nodes):
            return False
        return sum(ready(node) for node in Kubectl(context=f"kind-{cluster}").items("nodes")) >= NODE_COUNT
    except SrelabError:
        return False
