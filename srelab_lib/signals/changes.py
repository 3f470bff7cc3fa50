"""What was changed in the window: rollouts, edits, scaling, rebuilt images, objects that came, commits of Argo CD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pandas as pd

from srelab_lib.model import TimeWindow
from srelab_lib.signals.edits import Row, time_of, within
from srelab_lib.signals.frames import frame
from srelab_lib.signals.object_edits import object_edits
from srelab_lib.signals.ownership import Owners, RawByKind
from srelab_lib.signals.rollouts import rebuilt_images, rollouts
from srelab_lib.signals.scaling import scalings

Deployed = Sequence[Mapping[str, Any]]

_SLACK = timedelta(seconds=10)
"""Between a sync and the ReplicaSet that follows from it, and between the clocks of their controllers."""


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
        *rebuilt_images(raw.get("Pod") or (), owned, window),
        *scalings(raw, owned, window),
        *object_edits(raw, window),
    ]
    rows = [*(_with_commit(row, deployed) for row in rows), *_synced(deployed, window)]
    rows.sort(key=lambda row: (row["time"], row["object"], row["field"]))
    return frame("changes", rows)


def _with_commit(row: Row, deployed: Deployed) -> Row:
    """The row with the commit that Argo CD was rolling out when its object changed."""
    for item in deployed:
        began, ended = time_of(item["started_at"]), time_of(item["deployed_at"])
        if row["object"] in item["resources"] and began and ended and began - _SLACK <= row["time"] <= ended + _SLACK:
            return row | {"commit": item["revision"], "diff": item["diff"]}
    return row


def _synced(deployed: Deployed, window: TimeWindow) -> Iterator[Row]:
    for item in deployed:
        time = time_of(item["started_at"]) or time_of(item["deployed_at"])
        if within(time, window):
            said = f": {item['subject']} ({item['author']})" if item["subject"] else ""
            yield {
                "time": time,
                "kind": "argo",
                "object": item["application"],
                "field": "revision",
                "old": item["previous"],
                "new": item["revision"],
                "text": f"Argo CD rolled out commit {item['revision'][:10]}{said}",
                "commit": item["revision"],
                "diff": item["diff"],
            }
