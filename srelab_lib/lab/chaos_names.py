"""The scenarios by name: those that a parameter asks for, a table of all, and the faults that none of them causes."""

from __future__ import annotations

import difflib

import pandas as pd

from srelab_lib.errors import SettingsError
from srelab_lib.faults import FAULTS
from srelab_lib.lab.chaos_scenarios import BY_NAME, SCENARIOS, Scenario


def named(names: str) -> tuple[Scenario, ...]:
    """The scenarios that a parameter such as "B,A" names, in its order.

    Raises:
        SettingsError: none, one that is not there, or the same twice.
    """
    listed = [name.strip() for name in names.split(",") if name.strip()]
    if not listed or len(set(listed)) != len(listed):
        raise SettingsError(f"scenarios={names!r} names none, or one of them twice", hint=_known())
    for name in listed:
        if name not in BY_NAME:
            raise SettingsError(f"unknown scenario {name!r}", hint=_unknown(name))
    return tuple(BY_NAME[name] for name in listed)


def catalogue() -> pd.DataFrame:
    """One row for each scenario: what is edited, and what has to be found."""
    rows = [
        {
            "scenario": scenario.name,
            "edit": str(scenario.edit) if scenario.edit else "app/Dockerfile: CMD, built again under the same tag",
            "fault": scenario.fault,
            "object": scenario.object,
        }
        for scenario in SCENARIOS
    ]
    return pd.DataFrame(rows)


def recorded_only() -> list[str]:
    """Faults of the catalogue that no edit here causes."""
    return [fault for fault in FAULTS if fault not in {scenario.fault for scenario in SCENARIOS}]


def _known() -> str:
    return f"one or more of {', '.join(BY_NAME)}, with commas between them"


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, BY_NAME, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    if name in FAULTS:
        meant = "no edit of the lab's app causes it. "
    return f"{meant}There are {', '.join(BY_NAME)}"
