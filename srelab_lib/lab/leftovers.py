"""What of a lab is on this machine: looked for by the lab's name, so that no other lab's things are taken for its own.

Nothing is changed here. Each row says how it is removed by hand; 99_cleanup does it, 00_doctor shows it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.errors import UnreachableError
from srelab_lib.lab import egress
from srelab_lib.lab.airgap_probes import OUTSIDE, PROBE
from srelab_lib.lab.exhaustion import CHILD
from srelab_lib.lab.model_store import MAKER
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.terraform_state import FOLDER, files, record
from srelab_lib.redact import redact_text
from srelab_lib.settings import LAB_CLUSTER

LOOK_SECONDS = 20.0
API_SECONDS = 5
PROGRAMS = ("kubectl", "terraform", "kind")
"""Programs that a notebook, or a person in a terminal, may have left running."""
KINDS = ("container", "network", "volume", "kubeconfig entry", "process", "port", "firewall rule", "namespace", "file")
COLUMNS = ["kind", "name", "remove"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """One thing of the lab that is there.

    Attributes:
        kind: one of KINDS.
        name: what it is called; a process is its id and command.
        remove: the command that removes it.
    """

    kind: str
    name: str
    remove: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A node container, running or not."""

    name: str
    running: bool


def leftovers(cluster: str = LAB_CLUSTER, folder: Path = FOLDER) -> list[Leftover]:
    """Everything of the lab that is on this machine now; it only looks, and takes a few seconds.

    Images and sysctl settings are no leftovers: they serve the next lab too.

    Args:
        cluster: the lab's name.
        folder: where its Terraform files are.

    Raises:
        UnreachableError: Docker does not answer, so nobody can say what is there.
    """
    ask_docker("version", "--format", "{{.Server.Version}}")
    nodes, running = node_containers(cluster), processes(cluster)
    return [
        *_containers(cluster, nodes),
        *_networks(cluster),
        *_volumes(cluster, nodes, folder),
        *_entries(cluster),
        *_processes(running),
        *_ports(cluster, folder, running),
        *_inside(cluster, nodes),
        *(Leftover(kind="file", name=_short(file), remove=f"rm -r {_short(file)}") for file in files(cluster, folder)),
    ]


def table(found: Sequence[Leftover]) -> pd.DataFrame:
    """One row for each, with the columns of COLUMNS; also when there is none."""
    return pd.DataFrame([asdict(item) for item in found], columns=COLUMNS).astype("string")


def ask_docker(*arguments: str) -> str:
    """`docker ...`, which only looks.

    Raises:
        UnreachableError: no Docker, or it is not running.
    """
    hint = "start Docker (Docker Desktop, or: sudo systemctl start docker) and run this again"
    try:
        return run("docker", *arguments, timeout_seconds=LOOK_SECONDS)
    except CommandError as error:
        raise UnreachableError(
            f"Docker does not answer: {error.output or error}", source="docker", hint=hint
        ) from error


def node_containers(cluster: str) -> list[Node]:
    """The node containers of a kind cluster of that name, running or not."""
    form = "{{.Names}} {{.State}}"
    lines = ask_docker("ps", "--all", "--filter", f"label=io.x-k8s.kind.cluster={cluster}", "--format", form)
    return [Node(name=name, running=state == "running") for name, state in map(str.split, sorted(lines.splitlines()))]


def shares_machine(cluster: str) -> bool:
    """Whether what has no lab's name may belong to another lab: only the usual lab, or the only one, takes that."""
    labs = ask_docker("network", "ls", "--filter", "label=srelab", "--format", "{{.Name}}").split()
    return cluster != LAB_CLUSTER and any(name != cluster for name in labs)


def _containers(cluster: str, nodes: Sequence[Node]) -> Iterator[Leftover]:
    for node in nodes:
        state = "" if node.running else " (stopped)"
        yield Leftover(kind="container", name=node.name + state, remove=f"kind delete cluster --name {cluster}")
    names = ask_docker("ps", "--all", "--filter", f"network={cluster}", "--format", "{{.Names}}").split()
    if MAKER in ask_docker("ps", "--all", "--format", "{{.Names}}").split() and not shares_machine(cluster):
        names.append(MAKER)
    for name in names:
        if name in {OUTSIDE, MAKER}:
            yield Leftover(kind="container", name=name, remove=f"docker rm --force {name}")


def _networks(cluster: str) -> Iterator[Leftover]:
    for name in ask_docker("network", "ls", "--filter", f"name=^{cluster}$", "--format", "{{.Name}}").split():
        yield Leftover(kind="network", name=name, remove=f"docker network rm {name}")


def _volumes(cluster: str, nodes: Sequence[Node], folder: Path) -> Iterator[Leftover]:
    """A node's volume has no name and no label: the node knows it, and after the node lab.sh's note."""
    known = set(str(record(cluster, "cluster", folder).get("volumes", "")).split())
    if nodes:
        form = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
        known |= set(ask_docker("inspect", "--format", form, *(node.name for node in nodes)).split())
    there = set(ask_docker("volume", "ls", "--quiet").split())
    for name in sorted(known & there):
        yield Leftover(kind="volume", name=name, remove=f"docker volume rm {name}")


