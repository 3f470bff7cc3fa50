"""Bundles: with the real engine and small images, really damaged, really cut short."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.errors import SourceError
from srelab_lib.lab import bundle, bundle_lock, bundle_parts, image_list, model_store
from srelab_lib.lab import images as images_module
from srelab_lib.lab.image_list import PROBE_IMAGE
from srelab_lib.lab.images import local_id
from srelab_lib.lab.model_store import OLLAMA_IMAGE
from srelab_lib.lab.process import CommandError, run, silent
from srelab_lib.lab.step import PROJECT

SMALL = "busybox:1.35"
OURS = f"srelab-bundle-test-{os.getpid()}:1"
NODE_IMAGE = re.compile(r'variable "node_image".*?default\s*=\s*"([^"]+)"', re.DOTALL)


@pytest.fixture
def ours() -> Iterator[str]:
    """A small image of our own, which may be removed."""
    try:
        there = local_id(SMALL)
    except CommandError as error:
        pytest.skip(f"no container engine here: {error.message}")
    if not there:
        pytest.skip(f"{SMALL} is not in this machine's engine")
    build("first")
    yield OURS
    run("docker", "rmi", "--force", OURS, timeout_seconds=30, accepted=(0, 1))


def build(text: str) -> str:
    run("docker", "build", "-q", "-t", OURS, "-", stdin=f"FROM {SMALL}\nLABEL of={text}\n", timeout_seconds=60)
    return local_id(OURS)


def made(folder: Path, *images: str) -> bundle_lock.Lock:
    return bundle.create(folder, silent, images=images, model="", wheels=False)


def file_of(folder: Path, image: str) -> Path:
    [entry] = bundle_lock.read(folder).having("image", image)
    return folder / entry.file


def test_what_is_loaded_is_what_was_saved(tmp_path: Path, ours: str) -> None:
    before = local_id(ours)
    made(tmp_path, ours)
    [entry] = json.loads((tmp_path / "lock.json").read_text())["items"]
    assert (entry["kind"], entry["name"], entry["source"]) == ("image", ours, before)
    assert entry["bytes"] == file_of(tmp_path, ours).stat().st_size
    run("docker", "rmi", "--force", ours, timeout_seconds=30)
    assert not bundle.loaded(tmp_path).observe().holds
    bundle.load(tmp_path, silent)
    assert local_id(ours) == before
    assert bundle.loaded(tmp_path).observe().holds


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "add"])
def test_damage_is_named_and_nothing_is_loaded(tmp_path: Path, ours: str, harm: str) -> None:
    made(tmp_path, SMALL, ours)
    victim = file_of(tmp_path, ours)
    if harm == "flip":
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    elif harm == "cut":
        victim.write_bytes(victim.read_bytes()[:-512])
    elif harm == "remove":
        victim.unlink()
    else:
        victim = tmp_path / "wheels" / "evil-1.0-py3-none-any.whl"
        victim.parent.mkdir()
        victim.write_bytes(b"PK")
    run("docker", "rmi", "--force", ours, timeout_seconds=30)
    [problem] = bundle.problems(tmp_path)
    assert victim.relative_to(tmp_path).as_posix() in problem
    with pytest.raises(SourceError, match=re.escape(victim.name)):
        bundle.load(tmp_path, silent)
    assert not local_id(ours)


def test_cut_short_it_says_so_and_goes_on_where_it_was(
    tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []

    def save(images: list[str], archive: Path, progress: Any) -> None:
        if images == [ours] and not saved[1:]:
            archive.write_bytes(b"half")
            saved.append("interrupted")
            raise KeyboardInterrupt
        saved.append(images[0])
        images_module.save(images, archive, progress)

    monkeypatch.setattr("srelab_lib.lab.bundle_parts.save", save)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, SMALL, ours)
    assert any("not complete" in line for line in bundle.problems(tmp_path))
    made(tmp_path, SMALL, ours)
    assert saved == [SMALL, "interrupted", ours]
    assert bundle.problems(tmp_path) == []


def test_only_what_changed_or_broke_is_saved_again(tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, SMALL, ours)
    saved: list[str] = []

    def save(images: list[str], archive: Path, progress: Any) -> None:
        saved.extend(images)
        images_module.save(images, archive, progress)

    monkeypatch.setattr("srelab_lib.lab.bundle_parts.save", save)
    made(tmp_path, SMALL, ours)
    assert saved == []
    new = build("second")
    file_of(tmp_path, SMALL).write_bytes(b"")
    lock = made(tmp_path, SMALL, ours)
    assert saved == [SMALL, ours]
    assert lock.having("image", ours)[0].source == new
    assert bundle.problems(tmp_path) == []


def test_an_image_that_is_not_there_is_named(tmp_path: Path, ours: str) -> None:
    with pytest.raises(SourceError, match="no-such-image:1 is not in this machine's engine"):
        made(tmp_path, "no-such-image:1")


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 9},
        {"items": [{"file": "../../etc/passwd"}]},
        {"items": [{"file": "/etc/passwd"}]},
        {"items": 7},
    ],
)
def test_a_lock_that_cannot_be_right_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    bundle_lock.write(tmp_path, bundle_lock.Lock(platform="linux/amd64", python="3.11", complete=True))
    value = json.loads((tmp_path / "lock.json").read_text())
    common = {"kind": "image", "name": "a:1", "sha256": "0" * 64, "bytes": 1, "source": ""}
    if isinstance(change.get("items"), list):
        change = {"items": [{**common, **entry} for entry in change["items"]]}
    (tmp_path / "lock.json").write_text(json.dumps({**value, **change}))
    with pytest.raises(SourceError, match=r"lock\.json"):
        bundle.problems(tmp_path)


def test_a_folder_without_a_lock_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle.main(["verify", str(tmp_path)]) == 1
    assert "there is no bundle" in capsys.readouterr().err


def test_a_model_of_a_bundle_is_made_once_and_replaced_whole(
    tmp_path: Path, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = os.environ.get("SRELAB_MODEL_FILE", "")
    if not file:
        pytest.skip("SRELAB_MODEL_FILE names no model")
    if not local_id(OLLAMA_IMAGE):
        pytest.skip(f"{OLLAMA_IMAGE} is not in this machine's engine")
    made_of: list[str] = []
    obtain = model_store.obtain

    def counted(model: str, store: Path, progress: Any, *, model_file: str = "") -> None:
        made_of.append(model)
        obtain(model, store, progress, model_file=model_file)

    monkeypatch.setattr(model_store, "obtain", counted)

    def created(model: str) -> bundle_lock.Lock:
        return bundle.create(tmp_path, silent, images=[], model=model, model_file=file, wheels=False)

    lock = created("srelab-bundle-test:1")
    weights = max(lock.having("model"), key=lambda entry: entry.bytes)
    assert weights.sha256 == model_store.sha256(Path(file))
    assert created("srelab-bundle-test:1") == lock
    (tmp_path / weights.file).write_bytes(b"cut")
    assert weights.file in bundle.problems(tmp_path)[0]
    assert created("srelab-bundle-test:1") == lock
    assert created("srelab-bundle-test:2").names("model") == ["srelab-bundle-test:2"]
    assert bundle.problems(tmp_path) == []
    assert model_store.damaged(tmp_path / "model", "srelab-bundle-test:2") == []
    assert made_of == ["srelab-bundle-test:1", "srelab-bundle-test:1", "srelab-bundle-test:2"]


def test_the_wheel_of_a_source_package_is_built(tmp_path: Path, ours: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(PROJECT / "pyproject.toml", root)
    pinned = next(line for line in bundle_parts.requirements() if line.startswith("python-terraform"))
    (root / "requirements.txt").write_text(f"{pinned}  # it has no wheel\n-e .\n")
    folder = tmp_path / "bundle"
    try:
        lock = bundle.create(folder, silent, images=[], model="", root=root)
    except CommandError as error:
        pytest.skip(f"no package index to be reached: {error.message[:200]}")
    assert any(name.startswith("python_terraform-") for name in lock.names("wheel"))
    assert any(name.startswith("setuptools-") for name in lock.names("wheel")), "an offline `-e .` builds with it"
    assert bundle.problems(folder) == []


# What a bundle must hold, read from the working copy.


def test_every_image_of_the_manifests_is_in_the_bundle() -> None:
    named = set(re.findall(r"^\s*(?:- )?image: (\S+)$", all_manifests(), re.MULTILINE))
    assert len(named) >= 5
    assert named <= set(bundle.contents())


def test_the_bundle_has_what_no_manifest_names() -> None:
    [node_image] = NODE_IMAGE.findall((PROJECT / "terraform" / "variables.tf").read_text())
    assert {node_image, PROBE_IMAGE, OLLAMA_IMAGE} <= set(bundle.contents())
    assert {build.image for build in image_list.BUILDS} <= set(bundle.contents())


def all_manifests() -> str:
    skipped = image_list.optional_paths()
    files = [file for file in (PROJECT / "k8s").rglob("*.yaml") if not any(path in str(file) for path in skipped)]
    return "\n".join(file.read_text() for file in files)


def test_an_optional_application_is_not_needed(tmp_path: Path) -> None:
    app = (
        "kind: Application\nmetadata: {{annotations: {{srelab/optional: '{0}'}}}}\nspec: {{source: {{path: k8s/big}}}}"
    )
    pod = "kind: Pod\nspec: {initContainers: [{image: 'a:1'}], containers: [{image: 'b:1'}]}"
    for name, text in {"k8s/apps/big.yaml": app.format("true"), "k8s/big/pod.yaml": pod, "k8s/x/y.yaml": pod}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert image_list.in_manifests(tmp_path) == {"a:1": ["k8s/x/y.yaml"], "b:1": ["k8s/x/y.yaml"]}
    (tmp_path / "k8s/apps/big.yaml").write_text(app.format("false"))
    assert image_list.in_manifests(tmp_path)["a:1"] == ["k8s/big/pod.yaml", "k8s/x/y.yaml"]


def test_a_build_is_due_when_a_source_changes_and_only_then(tmp_path: Path, ours: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Dockerfile").write_text(f"FROM {SMALL}\nCOPY note /note\n")
    (tmp_path / "src" / "note").write_text("one")
    one = image_list.Build(image=OURS, dockerfile="src/Dockerfile", context="src", sources=("src",))
    step = image_list.built(one, tmp_path)
    assert step.observe().text == "built from other sources"
    assert step.apply is not None
    step.apply(silent)
    assert image_list.built(one, tmp_path).observe().holds
    (tmp_path / "src" / "note").write_text("two")
    assert not image_list.built(one, tmp_path).observe().holds
    assert not image_list.built(replace(one, image="no-such-image:1"), tmp_path).observe().holds
