"""Writes the report: HTML, Markdown, JSON and figures, each file whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from PIL import Image

from srelab_lib.errors import SourceError
from srelab_lib.model import Analysis, Diagnosis, RunInfo
from srelab_lib.reports import charts, markdown, pages
from srelab_lib.reports.canvas import ALT_KEY, CONTENT_KEY
from srelab_lib.reports.document import document, dumps
from srelab_lib.reports.pages import Picture

_DRAWN_FROM = ("metrics", "logs", "containers")
"""Tables that figures read besides what stands in the document."""


def render(diagnosis: Diagnosis, analysis: Analysis | None, folder: Path, *, run: RunInfo) -> dict[str, Path]:
    """Writes the report into `folder`, which is made when it is not there.

    Called before the model is asked and again after it; figures that show the same diagnosis are not drawn again.

    Args:
        diagnosis: what was found, also when that is nothing.
        analysis: the model's words, or None while it has not been asked.
        folder: where the files go; those of an earlier call are replaced, each atomically.
        run: what is told of the run.

    Returns:
        Paths by name: `report.html`, `report.md`, `report.json`, `timeline.png` and the other figures.

    Raises:
        SourceError: the folder cannot be written.
        SrelabError: the report breaks its own schema.
    """
    body = document(diagnosis, analysis, run)
    pictures = _pictures(diagnosis, folder)
    files = {f"{name}.png": picture.png for name, picture in pictures.items()}
    files["report.json"] = dumps(body).encode()
    files["report.md"] = markdown.report(body, {name: picture.alt for name, picture in pictures.items()}).encode()
    files["report.html"] = pages.html(body, pictures).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in charts.CHARTS.keys() - pictures.keys():
            (folder / f"{name}.png").unlink(missing_ok=True)
        return {name: _write(folder / name, data) for name, data in files.items()}
    except OSError as error:
        raise SourceError(
            f"the report cannot be written: {error}", source=str(folder), hint="choose another output_dir"
        ) from error


def _pictures(diagnosis: Diagnosis, folder: Path) -> dict[str, Picture]:
    """The timeline always, other figures where they have something to show."""
    content = _digest(diagnosis)
    pictures: dict[str, Picture] = {}
    for name, draw in charts.CHARTS.items():
        picture = _drawn_before(folder / f"{name}.png", content)
        if picture is None:
            chart = draw(diagnosis)
            if chart.is_empty and name != "timeline":
                continue
            picture = Picture(png=chart.png(content), alt=chart.alt)
        pictures[name] = picture
    return pictures


def _drawn_before(path: Path, content: str) -> Picture | None:
    """The figure of an earlier call, when it shows the same diagnosis."""
    try:
        with Image.open(path) as image:
            image.load()
            words = dict(image.info)
        return Picture(png=path.read_bytes(), alt=str(words[ALT_KEY])) if words.get(CONTENT_KEY) == content else None
    except (OSError, ValueError, SyntaxError, KeyError):
        return None


def _digest(diagnosis: Diagnosis) -> str:
    """One value for everything that figures are drawn from, and for the library that draws them."""
    body = document(diagnosis, None, RunInfo(seconds=0.0, versions={"srelab": version("srelab")}))
    digest = hashlib.sha256(json.dumps(body).encode())
    for name in _DRAWN_FROM:
        table = diagnosis.snapshot[name].select_dtypes(exclude="object")
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
        words = diagnosis.snapshot[name][["object"]].astype("string").fillna("")
        digest.update(pd.util.hash_pandas_object(words, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _write(path: Path, data: bytes) -> Path:
    """The whole file or the old one, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
