"""A real recording for tests, and shorthands to ask it."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from srelab_lib.sources.replay import Replay, load_incident
from srelab_lib.sources.replay_http import Request, Response

FOLDER = Path(__file__).parent / "data" / "faithful"
"""tests/e2e/faithful.py --save made it."""

PODS = "/api/v1/namespaces/faithful/pods"
PROXY = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"
QUERIES = tuple(
    dict.fromkeys(
        item.params["query"] for item in load_incident(FOLDER).exchanges("prometheus") if "query" in item.params
    )
)
"""The range queries of the recording."""

NODES = next(query for query in QUERIES if "node_load1" in query)


def get(replay: Replay, path: str, method: str = "GET", **params: str) -> Response:
    return replay.answer(Request(method=method, path=path, params=params))


def body(replay: Replay, path: str, **params: str) -> Any:
    return json.loads(get(replay, path, **params).body)


def names(replay: Replay, path: str, **params: str) -> list[str]:
    return [item["metadata"]["name"] for item in body(replay, path, **params)["items"]]


def talker(replay: Replay) -> str:
    return names(replay, PODS, labelSelector="app=talker")[0]


def altered(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None], part: str = "kubernetes"
) -> Path:
    """A copy of the recording with some exchanges changed, or left out where `change` gives None."""
    folder = tmp_path / "altered"
    shutil.copytree(FOLDER, folder)
    exchanges = json.loads(gzip.decompress((folder / f"{part}.json.gz").read_bytes()))
    replace_part(folder, part, [new for old in exchanges if (new := change(old)) is not None])
    return folder


def replace_part(folder: Path, part: str, exchanges: list[dict[str, Any]]) -> None:
    """Writes one part of a recording anew, with its checksum."""
    path = folder / f"{part}.json.gz"
    path.write_bytes(gzip.compress(json.dumps(exchanges).encode()))
    manifest = json.loads((folder / "incident.json").read_text())
    manifest["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "incident.json").write_text(json.dumps(manifest))
