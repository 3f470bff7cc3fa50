"""The repository in the cluster made equal to the working copy's k8s/."""

from __future__ import annotations

import shutil
from pathlib import Path

from srelab_lib.lab.git_clone import SEEDED, Clone
from srelab_lib.lab.process import silent
from srelab_lib.lab.step import PROJECT, Progress
from srelab_lib.settings import LAB_CONTEXT


def seed(*, context: str = LAB_CONTEXT, root: Path = PROJECT, progress: Progress = silent) -> str:
    """Makes the repository hold the working copy's k8s/: the first time as commit `seed`, later only what differs.

    Returns:
        The newest commit of the repository, in full.
    """
    with Clone(context=context, may_be_empty=True) as clone:
        if not differing(clone, root):
            return clone.head
        first = not (clone.folder / SEEDED).exists()
        shutil.rmtree(clone.folder / SEEDED, ignore_errors=True)
        for source in _files(root):
            target = clone.folder / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        sha = clone.commit_folder("seed" if first else "seed: as the working copy is now", SEEDED)
        clone.push()
        progress(f"       pushed {sha[:8]}, {len(_files(root))} files")
        return sha


def differing(clone: Clone, root: Path = PROJECT) -> list[str]:
    """Paths below k8s/ whose contents the repository does not have, or has and the working copy does not."""
    here = {file.relative_to(root).as_posix(): file.read_bytes() for file in _files(root)}
    there = {file.relative_to(clone.folder).as_posix(): file.read_bytes() for file in _files(clone.folder)}
    return sorted(path for path in {*here, *there} if here.get(path) != there.get(path))


def unseeded(*, context: str = LAB_CONTEXT, root: Path = PROJECT) -> list[str]:
    """Paths in which the repository in the cluster differs from the working copy."""
    with Clone(context=context, may_be_empty=True) as clone:
        return differing(clone, root)


def _files(root: Path) -> list[Path]:
    """Files below k8s/, without what an editor or the system left there."""
    found = [file for file in (root / SEEDED).rglob("*") if file.is_file()]
    return sorted(file for file in found if not file.name.startswith(".") and not file.name.endswith(("~", ".pyc")))
