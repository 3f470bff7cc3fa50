"""A recorded incident on disk: what the files hold, how they are written, and how damage is noticed.

    incident.json       the manifest: format, window, namespaces, how and when it was recorded, versions, what was cut
    truth.json          what was wrong, for tests; absent where nobody has said
    kubernetes.json.gz  exchanges with the API server: lists, version, discovery
    logs.json.gz        exchanges for the logs of containers
    prometheus.json.gz  exchanges with Prometheus
    git.json.gz         `git log -p` of the revisions that Argo CD names, by repository and revision

An exchange is a request and its answer: `{"path", "params", "status", "body"}`. The body is JSON as the server gave it
(the pages of a long list joined), or text. Nothing is left out of a payload, `managedFields` neither: they say who
edited which field when. Logs are without terminal colours; of a long one the middle may be missing, and `cut` in the
manifest says so. Secrets are placeholders before anything is written, and no Secret is ever read.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from srelab_lib.errors import RecordingError, SettingsError
from srelab_lib.model import TimeWindow
from srelab_lib.settings import parse_time

FORMAT = 1
MANIFEST = "incident.json"
TRUTH = "truth.json"
PARTS = ("kubernetes", "logs", "prometheus", "git")
INCIDENT_BYTES = 300_000
"""An incident's bound on disk: ten of them are a small download."""
_AGAIN = "record it again with incidents/record.py, or take it from version control"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A request that was made and what the server answered. `body` is a JSON value, or text as it was."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    body: Any = None

    def as_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"path": self.path, "params": dict(self.params), "status": self.status, "body": self.body}


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """A recorded snapshot with its truth.

    Attributes:
        name: the folder's name.
        window: the analysis window; metrics and logs reach back further, so that it can be widened.
        namespaces: what was recorded; the first is the one under analysis.
        how: what was done to the system before the recording, in words or commands.
        rate_seconds: the span of `rate()` in the recorded queries.
        cut: what a bound left out of the recording, one line each.
        truth: see faults.OUTCOMES; empty where nobody has said.
        prometheus: namespace, service and port of the service proxy that led to Prometheus, where one did.
    """

    name: str
    folder: Path
    window: TimeWindow
    namespaces: tuple[str, ...]
    recorded_at: datetime
    how: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    rate_seconds: int = 60
    cut: tuple[str, ...] = ()
    truth: Mapping[str, Any] = field(default_factory=dict)
    prometheus: tuple[str, str, str] | None = None

    @property
    def covered(self) -> TimeWindow:
        """What metrics and logs were recorded of: the window, and what widening it adds."""
        return self.window.widened()

    @property
    def namespace(self) -> str:
        """The one under analysis."""
        return self.namespaces[0]

    @property
    def accepted(self) -> tuple[tuple[str, str], ...]:
        """Pairs of fault and object that count as right: those of the truth, and others that its author lets count."""
        stated = [(fault["fault"], fault["object"]) for fault in self.truth.get("faults") or ()]
        others = [(fault, name) for fault, name in self.truth.get("accepted") or ()]
        return tuple(dict.fromkeys([*stated, *others]))

    def exchanges(self, part: str) -> list[Exchange]:
        """The exchanges of one of PARTS; the files were checked when the incident was loaded.

        Raises:
            RecordingError: the file cannot be read any more.
        """
        value = _unpack(self.folder / f"{part}.json.gz")
        try:
            return [
                Exchange(path=item["path"], params=item["params"], status=item["status"], body=item["body"])
                for item in value
            ]
        except (KeyError, TypeError) as error:
            raise _damaged(self.folder / f"{part}.json.gz", "it holds no exchanges") from error


def load_incident(folder: Path) -> Incident:
    """An incident, its files checked against the manifest.

    Raises:
        RecordingError: missing, damaged, truncated, or of a format that this version does not read.
    """
    manifest = _read_manifest(folder)
    for name, digest in manifest["files"].items():
        path = folder / Path(name).name
        if not path.is_file():
            raise _damaged(path, "the file is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise _damaged(path, "its checksum differs from the manifest's: truncated or edited")
    truth = folder / TRUTH
    try:
        return Incident(
            name=folder.resolve().name,
            folder=folder,
            window=TimeWindow(start=parse_time(manifest["window"]["start"]), end=parse_time(manifest["window"]["end"])),
            namespaces=_namespaces(manifest["namespaces"]),
            recorded_at=parse_time(manifest["recorded_at"]),
            how=manifest["how"],
            versions=manifest["versions"],
            rate_seconds=manifest["rate_seconds"],
            cut=tuple(manifest["cut"]),
            truth=_read_json(truth) if truth.is_file() else {},
            prometheus=tuple(manifest["prometheus"]) if manifest["prometheus"] else None,
        )
    except (KeyError, TypeError, SettingsError) as error:
        raise _damaged(folder / MANIFEST, f"a field is missing or wrong: {error}") from error


def list_incidents(directory: Path) -> tuple[str, ...]:
    """Names of the incidents in a directory, sorted; none where there is no such directory."""
    return tuple(sorted(path.parent.name for path in directory.glob(f"*/{MANIFEST}")))


def packed(exchanges: Sequence[Exchange]) -> bytes:
    """Gzipped JSON, the same bytes for the same content."""
    text = json.dumps([exchange.as_json() for exchange in exchanges], ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode(errors="surrogatepass"), compresslevel=9, mtime=0)


def write_incident(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes], truth: Any) -> None:
    """Writes all files beside the folder, then moves them in its place: no half of a recording is ever there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".recording-") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        for name, data in sorted(files.items()):
            (new / name).write_bytes(data)
        (new / MANIFEST).write_text(_pretty({"format": FORMAT, **manifest, "files": digests}), encoding="utf-8")
        if truth:
            (new / TRUTH).write_text(_pretty(truth), encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise


def _namespaces(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise TypeError("namespaces")
    return tuple(str(name) for name in value)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        known = list_incidents(folder.parent)
        near = difflib.get_close_matches(folder.name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}" if known else _AGAIN
        raise RecordingError(f"no incident {folder.name!r} in {folder.parent.name}/", source="recording", hint=hint)
    manifest = _read_json(path)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise _damaged(path, "it is no manifest")
    if manifest.get("format") != FORMAT:
        raise RecordingError(
            f"format {manifest.get('format')!r} is not {FORMAT}, the one that this version reads",
            source=str(path),
            hint="it was made by another version of the lab: record it again, or take that version",
        )
    missing = {f"{part}.json.gz" for part in PARTS} - manifest["files"].keys()
    if missing:
        raise _damaged(path, f"it does not name {', '.join(sorted(missing))}")
    return manifest


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, f"it is not JSON: {error}") from error


def _unpack(path: Path) -> Any:
    try:
        return json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise _damaged(path, f"it is not gzipped JSON: {error}") from error


def _damaged(path: Path, reason: str) -> RecordingError:
    return RecordingError(f"the recording is damaged: {reason}", source=str(path), hint=_AGAIN)
