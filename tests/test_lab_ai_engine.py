"""The AI engine: a model as files, answers held to a schema; on the cluster a volume that is filled and mended."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_server import sends, served

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.ollama import ChatReply
from srelab_lib.errors import DeadlineError, ModelError, SettingsError
from srelab_lib.lab import bundle, bundle_parts
from srelab_lib.lab.ai_engine import Engine, EngineSettings
from srelab_lib.lab.model_answer import SCHEMA, Answer, Timed, answer_of
from srelab_lib.lab.model_store import (
    OLLAMA_IMAGE,
    blobs,
    damaged,
    machine_store,
    manifest_path,
    obtain,
    plain,
    read_manifest,
    weights_digest,
)
from srelab_lib.lab.pod_store import PodStore
from srelab_lib.lab.process import silent
from srelab_lib.lab.step import PROJECT
from srelab_lib.settings import LAB_CONTEXT

FAKE = "srelab-test/parts:1"
GIB = 2**30


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("phi3", "manifests/registry.ollama.ai/library/phi3/latest"),
        ("smollm2:135m", "manifests/registry.ollama.ai/library/smollm2/135m"),
        ("me/own:1", "manifests/registry.ollama.ai/me/own/1"),
        ("hf.co/me/own:Q4", "manifests/hf.co/me/own/Q4"),
    ],
)
def test_where_ollama_keeps_a_manifest(model: str, path: str) -> None:
    assert manifest_path(model) == path


@pytest.mark.parametrize("name", ["", "a b", "../../etc/passwd", "phi3; rm -rf /", "$(id)"])
def test_a_name_that_is_none_never_becomes_a_path_or_a_command(name: str) -> None:
    with pytest.raises(ModelError, match="is not a model's name"):
        manifest_path(name)


def store_of(folder: Path, seed: str = "") -> Path:
    """A store with a small model that Ollama lists and cannot run."""
    contents = {
        "application/vnd.docker.container.image.v1+json": b'{"model_format":"gguf","model_family":"none"}',
        "application/vnd.ollama.image.model": (f"weights {seed}" * 1000).encode(),
        "application/vnd.ollama.image.license": f"licence {seed}".encode(),
    }
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    layers = []
    for kind, data in contents.items():
        digest = hashlib.sha256(data).hexdigest()
        (folder / "blobs" / f"sha256-{digest}").write_bytes(data)
        layers.append({"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)})
    manifest = {"schemaVersion": 2, "config": layers[0], "layers": layers[1:]}
    (folder / manifest_path(FAKE)).parent.mkdir(parents=True, exist_ok=True)
    (folder / manifest_path(FAKE)).write_text(json.dumps(manifest))
    return folder


def weights(store: Path) -> Path:
    manifest = (store / manifest_path(FAKE)).read_bytes()
    return store / max(blobs(manifest, ""), key=lambda blob: blob.size_bytes).file


def test_damage_of_a_store_is_named(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    assert damaged(store, FAKE) == []
    file = weights(store)
    file.write_bytes(file.read_bytes()[::-1])
    assert damaged(store, FAKE) == [f"blobs/{file.name} has other contents than its name says"]
    file.write_bytes(b"x")
    assert "has 1 bytes, and must have" in damaged(store, FAKE)[0]
    file.unlink()
    assert damaged(store, FAKE) == [f"blobs/{file.name} is missing"]


@pytest.mark.parametrize("text", ["", "[]", '{"layers": 3}', '{"layers": [], "config": {"digest": "../x", "size": 1}}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        blobs(text.encode(), "test")


def test_this_machines_own_model_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(store_of(tmp_path / "own")))
    assert machine_store() == tmp_path / "own"
    obtain(FAKE, tmp_path / "new", silent)
    assert damaged(tmp_path / "new", FAKE) == []


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"model_file": "/no/such.gguf"}, "is not a file"),
        ({"model_file": "a", "bundle": "b"}, "two sources"),
        ({"answer_seconds": 0}, "out of range"),
        ({"answer_seconds": "60"}, "must be int"),
    ],
)
def test_parameters_are_checked(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        EngineSettings(**parameters)


def reply(content: str, done_reason: str = "stop") -> ChatReply:
    return ChatReply(content=content, done_reason=done_reason, prompt_tokens=7, output_tokens=21)


class Slow:
    """A stream whose first piece comes late, and its second later."""

    name = "slow"

    def stream(self, method: str, path: str, *, body: Any = None, deadline: Deadline) -> Iterator[bytes]:
        for pause in (0.2, 0.3):
            time.sleep(pause)
            yield b"{}"

    def close(self) -> None:
        pass


def test_the_first_token_and_the_rest_are_timed_apart() -> None:
    timer = Timed(Slow())
    list(timer.stream("POST", "/api/chat", deadline=Deadline(5.0)))
    answer = answer_of(reply('{"resource": "memory", "exit_code": 137, "sentence": ""}'), SCHEMA, timer)
    assert 0.2 <= answer.first_token_seconds < 0.3
    assert 20 / 0.6 < answer.tokens_per_second <= 20 / 0.3


def test_a_single_token_has_no_speed() -> None:
    answer = Answer(value={}, first_token_seconds=1.0, seconds=1.0, prompt_tokens=1, output_tokens=1)
    assert answer.tokens_per_second == 0.0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (reply('{"resource": "memory", "exit', "length"), "cut off at 21 tokens"),
        (reply('{"resource": "network", "exit_code": 1, "sentence": ""}'), "does not fit the schema"),
        (reply('{"resource": "memory"}'), "does not fit the schema"),
        (reply("Memory ran out."), "does not fit the schema"),
    ],
)
def test_an_answer_that_does_not_fit_is_an_error(given: ChatReply, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        answer_of(given, SCHEMA, Timed(Slow()))


def test_what_only_a_terminal_shows_is_left_out() -> None:
    assert plain("\x1b[?25lpulling manifest ⠋\x1b[K\r\x1b[2Kpulling manifest\nError: no such host\n\x1b[?25h") == (
        "Error: no such host"
    )


# The manifest.


def ollama() -> dict[str, dict[str, Any]]:
    text = (PROJECT / "k8s" / "manifests" / "ollama" / "ollama.yaml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_the_model_lies_in_a_claim_and_the_server_fits_phi3() -> None:
    pod = ollama()["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    environment = {item["name"]: item["value"] for item in container["env"]}
    claim = ollama()["PersistentVolumeClaim"]["metadata"]["name"]
    assert mounts[environment["OLLAMA_MODELS"]]["persistentVolumeClaim"] == {"claimName": claim}
    assert {"OLLAMA_NOPRUNE": "1", "OLLAMA_KEEP_ALIVE": "-1", "OLLAMA_NUM_PARALLEL": "1"}.items() <= environment.items()
    assert ollama()["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    assert container["image"] == OLLAMA_IMAGE
    # Weights, and keys and values of 32 layers, 3,072 wide, 2 bytes, twice, for 4,096 tokens.
    phi3_bytes = 2.2e9 + 32 * 3072 * 2 * 2 * 4096
    assert phi3_bytes < int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * GIB


def test_the_service_is_what_the_analysis_asks() -> None:
    from srelab_lib.pipeline import OLLAMA_SERVICE

    service = ollama()["Service"]
    assert (service["metadata"]["name"], service["spec"]["ports"][0]["port"]) == OLLAMA_SERVICE[1:]


# On the real cluster.


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The lab's Ollama with the model of the environment in its volume, without the test's own before and after."""
    model, file = os.environ.get("SRELAB_MODEL_NAME"), os.environ.get("SRELAB_MODEL_FILE")
    if not model or not file:
        pytest.skip("SRELAB_MODEL_NAME and SRELAB_MODEL_FILE name no model")
    engine = Engine(EngineSettings(model=model, model_file=file))
    if not engine.deployed().observe().holds:
        pytest.skip("Deployment ollama is not available: run 03_airgap.ipynb and 04_ai_engine.ipynb first")
    engine.store._sh(f"ollama rm {FAKE} || true")
    model_there = engine.loaded()
    if not model_there.observe().holds and model_there.apply is not None:
        model_there.apply(silent)
    yield engine
    engine.store._sh(f"ollama rm {FAKE} || true")


