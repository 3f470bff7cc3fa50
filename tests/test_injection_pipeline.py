"""An attack in telemetry or a parameter changes no verdict, no candidate and no command."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from attacks import ATTACKS, Attack, plant

from srelab_lib import diagnose
from srelab_lib.errors import SettingsError
from srelab_lib.model import Diagnosis
from srelab_lib.settings import DEFAULT_INCIDENT, Settings, load_settings
from srelab_lib.sources.connect import connect
from srelab_lib.sources.snapshot import collect

INCIDENTS = Path(__file__).resolve().parent.parent / "incidents"
PLANTED = [attack for attack in ATTACKS if attack.where != "parameter"]


def diagnosed(folder: Path) -> Diagnosis:
    settings = Settings(source="incident", incident=folder.name)
    with connect(settings, incidents_dir=folder.parent, now=datetime.now(UTC)) as connection:
        return diagnose(collect(connection, progress=lambda _: None))


@pytest.fixture(scope="module")
def honest() -> Diagnosis:
    return diagnosed(INCIDENTS / DEFAULT_INCIDENT)


def test_there_are_at_least_twenty_attacks() -> None:
    assert len(ATTACKS) >= 20


@pytest.mark.parametrize("attack", PLANTED, ids=lambda attack: attack.name)
def test_verdict_candidates_and_commands_stay(attack: Attack, honest: Diagnosis, tmp_path: Path) -> None:
    attacked = diagnosed(plant(attack, INCIDENTS / DEFAULT_INCIDENT, tmp_path / "attacked"))
    assert attacked.verdict == honest.verdict
    expected = [(c.fault, c.object, c.summary, c.cause, c.change, c.since) for c in honest.candidates]
    assert [(c.fault, c.object, c.summary, c.cause, c.change, c.since) for c in attacked.candidates] == expected
    assert attacked.actions == honest.actions


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.where == "parameter"], ids=lambda attack: attack.name)
def test_an_attack_in_a_parameter_is_refused(attack: Attack) -> None:
    with pytest.raises(SettingsError):
        load_settings({attack.parameter: attack.text})
