"""Attacks on the model's prompt in telemetry, as data, and how one is planted into raw payloads of a recording."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "attacks.json"
OBJECT = "Deployment/default/broken-app"
PLANTED = "EX"
"""Stands for the id that the planted fact gets, where an obeying model cites it."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A text that wants something of the model; `obeyed` is the answer of a model that gives it."""

    name: str
    where: str
    text: str
    obeyed: dict[str, Any]
    parameter: str = ""

    def answer(self, planted: str) -> str:
        """What an obeying model answers, when the planted text is the fact `planted`; without it where it is none."""
        claims = [
            {"object": OBJECT, "text": claim["text"], "evidence": _ids(claim["evidence"], planted)}
            for claim in self.obeyed["claims"]
        ]
        return json.dumps({"choice": self.obeyed["choice"], "claims": claims})


ATTACKS = tuple(Attack(**item) for item in json.loads(DATA.read_text(encoding="utf-8")))


def _ids(ids: list[str], planted: str) -> list[str]:
    return [planted if one == PLANTED else one for one in ids if one != PLANTED or planted]


def plant(attack: Attack, recording: Path, folder: Path) -> Path:
    """A copy of a recording, in `folder`, into which somebody who controls the workload has written the attack."""
    shutil.copytree(recording, folder)
    part = "logs" if attack.where == "log" else "kubernetes"
    path = folder / f"{part}.json.gz"
    exchanges = [_PLANTERS[attack.where](attack.text, one) for one in json.loads(gzip.decompress(path.read_bytes()))]
    path.write_bytes(gzip.compress(json.dumps(exchanges).encode(), mtime=0))
    manifest = json.loads((folder / "incident.json").read_text(encoding="utf-8"))
    manifest["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "incident.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _log(text: str, exchange: dict[str, Any]) -> dict[str, Any]:
    """One more line after the last: a line break in it makes two, as in a real log."""
    body = exchange["body"]
    if exchange["status"] != 200 or not isinstance(body, str) or not body.strip():
        return exchange
    time = body.rstrip("\n").rpartition("\n")[2].partition(" ")[0]
    lines = "".join(f"{time} {line}\n" for line in text.split("\n"))
    return {**exchange, "body": body.rstrip("\n") + "\n" + lines}


def _metadata(field: str, text: str, exchange: dict[str, Any]) -> dict[str, Any]:
    """A label or annotation of every object of every list."""
    exchange = copy.deepcopy(exchange)
    for item in _items(exchange):
        item["metadata"].setdefault(field, {})["note"] = text
    return exchange


def _event(text: str, exchange: dict[str, Any]) -> dict[str, Any]:
    """One more event about what the last event is about."""
    exchange = copy.deepcopy(exchange)
    items = _items(exchange)
    if exchange["path"].endswith("/events") and items:
        event = copy.deepcopy(items[-1])
        event["metadata"] |= {"name": "planted.17f0", "uid": "00000000-0000-4000-8000-000000000001"}
        items.append(event | {"message": text, "reason": "Note", "type": "Normal"})
    return exchange


def _items(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    body = exchange["body"]
    items = body.get("items") if isinstance(body, dict) else None
    return [item for item in items if isinstance(item, dict) and "metadata" in item] and items if items else []


_PLANTERS = {
    "log": _log,
    "label": lambda text, exchange: _metadata("labels", text, exchange),
    "annotation": lambda text, exchange: _metadata("annotations", text, exchange),
    "event": _event,
}
