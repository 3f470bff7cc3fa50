"""A report in a bounded number of bytes, for where it is kept in something small. What the bound cost stands in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srelab_lib.errors import SrelabError
from srelab_lib.reports.document import dumps

Json = dict[str, Any]

_LISTS = ("marks", "onsets", "findings", "candidates", "evidence", "actions", "checked", "missing")
"""What may be shortened; the verdict, the model's words and the run may not."""


def compact(files: Mapping[str, Path], *, max_bytes: int) -> dict[str, str]:
    """The texts of report.md and report.json, together at most `max_bytes` of UTF-8.

    report.json gets two thirds at most and stays valid; report.md loses its end.

    Raises:
        SrelabError: not even a document with no list in it fits.
    """
    text = files["report.json"].read_text(encoding="utf-8")
    if len(text.encode()) > max_bytes * 2 // 3:
        text = _shorter(json.loads(text), max_bytes * 2 // 3)
    page = _cut(files["report.md"].read_text(encoding="utf-8"), max_bytes - len(text.encode()))
    return {"report.md": page, "report.json": text}


def _shorter(body: Json, max_bytes: int) -> str:
    """Halves the longest list until the document fits."""
    lists: dict[str, list[Any]] = {name: body[name] for name in _LISTS if name in body}
    lists["marks"] = body["timeline"]["marks"]
    was = {name: len(items) for name, items in lists.items()}
    while True:
        kept = {name: len(items) for name, items in lists.items() if len(items) < was[name]}
        notes = [f"{was[name] - count} of {was[name]} items of {name} in this file" for name, count in kept.items()]
        text = dumps({**body, "dropped": [*body["dropped"], *notes]})
        if len(text) <= max_bytes:
            return text
        longest = max(lists, key=lambda name: len(json.dumps(lists[name])))
        if not lists[longest]:
            raise SrelabError(f"does not fit into {max_bytes} bytes", source="report.json")
        del lists[longest][len(lists[longest]) // 2 :]


def _cut(text: str, max_bytes: int) -> str:
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    note = f"\n\n(cut here: {len(data)} bytes in all)\n"
    return data[: max(0, max_bytes - len(note))].decode(errors="ignore") + note
