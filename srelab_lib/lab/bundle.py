"""Everything that the lab needs in one folder: images, model, wheels. Made on a connected machine, loaded on another.

python -m srelab_lib.lab.bundle create|verify|load FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from srelab_lib.errors import SourceError, SrelabError
from srelab_lib.lab import bundle_lock, bundle_parts, model_store
from srelab_lib.lab.bundle_lock import Item, Lock
from srelab_lib.lab.bundle_parts import MODEL, WHEELS
from srelab_lib.lab.image_list import NODE_IMAGE, builds, built, needed
from srelab_lib.lab.images import LOAD_SECONDS, local_id
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.pod_store import PodStore
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.step import PROJECT, Observation, Progress, Step
from srelab_lib.lab.ticking import ticking

PULL_SECONDS = 1800
DEFAULT_MODEL = "phi3"


def contents(root: Path = PROJECT) -> list[str]:
    """The images that a bundle of this working copy holds: all that run in the cluster, and the nodes' own."""
    return sorted({*needed(root), NODE_IMAGE})


def create(
    folder: Path,
    progress: Progress,
    *,
    images: Sequence[str] | None = None,
    model: str = DEFAULT_MODEL,
    model_file: str = "",
    wheels: bool = True,
    root: Path = PROJECT,
) -> Lock:
    """Makes a bundle, or goes on with one: what is there, whole and of the same source is kept.

    Args:
        folder: where it goes; created.
        progress: is told each part.
        images: other images than `contents()`, which are also built and pulled where they are missing.
        model: the model; empty leaves it out.
        model_file: a GGUF file that the model is made from; empty takes it from this machine's Ollama, or pulls it.
        wheels: the packages of requirements.txt, for this machine's Python.
        root: the working copy.

    Raises:
        SourceError: an image is missing, or the disk is too small.
        ModelError, CommandError: the model or a wheel cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = replace(bundle_parts.begun(folder), complete=False)
    bundle_lock.write(folder, lock)
    if images is None:
        images = contents(root)
        obtain_images(images, progress, root)
    bundle_parts.check_disk(folder, [name for name in images if local_id(name) and not lock.having("image", name)])
    for name in images:
        lock = bundle_parts.with_image(folder, lock, name, progress)
    if model:
        lock = bundle_parts.with_model(folder, lock, model, model_file, progress)
    if wheels:
        lock = bundle_parts.with_wheels(folder, lock, root, progress)
    lock = replace(lock, complete=True)
    bundle_lock.write(folder, lock)
    return lock


def problems(folder: Path) -> list[str]:
    """What is wrong with a bundle, one line each: cut short, damaged or missing files, files that nobody vouches for.

    Raises:
        SourceError: there is no bundle, or its lock cannot be read.
    """
    lock = bundle_lock.read(folder)
    short = [] if lock.complete else ["it is not complete: `create` was cut short, run it again"]
    unlisted = [f"{file} is not in the lock" for file in bundle_lock.unlisted(folder, lock)]
    return [*short, *bundle_lock.damage(folder, lock.items), *unlisted]


def verify(folder: Path, progress: Progress) -> Lock:
    """Reads every file and compares it with the lock.

    Raises:
        SourceError: something is wrong with it; the message names each file.
    """
    with ticking(progress, f"checking every digest in {folder}"):
        found = problems(folder)
    if found:
        hint = "copy the named files over again, or run `create` again: it keeps what is whole"
        raise SourceError("; ".join(found), source=str(folder), hint=hint)
    return bundle_lock.read(folder)


def load(folder: Path, progress: Progress, kubectl: Kubectl | None = None) -> Lock:
    """Verifies a bundle and loads it: images into the engine, the model into a running Ollama of the lab.

    Raises:
        SourceError: it is damaged; nothing was loaded then.
        CommandError: the engine refused an archive.
    """
    lock = verify(folder, progress)
    for entry in unloaded(lock):
        with ticking(progress, f"docker load {entry.name}"):
            run("docker", "load", "--input", str(folder / entry.file), timeout_seconds=LOAD_SECONDS)
    for model in lock.names("model"):
        _load_model(folder, model, kubectl or Kubectl(), progress)
    if lock.having("wheel"):
        progress(f"       packages: {wheels_command(folder)}")
    return lock


def unloaded(lock: Lock) -> list[Item]:
    """Images of a bundle that the engine lacks, or has with other contents."""
    return [entry for entry in lock.having("image") if local_id(entry.name) != entry.source]


def wheels_command(folder: Path) -> str:
    """What a person runs to install the packages without a network."""
    return f"pip install --no-index --find-links {folder / WHEELS} -r requirements.txt"


def obtain_images(images: Sequence[str], progress: Progress, root: Path = PROJECT) -> None:
    """Builds what is built here and pulls what is missing.

    Raises:
        SourceError: an image can be neither built nor pulled.
    """
    for build in builds(root):
        step = built(build, root)
        if build.image in images and not step.observe().holds and step.apply is not None:
            step.apply(progress)
    for name in images:
        if local_id(name):
            continue
        try:
            with ticking(progress, f"docker pull {name}"):
                run("docker", "pull", name, timeout_seconds=PULL_SECONDS)
        except CommandError as error:
            hint = "connect this machine, or load a bundle: python -m srelab_lib.lab.bundle load FOLDER"
            raise SourceError(f"{name} cannot be pulled: {model_store.plain(error.output)}", hint=hint) from error


def images_here(images: Sequence[str]) -> Step:
    """The step: this machine's engine has every image; what is missing is pulled where there is a network."""

    def observe() -> Observation:
        missing = [name for name in images if not local_id(name)]
        text = f"missing: {', '.join(missing)}" if missing else f"{len(images)} images"
        return Observation(holds=not missing, text=text)

    return Step(
        title="this machine's engine has every image",
        expected=f"{len(images)} images",
        reason="Nodes are given images from here; they never pull one.",
        hint="connect this machine and docker pull, or load a bundle: parameter bundle",
        observe=observe,
        apply=lambda progress: obtain_images(images, progress),
    )


