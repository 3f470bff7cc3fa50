"""The model store in the cluster: the volume of Deployment `ollama`, read and filled by `kubectl exec` and `cp`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from srelab_lib.errors import ModelError, SourceError
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.model_store import (
    CREATE_SECONDS,
    PULL_SECONDS,
    REGISTRY,
    blobs,
    manifest_path,
    plain,
    read_manifest,
)
from srelab_lib.lab.pods import ready
from srelab_lib.lab.process import CommandError
from srelab_lib.lab.step import Progress
from srelab_lib.lab.ticking import ticking

NAMESPACE = "default"
DEPLOYMENT = "ollama"
SELECTOR = f"app.kubernetes.io/name={DEPLOYMENT}"
MODELS = "/models"
COPY_SECONDS = 1800
HASH_SECONDS = 300
REACH_SECONDS = 5


class PodStore:
    """The store at /models of the one pod of Deployment `ollama`."""

    def __init__(self, kubectl: Kubectl, namespace: str = NAMESPACE) -> None:
        self.kubectl = kubectl
        self.namespace = namespace

    def pod(self) -> str:
        """The Ready pod's name.

        Raises:
            SourceError: none is Ready.
        """
        found = self.kubectl.items("pods", "--namespace", self.namespace, "--selector", SELECTOR)
        names = [pod["metadata"]["name"] for pod in found if ready(pod) and "deletionTimestamp" not in pod["metadata"]]
        if not names:
            hint = f"kubectl --namespace {self.namespace} describe pods --selector {SELECTOR}"
            raise SourceError(f"no pod of Deployment {DEPLOYMENT} is Ready", source=self.kubectl.context, hint=hint)
        return str(names[0])

    def manifest(self, model: str) -> bytes:
        """The model's manifest in the volume; empty where it is not there."""
        path = f"{MODELS}/{manifest_path(model)}"
        # The last byte of the file is kept: a digest is over all of them.
        text = self._sh(f"[ ! -f {path} ] || od -An -v -tx1 {path}")
        return bytes.fromhex("".join(text.split()))

    def sizes(self) -> dict[str, int]:
        """Path below the store -> bytes, of every blob in the volume."""
        text = self._sh(f"cd {MODELS} && for f in blobs/sha256-*; do [ -f $f ] && stat -c '%n %s' $f; done; true")
        return {name: int(size) for name, size in (line.split() for line in text.splitlines())}

    def lacking(self, manifest: bytes) -> list[str]:
        """Blobs of a manifest that the volume does not hold in full."""
        there = self.sizes()
        return [blob.file for blob in blobs(manifest, MODELS) if there.get(blob.file) != blob.size_bytes]

    def copy_in(self, store: Path, model: str, progress: Progress) -> None:
        """Copies a model's blobs, checks their digests in the pod, and only then the manifest that makes it a model.

        Cut short, it goes on with the blobs that are still lacking.

        Raises:
            ModelError: a blob arrived damaged (it is removed), or the source does not have the model.
        """
        manifest, pod = read_manifest(store, model), self.pod()
        self._sh(f"mkdir -p {MODELS}/blobs {MODELS}/{Path(manifest_path(model)).parent}")
        names = self.lacking(manifest)
        for number, name in enumerate(names, 1):
            size = (store / name).stat().st_size
            text = f"copying file {number} of {len(names)} of {model} into the pod ({size / 1e6:,.0f} MB)"
            with ticking(progress, text):
                self._copy(store / name, pod, f"{MODELS}/{name}")
        with ticking(progress, f"checking the digests of {model} in the pod"):
            self.check(manifest)
        self._copy(store / manifest_path(model), pod, f"{MODELS}/{manifest_path(model)}")

    def check(self, manifest: bytes) -> None:
        """Reads each blob in the pod and compares it with its name.

        Raises:
            ModelError: one has other contents; it is removed, so that the next run copies it again.
        """
        if wrong := self._drop_damaged(" ".join(blob.file for blob in blobs(manifest, MODELS))):
            raise ModelError(
                f"{', '.join(wrong)} in the volume had other contents than their names say, and were removed",
                source=self.kubectl.context,
                hint="run the notebook again: what is lacking is copied again",
            )

    def create(self, model: str, model_file: Path, progress: Progress) -> None:
        """Makes the model in the pod from a GGUF file.

        Raises:
            ModelError: the server did not take the file.
        """
        pod, upload = self.pod(), f"{MODELS}/upload.gguf"
        try:
            with ticking(
                progress, f"copying {model_file.name} into the pod ({model_file.stat().st_size / 1e6:,.0f} MB)"
            ):
                self._copy(model_file, pod, upload)
            # Ollama takes a blob that is there for what its name says, and fails on one that was cut.
            self._drop_damaged("$(ls -d blobs/sha256-* 2>/dev/null | grep -E '^blobs/sha256-[0-9a-f]{64}$')")
            with ticking(progress, f"ollama create {model}"):
                make = f"echo FROM {upload} > /tmp/Modelfile && ollama create {model} -f /tmp/Modelfile"
                self._sh(make, timeout_seconds=CREATE_SECONDS)
        except CommandError as error:
            hint = "is it a GGUF file of a language model, and is the disk full?"
            raise ModelError(f"{model} was not made: {plain(error.output)}", source=pod, hint=hint) from error
        finally:
            self._sh(f"rm -f {upload}")

    def pull(self, model: str, progress: Progress) -> None:
        """`ollama pull` in the pod; asks first whether the registry can be reached, so that it ends soon.

        Raises:
            ModelError: no network, or the registry does not have the model.
        """
        without = "without a network load it from a bundle (bundle = FOLDER) or a GGUF file (model_file = FILE)"
        reach = f"timeout {REACH_SECONDS} bash -c '</dev/tcp/{REGISTRY}/443' 2>/dev/null && echo yes || echo no"
        if self._sh(reach).strip() != "yes":
            raise ModelError(
                f"{REGISTRY} cannot be reached from the pod: nothing was pulled", source=model, hint=without
            )
        try:
            with ticking(progress, f"ollama pull {model}"):
                self._sh(f"ollama pull {model}", timeout_seconds=PULL_SECONDS)
        except CommandError as error:
            raise ModelError(f"{model} was not pulled: {plain(error.output)}", source=REGISTRY, hint=without) from error

    def _drop_damaged(self, files: str) -> list[str]:
        """Removes those of the blobs that have other contents than their names say; returns them."""
        script = (
            f"cd {MODELS} && for f in {files}; do "
            '[ "$(sha256sum < $f | cut -c1-64)" = "${f#blobs/sha256-}" ] || { echo $f; rm -f $f; }; done'
        )
        return self._sh(script, timeout_seconds=HASH_SECONDS).split()

    def _sh(self, script: str, *, timeout_seconds: float = 60) -> str:
        flags = ("--namespace", self.namespace, self.pod(), "--", "sh", "-c", script)
        return self.kubectl("exec", *flags, timeout_seconds=timeout_seconds)

    def _copy(self, file: Path, pod: str, path: str) -> None:
        """`kubectl cp` to the side, then renamed: a file under its own name is a whole one."""
        with tempfile.TemporaryDirectory(prefix="srelab-cp-") as folder:
            # kubectl takes a colon in a path for the name of a pod.
            link = Path(folder) / "file"
            link.symlink_to(file.absolute())
            flags = ("--namespace", self.namespace, "--retries=3", "--no-preserve")
            self.kubectl("cp", *flags, str(link.resolve()), f"{pod}:{path}.part", timeout_seconds=COPY_SECONDS)
        self._sh(f"mv {path}.part {path}")
