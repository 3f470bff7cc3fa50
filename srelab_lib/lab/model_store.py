"""A model as Ollama keeps it: a manifest that names blobs by their digests. Copied whole, checked by those digests."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from srelab_lib.errors import ModelError, SourceError
from srelab_lib.lab.images import QUICK_SECONDS, local_id
from srelab_lib.lab.process import CommandError, run
from srelab_lib.lab.step import Progress
from srelab_lib.lab.ticking import ticking

OLLAMA_IMAGE = "ollama/ollama:0.17.4"
MAKER = "srelab-model-maker"
"""The container that makes or pulls a model into a folder of this machine."""
MODEL_LAYER = "application/vnd.ollama.image.model"
CREATE_SECONDS = 1800
PULL_SECONDS = 3600
REGISTRY = "registry.ollama.ai"
MANIFEST_BYTES = 1024 * 1024
CHUNK_BYTES = 1024 * 1024

_BLOB = re.compile(r"sha256-[0-9a-f]{64}")
_NAME = re.compile(r"(?:(?P<head>[\w.:/-]+)/)?(?P<model>[\w.-]+)(?::(?P<tag>[\w.-]+))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A file of a model: `sha256:...` and its size."""

    digest: str
    size_bytes: int

    @property
    def file(self) -> str:
        """Its path below the store."""
        return f"blobs/{self.digest.replace(':', '-')}"


def manifest_path(model: str) -> str:
    """Where the manifest stands below a store: `phi3` -> `manifests/registry.ollama.ai/library/phi3/latest`.

    Raises:
        ModelError: not a model's name.
    """
    match = _NAME.fullmatch(model)
    if match is None or ".." in model:
        raise ModelError(f"{model!r} is not a model's name", hint="for example phi3 or smollm2:135m")
    head = (match["head"] or "library").split("/")
    host = [] if len(head) > 1 else [REGISTRY]
    return str(PurePosixPath("manifests", *host, *head, match["model"], match["tag"] or "latest"))


def blobs(manifest: bytes, source: str) -> list[Blob]:
    """The files that a manifest names.

    Raises:
        ModelError: it is no manifest.
    """
    try:
        value = json.loads(manifest)
        layers: list[dict[str, Any]] = [*value["layers"], value["config"]]
        found = {Blob(digest=str(layer["digest"]), size_bytes=int(layer["size"])) for layer in layers}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError("is no manifest of a model", source=source) from error
    wrong = [blob.digest for blob in found if not re.fullmatch(r"sha256:[0-9a-f]{64}", blob.digest)]
    if wrong:
        raise ModelError(f"names {wrong[0]!r}, which is no digest", source=source)
    return sorted(found, key=lambda blob: blob.digest)


def weights_digest(manifest: bytes) -> str:
    """The digest of the weights, which is that of the GGUF file that the model was made from; empty without one."""
    layers = json.loads(manifest).get("layers") or ()
    return next((str(layer["digest"]) for layer in layers if layer.get("mediaType") == MODEL_LAYER), "")


def read_manifest(store: Path, model: str) -> bytes:
    """The manifest's bytes; their sha256 is the digest by which Ollama calls the model.

    Raises:
        ModelError: the store does not have the model.
    """
    file = store / manifest_path(model)
    if not file.is_file() or file.stat().st_size > MANIFEST_BYTES:
        raise ModelError(f"there is no model {model!r}", source=str(store), hint=f"ollama pull {model}")
    return file.read_bytes()


def files(store: Path, model: str) -> list[str]:
    """Paths of the manifest and of every blob of a model, below the store."""
    manifest = read_manifest(store, model)
    return [manifest_path(model), *(blob.file for blob in blobs(manifest, str(store)))]


