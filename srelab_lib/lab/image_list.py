"""Which images the lab needs, read from its manifests, and which of them are built here: the one list of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from srelab_lib.errors import SourceError
from srelab_lib.lab.images import QUICK_SECONDS, local_id
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.step import PROJECT, Observation, Progress, Step
from srelab_lib.lab.ticking import ticking

OPTIONAL = "srelab/optional"
"""Label or annotation of an Argo CD Application whose images the lab does without."""
FINGERPRINT = "srelab.sources"
"""Label of a built image: a digest of what it was built from. It goes with the image into a bundle."""
BUILD_SECONDS = 900

NODE_IMAGE = "kindest/node:v1.34.3"
PROBE_IMAGE = "busybox:1.35"
"""What the proof of the air gap connects with."""
EXERCISES = ("busybox:1.35", "nginx:1.22.1", "python:3.11-slim", "redis:7.0.15")
"""What the faults of the catalogue run, and what the images below are built on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """An image that is built here.

    Attributes:
        image: its name.
        dockerfile: below the working copy.
        context: the folder that the build sees, below the working copy.
        sources: files and folders that go into it; when one changes the image is built again.
    """

    image: str
    dockerfile: str
    context: str
    sources: tuple[str, ...]


BUILDS = (
    Build(image="broken-app:v2", dockerfile="app/Dockerfile", context="app", sources=("app",)),
    Build(
        image="git-server:v1",
        dockerfile="k8s/git-server/image/Dockerfile",
        context="k8s/git-server/image",
        sources=("k8s/git-server/image",),
    ),
    Build(
        image="sre-agent:v1",
        dockerfile="agent/Dockerfile",
        context=".",
        sources=("pyproject.toml", "srelab_lib", "agent/requirements.txt"),
    ),
)


def builds(root: Path = PROJECT) -> list[Build]:
    """The images that this working copy has a Dockerfile for."""
    return [build for build in BUILDS if (root / build.dockerfile).is_file()]


def in_manifests(root: Path = PROJECT) -> dict[str, list[str]]:
    """Image -> the files below k8s/ that name it, without those of an optional Application.

    Raises:
        SourceError: a file is no YAML.
    """
    found: dict[str, list[str]] = {}
    skipped = optional_paths(root)
    for file in sorted((root / "k8s").rglob("*.yaml")):
        name = file.relative_to(root).as_posix()
        if any(name.startswith(f"{path}/") for path in skipped):
            continue
        for image in sorted({image for document in documents(file) for image in _images(document)}):
            found.setdefault(image, []).append(name)
    return dict(sorted(found.items()))


def optional_paths(root: Path = PROJECT) -> list[str]:
    """Folders of the Applications that are marked `srelab/optional: "true"`, such as one whose image is large."""
    paths: list[str] = []
    for file in sorted((root / "k8s").rglob("*.yaml")):
        for document in documents(file):
            if document.get("kind") == "Application" and is_optional(document):
                paths.append(str(document["spec"]["source"]["path"]).strip("/"))
    return paths


def table(root: Path = PROJECT) -> pd.DataFrame:
    """One row for each needed image: what it is built from, and which files name it."""
    named, made = in_manifests(root), {build.image: build.dockerfile for build in builds(root)}
    rows = [
        {
            "image": image,
            "built from": made.get(image, ""),
            "named in": ", ".join(named.get(image, ())) or ("the proof, the exercises" if image in EXERCISES else ""),
        }
        for image in needed(root)
    ]
    return pd.DataFrame(rows, columns=["image", "built from", "named in"])


def is_optional(application: dict[str, Any]) -> bool:
    """Whether an Application is marked as one that the lab does without."""
    meta = application.get("metadata") or {}
    return {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}.get(OPTIONAL) == "true"


def needed(root: Path = PROJECT) -> list[str]:
    """Every image that a node must have: of the manifests, of the builds, of the proof and of the exercises."""
    names = {*in_manifests(root), *(build.image for build in builds(root)), PROBE_IMAGE, *EXERCISES}
    return sorted(names)


def documents(file: Path) -> list[dict[str, Any]]:
    """The objects of a YAML file.

    Raises:
        SourceError: it is no YAML.
    """
    try:
        return [item for item in yaml.safe_load_all(file.read_text(encoding="utf-8")) if isinstance(item, dict)]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError("cannot be read as YAML", source=str(file)) from error


def fingerprint(build: Build, root: Path = PROJECT) -> str:
    """A digest over names and contents of everything that the image is built from."""
    digest = hashlib.sha256()
    files = {file for source in build.sources for file in _files(root / source)}
    for file in sorted({*files, root / build.dockerfile}):
        digest.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def all_built(root: Path = PROJECT) -> list[Step]:
    """The step of each image that is built here."""
    return [built(build, root) for build in builds(root)]


def built(build: Build, root: Path = PROJECT) -> Step:
    """The step: this machine has the image, made from these very sources.

    An image that a bundle brought carries its sources' digest, so on an offline machine nothing has to be built.
    """
    wanted = fingerprint(build, root)

    def observe() -> Observation:
        if not (found := local_id(build.image)):
            return Observation(holds=False, text="not in this machine's engine")
        label = f'{{{{index .Config.Labels "{FINGERPRINT}"}}}}'
        mark = run("docker", "image", "inspect", "--format", label, build.image, timeout_seconds=QUICK_SECONDS).strip()
        if mark == wanted:
            return Observation(holds=True, text=f"{found.removeprefix('sha256:')[:12]}, from the sources as they are")
        return Observation(holds=False, text="built from other sources")

    return Step(
        title=f"{build.image} is built",
        expected=f"an image made from {', '.join(build.sources)} as they are now",
        reason="What runs in the cluster shall be what stands in the working copy.",
        hint=f"docker build -t {build.image} -f {build.dockerfile} {build.context}; without a network load a bundle",
        observe=observe,
        apply=lambda progress: _build(build, root, wanted, progress),
    )


def _build(build: Build, root: Path, mark: str, progress: Progress) -> None:
    progress(f"       docker build -t {build.image} -f {build.dockerfile} {build.context}")
    label = ("--label", f"{FINGERPRINT}={mark}")
    command = ("docker", "build", "--tag", build.image, "--file", build.dockerfile, *label, build.context)
    try:
        with ticking(progress, f"building {build.image}"):
            run(*command, timeout_seconds=BUILD_SECONDS, folder=root)
    except CommandError as error:
        if "network" in error.output or "resol" in error.output or "connection" in error.output.lower():
            error.hint = "a build installs packages from the network; without one, load a bundle that has the image"
        raise


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in path.rglob("*"):
        left = any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts)
        if file.is_file() and not left and file.suffix != ".pyc":
            yield file


def _images(node: Any) -> Iterator[str]:
    """Every `image:` of a container, wherever a pod template stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"containers", "initContainers"} and isinstance(value, list):
                yield from (str(item["image"]) for item in value if isinstance(item, dict) and "image" in item)
            else:
                yield from _images(value)
    elif isinstance(node, list):
        for item in node:
            yield from _images(item)
