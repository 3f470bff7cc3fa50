"""Root causes from evidence: `collect`, `diagnose`, `render`, `explain`, over a live cluster or a recorded incident."""

from __future__ import annotations

from srelab_lib.errors import SrelabError
from srelab_lib.explore import Explorer
from srelab_lib.faults import FAULTS
from srelab_lib.model import Analysis, Diagnosis, Snapshot, TimeWindow
from srelab_lib.pipeline import collect, diagnose, explain, output_folder, render
from srelab_lib.reports import views
from srelab_lib.settings import Settings, from_env, from_notebook

__all__ = [
    "Analysis",
    "collect",
    "diagnose",
    "Diagnosis",
    "explain",
    "Explorer",
    "FAULTS",
    "from_env",
    "from_notebook",
    "output_folder",
    "render",
    "Settings",
    "Snapshot",
    "SrelabError",
    "TimeWindow",
    "views",
]
