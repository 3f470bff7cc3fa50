"""Manifests of Secrets in YAML, whole or in a diff: all that stands under `data` and `stringData` is a secret."""

from __future__ import annotations

import re

from srelab_lib.redact.words import conceal, placeholder

_LEAD = re.compile(r"[ \t+-]*+")
_BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*(?:#[^\n]*)?(?=\r?\n|\Z)")
_IS_SECRET = re.compile(r"kind:[ \t]*[\"']?Secret[\"']?[ \t]*\r?$|^diff --git [^\n]*[sS]ecret", re.MULTILINE)
_DOCUMENT = re.compile(r"(?m)^(?=[ +-]?---[ \t]*\r?$|diff --git )")
_DATA = re.compile(r"(?P<lead>[ +-]*+|@@ [^@]*@@ )(?:data|stringData):[ \t]*(?P<flow>\{.*\})?[ \t]*\r?")
_ENTRY = re.compile(r"[ +-]*+[\w.\"'/-]+:(?:[ \t]+|$)")


def conceal_manifests(text: str) -> str:
    """The text with the data of every Secret in it replaced; its names and types stay."""
    if "ecret" not in text or not _IS_SECRET.search(text):
        return text
    return "".join(_secret_manifest(part) if _IS_SECRET.search(part) else part for part in _DOCUMENT.split(text))


def _secret_manifest(document: str) -> str:
    lines = document.split("\n")
    depth: int | None = None
    for index, line in enumerate(lines):
        data = _DATA.fullmatch(line)
        if data and data["flow"]:
            lines[index] = line[: data.start("flow")] + placeholder(data["flow"])
        elif data:
            depth = 1 if data["lead"].startswith("@@") else len(data["lead"])
        elif depth is not None and line.strip(" +-\r"):
            lead = _LEAD.match(line)
            if lead is None or lead.end() <= depth:
                depth = None
                continue
            entry = _ENTRY.match(line)
            start = entry.end() if entry else lead.end()
            lines[index] = line if _BLOCK.match(line, start) else line[:start] + conceal(line[start:])
    return "\n".join(lines)
