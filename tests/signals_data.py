"""Payloads of a real cluster for the tests of the tables; data/signals/README.md says how they were made."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from srelab_lib.model import TimeWindow

DATA = Path(__file__).parent / "data" / "signals"
NAMESPACE = "t-signals-a"

RawByKind = dict[str, list[dict[str, Any]]]


def payload(name: str) -> Any:
    """The JSON of a recorded file."""
    return json.loads(gzip.decompress((DATA / name).read_bytes()))


def edited_cluster() -> tuple[RawByKind, TimeWindow]:
    """Lists of a namespace in which everything was edited, and the 15 minutes before they were read."""
    recorded = payload("edits.json.gz")
    return recorded["raw"], TimeWindow.last(minutes=15, now=datetime.fromisoformat(recorded["now"]))