def _entries(cluster: str) -> Iterator[Leftover]:
    name = f"kind-{cluster}"
    if name in contexts()[0]:
        yield Leftover(kind="kubeconfig entry", name=f"context {name}", remove=f"kubectl config delete-context {name}")
    if shutil.which("kubectl") is None:
        return
    for part in ("cluster", "user"):
        if name in run("kubectl", "config", f"get-{part}s", timeout_seconds=LOOK_SECONDS).split():
            yield Leftover(
                kind="kubeconfig entry", name=f"{part} {name}", remove=f"kubectl config delete-{part} {name}"
            )


def processes(cluster: str) -> dict[int, str]:
    """Process id -> command of what works on this lab: kubectl with its context, Terraform and kind with its name.

    A port-forward that names no context counts where the kubeconfig knows no other cluster.
    """
    alone = set(contexts()[0]) <= {f"kind-{cluster}"}
    scratch = "" if shares_machine(cluster) else CHILD.name
    found: dict[int, str] = {}
    for line in run("ps", "-A", "-o", "pid=,args=", timeout_seconds=LOOK_SECONDS).splitlines():
        number, _, command = line.strip().partition(" ")
        words = command.split()
        if _works_on(words, cluster, alone=alone) or (scratch and scratch in {Path(word).name for word in words[:3]}):
            found[int(number)] = redact_text(command.strip())
    return found


def _works_on(words: Sequence[str], cluster: str, *, alone: bool) -> bool:
    program = next((Path(word).name for word in words[:2] if Path(word).name in PROGRAMS), "")
    if program == "kubectl":
        named = [word for word in words if word == "--context" or word.startswith("--context=")]
        mine = f"kind-{cluster}" in words or f"--context=kind-{cluster}" in words
        return mine or (alone and not named and "port-forward" in words)
    if program == "terraform":
        return f"cluster_name={cluster}" in words or f"-var=cluster_name={cluster}" in words
    return program == "kind" and (cluster in words or f"--name={cluster}" in words)


def _processes(running: Mapping[int, str]) -> Iterator[Leftover]:
    for number, command in running.items():
        shown = command if len(command) <= 100 else command[:97] + "..."
        yield Leftover(kind="process", name=f"{number}: {shown}", remove=f"kill {number}")


def listening(port: int) -> bool:
    """Whether anything on this machine takes connections at the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def api_port(cluster: str, folder: Path = FOLDER) -> int | None:
    """The port on this machine that leads to the API server, as lab.sh noted it."""
    return urlsplit(str(record(cluster, "cluster", folder).get("endpoint", ""))).port


def _ports(cluster: str, folder: Path, running: Mapping[int, str]) -> Iterator[Leftover]:
    port = api_port(cluster, folder)
    if port is not None and listening(port):
        how = f"kind delete cluster --name {cluster}"
        yield Leftover(kind="port", name=f"127.0.0.1:{port} (the API server)", remove=how)
    for number, command in running.items():
        for match in re.finditer(r"\s(\d+):\d+(?=\s|$)", command):
            if listening(int(match[1])):
                yield Leftover(kind="port", name=f"127.0.0.1:{match[1]} (process {number})", remove=f"kill {number}")


def _inside(cluster: str, nodes: Sequence[Node]) -> Iterator[Leftover]:
    """What a proof of the air gap leaves when it is killed; it ends with the nodes, so stopped ones are not asked."""
    if not nodes or not all(node.running for node in nodes) or shutil.which("kind") is None:
        return
    try:
        cut = egress.leftovers(cluster)
    except CommandError:
        cut = {}  # a node that cannot be asked, half-built for instance, is listed itself
    for node, rules in cut.items():
        remove = f"docker exec {node} iptables -t mangle -F {egress.CHAIN}"
        yield Leftover(kind="firewall rule", name=f"{len(rules)} of {egress.CHAIN} on {node}", remove=remove)
    if f"kind-{cluster}" not in contexts()[0] or shutil.which("kubectl") is None:
        return
    ask = ("kubectl", "--context", f"kind-{cluster}", f"--request-timeout={API_SECONDS}s")
    try:
        there = run(*ask, "get", "namespace", PROBE, "--ignore-not-found", "-o", "name", timeout_seconds=LOOK_SECONDS)
    except CommandError:
        return  # an API server that does not answer: the namespace ends with the nodes, which are listed
    if there.strip():
        yield Leftover(kind="namespace", name=PROBE, remove=f"{shlex.join(ask[:3])} delete namespace {PROBE}")


def _short(file: Path) -> str:
    """Below the working copy where it is there: what a person would type."""
    return str(file.relative_to(FOLDER.parent)) if file.is_relative_to(FOLDER.parent) else str(file)
