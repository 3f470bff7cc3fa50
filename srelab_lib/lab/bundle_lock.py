"""The lock of a bundle: every file in it by kind, name, digest and size; what is damaged is named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from srelab_lib.errors import SourceError
from srelab_lib.lab.model_store import sha256

LOCK = "lock.json"
LOCK_VERSION = 1
PART = ".part"
"""End of the name of a file that is still being written."""

Kind = Literal["image", "model", "wheel"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A file of a bundle.

    Attributes:
        kind: image (a Docker archive), model (a file of Ollama's store) or wheel.
        name: the image, the model or the wheel that it belongs to.
        file: its path below the bundle, with slashes.
        sha256: of its contents, in hex.
        bytes: its size.
        source: what it was made from: an image's id, a model's digest, the digest of the requirements.
    """

    kind: Kind
    name: str
    file: str
    sha256: str
    bytes: int
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """What a bundle holds. `complete` is false while it is being made, and stays so when that was cut short.

    Attributes:
        platform: operating system and architecture of the images.
        python: version of the wheels, such as 3.11.
    """

    platform: str
    python: str
    complete: bool = False
    items: tuple[Item, ...] = ()

    def having(self, kind: Kind, name: str = "") -> list[Item]:
        """Items of a kind, or of one name of that kind."""
        return [item for item in self.items if item.kind == kind and name in {"", item.name}]

    def names(self, kind: Kind) -> list[str]:
        """Names of a kind, each once."""
        return sorted({item.name for item in self.having(kind)})

    def without(self, kind: Kind, name: str = "") -> Lock:
        """The same lock less the items of a kind, or of one name of it."""
        gone = self.having(kind, name)
        return replace(self, items=tuple(item for item in self.items if item not in gone))

    def adding(self, items: Iterable[Item]) -> Lock:
        """The same lock with more items."""
        return replace(self, items=(*self.items, *items))


def item(folder: Path, file: str, *, kind: Kind, name: str, source: str) -> Item:
    """A file that is there, measured."""
    path = folder / file
    size = path.stat().st_size
    return Item(kind=kind, name=name, file=file, sha256=sha256(path), bytes=size, source=source)


def write(folder: Path, lock: Lock) -> None:
    """Writes the lock so that there is a whole one at any time."""
    value = {"schema_version": LOCK_VERSION, **asdict(lock)}
    draft = folder / (LOCK + PART)
    draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / LOCK)


def read(folder: Path) -> Lock:
    """The lock of a bundle.

    Raises:
        SourceError: no bundle, another version, or a lock that was tampered with.
    """
    try:
        value: dict[str, Any] = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        if value.pop("schema_version") != LOCK_VERSION:
            raise SourceError(f"{LOCK} is of another version", source=str(folder), hint="make the bundle again")
        lock = Lock(**{**value, "items": tuple(_item(entry) for entry in value["items"])})
    except FileNotFoundError as error:
        hint = f"python -m srelab_lib.lab.bundle create {folder}"
        raise SourceError(f"there is no bundle: {LOCK} is missing", source=str(folder), hint=hint) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{LOCK} cannot be read: {error}", source=str(folder), hint="copy it over again") from error
    return lock


def damage(folder: Path, items: Iterable[Item]) -> list[str]:
    """What is wrong with files of a bundle, one line each; empty when all is well."""
    return [line for entry in items if (line := _damage(folder, entry))]


def unlisted(folder: Path, lock: Lock) -> list[str]:
    """Files beside the lock that it does not name: nobody vouches for those."""
    known = {LOCK, *(entry.file for entry in lock.items)}
    found = (Path(where) / name for where, _, names in os.walk(folder) for name in names)
    return sorted(path for file in found if (path := file.relative_to(folder).as_posix()) not in known)


def _damage(folder: Path, entry: Item) -> str:
    path = folder / entry.file
    if not path.is_file():
        return f"{entry.file} ({entry.kind} {entry.name}) is missing"
    size = path.stat().st_size
    if size != entry.bytes:
        return f"{entry.file} ({entry.kind} {entry.name}) has {size} bytes, and must have {entry.bytes}"
    if sha256(path) != entry.sha256:
        return f"{entry.file} ({entry.kind} {entry.name}) has other contents than the lock says"
    return ""


def _item(entry: dict[str, Any]) -> Item:
    made = Item(**entry)
    path = PurePosixPath(made.file)
    if path.is_absolute() or ".." in path.parts or made.kind not in get_args(Kind):
        raise ValueError(f"{made.kind} {made.file!r} is no file of a bundle")
    return made