def verified(folder: Path) -> Step:
    """The step: the bundle is complete, and every file in it has the size and the digest that the lock says."""

    def observe() -> Observation:
        found = problems(folder)
        return Observation(holds=not found, text="; ".join(found) or _told(bundle_lock.read(folder)))

    return Step(
        title="the bundle is whole",
        expected="each file with its size and sha256, and none beside them",
        reason="A damaged archive shows hours later, as a pod that does not start.",
        hint="copy the named files over again",
        observe=observe,
    )


def loaded(folder: Path) -> Step:
    """The step: the engine has each image of a bundle with the bundle's contents; the bundle is verified before."""

    def observe() -> Observation:
        lock = bundle_lock.read(folder)
        missing = [entry.name for entry in unloaded(lock)]
        text = f"{len(lock.names('image'))} images of the bundle"
        return Observation(holds=not missing, text=f"not loaded: {', '.join(missing)}" if missing else text)

    def apply(progress: Progress) -> None:
        load(folder, progress)

    return Step(
        title="the bundle's images are in this machine's engine",
        expected="each with the id that the lock names",
        reason="Without a network the bundle is where images come from.",
        hint=f"python -m srelab_lib.lab.bundle verify {folder}",
        observe=observe,
        apply=apply,
    )


def created(folder: Path, *, model: str = DEFAULT_MODEL, model_file: str = "") -> Step:
    """The step: there is a complete and undamaged bundle of everything that the lab needs now."""

    def observe() -> Observation:
        found = problems(folder)
        lock = bundle_lock.read(folder)
        found += [f"{name} is not in it" for name in contents() if name not in lock.names("image")]
        if found:
            return Observation(holds=False, text="; ".join(found[:5]))
        return Observation(holds=True, text=_told(lock))

    def apply(progress: Progress) -> None:
        create(folder, progress, model=model, model_file=model_file)

    return Step(
        title=f"a bundle is in {folder}",
        expected="images, model and wheels, each file as its lock says",
        reason="With it the lab runs on a machine that never had a network.",
        hint="run it again: what is there and whole is kept",
        observe=observe,
        apply=apply,
    )


def _told(lock: Lock) -> str:
    counts = [f"{len(lock.names('image'))} images", f"{len(lock.names('wheel'))} wheels"]
    models = ", ".join(lock.names("model")) or "no model"
    return f"{', '.join(counts)}, {models}; {sum(entry.bytes for entry in lock.items) / 1e9:.1f} GB"


def _load_model(folder: Path, model: str, kubectl: Kubectl, progress: Progress) -> None:
    store = PodStore(kubectl)
    try:
        there = store.manifest(model)
    except SrelabError:
        progress(f"       {model} is loaded by 04_ai_engine.ipynb -p bundle {folder}, once Ollama runs")
        return
    if there != model_store.read_manifest(folder / MODEL, model) or store.lacking(there):
        store.copy_in(folder / MODEL, model, progress)


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m srelab_lib.lab.bundle", description=__doc__)
    parser.add_argument("action", choices=("create", "verify", "load"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="create: the model; empty leaves it out")
    parser.add_argument("--model-file", default="", help="create: a GGUF file that the model is made from")
    parser.add_argument("--no-wheels", action="store_true", help="create: leave the Python packages out")
    given = parser.parse_args(arguments)

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        if given.action == "create":
            wheels = not given.no_wheels
            lock = create(given.folder, tell, model=given.model, model_file=given.model_file, wheels=wheels)
        else:
            lock = (verify if given.action == "verify" else load)(given.folder, tell)
    except SrelabError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    tell(f"{given.folder} is whole: {_told(lock)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
