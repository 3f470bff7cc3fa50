"""Container images of this machine's engine, side-loaded into each node of the kind cluster and checked there."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from srelab_lib.errors import SourceError
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.step import Observation, Progress, Step
from srelab_lib.settings import LAB_CLUSTER

QUICK_SECONDS = 30
SAVE_SECONDS = 600
LOAD_SECONDS = 900


def full_name(image: str) -> str:
    """An image as containerd lists it: `redis:7` -> `docker.io/library/redis:7`."""
    first, _, rest = image.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if rest else f"docker.io/library/{image}"


def nodes(cluster: str = LAB_CLUSTER) -> list[str]:
    """Names of the node containers, control plane first; empty where there is no such cluster."""
    names = run("kind", "get", "nodes", "--name", cluster, timeout_seconds=QUICK_SECONDS).split()
    return sorted(names, key=lambda name: ("control-plane" not in name, name))


def local_id(image: str) -> str:
    """The id (`sha256:...`) in this machine's engine; empty where the image is not there."""
    try:
        return run("docker", "image", "inspect", "--format", "{{.Id}}", image, timeout_seconds=QUICK_SECONDS).strip()
    except CommandError as error:
        if "no such image" in error.output.lower():
            return ""
        raise


def on_node(node: str) -> dict[str, str]:
    """Image name -> id, as the node's container runtime tells."""
    answer = run("docker", "exec", node, "crictl", "images", "-o", "json", timeout_seconds=QUICK_SECONDS)
    try:
        listed = json.loads(answer)["images"]
    except (ValueError, KeyError) as error:
        raise SourceError("crictl listed no images", source=node) from error
    return {tag: image["id"] for image in listed for tag in image.get("repoTags") or ()}


def lacking(images: Sequence[str], cluster: str = LAB_CLUSTER) -> dict[str, list[str]]:
    """Node -> images that are not there, or are there under the same name with other contents.

    Where the engine keeps images in containerd its id is the manifest's and never equals the node's: there, the name
    alone is compared.

    Raises:
        SourceError: there is no such cluster.
    """
    names = nodes(cluster)
    if not names:
        raise SourceError(f"there is no kind cluster {cluster!r}", hint="run 01_infrastructure.ipynb first")
    compared = {image: "" if _in_containerd() else local_id(image) for image in images}
    absent: dict[str, list[str]] = {}
    for node in names:
        there = on_node(node)
        for image, wanted in compared.items():
            found = there.get(full_name(image))
            if found is None or (wanted and found != wanted):
                absent.setdefault(node, []).append(image)
    return absent


def side_load(images: Sequence[str], progress: Progress, cluster: str = LAB_CLUSTER) -> None:
    """Puts what a node lacks there, in one archive because images share layers.

    `kind load docker-image` fails on engines that keep images in containerd (kind#3795), an archive of one platform
    does not.

    Raises:
        SourceError: an image is not in this machine's engine.
        CommandError: docker or kind failed.
    """
    wanted = sorted({image for missing in lacking(images, cluster).values() for image in missing})
    unknown = [image for image in wanted if not local_id(image)]
    if unknown:
        raise SourceError(
            f"not in this machine's engine: {', '.join(unknown)}",
            hint="build or pull it, or load the bundle: 03_airgap.ipynb",
        )
    if not wanted:
        return
    progress(f"       side-loading {', '.join(wanted)}")
    with tempfile.TemporaryDirectory(prefix="srelab-images-") as folder:
        archive = Path(folder) / "images.tar"
        save(wanted, archive, progress)
        command = ("kind", "load", "image-archive", str(archive), "--name", cluster)
        run(*command, timeout_seconds=LOAD_SECONDS, progress=progress)


def save(images: Sequence[str], archive: Path, progress: Progress) -> None:
    """Writes a Docker archive with the layers of this engine's own platform."""
    command = ["docker", "image", "save", "--output", str(archive)]
    if "--platform" in run("docker", "image", "save", "--help", timeout_seconds=QUICK_SECONDS):
        command += ["--platform", _platform()]
    run(*command, *images, timeout_seconds=SAVE_SECONDS, progress=progress)


def side_loaded(images: Sequence[str], cluster: str = LAB_CLUSTER) -> Step:
    """The step: each node has each image, with the contents that this machine has."""

    def observe() -> Observation:
        absent = lacking(images, cluster)
        if not absent:
            return Observation(holds=True, text=f"{len(images)} images on each of {len(nodes(cluster))} nodes")
        words = "; ".join(f"{node} lacks {', '.join(names)}" for node, names in absent.items())
        return Observation(holds=False, text=words)

    return Step(
        title="images are on every node",
        expected=f"{len(images)} images on each node",
        reason="A node without the image would have to pull it, and nothing can be pulled in an air gap.",
        hint=f"build or pull what is missing, then: kind load docker-image IMAGE --name {cluster}",
        observe=observe,
        apply=lambda progress: side_load(images, progress, cluster),
    )


def _platform() -> str:
    return run(
        "docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}", timeout_seconds=QUICK_SECONDS
    ).strip()


def _in_containerd() -> bool:
    return "io.containerd" in run("docker", "info", "--format", "{{.DriverStatus}}", timeout_seconds=QUICK_SECONDS)
