"""A secret in telemetry is in no table, prompt, chart or report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from attacks import Attack, plant

from srelab_lib import diagnose, pipeline
from srelab_lib.explanation import prompt
from srelab_lib.model import RunInfo
from srelab_lib.reports.render import render
from srelab_lib.settings import DEFAULT_INCIDENT, Settings
from srelab_lib.sources.connect import connect
from srelab_lib.sources.snapshot import collect

RECORDING = Path(__file__).resolve().parent.parent / "incidents" / DEFAULT_INCIDENT
SECRET = "hunter2-c0ffee"
TEXT = f"ERROR cannot log in: postgres://shop:{SECRET}@db:5432/shop password={SECRET}"


@pytest.mark.parametrize("where", ["log", "label", "annotation", "event"])
def test_a_planted_secret_goes_nowhere(where: str, tmp_path: Path) -> None:
    folder = plant(Attack(name="secret", where=where, text=TEXT, obeyed={}), RECORDING, tmp_path / "planted")
    settings = Settings(source="incident", incident=folder.name)
    with connect(settings, incidents_dir=folder.parent, now=datetime.now(UTC)) as connection:
        snapshot = collect(connection)
    diagnosis = diagnose(snapshot)
    render(diagnosis, None, tmp_path / "report", run=RunInfo())
    asked = prompt.build(diagnosis)
    texts = [str(asked), *(table.to_csv() for table in snapshot.tables.values())]
    texts += [path.read_text(encoding="utf-8", errors="replace") for path in (tmp_path / "report").iterdir()]
    assert "cannot log in" in "".join(texts), "what was planted is seen"
    assert not any(SECRET in text for text in texts)


def test_the_credentials_of_servers_are_in_no_report(tmp_path: Path) -> None:
    settings = Settings(
        source="incident",
        prometheus_url=f"http://127.0.0.1:1/?key={SECRET}",
        ollama_url=f"http://shop:{SECRET}@127.0.0.1:1/",
    )
    diagnosis = diagnose(pipeline.collect(settings))
    pipeline.render(diagnosis, settings, tmp_path, pipeline.explain(diagnosis, settings))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in tmp_path.iterdir()]
    assert "Ollama at http://127.0.0.1:1" in "".join(texts), "the server is named"
    assert not any(SECRET in text for text in texts)