@pytest.mark.cluster
def test_a_model_is_copied_whole_and_what_breaks_is_copied_again(engine: Engine, tmp_path: Path) -> None:
    store = store_of(tmp_path / bundle_parts.MODEL, seed=str(time.time()))
    mine = Engine(replace(engine.settings, model=FAKE, model_file="", bundle=str(tmp_path)))
    file = weights(store).name

    def put_right(seen: str) -> None:
        step = mine.loaded()
        assert seen in step.observe().text
        assert step.apply is not None
        step.apply(silent)
        assert step.observe().holds, step.observe().text

    put_right("not in the volume")
    mine.store._sh(f"printf short > /models/blobs/{file}")
    put_right(f"not whole: blobs/{file}")
    (store / "blobs" / file).chmod(0o600)
    mine.store._sh(f"rm /models/blobs/{file}")
    put_right(f"not whole: blobs/{file}")
    assert mine.files()["megabytes"].sum() == pytest.approx(weights(store).stat().st_size / 1e6, rel=0.01)


@pytest.mark.cluster
def test_a_blob_of_the_right_size_and_wrong_contents_is_found_in_the_pod(engine: Engine, tmp_path: Path) -> None:
    store = store_of(tmp_path, seed=str(time.time()))
    inside, file = PodStore(engine.kubectl), weights(store)
    good = file.read_bytes()
    file.write_bytes(good[::-1])
    with pytest.raises(ModelError, match=file.name):
        inside.copy_in(store, FAKE, silent)
    file.write_bytes(good)
    inside.copy_in(store, FAKE, silent)
    assert inside.lacking(inside.manifest(FAKE)) == []


