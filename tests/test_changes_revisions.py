"""What ControllerRevisions of a real cluster tell of the rollouts of a StatefulSet and a DaemonSet."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
from signals_data import RawByKind, payload

from srelab_lib.model import TimeWindow
from srelab_lib.signals.changes import changes_table
from srelab_lib.signals.ownership import owners

RECORDED: RawByKind = payload("revisions.json.gz")
"""Both came at 21:49:18. `kubectl apply` lowered a limit of the StatefulSet and removed a toleration, then it was
rolled back; a variable of the DaemonSet was set, then it was restarted."""
WINDOW = TimeWindow(
    start=datetime(2026, 11, 27, 21, 49, 25, tzinfo=UTC), end=datetime(2026, 11, 27, 21, 52, tzinfo=UTC)
)
ARCHIVE, PORTER = "StatefulSet/depot/archive", "DaemonSet/depot/porter"


def changes(raw: RawByKind = RECORDED) -> pd.DataFrame:
    return changes_table(raw, owners(raw), WINDOW)


def told(ref: str, df: pd.DataFrame) -> list[tuple[str, str]]:
    own = df[df["object"] == ref]
    return [(f"{time:%H:%M:%S}", str(text)) for time, text in zip(own["time"], own["text"], strict=True)]


def test_old_and_new_value_are_told_with_the_revision() -> None:
    assert told(ARCHIVE, changes())[:2] == [
        ("21:49:30", "memory limit of container archive lowered from 32Mi to 24Mi (revision 2)"),
        ("21:49:30", "tolerations[depot/archive].operator removed (was Exists) (revision 2)"),
    ]
    assert told(PORTER, changes()) == [
        ("21:49:30", "environment variable LANES of container porter changed from 4 to 2 (revision 2)"),
        ("21:49:43", "DaemonSet porter restarted (revision 3)"),
    ]


def test_what_comes_back_is_rolled_back_to() -> None:
    df = changes()
    assert told(ARCHIVE, df[df["rolled_back_to"].fillna("") != ""]) == [
        (
            "21:49:36",
            "memory limit of container archive raised from 24Mi to 32Mi (revision 3, rolled back to an earlier one)",
        ),
        (
            "21:49:36",
            "tolerations[depot/archive].operator added: Exists (revision 3, rolled back to an earlier one)",
        ),
    ]


def test_the_revision_to_go_back_to_is_the_one_before() -> None:
    df = changes().query("object == @ARCHIVE")
    # The first one came back, so it goes by another number now.
    assert list(zip(df["revision"], df["revision_before"], strict=True)) == [("2", None)] * 2 + [("3", "2")] * 2


def test_without_them_an_apply_is_only_known_to_have_written_something() -> None:
    without = {kind: items for kind, items in RECORDED.items() if kind != "ControllerRevision"}
    assert told(ARCHIVE, changes(without))[0] == (
        "21:49:30",
        "StatefulSet archive written again by kubectl-client-side-apply (which value changed is not known)",
    )
