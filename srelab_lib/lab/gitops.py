"""Phase 02: Argo CD, the git server and the app of apps; commits into git, and what Argo CD makes of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from srelab_lib.errors import SourceError
from srelab_lib.lab.applications import (
    all_synced,
    application_states,
    applications,
    applications_healthy,
    refresh,
    synced_to,
)
from srelab_lib.lab.git_clone import NAMESPACE, REPOSITORY, Clone, mirror
from srelab_lib.lab.git_seed import seed, unseeded
from srelab_lib.lab.image_list import BUILDS, built
from srelab_lib.lab.images import side_loaded
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.process import CommandError
from srelab_lib.lab.self_heal import SelfHeal, self_heal_paused, self_healing
from srelab_lib.lab.step import PROJECT, Observation, Progress, Step
from srelab_lib.settings import LAB_CLUSTER, LAB_CONTEXT, check_types

__all__ = [
    "Clone",
    "GitopsSettings",
    "SelfHeal",
    "admin_password",
    "all_synced",
    "application_states",
    "applications",
    "applications_healthy",
    "bootstrapped",
    "components_ready",
    "git_server_built",
    "images_loaded",
    "mirror",
    "refresh",
    "seed",
    "seeded",
    "self_heal_paused",
    "self_healing",
    "synced_to",
]

IMAGES = ("git-server:v1", "quay.io/argoproj/argocd:v3.2.11", "redis:7.0.15")
COMPONENTS = (
    "argocd-application-controller",
    "argocd-redis",
    "argocd-repo-server",
    "argocd-server",
    "git-server",
)
"""Deployments in `argocd`."""
CORE = ("root", "argocd", "git-server")
"""Applications that need nothing but the images of this phase."""
MARK = "srelab/bootstrap"
"""Annotation of the namespace: a digest of the bootstrap.yaml that was applied last."""
INSTALL_SECONDS = 240.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GitopsSettings:
    """What 02_gitops is asked to do.

    Attributes:
        cluster: the kind cluster; its context is kind-<cluster>.
        output_dir: where summary.json goes; empty is runs/<UTC>-02_gitops/.
    """

    cluster: str = LAB_CLUSTER
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def context(self) -> str:
        """The kube context that kind made for the cluster."""
        return f"kind-{self.cluster}"


def git_server_built() -> Step:
    """The step: the git server's image is built from k8s/git-server/image/ as it is now."""
    [build] = [build for build in BUILDS if build.image == IMAGES[0]]
    return built(build)


def images_loaded(settings: GitopsSettings) -> Step:
    """The step: Argo CD, redis and the git server are on every node."""
    return side_loaded(IMAGES, settings.cluster)


def bootstrapped(settings: GitopsSettings) -> Step:
    """The step: `kubectl apply -f k8s/bootstrap.yaml` was done, and changes nothing when done again."""
    kubectl = Kubectl(context=settings.context)
    manifest = PROJECT / "k8s" / "bootstrap.yaml"
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()[:16]

    def observe() -> Observation:
        if not _there(kubectl, f"namespace/{NAMESPACE}"):
            return Observation(holds=False, text="there is no Argo CD yet")
        marks = kubectl.get("namespace", NAMESPACE)["metadata"].get("annotations") or {}
        if marks.get(MARK) != digest:
            return Observation(holds=False, text="k8s/bootstrap.yaml has changed since it was applied")
        absent = [name for name in COMPONENTS if not _there(kubectl, f"deployment/{name}")]
        if absent:
            return Observation(holds=False, text=f"not there: {', '.join(absent)}")
        if not _there(kubectl, "application.argoproj.io/root"):
            return Observation(holds=False, text="Application root is not there yet: Job bootstrap applies it")
        return Observation(holds=True, text=f"{len(COMPONENTS)} Deployments and Application root")

    def apply(progress: Progress) -> None:
        kubectl("apply", "-f", str(manifest), timeout_seconds=120, progress=progress)
        kubectl("annotate", "namespace", NAMESPACE, f"{MARK}={digest}", "--overwrite")

    return Step(
        title="kubectl apply -f k8s/bootstrap.yaml",
        expected="Argo CD, the git server and the first Application exist",
        reason="It is the last thing that anybody applies by hand: from here on git decides.",
        hint=f"kubectl --context {settings.context} -n {NAMESPACE} logs job/bootstrap; get pods, then run this again",
        observe=observe,
        apply=apply,
        timeout_seconds=INSTALL_SECONDS,
    )


def components_ready(settings: GitopsSettings) -> Step:
    """The step: every Deployment in `argocd` is available."""
    kubectl = Kubectl(context=settings.context)

    def observe() -> Observation:
        found = {item["metadata"]["name"]: item for item in kubectl.items("deployments", "--namespace", NAMESPACE)}
        down = [name for name in COMPONENTS if not (found.get(name, {}).get("status") or {}).get("availableReplicas")]
        text = f"not available: {', '.join(down)}" if down else ", ".join(COMPONENTS)
        return Observation(holds=not down, text=text)

    return Step(
        title="Argo CD, redis and the git server run",
        expected=f"{len(COMPONENTS)} Deployments available",
        reason="Argo CD compares git with the cluster; without the git server it has nothing to compare with.",
        hint=f"kubectl --context {settings.context} -n {NAMESPACE} describe pods",
        observe=observe,
        timeout_seconds=INSTALL_SECONDS,
    )


def seeded(settings: GitopsSettings) -> Step:
    """The step: the repository in the cluster holds this working copy's k8s/."""

    def observe() -> Observation:
        paths = unseeded(context=settings.context)
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        text = f"differs in {', '.join(paths[:3])}{more}" if paths else f"{REPOSITORY} holds k8s/ as it is here"
        return Observation(holds=not paths, text=text)

    def apply(progress: Progress) -> None:
        seed(context=settings.context, progress=progress)
        refresh("root", context=settings.context)

    return Step(
        title="the working copy's k8s/ is in git, in the cluster",
        expected="no difference",
        reason="In an air gap Argo CD can only sync from a server inside the cluster.",
        hint=f"kubectl --context {settings.context} -n {NAMESPACE} logs deployment/git-server",
        observe=observe,
        apply=apply,
    )


def admin_password(*, context: str = LAB_CONTEXT) -> str:
    """Argo CD's first admin password, for a login in memory. Never show it: an output notebook is kept.

    Raises:
        SourceError: there is none.
    """
    try:
        return Kubectl(context=context).secret("argocd-initial-admin-secret", NAMESPACE)["password"]
    except KeyError as error:
        raise SourceError("argocd-initial-admin-secret holds no password", source=NAMESPACE) from error


def _there(kubectl: Kubectl, name: str) -> bool:
    """Whether it exists; no, also where its kind does not."""
    try:
        return bool(kubectl("get", name, "--namespace", NAMESPACE, "--ignore-not-found", "--output=name").strip())
    except CommandError as error:
        if "the server doesn't have a resource type" in error.output:
            return False
        raise
