"""The proof of the air gap: what can be reached before, during and after the cut, and what restarts during it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from srelab_lib.errors import SrelabError
from srelab_lib.lab import bundle, pods
from srelab_lib.lab.airgap_probes import OUTSIDE_PORT, PROBE, Target, from_node, from_pod, outside, probe_pods, probes
from srelab_lib.lab.applications import applications_healthy, argocd_installed
from srelab_lib.lab.egress import cut
from srelab_lib.lab.images import nodes
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.step import Observation, Progress, Step
from srelab_lib.settings import LAB_CLUSTER, LAB_CONTEXT, check_types

CLUSTER_OWN = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage", PROBE})

MOMENTS = ("before", "during", "after")
CONNECTIONS = {"from": "str", "to": "str", "address": "str", **dict.fromkeys(MOMENTS, "str")}
NOT_ASKED = Observation(holds=True, text="not asked for: prove = False")
RESTARTS = {"namespace": "str", "pods": "int64", "seconds": "float64", "result": "str"}


@dataclass(frozen=True, kw_only=True, slots=True)
class AirgapSettings:
    """What 03_airgap is asked to do.

    Attributes:
        bundle: folder of a bundle whose images are loaded first; empty uses the images of this machine's engine.
        create_bundle: folder in which a bundle is made from this machine; empty makes none.
        model: the model that a new bundle holds; empty leaves it out.
        model_file: a GGUF file that a new bundle's model is made from; empty takes it from Ollama.
        prove: cut the egress and restart every pod; False only side-loads.
        output_dir: where summary.json goes; empty is runs/<UTC>-03_airgap/.
    """

    bundle: str = ""
    create_bundle: str = ""
    model: str = "phi3"
    model_file: str = ""
    prove: bool = True
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)


class AirgapProof:
    """Cuts the egress once, connects before, during and after it, restarts every pod during it.

    Attributes:
        connections: one row for each place and target: `reached` or `not reached` at each moment.
        restarts: one row for each namespace.
        seconds: how long the egress was cut.
    """

    def __init__(self, kubectl: Kubectl | None = None, cluster: str = LAB_CLUSTER) -> None:
        self.kubectl = kubectl or Kubectl(context=LAB_CONTEXT)
        self.cluster = cluster
        self.connections = pd.DataFrame(columns=list(CONNECTIONS)).astype(CONNECTIONS)
        self.restarts = pd.DataFrame(columns=list(RESTARTS)).astype(RESTARTS)
        self.seconds = 0.0

    def run(self, progress: Progress) -> None:
        """Makes the proof; the egress is back and the probes are gone however it ends."""
        with outside(self.cluster) as address, probes(self.kubectl, progress):
            targets = [
                Target(name="a machine beside the nodes", host=address, port=OUTSIDE_PORT),
                Target(name="the internet", host="1.1.1.1", port=443),
                Target(
                    name="the cluster's own API", host="kubernetes.default.svc.cluster.local", port=443, inside=True
                ),
            ]
            seen = {"before": self._connect(targets)}
            clock = time.monotonic()
            with cut(self.kubectl, progress, self.cluster):
                seen["during"] = self._connect(targets)
                progress("       each pod and each node has tried to connect; now every pod is restarted")
                self.restarts = self._restart(progress)
            self.seconds = time.monotonic() - clock
            seen["after"] = self._connect(targets)
        self.connections = _connections(targets, seen)

    def made(self, *, asked: bool = True) -> Step:
        """The step: the proof was made in this run; it holds where nobody asked for one."""

        def observe() -> Observation:
            if not asked:
                return NOT_ASKED
            if self.connections.empty:
                return Observation(holds=False, text="not made yet")
            return Observation(holds=True, text=f"egress was cut for {self.seconds:.0f} s and is given back")

        return Step(
            title="the proof of the air gap was made",
            expected="connections tried before, during and after the cut; every pod restarted during it",
            reason="A cluster that happens to have no network today is not one that needs none.",
            hint="run the notebook again; the cut is undone in any case",
            observe=observe,
            apply=self.run,
        )

    def outside_unreachable(self, *, asked: bool = True) -> Step:
        """The step: what was reached before and after was not reached during the cut, and the cluster always was."""
        return Step(
            title="during the cut nothing outside is reached",
            expected="beside the nodes: reached, not reached, reached; inside the cluster: always reached",
            reason="Only what was reachable before proves anything by being unreachable now.",
            hint="look at the table of connections; a firewall of this machine may already block the nodes' network",
            observe=lambda: judged(self.connections) if asked else NOT_ASKED,
        )

    def everything_came_up(self, *, asked: bool = True) -> Step:
        """The step: each namespace's pods were all made anew during the cut and became Ready."""

        def observe() -> Observation:
            if not asked:
                return NOT_ASKED
            failed = self.restarts[self.restarts["result"] != "Ready"]
            if self.restarts.empty or not failed.empty:
                return Observation(holds=False, text="; ".join(failed["result"]) or "nothing was restarted")
            count, seconds = int(self.restarts["pods"].sum()), float(self.restarts["seconds"].sum())
            where = ", ".join(self.restarts["namespace"])
            return Observation(holds=True, text=f"{count} pods in {where} were made anew, Ready after {seconds:.0f} s")

        return Step(
            title="during the cut every pod restarts",
            expected="each pod of the lab deleted, and another one Ready",
            reason="A restart is when a hidden pull, download or call home would be needed.",
            hint="kubectl get pods -A; ImagePullBackOff: the image is missing in k8s/**, run this notebook again",
            observe=observe,
        )

    def _connect(self, targets: list[Target]) -> dict[tuple[str, str], bool]:
        places = {f"pod on {node}": from_pod(self.kubectl, pod, targets) for node, pod in probe_pods(self.kubectl)}
        # A node's own connections are those of its image puller. It does not know the names of Services.
        beyond = [target for target in targets if not target.inside]
        places.update({f"node {node}": from_node(node, beyond) for node in nodes(self.cluster)})
        return {(place, target): ok for place, seen in places.items() for target, ok in seen.items()}

    def _restart(self, progress: Progress) -> pd.DataFrame:
        rows: list[tuple[str, int, float, str]] = []
        for namespace in namespaces(self.kubectl):
            clock = time.monotonic()
            count, result = 0, "Ready"
            try:
                count = pods.restart(self.kubectl, namespace, progress)
            except SrelabError as error:
                result = error.message
            rows.append((namespace, count, round(time.monotonic() - clock, 1), result))
            progress(f"       {namespace}: {count} pods made anew, {result}, {rows[-1][2]:.0f} s")
        return pd.DataFrame(rows, columns=list(RESTARTS)).astype(RESTARTS)


