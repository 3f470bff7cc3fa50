"""The model's words on a diagnosis, each claim checked against what it cites."""

from __future__ import annotations

from srelab_lib.explanation.analysis import explain
from srelab_lib.explanation.grounding import verify

__all__ = ["explain", "verify"]
