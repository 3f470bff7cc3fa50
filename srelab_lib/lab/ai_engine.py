"""The model server of the lab: it runs, its model is in a volume and outlives the pod, it answers in a schema."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.ollama import ChatReply, OllamaClient
from srelab_lib.errors import DeadlineError, ModelError, SettingsError
from srelab_lib.lab import pods
from srelab_lib.lab.applications import applications, argocd_installed
from srelab_lib.lab.bundle_parts import MODEL
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.model_answer import CONTEXT_TOKENS, OUTPUT_TOKENS, QUESTION, SCHEMA, Answer, Timed, answer_of
from srelab_lib.lab.model_store import blobs, damaged, manifest_path, read_manifest, sha256, weights_digest
from srelab_lib.lab.pod_store import DEPLOYMENT, NAMESPACE, SELECTOR, PodStore
from srelab_lib.lab.step import PROJECT, Observation, Progress, Step, wait_for
from srelab_lib.lab.ticking import ticking
from srelab_lib.settings import LAB_CONTEXT, check_types

SLOW = "the CPU is overloaded: pause_monitoring = True, or longer: answer_seconds"
SERVICE = "ollama-svc"
PORT = 80
READY_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """What 04_ai_engine is asked to do. At most one of `bundle` and `model_file`; neither pulls the model.

    Attributes:
        model: the model's name in Ollama.
        model_file: a GGUF file of this machine that the model is made from.
        bundle: folder of a bundle that holds the model.
        answer_seconds: wall clock for one answer, the time to read the weights included.
        pause_monitoring: scale monitoring down while the model answers, for a CPU that is overloaded.
        output_dir: where summary.json goes; empty is runs/<UTC>-04_ai_engine/.
    """

    model: str = "phi3"
    model_file: str = ""
    bundle: str = ""
    answer_seconds: int = 180
    pause_monitoring: bool = False
    output_dir: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        manifest_path(self.model)
        if self.model_file and self.bundle:
            raise SettingsError("model_file and bundle are two sources for one model", hint="leave one of them empty")
        if self.model_file and not Path(self.model_file).is_file():
            raise SettingsError(f"model_file={self.model_file!r} is not a file", hint="it names a GGUF file")
        if not 10 <= self.answer_seconds <= 3600:
            raise SettingsError(f"answer_seconds={self.answer_seconds} is out of range", hint="10 to 3600")


class Engine:
    """Deployment `ollama`, its volume and its Service, through the API server: no port is forwarded.

    Attributes:
        answers: what it answered, in order, each with when it was asked.
    """

    def __init__(self, settings: EngineSettings, *, context: str = LAB_CONTEXT, namespace: str = NAMESPACE) -> None:
        self.settings = settings
        self.namespace = namespace
        self.kubectl = Kubectl(context=context)
        self.store = PodStore(self.kubectl, namespace)
        self.answers: list[tuple[str, Answer]] = []
        self._survived = ""

    def deployed(self) -> Step:
        """The step: Deployment `ollama` is available. Where Argo CD deploys it, it is only waited for."""
        return Step(
            title=f"Deployment {DEPLOYMENT} is available",
            expected="1 of 1 replicas available, volume Bound",
            reason="The server must run before a model can be loaded into its volume.",
            hint=f"kubectl --namespace {self.namespace} describe pods --selector {SELECTOR}; images: 03_airgap.ipynb",
            observe=self._available,
            apply=self._deploy,
            timeout_seconds=READY_SECONDS,
        )

    def loaded(self) -> Step:
        """The step: the volume holds the model that was asked for, whole, and the server lists that digest."""
        source = self.settings.bundle or self.settings.model_file or "the registry"
        return Step(
            title=f"{self.settings.model} is in persistent storage",
            expected=f"the model from {source} in the volume, every file of it with its size",
            reason="A model in the container's own file system is gone with the pod, and cannot be pulled offline.",
            hint="give a bundle (bundle = FOLDER) or a GGUF file (model_file = FILE), or connect the machine to pull",
            observe=self._whole,
            apply=self._load,
        )

    def answering(self, when: str) -> Step:
        """The step: it was asked, and its answer fits the schema. `when` names the answer in the table."""

        def observe() -> Observation:
            answer = next((answer for name, answer in self.answers if name == when), None)
            if answer is None:
                return Observation(holds=False, text="not asked yet")
            text = f"first token after {answer.first_token_seconds:.1f} s, {answer.tokens_per_second:.0f} tokens/s"
            return Observation(holds=True, text=f"{json.dumps(answer.value)}; {text}")

        return Step(
            title=f"{self.settings.model} answers in the schema ({when})",
            expected="JSON with resource, exit_code and sentence, and nothing else",
            reason="Only an answer whose form is certain can be read by code.",
            hint=SLOW,
            observe=observe,
            apply=lambda progress: self.answers.append((when, self.ask(progress))),
        )

    def survives_restart(self) -> Step:
        """The step: the pod was deleted in this run, and the next one has the model with the same digest."""

        def observe() -> Observation:
            return Observation(holds=bool(self._survived), text=self._survived or "not tried in this run")

        return Step(
            title=f"{self.settings.model} survives a restart of its pod",
            expected="another pod, the same digest, nothing copied or pulled",
            reason="The volume, not the pod, is where the model lives.",
            hint=f"kubectl --namespace {self.namespace} get persistentvolumeclaims,pods",
            observe=observe,
            apply=self._restart,
        )

    def ask(self, progress: Progress, question: str = QUESTION, schema: dict[str, Any] = SCHEMA) -> Answer:
        """One question; the server holds the answer to the schema, it is checked here, and asked for once more.

        Raises:
            ModelError: two answers that do not fit.
            SourceError: and its kinds: not reached, too slow, no such model.
        """
        deadline = Deadline(self.settings.answer_seconds)
        with ticking(progress, f"waiting for {self.settings.model}"), self._client() as (client, timer):
            for last in (False, True):
                try:
                    return answer_of(self._chat(client, question, schema, deadline), schema, timer)
                except DeadlineError as error:
                    raise DeadlineError(f"Read timed out: {error.message}", source=error.source, hint=SLOW) from error
                except ModelError:
                    if last:
                        raise
        raise AssertionError("unreachable")

    def digest(self) -> str:
        """The model's digest as the server lists it."""
        with self._client() as (client, _):
            return client.digest(self.settings.model, deadline=Deadline(30.0))

    def table(self) -> pd.DataFrame:
        """The answers and what they took."""
        rows = [
            {
                "asked": when,
                **answer.value,
                "first_token_seconds": round(answer.first_token_seconds, 2),
                "tokens_per_second": round(answer.tokens_per_second, 1),
                "prompt_tokens": answer.prompt_tokens,
                "output_tokens": answer.output_tokens,
            }
            for when, answer in self.answers
        ]
        return pd.DataFrame(rows)

    def files(self) -> pd.DataFrame:
        """The model's files in the volume, as its manifest names them."""
        layers = json.loads(self.store.manifest(self.settings.model) or b'{"layers": []}')["layers"]
        rows = [
            (str(layer["mediaType"]).rsplit(".", 1)[-1], layer["size"] / 1e6, str(layer["digest"])[:19])
            for layer in layers
        ]
        return pd.DataFrame(rows, columns=["file", "megabytes", "digest"])

    def _chat(self, client: OllamaClient, question: str, schema: dict[str, Any], deadline: Deadline) -> ChatReply:
        return client.chat(
            self.settings.model,
            [{"role": "user", "content": question}],
            schema=schema,
            context_tokens=CONTEXT_TOKENS,
            output_tokens=OUTPUT_TOKENS,
            deadline=deadline,
            keep_alive=-1,
        )

    def _available(self) -> Observation:
        found = self.kubectl.items("deployments", "--namespace", self.namespace, "--selector", SELECTOR)
        if not found:
            return Observation(holds=False, text=f"there is no Deployment {DEPLOYMENT}")
        status = found[0].get("status", {})
        count, generation = status.get("availableReplicas", 0), status.get("observedGeneration")
        current = count == 1 == status.get("updatedReplicas") and generation == found[0]["metadata"]["generation"]
        return Observation(holds=current, text=f"{count} of 1 replicas available")

    def _deploy(self, progress: Progress) -> None:
        if pods.outdated(self.kubectl, [self.namespace]):
            progress("       a pod waits for its image: 03_airgap.ipynb side-loads it")
        if argocd_installed(self.kubectl) and applications(context=self.kubectl.context):
            progress("       Argo CD deploys it from git; waiting")
            return
        folder = str(PROJECT / "k8s" / "manifests" / DEPLOYMENT)
        progress(f"       no Argo CD here: kubectl apply -k {folder}")
        self.kubectl("apply", "--namespace", self.namespace, "-k", folder)

    def _whole(self) -> Observation:
        manifest = self.store.manifest(self.settings.model)
        if not manifest:
            return Observation(holds=False, text="not in the volume")
        if lacking := self.store.lacking(manifest):
            return Observation(holds=False, text=f"not whole: {', '.join(lacking)}")
        digest = hashlib.sha256(manifest).hexdigest()
        if self.digest().removeprefix("sha256:") != digest:
            return Observation(holds=False, text="the server lists another digest than the volume's")
        if not self._is_asked_one(manifest):
            return Observation(holds=False, text=f"another {self.settings.model} is there: {digest[:12]}")
        size = sum(blob.size_bytes for blob in blobs(manifest, DEPLOYMENT))
        return Observation(holds=True, text=f"{digest[:12]}, {size / 1e6:,.0f} MB in volume ollama-models")

    def _is_asked_one(self, manifest: bytes) -> bool:
        if self.settings.bundle:
            return manifest == read_manifest(Path(self.settings.bundle) / MODEL, self.settings.model)
        if self.settings.model_file:
            return weights_digest(manifest) == f"sha256:{sha256(Path(self.settings.model_file))}"
        return True

    def _load(self, progress: Progress) -> None:
        model = self.settings.model
        if self.settings.bundle:
            store = Path(self.settings.bundle) / MODEL
            with ticking(progress, f"checking {model} in the bundle"):
                wrong = damaged(store, model)
            if wrong:
                raise ModelError("; ".join(wrong), source=str(store), hint="bring the bundle over once more")
            self.store.copy_in(store, model, progress)
        elif self.settings.model_file:
            self.store.create(model, Path(self.settings.model_file), progress)
        else:
            self.store.pull(model, progress)

    def _restart(self, progress: Progress) -> None:
        before, pod, clock = self.digest(), self.store.pod(), time.monotonic()
        progress(f"       deleting pod {pod}")
        pods.delete(self.kubectl, self.namespace, [pod])
        wait_for(self.deployed(), progress)
        after, successor = self.digest(), self.store.pod()
        if after != before or successor == pod:
            raise ModelError(f"digest {after[:12]} in {successor}, before {before[:12]} in {pod}", source=DEPLOYMENT)
        seconds = time.monotonic() - clock
        self._survived = (
            f"{pod} -> {successor} in {seconds:.0f} s, digest {after.removeprefix('sha256:')[:12]} as before"
        )

    @contextmanager
    def _client(self) -> Iterator[tuple[OllamaClient, Timed]]:
        kubernetes = KubernetesClient.from_context(self.kubectl.context)
        timer = Timed(kubernetes.proxy(self.namespace, SERVICE, PORT))
        pull = f"kubectl --namespace {self.namespace} exec deployment/{DEPLOYMENT} -- ollama pull {{model}}"
        try:
            yield OllamaClient(timer, start=f"kubectl --namespace {self.namespace} get pods", pull=pull), timer
        finally:
            kubernetes.close()