def from_bundle(settings: AirgapSettings) -> Step:
    """The step of the bundle that the settings name; where they name none it holds."""
    if settings.bundle:
        return bundle.loaded(Path(settings.bundle))
    return _without("no bundle was named: images are built and taken from this machine's engine", "bundle = FOLDER")


def whole_bundle(settings: AirgapSettings) -> Step:
    """The step that reads every file of the bundle that the settings name; where they name none it holds."""
    if settings.bundle:
        return bundle.verified(Path(settings.bundle))
    return _without("no bundle was named", "bundle = FOLDER")


def new_bundle(settings: AirgapSettings) -> Step:
    """The step of the bundle that the settings ask to be made; where they ask for none it holds."""
    if settings.create_bundle:
        folder = Path(settings.create_bundle)
        return bundle.created(folder, model=settings.model, model_file=settings.model_file)
    return _without("not asked for", "create_bundle = FOLDER")


def healthy(kubectl: Kubectl) -> Step:
    """The step: every Application but the optional is Synced and Healthy; without Argo CD, every Deployment is up."""
    if argocd_installed(kubectl):
        return applications_healthy(context=kubectl.context)
    return Step(
        title="without Argo CD: every Deployment is available",
        expected="as many replicas as asked for",
        reason="The images were all that was missing.",
        hint=f"kubectl --context {kubectl.context} get pods -A; an image that is missing: run this notebook again",
        observe=lambda: _deployments(kubectl),
        timeout_seconds=pods.READY_SECONDS,
    )


def judged(connections: pd.DataFrame) -> Observation:
    """Whether a table of connections proves the gap; says which row does not."""
    if connections.empty:
        return Observation(holds=False, text="nothing was tried yet")
    wrong: list[str] = []
    proofs = 0
    for row in connections.to_dict("records"):
        seen = tuple(row[moment] == "reached" for moment in MOMENTS)
        good = {"the cluster's own API": {(True,) * 3}, "the internet": {(False,) * 3, (True, False, True)}}
        allowed = good.get(row["to"], {(True, False, True)})
        if row["to"] == "the internet":
            allowed |= {(True, False, False), (False, False, True)}  # the internet's own matter, not the cut's
        if seen not in allowed:
            wrong.append(f"{row['from']} to {row['to']}: {', '.join(row[moment] for moment in MOMENTS)}")
        proofs += seen == (True, False, True)
    if wrong or not proofs:
        return Observation(holds=False, text="; ".join(wrong) or "no connection was there to be cut")
    absent = connections[(connections["to"] == "the internet") & (connections["before"] == "not reached")]
    note = "; this machine had no internet before either" if not absent.empty else ""
    return Observation(
        holds=True, text=f"{proofs} connections worked before and after, and failed during the cut{note}"
    )


def namespaces(kubectl: Kubectl) -> list[str]:
    """Namespaces with pods of the lab: all but Kubernetes's own and the probes'."""
    names = {item["metadata"]["namespace"] for item in kubectl.items("pods", "--all-namespaces")}
    return sorted(name for name in names if name not in CLUSTER_OWN)


def _without(text: str, parameter: str) -> Step:
    return Step(
        title="a bundle",
        expected="only where the parameter names a folder",
        reason="On a machine without a network everything comes out of one.",
        hint=parameter,
        observe=lambda: Observation(holds=True, text=text),
    )


def _deployments(kubectl: Kubectl) -> Observation:
    found = [item for name in namespaces(kubectl) for item in kubectl.items("deployments", "--namespace", name)]
    down = [
        item["metadata"]["name"]
        for item in found
        if item.get("status", {}).get("availableReplicas", 0) < item["spec"].get("replicas", 1)
    ]
    text = f"not available: {', '.join(down)}" if down else f"{len(found)} Deployments available"
    return Observation(holds=bool(found) and not down, text=text)


def _connections(targets: list[Target], seen: dict[str, dict[tuple[str, str], bool]]) -> pd.DataFrame:
    addresses = {target.name: f"{target.host}:{target.port}" for target in targets}
    rows = [
        (
            place,
            name,
            addresses[name],
            *("reached" if seen[moment][place, name] else "not reached" for moment in MOMENTS),
        )
        for place, name in seen["before"]
    ]
    return pd.DataFrame(rows, columns=list(CONNECTIONS)).astype(CONNECTIONS)
