"""Steps: idempotent, told, and true on disk whatever stops them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.errors import SourceError
from srelab_lib.lab.step import Observation, Phase, Step, StepError


class Lamp:
    """Something to switch on, as a step sees it."""

    def __init__(self) -> None:
        self.on = False
        self.switched = 0

    def step(self, **changes: Any) -> Step:
        step = Step(
            title="the lamp is on",
            expected="on",
            reason="it is dark",
            hint="look for the switch",
            observe=lambda: Observation(holds=self.on, text="on" if self.on else "off"),
            apply=lambda _: self.switch(True),
            undo=lambda _: self.switch(False),
        )
        return replace(step, **changes)

    def switch(self, on: bool) -> None:
        self.on = on
        self.switched += 1


def phase(folder: Path) -> Phase:
    return Phase("00_test", folder, progress=lambda _: None)


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return read


def test_ensure_twice_applies_once(tmp_path: Path) -> None:
    lamp = Lamp()
    run = phase(tmp_path)
    assert [run.ensure(lamp.step()).status for _ in range(2)] == ["done", "already"]
    assert lamp.switched == 1


def test_reset_goes_back_and_is_harmless_again(tmp_path: Path) -> None:
    lamp = Lamp()
    run = phase(tmp_path)
    run.ensure(lamp.step())
    assert [run.reset(lamp.step()).status for _ in range(2)] == ["done", "done"]
    assert not lamp.on


def test_a_step_that_does_not_come_to_hold_fails_with_its_hint_and_stands_in_the_summary(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="expected on, observed off") as caught:
        phase(tmp_path).ensure(Lamp().step(apply=lambda _: None))
    assert caught.value.hint == "look for the switch"
    written = summary(tmp_path)
    assert written["status"] == "failed"
    assert [(step["status"], step["observed"], step["hint"]) for step in written["steps"]] == [
        ("failed", "off", "look for the switch")
    ]


def test_an_error_on_the_way_has_the_hint_of_its_step_too(tmp_path: Path) -> None:
    def late(_: object) -> None:
        raise SourceError("no answer within 180 s", hint="ask it by hand")

    with pytest.raises(SourceError) as caught:
        phase(tmp_path).ensure(Lamp().step(apply=late))
    assert caught.value.hint == "ask it by hand\nlook for the switch"


def test_an_observation_that_cannot_be_made_does_not_hold_and_says_why(tmp_path: Path) -> None:
    def unanswered() -> Observation:
        raise SourceError("nobody answers")

    result = phase(tmp_path).check(Lamp().step(observe=unanswered))
    assert (result.status, result.observed) == ("warning", "nobody answers")


def test_what_takes_long_is_told_with_the_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srelab_lib.lab.step.QUIET_SECONDS", 0.0)
    monkeypatch.setattr("srelab_lib.lab.step.POLL_SECONDS", 0.01)
    seen = iter(["1 of 3", "2 of 3", "2 of 3"])
    told: list[str] = []
    step = Lamp().step(
        observe=lambda: Observation(holds=(text := next(seen, "3 of 3")) == "3 of 3", text=text), timeout_seconds=30
    )
    assert Phase("00_test", tmp_path, progress=told.append).verify(step).status == "holds"
    assert [line.split("s  ")[1] for line in told] == ["the lamp is on: 1 of 3", "the lamp is on: 2 of 3"]


def test_ctrl_c_is_in_the_summary_and_passed_on(tmp_path: Path) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        phase(tmp_path).ensure(Lamp().step(apply=interrupted))
    assert [step["status"] for step in summary(tmp_path)["steps"]] == ["interrupted"]


def test_no_secret_reaches_the_summary(tmp_path: Path) -> None:
    text = "password=hunter2hunter2"
    phase(tmp_path).check(Lamp().step(observe=lambda: Observation(holds=True, text=text)))
    assert "hunter2" not in (tmp_path / "summary.json").read_text(encoding="utf-8")
