"""What was changed in the window: rollouts, edits, scaling, rebuilt images, objects that came, commits of Argo CD."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pandas as pd

from srelab_lib.model import TimeWindow
from srelab_lib.signals.edits import Row, time_of, within
from srelab_lib.signals.frames import frame
from srelab_lib.signals.object_edits import NOT_KNOWN, object_edits
from srelab_lib.signals.ownership import Owners, RawByKind
from srelab_lib.signals.rollouts import rebuilt_images, rollouts
from srelab_lib.signals.scaling import scalings

Deployed = Sequence[Mapping[str, Any]]

_SLACK = timedelta(seconds=10)
"""Between a sync and the ReplicaSet that follows from it, and between the clocks of their controllers."""
_AT_ONCE = timedelta(seconds=2)
"""From a write to the revision that a controller makes of it."""
_ENDING = timedelta(seconds=90)
"""With strategy Recreate the ReplicaSet comes when the old pods have ended, each with a grace period of its own."""
_BY_HAND = re.compile(r" by kubectl\S*(?: \(|$)")
_FEW_LINES = 3
_WORD = r"[\w./-]*\w"


def changes_table(raw: RawByKind, owned: Owners, window: TimeWindow, deployed: Deployed = ()) -> pd.DataFrame:
    """One row for each altered field, by time.

    `field` is the field's path; `created` for an object that came into being, `deleted` for one that is going. `old` is
    None when it is not known, and when the field was added: `text` tells the two apart.

    Args:
        raw: everything that was listed, by kind.
        owned: who controls what.
        window: only what was changed in it.
        deployed: Argo CD's history with its commits, from `sources.gitops.deployments`.
    """
    rows = [
        *rollouts(raw, owned, window),
        *rebuilt_images(raw, owned, window),
        *scalings(raw, owned, window),
        *object_edits(raw, window),
    ]
    rows = [*(_with_commit(row, deployed) for row in rows), *_synced(deployed, window)]
    rows = [_in_git(row) for row in rows if not (row["text"].endswith(NOT_KNOWN) and _rolled_out(row, rows))]
    rows.sort(key=lambda row: (row["time"], row["object"], row["field"]))
    return frame("changes", rows)


def _rolled_out(write: Row, rows: Sequence[Row]) -> bool:
    """Whether what followed at once tells what a write changed, of which no more is known than when it was."""
    own = [row for row in rows if row["object"] == write["object"] and (row["old"] or row["new"])]
    return any(abs(row["time"] - write["time"]) <= _AT_ONCE for row in own)


def _with_commit(row: Row, deployed: Deployed) -> Row:
    """The row with the commit that Argo CD was rolling out when its object changed, or had just rolled out."""
    own = [item for item in deployed if item["commit"] and row["object"] in item["resources"]]
    near = [item for item in own if _led_to(item, row, _SLACK)]
    late = [item for item in reversed(own) if _led_to(item, row, _ENDING) and _speaks_of(item["diff"], row)]
    for item in (*near, *late) if not _BY_HAND.search(row["text"]) else ():
        return row | {"commit": item["commit"], "diff": item["diff"]}
    return row


def _in_git(row: Row) -> Row:
    """The change with the altered lines of its commit in its text, where nothing else tells what it was."""
    gone, come = (
        re.findall(rf"^[{sign}](?![+-]{{2}})\s*(\S.*?)\s*$", row.get("diff") or "", re.MULTILINE) for sign in "-+"
    )
    if not row["text"].endswith(NOT_KNOWN) or not 0 < len(gone) == len(come) <= _FEW_LINES:
        return row
    return row | {"text": f"{row['text'].removesuffix(NOT_KNOWN).rstrip()}: {'; '.join(gone)} became {'; '.join(come)}"}


def _led_to(item: Mapping[str, Any], row: Row, reach: timedelta) -> bool:
    began, ended = time_of(item["started_at"]), time_of(item["deployed_at"])
    return bool(began and ended and began - _SLACK <= row["time"] <= ended + reach)


def _speaks_of(diff: str, row: Row) -> bool:
    """Whether a commit adds what the rollout brought, or takes the field away: it is a rollout that waited."""
    brought = _words(row["new"]) - _words(row["old"])
    named = set(re.findall(_WORD, row["field"].replace(".", " "))[-1:])
    added, removed = (_words("\n".join(re.findall(rf"^[{sign}](?![+-]{{2}}).*", diff, re.MULTILINE))) for sign in "+-")
    fits = brought <= added if brought else bool(named) and named <= added | removed
    return row["kind"] == "rollout" and fits


def _words(text: str | None) -> set[str]:
    return set(re.findall(_WORD, text or ""))


def _synced(deployed: Deployed, window: TimeWindow) -> Iterator[Row]:
    for item in deployed:
        time = time_of(item["started_at"]) or time_of(item["deployed_at"])
        if not within(time, window) or not item["commit"]:
            continue
        said = f": {item['subject']} ({item['author']})" if item["subject"] else ""
        commit = f"commit {item['commit'][:10]}{said}"
        row = {"time": time, "kind": "argo", "commit": item["commit"], "diff": item["diff"]}
        yield row | {
            "object": item["application"], "field": "revision", "old": item["previous"], "new": item["revision"],
            "text": f"Argo CD {'could not roll out' if item['failed'] else 'rolled out'} {commit}",
        }  # fmt: skip
        for ref in item["pruned"]:
            name = f"{ref.partition('/')[0]} {ref.rpartition('/')[2]}"
            yield row | {"object": ref, "field": "deleted", "text": f"{name} deleted: Argo CD pruned it with {commit}"}
