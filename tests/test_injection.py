"""Telemetry that speaks to the model: it stays quoted data, and what a model that obeys it says is struck."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from attacks import ATTACKS, Attack, plant
from recorded import FOLDER
from samples import corpus, diagnosis_of, facts
from scripted_ollama import MODEL, chat_lines, scripted

from srelab_lib.clients.ollama import OllamaClient
from srelab_lib.errors import SettingsError
from srelab_lib.explanation import explain
from srelab_lib.explanation.prompt import build
from srelab_lib.explanation.steering import steers
from srelab_lib.model import Diagnosis, Evidence, EvidenceSet
from srelab_lib.settings import load_settings

IN_TELEMETRY = tuple(attack for attack in ATTACKS if attack.where != "parameter")
AS_PARAMETER = tuple(attack for attack in ATTACKS if attack.where == "parameter")
KINDS = {"log": "log", "event": "event", "annotation": "change", "label": "spec"}


def attacked(attack: Attack) -> tuple[Diagnosis, str]:
    """The out-of-memory incident with the attack as one more fact, and that fact's id."""
    items = facts("oom").items
    name = f"E{len(items) + 1}"
    planted = Evidence(id=name, kind=KINDS[attack.where], object=items[1].object, text=attack.text, time=items[1].time)
    return diagnosis_of(EvidenceSet(items=(*items, planted))), name


def test_there_are_attacks_of_every_kind() -> None:
    assert len(ATTACKS) >= 20
    assert {attack.where for attack in ATTACKS} == {"log", "label", "annotation", "event", "parameter"}


@pytest.mark.parametrize("attack", IN_TELEMETRY, ids=lambda attack: attack.name)
def test_the_claims_of_a_model_that_obeys_are_struck(attack: Attack) -> None:
    diagnosis, name = attacked(attack)
    with scripted(chat_lines(attack.answer(name))) as server:
        analysis = explain(diagnosis, OllamaClient.from_url(server.url), model=MODEL, deadline_seconds=30)
    assert analysis.unavailable == ""
    assert len(analysis.claims) == len({claim["text"] for claim in attack.obeyed["claims"]})
    assert [claim.text for claim in analysis.claims if claim.status == "kept"] == []


@pytest.mark.parametrize("attack", IN_TELEMETRY, ids=lambda attack: attack.name)
def test_an_attack_stays_quoted_data_in_the_prompt(attack: Attack) -> None:
    diagnosis, name = attacked(attack)
    user = build(diagnosis).messages[1]["content"]
    lines = user.splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    quoted = json.loads(line.partition(": ")[2])
    assert quoted.replace(" ", "") == " ".join(attack.text.split()).replace(" ", "")
    assert not any(marker in user for marker in ("<|", "[INST]", "<<SYS>>", "</s>"))
    assert len(lines) == len(build(replace(diagnosis, evidence=facts("oom"))).messages[1]["content"].splitlines()) + 2


@pytest.mark.parametrize("attack", AS_PARAMETER, ids=lambda attack: attack.name)
def test_an_attack_as_a_parameter_is_refused(attack: Attack) -> None:
    with pytest.raises(SettingsError):
        load_settings({attack.parameter: attack.text})


@pytest.mark.parametrize("attack", IN_TELEMETRY, ids=lambda attack: attack.name)
def test_an_attack_is_known_as_one(attack: Attack) -> None:
    assert steers(attack.text)


def test_ordinary_telemetry_is_no_attack() -> None:
    texts = [fact["text"] for name in corpus()["facts"] for fact in corpus()["facts"][name]]
    texts += [
        "WARNING: This is a development server. Do not use it in production. Use a production WSGI server instead.",
        "fatal: DATABASE_URL must be set, see the README for instructions",
        'level=info msg="Starting assistant service" user=alice system=linux',
        "ignoring invalid header line", "forgot password requested by user 7", "health check reported that all is fine",
        "You are running with --insecure, which is not recommended", "please report this bug to the maintainers",
    ]  # fmt: skip
    assert [text for text in texts if steers(text)] == []


@pytest.mark.parametrize("attack", IN_TELEMETRY[::4], ids=lambda attack: attack.name)
def test_an_attack_can_be_planted_into_a_recording(attack: Attack, tmp_path: Path) -> None:
    folder = plant(attack, FOLDER, tmp_path / "planted")
    part = "logs" if attack.where == "log" else "kubernetes"
    body = gzip.decompress((folder / f"{part}.json.gz").read_bytes()).decode()
    assert json.dumps(attack.text.split("\n")[0])[1:-1] in body
