"""Where Terraform keeps what it knows about a lab, and whose state that is. Files are read here, never written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from srelab_lib.errors import SourceError
from srelab_lib.lab.step import PROJECT
from srelab_lib.settings import LAB_CLUSTER

FOLDER = PROJECT / "terraform"
STATE = "terraform.tfstate"
LOCK = ".terraform.tfstate.lock.info"
RECORDS = ".records"
DEFAULT = "default"
"""The workspace that a plain `terraform apply` uses."""

_SECRETS = {
    "certificate or key in PEM": re.compile(r"-----BEGIN [A-Z ]+-----|LS0tLS1CRUdJTi"),
    "field of a kubeconfig": re.compile(
        r"(certificate-authority|client-certificate|client-key)(-data)?\b|\bkubeconfig:"
    ),
    "token": re.compile(
        r"\beyJ[\w-]{10,}\.[\w-]{10,}|\b[Bb]earer\s+\S{16,}|[\"']?(token|password|secret)[\"']?\s*[:=]"
    ),
}
"""What kind writes into a kubeconfig, and what a token looks like."""


def workspace(cluster: str, folder: Path = FOLDER) -> str:
    """The Terraform workspace of a lab.

    It is the default one for the lab's usual name, and for any other name that somebody applied there by hand
    (`terraform apply -var cluster_name=mine`). Each further lab has a workspace of its own name, so that no two share
    a state.
    """
    if cluster == LAB_CLUSTER or _owner(folder / STATE) == cluster:
        return DEFAULT
    return cluster


def state_file(cluster: str, folder: Path = FOLDER) -> Path:
    """The state of a lab; whether it is there or not."""
    name = workspace(cluster, folder)
    return folder / STATE if name == DEFAULT else folder / f"{STATE}.d" / name / STATE


def resources(state: Path) -> list[dict[str, Any]]:
    """What a state holds; empty where there is none.

    Raises:
        SourceError: the file is damaged.
    """
    try:
        found: list[dict[str, Any]] = (
            json.loads(state.read_text(encoding="utf-8"))["resources"] if exists(state) else []
        )
    except (ValueError, KeyError, TypeError) as error:
        hint = f"{state.name}.backup is the state before it; or remove both, an apply adopts a cluster that is there"
        raise SourceError(f"{state.name} is no state that Terraform wrote", source=str(state), hint=hint) from error
    return found


def exists(state: Path) -> bool:
    """Whether there is a state; Terraform makes an empty file while it takes its lock."""
    return state.is_file() and state.stat().st_size > 0


def cluster_in(state: Path) -> str:
    """The name of the lab that a state holds; empty where it holds none."""
    for resource in resources(state):
        for instance in resource.get("instances", ()):
            value = (instance["attributes"].get("input") or {}).get("value") or {}
            if value.get("name"):
                return str(value["name"])
    return ""


def record(cluster: str, part: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What lab.sh noted when it made the `network` or the `cluster`; empty where there is no such note."""
    file = folder / RECORDS / f"{cluster}.{part}.json"
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError:
        return {}  # half a note is as good as none: Docker is asked about everything that stands in it
    return found


def files(cluster: str, folder: Path = FOLDER) -> list[Path]:
    """The files and folders that Terraform and lab.sh keep for this lab and that are there now."""
    found = [file for end in ("network.json", "cluster.json", "building") for file in _records(cluster, end, folder)]
    state = state_file(cluster, folder)
    if state.parent != folder:
        return found + [file for file in [state.parent] if file.exists()]
    if _owner(state) in {"", cluster}:
        found += sorted(file for file in folder.glob(f"{STATE}*") if file.is_file())
        found += [file for file in (folder / LOCK, folder / ".terraform") if file.exists()]
    return found


def secrets_in(text: str) -> list[str]:
    """Which kinds of secret a text holds, by name; never the secret."""
    return [name for name, pattern in _SECRETS.items() if pattern.search(text)]


def _records(cluster: str, end: str, folder: Path) -> list[Path]:
    file = folder / RECORDS / f"{cluster}.{end}"
    return [path for path in (file, file.with_name(file.name + ".part")) if path.exists()]


def _owner(state: Path) -> str:
    try:
        return cluster_in(state)
    except SourceError:
        return ""
