"""Phase 01: the Docker network and the kind cluster, made by Terraform, and what must be so before and after."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.errors import SettingsError
from srelab_lib.lab.drift import Drift, containers, lost, stop_and_start, table
from srelab_lib.lab.image_list import NODE_IMAGE
from srelab_lib.lab.images import local_id
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.leftovers import ask_docker, node_containers
from srelab_lib.lab.pods import ready
from srelab_lib.lab.process import run
from srelab_lib.lab.step import Observation, Progress, Step
from srelab_lib.lab.terraform import Terraform
from srelab_lib.lab.terraform_state import FOLDER, RECORDS, secrets_in
from srelab_lib.settings import LAB_CLUSTER, check_types

READY_SECONDS = 180.0
KIND_SECONDS = 60.0

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9./:_-]*:v1\.[0-9]+\.[0-9]+(@sha256:[0-9a-f]{64})?")
_TAKEN = ("bridge", "host", "none", "kind")


@dataclass(frozen=True, kw_only=True, slots=True)
class InfrastructureSettings:
    """What 01_infrastructure is asked to do; the rules for names are those of terraform/variables.tf.

    Attributes:
        cluster_name: the kind cluster, its Docker network and, after `kind-`, its context.
        node_image: image of the nodes, with the Kubernetes version as its tag.
        show_drift: stop a worker that runs nothing of the lab, for a plan to see, and start it again.
        output_dir: where summary.json goes; empty is runs/<UTC>-01_infrastructure/.
    """

    cluster_name: str = LAB_CLUSTER
    node_image: str = NODE_IMAGE
    show_drift: bool = True
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        check_name(self.cluster_name)
        if not _IMAGE.fullmatch(self.node_image):
            hint = f"it names a Kubernetes version, such as {NODE_IMAGE}, never latest"
            raise SettingsError(f"node_image={self.node_image!r} cannot be right", hint=hint)


def check_name(name: str) -> None:
    """Refuses what cannot be the name of a lab.

    Raises:
        SettingsError: the name, with what is allowed.
    """
    if not _NAME.fullmatch(name):
        hint = f"1 to 48 lower case letters, digits and dashes, such as {LAB_CLUSTER}"
        raise SettingsError(f"cluster_name={name!r} cannot be right", hint=hint)
    if name in _TAKEN:
        hint = "it is also the name of a Docker network, and this one belongs to Docker or to kind"
        raise SettingsError(f"cluster_name={name!r} is taken", hint=hint)


@dataclass(kw_only=True, slots=True)
class Infrastructure:
    """One lab's network and cluster, as steps.

    Attributes:
        folder: where main.tf is.
        drift: filled by the step `drift_shown`.
    """

    settings: InfrastructureSettings
    folder: Path = FOLDER
    drift: Drift | None = None
    _said: str = ""
    _again: tuple[int, int, int] | None = None
    _ids: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.settings.cluster_name

    @property
    def terraform(self) -> Terraform:
        """The driver for this lab's state."""
        return Terraform(cluster=self.name, node_image=self.settings.node_image, folder=self.folder)

    @property
    def kubectl(self) -> Kubectl:
        """The client, with this lab's context."""
        return Kubectl(context=f"kind-{self.name}")

    def initialised(self) -> Step:
        """The step: `terraform init` is done, and asked nobody outside."""

        def observe() -> Observation:
            return Observation(holds=bool(self._said), text=self._said or "not asked yet")

        def apply(progress: Progress) -> None:
            self._said = self.terraform.init(progress)

        return Step(
            title="terraform init without a network",
            expected="Terraform has been successfully initialized!",
            reason="An air gap has no registry, so the lab must not need a provider from one.",
            hint="cd terraform; terraform init",
            observe=observe,
            apply=apply,
        )

    def node_image_here(self) -> Step:
        """The step: the nodes' image is in this machine's engine."""
        image = self.settings.node_image

        def observe() -> Observation:
            found = local_id(image)
            return Observation(holds=bool(found), text=f"{image} is {found[7:19]}" if found else f"{image} is not here")

        return Step(
            title="the image of the nodes is on this machine",
            expected=image,
            reason="kind would pull it, and that takes a network.",
            hint=f"docker pull {image}, or load a bundle: python -m srelab_lib.lab.bundle load FOLDER",
            observe=observe,
        )

    def running(self) -> Step:
        """The step: no node of a cluster that is there is stopped. Started again, it need not be rebuilt."""

        def observe() -> Observation:
            nodes = node_containers(self.name)
            stopped = [node.name for node in nodes if not node.running]
            text = (
                f"stopped: {', '.join(stopped)}"
                if stopped
                else f"{len(nodes)} nodes run"
                if nodes
                else "no cluster yet"
            )
            return Observation(holds=not stopped, text=text)

        def apply(progress: Progress) -> None:
            for node in node_containers(self.name):
                if not node.running:
                    progress(f"       docker start {node.name}")
                    run("docker", "start", node.name, timeout_seconds=KIND_SECONDS)

        return Step(
            title="no node of the lab is stopped",
            expected="every node container that exists runs",
            reason="For one stopped node Terraform would rebuild the whole cluster; to start it again is enough.",
            hint=f"docker start NODE, or, to rebuild: kind delete cluster --name {self.name}, and run this again",
            observe=observe,
            apply=apply,
            timeout_seconds=10,
        )

    def plan(self) -> pd.DataFrame:
        """What an apply would change now, one row for each thing, columns COLUMNS."""
        return table(self.terraform.plan(lost(self.terraform)))

    def applied(self) -> Step:
        """The step: network and cluster are what terraform/ says."""

        def observe() -> Observation:
            changes = self.terraform.plan(lost(self.terraform))
            if changes:
                return Observation(holds=False, text=", ".join(f"{item.action} {item.address}" for item in changes))
            network = self.terraform.outputs()["network"]
            return Observation(
                holds=True, text=f"{len(containers(self.name))} nodes on network {network}, nothing to change"
            )

        def apply(progress: Progress) -> None:
            before = containers(self.name)
            self.terraform.apply(lost(self.terraform), progress)
            if before and before == containers(self.name):
                progress("       the cluster was there already: Terraform has taken it over as it is")

        return Step(
            title="terraform apply",
            expected="a plan is empty",
            reason="All else in the lab runs on these three nodes.",
            hint="read Terraform's lines above; cd terraform; terraform plan",
            observe=observe,
            apply=apply,
        )

    def nodes_ready(self) -> Step:
        """The step: each node that kind.yaml names is there and Ready."""
        wanted = node_names(self.name, self.folder)

        def observe() -> Observation:
            found = {item["metadata"]["name"]: ready(item) for item in self.kubectl.items("nodes")}
            down = [name for name in wanted if not found.get(name)]
            text = f"not Ready: {', '.join(down)}" if down else f"Ready: {', '.join(wanted)}"
            return Observation(holds=not down and len(found) == len(wanted), text=text)

        return Step(
            title=f"{len(wanted)} nodes are Ready",
            expected=", ".join(wanted),
            reason="Ready means that the node's kubelet and its pod network work: pods can start there.",
            hint=f"kubectl --context kind-{self.name} describe nodes",
            observe=observe,
            timeout_seconds=READY_SECONDS,
        )

    def context_there(self) -> Step:
        """The step: the user's kubeconfig has the context, and it leads to this cluster."""
        context = f"kind-{self.name}"

        def observe() -> Observation:
            names, current = contexts()
            if context not in names:
                return Observation(holds=False, text=f"the kubeconfig has {', '.join(names) or 'no context'}")
            path = "{.clusters[0].cluster.server}"
            server = self.kubectl("config", "view", "--minify", "--output", f"jsonpath={path}").strip()
            wanted = self.terraform.outputs()["endpoint"]
            text = f"{context} leads to {server}; current context: {current or 'none'}"
            return Observation(holds=server == wanted, text=text)

        def apply(progress: Progress) -> None:
            run("kind", "export", "kubeconfig", "--name", self.name, timeout_seconds=KIND_SECONDS, progress=progress)

        return Step(
            title=f"context {context} is in the kubeconfig",
            expected=f"{context}, with the address of this cluster",
            reason="Every command of the lab names this context, so none can reach another cluster.",
            hint=f"kind export kubeconfig --name {self.name}",
            observe=observe,
            apply=apply,
        )

    def unchanged(self) -> Step:
        """The step: one more apply changed nothing."""

        def observe() -> Observation:
            if self._again is None:
                return Observation(holds=False, text="not tried yet")
            same = self._ids == containers(self.name)
            text = "{} added, {} changed, {} destroyed; ".format(*self._again)
            text += f"the same {len(self._ids)} containers" if same else "other containers"
            return Observation(holds=same and not any(self._again), text=text)

        def apply(progress: Progress) -> None:
            self._ids = containers(self.name)
            self._again = self.terraform.apply(lost(self.terraform), progress)

        return Step(
            title="another terraform apply changes nothing",
            expected="0 added, 0 changed, 0 destroyed; the same containers",
            reason="Only then may anybody apply at any time, and an empty plan means that all is well.",
            hint="cd terraform; terraform plan shows what differs each time",
            observe=observe,
            apply=apply,
        )

    def drift_shown(self) -> Step:
        """The step: with a node stopped a plan is not empty, and with it started again it is. Undone in any case."""

        def observe() -> Observation:
            if not self.settings.show_drift:
                return Observation(holds=True, text="not asked for: show_drift = False")
            if self.drift is None:
                return Observation(holds=False, text="not tried yet")
            if not self.drift.node:
                return Observation(holds=True, text="no node was stopped: pods of the lab run on each worker")
            return Observation(holds=self.drift.shown_and_undone, text=str(self.drift))

        def apply(progress: Progress) -> None:
            self.drift = stop_and_start(self.terraform, self.kubectl, progress)

        return Step(
            title="a plan shows what somebody changed by hand",
            expected="a plan to replace the cluster while a node is stopped, an empty one after",
            reason="What nobody can see nobody repairs: drift has to show in the plan.",
            hint=f"docker start NODE; docker ps --all --filter label=io.x-k8s.kind.cluster={self.name}",
            observe=observe,
            apply=apply,
        )

    def outputs(self) -> pd.DataFrame:
        """Terraform's outputs, one row each."""
        return pd.DataFrame(self.terraform.outputs().items(), columns=["output", "value"]).astype("string")

    def no_secret(self) -> Step:
        """The step: state, notes and outputs hold no certificate, key or token; the same search finds kind's."""

        def observe() -> Observation:
            files = [self.terraform.state, *sorted((self.folder / RECORDS).glob(f"{self.name}.*.json"))]
            texts = {file.name: file.read_text(encoding="utf-8") for file in files}
            texts["outputs"] = str(self.terraform.outputs())
            found = [f"{name}: {kind}" for name, text in texts.items() for kind in secrets_in(text)]
            control = run("kind", "get", "kubeconfig", "--name", self.name, timeout_seconds=KIND_SECONDS)
            known = len(secrets_in(control))
            text = (
                "; ".join(found) or f"none in {', '.join(texts)}; the same search finds {known} kinds in a kubeconfig"
            )
            return Observation(holds=not found and known > 0, text=text)

        return Step(
            title="no secret is in Terraform's files",
            expected="no certificate, key or token",
            reason="A state is copied, mailed and backed up; whoever has an admin's key has the cluster.",
            hint="take it out of `input` and of the outputs; then: kind delete cluster, as the key is known",
            observe=observe,
        )


def node_names(cluster: str, folder: Path = FOLDER) -> list[str]:
    """What kind calls the nodes of kind.yaml: NAME-control-plane, NAME-worker, NAME-worker2."""
    seen: Counter[str] = Counter()
    names = []
    for node in yaml.safe_load((folder / "kind.yaml").read_text(encoding="utf-8"))["nodes"]:
        seen[node["role"]] += 1
        names.append(f"{cluster}-{node['role']}{seen[node['role']] if seen[node['role']] > 1 else ''}")
    return names


def engine_answers() -> Step:
    """The step: Docker is running."""

    def observe() -> Observation:
        return Observation(
            holds=True, text=f"engine {ask_docker('version', '--format', '{{.Server.Version}}').strip()}"
        )

    return Step(
        title="Docker answers",
        expected="a version",
        reason="The nodes of the lab are its containers.",
        hint="start Docker (Docker Desktop, or: sudo systemctl start docker) and run this again",
        observe=observe,
    )