def sha256(file: Path) -> str:
    """The file's digest in hex, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def damaged(store: Path, model: str) -> list[str]:
    """What is wrong with a model's files, one line each; empty when all is well."""
    found: list[str] = []
    for blob in blobs(read_manifest(store, model), str(store)):
        file = store / blob.file
        if not file.is_file():
            found.append(f"{blob.file} is missing")
        elif file.stat().st_size != blob.size_bytes:
            found.append(f"{blob.file} has {file.stat().st_size} bytes, and must have {blob.size_bytes}")
        elif f"sha256:{sha256(file)}" != blob.digest:
            found.append(f"{blob.file} has other contents than its name says")
    return found


def machine_store() -> Path:
    """Where Ollama on this machine keeps its models."""
    return Path(os.environ.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models")


def obtain(model: str, store: Path, progress: Progress, *, model_file: str = "") -> None:
    """Puts a model into a store: from a GGUF file, else from this machine's Ollama, else pulled.

    Raises:
        ModelError, SourceError: it cannot be had; the hint says how to.
    """
    store.mkdir(parents=True, exist_ok=True)
    _drop_damaged(store)
    if not model_file:
        own = machine_store()
        if (own / manifest_path(model)).is_file():
            progress(f"       copying {model} from {own}")
            for name in files(own, model):
                (store / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(own / name, store / name)
            return
    _make(model, store, progress, model_file)


def _drop_damaged(store: Path) -> None:
    """Ollama takes a blob that is there for what its name says, and fails on one that was cut; a pull goes on."""
    for file in store.glob("blobs/sha256-*"):
        if _BLOB.fullmatch(file.name) and file.name != f"sha256-{sha256(file)}":
            file.unlink()


def _make(model: str, store: Path, progress: Progress, model_file: str) -> None:
    """By the server's own image in a throwaway container: nothing but Docker is needed here."""
    if model_file and not Path(model_file).is_file():
        raise SourceError(f"{model_file} is not a file", hint="model_file names a GGUF file")
    if not local_id(OLLAMA_IMAGE):
        raise SourceError(f"{OLLAMA_IMAGE} is not in this machine's engine", hint=f"docker pull {OLLAMA_IMAGE}")
    flags = ["--detach", "--rm", "--name", MAKER, "--label", "srelab=maker", "--env", "OLLAMA_MODELS=/models"]
    flags += ["--env", "HOME=/tmp", "--env", "OLLAMA_NOPRUNE=1", "--volume", f"{store.absolute()}:/models"]
    if hasattr(os, "getuid"):
        flags += ["--user", f"{os.getuid()}:{os.getgid()}"]
    if model_file:
        flags += ["--volume", f"{Path(model_file).absolute()}:/in/model.gguf:ro"]
    run("docker", "rm", "--force", MAKER, timeout_seconds=QUICK_SECONDS, accepted=(0, 1))
    try:
        run("docker", "run", *flags, OLLAMA_IMAGE, timeout_seconds=QUICK_SECONDS)
        _answering()
        if model_file:
            script = f"echo FROM /in/model.gguf > /tmp/Modelfile && ollama create {model} -f /tmp/Modelfile"
            command, seconds = ("sh", "-c", script), CREATE_SECONDS
        else:
            command, seconds = ("ollama", "pull", model), PULL_SECONDS
        with ticking(progress, f"{'making' if model_file else 'pulling'} {model}"):
            run("docker", "exec", MAKER, *command, timeout_seconds=seconds)
    except CommandError as error:
        raise ModelError(
            f"{model} cannot be had: {plain(error.output)}",
            source=OLLAMA_IMAGE,
            hint="a pull needs the internet; without it name a GGUF file: model_file",
        ) from error
    finally:
        run("docker", "rm", "--force", MAKER, timeout_seconds=QUICK_SECONDS, accepted=(0, 1))


def _answering() -> None:
    script = "for i in $(seq 50); do ollama list >/dev/null 2>&1 && exit 0; sleep 0.2; done; ollama list"
    run("docker", "exec", MAKER, "sh", "-c", script, timeout_seconds=QUICK_SECONDS)


def plain(text: str) -> str:
    """The last line of a program's output that says something, without what only a terminal shows."""
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).strip() for line in re.split(r"[\r\n]", text)]
    return next((line for line in reversed(lines) if re.search(r"\w", line)), "no output")