@pytest.mark.cluster
def test_a_model_of_a_file_is_made_again_where_its_blob_was_cut(engine: Engine) -> None:
    step = engine.loaded()
    blob = weights_digest(engine.store.manifest(engine.settings.model)).replace(":", "-")
    engine.store._sh(f"cd /models/blobs && rm {blob} && printf short > {blob}")
    assert f"not whole: blobs/{blob}" in step.observe().text
    assert step.apply is not None
    step.apply(silent)
    assert step.observe().holds, step.observe().text


@pytest.mark.cluster
def test_a_bundle_is_loaded_into_the_volume(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(store_of(tmp_path / "own", seed=str(time.time()))))
    folder = tmp_path / "bundle"
    bundle.create(folder, silent, images=[], model=FAKE, wheels=False)
    bundle.load(folder, silent)
    manifest = engine.store.manifest(FAKE)
    assert manifest == read_manifest(folder / bundle_parts.MODEL, FAKE)
    assert engine.store.lacking(manifest) == []


@pytest.mark.cluster
def test_a_damaged_bundle_is_refused_before_anything_is_copied(engine: Engine, tmp_path: Path) -> None:
    store = store_of(tmp_path / bundle_parts.MODEL, seed=str(time.time()))
    weights(store).write_bytes(b"")
    mine = Engine(replace(engine.settings, model=FAKE, model_file="", bundle=str(tmp_path)))
    step = mine.loaded()
    assert step.apply is not None
    with pytest.raises(ModelError, match="has 0 bytes, and must have"):
        step.apply(silent)


@pytest.mark.cluster
def test_a_pull_that_cannot_be_ends_soon_and_says_what_else_there_is(engine: Engine) -> None:
    clock = time.monotonic()
    with pytest.raises(ModelError, match="bundle = FOLDER"):
        engine.store.pull("srelab-test/there-is-none:1", silent)
    assert time.monotonic() - clock < 60


@pytest.mark.cluster
def test_the_model_answers_in_its_schema_and_outlives_its_pod(engine: Engine) -> None:
    for step in (engine.loaded(), engine.answering("before"), engine.survives_restart(), engine.answering("after")):
        if not step.observe().holds:
            assert step.apply is not None
            step.apply(silent)
        assert step.observe().holds, step.observe().text
    before, after = engine.table().to_dict("records")
    assert before["sentence"] == after["sentence"], "the most likely answer to one question is one"
    assert min(before["first_token_seconds"], before["tokens_per_second"]) > 0
    assert engine.loaded().observe().holds


def test_an_overloaded_model_is_named_with_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walkthrough's `Read timed out`: a server that takes the question and has no time for it."""
    with served(sends(b"", each=2.0)) as server:
        place = {"cluster": {"server": server.url}, "user": {}, "context": {"cluster": "x", "user": "x"}}
        named = {f"{key}s": [{"name": LAB_CONTEXT if key == "context" else "x", key: place[key]}] for key in place}
        config = tmp_path / "config"
        config.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **named}), encoding="utf-8")
        monkeypatch.setenv("KUBECONFIG", str(config))
        monkeypatch.setattr("srelab_lib.lab.ai_engine.Deadline", lambda _: Deadline(1))
        engine = Engine(EngineSettings())
        with pytest.raises(DeadlineError, match="Read timed out: no complete answer within 1 s") as caught:
            engine.ask(silent)
    assert "pause_monitoring = True" in caught.value.hint
