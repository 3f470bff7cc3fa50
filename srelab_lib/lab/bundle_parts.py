"""The parts of a bundle as they are made: each is kept where it is there, whole and of the same source."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from srelab_lib.errors import SourceError
from srelab_lib.lab import bundle_lock, model_store
from srelab_lib.lab.bundle_lock import PART, Lock
from srelab_lib.lab.images import QUICK_SECONDS, local_id, save
from srelab_lib.lab.process import run
from srelab_lib.lab.step import PROJECT, Progress
from srelab_lib.lab.ticking import ticking

IMAGES, MODEL, WHEELS = "images", "model", "wheels"
"""Folders of a bundle; MODEL is a store as Ollama keeps it."""
WHEEL_SECONDS = 1800
SPARE_BYTES = 1024**3


def begun(folder: Path) -> Lock:
    """The lock to go on from: the folder's own, or an empty one where images or wheels would not fit it."""
    system = run("docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}", timeout_seconds=QUICK_SECONDS)
    fresh = Lock(platform=system.strip(), python=".".join(platform.python_version_tuple()[:2]))
    for draft in folder.rglob(f"*{PART}"):
        shutil.rmtree(draft) if draft.is_dir() else draft.unlink()
    if not (folder / bundle_lock.LOCK).exists():
        return fresh
    lock = bundle_lock.read(folder)
    return lock if (lock.platform, lock.python) == (fresh.platform, fresh.python) else fresh


def with_image(folder: Path, lock: Lock, name: str, progress: Progress) -> Lock:
    """The lock with this image, which is saved unless the bundle holds it with the same id and whole."""
    source = local_id(name)
    if not source:
        raise SourceError(f"{name} is not in this machine's engine", hint=f"docker pull {name}, or build it")
    old = lock.having("image", name)
    if old and old[0].source == source and not bundle_lock.damage(folder, old):
        return lock
    file = f"{IMAGES}/{re.sub(r'[^A-Za-z0-9.]+', '-', name)}.tar"
    (folder / IMAGES).mkdir(exist_ok=True)
    draft = folder / (file + PART)
    with ticking(progress, f"docker save {name}"):
        save([name], draft, progress)
        draft.replace(folder / file)
        entry = bundle_lock.item(folder, file, kind="image", name=name, source=source)
    lock = lock.without("image", name).adding([entry])
    bundle_lock.write(folder, lock)
    progress(f"       {name}: {entry.bytes / 1e6:,.0f} MB")
    return lock


def with_model(folder: Path, lock: Lock, model: str, model_file: str, progress: Progress) -> Lock:
    """The lock with this model, which replaces any other; kept where it is whole and of the same file."""
    old, store = lock.having("model", model), folder / MODEL
    wanted = f"gguf:{model_store.sha256(Path(model_file))}" if model_file and Path(model_file).is_file() else ""
    if old and (not wanted or old[0].source == wanted) and not bundle_lock.damage(folder, old):
        return lock
    model_store.obtain(model, store, progress, model_file=model_file)
    if wrong := model_store.damaged(store, model):
        raise SourceError("; ".join(wrong), source=str(store), hint="run it again")
    source = wanted or f"sha256:{hashlib.sha256(model_store.read_manifest(store, model)).hexdigest()}"
    names = [f"{MODEL}/{name}" for name in model_store.files(store, model)]
    items = [bundle_lock.item(folder, name, kind="model", name=model, source=source) for name in names]
    lock = lock.without("model").adding(items)
    for name in bundle_lock.unlisted(folder, lock):
        if name.startswith(f"{MODEL}/"):
            (folder / name).unlink()  # of a model that was in the bundle before
    bundle_lock.write(folder, lock)
    progress(f"       {model}: {sum(entry.bytes for entry in items) / 1e6:,.0f} MB")
    return lock


def with_wheels(folder: Path, lock: Lock, root: Path, progress: Progress) -> Lock:
    """The lock with the wheels of the requirements; kept where they are whole and the requirements the same."""
    lines = requirements(root)
    source = f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"
    old = lock.having("wheel")
    if old and all(entry.source == source for entry in old) and not bundle_lock.damage(folder, old):
        return lock
    draft = folder / (WHEELS + PART)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listed:
        listed.write("\n".join(lines) + "\n")
        listed.flush()
        pip = (sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--quiet")
        with ticking(progress, f"pip wheel: {len(lines)} requirements and what they need"):
            run(*pip, "--wheel-dir", str(draft), "--requirement", listed.name, timeout_seconds=WHEEL_SECONDS)
    shutil.rmtree(folder / WHEELS, ignore_errors=True)
    draft.replace(folder / WHEELS)
    names = sorted(file.name for file in (folder / WHEELS).glob("*.whl"))
    items = [bundle_lock.item(folder, f"{WHEELS}/{name}", kind="wheel", name=name, source=source) for name in names]
    lock = lock.without("wheel").adding(items)
    bundle_lock.write(folder, lock)
    progress(f"       {len(items)} wheels: {sum(entry.bytes for entry in items) / 1e6:,.0f} MB")
    return lock


def requirements(root: Path = PROJECT) -> list[str]:
    """Lines of requirements.txt without the working copy itself, and what builds the working copy."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line.split(" #")[0].strip() for line in lines if re.match(r"[A-Za-z]", line)]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return [*packages, *project["build-system"]["requires"]]


def check_disk(folder: Path, images: Sequence[str]) -> None:
    """Refuses a disk that cannot hold the images.

    Raises:
        SourceError: too little is free.
    """
    form = "{{.Size}}"
    sizes = [
        run("docker", "image", "inspect", "--format", form, name, timeout_seconds=QUICK_SECONDS) for name in images
    ]
    wanted, free = sum(map(int, sizes)) + SPARE_BYTES, shutil.disk_usage(folder).free
    if images and wanted > free:
        raise SourceError(
            f"{free / 1e9:.1f} GB are free, and the images alone take {wanted / 1e9:.1f} GB",
            source=str(folder),
            hint="name a folder on a larger disk",
        )
