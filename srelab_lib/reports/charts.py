"""Every figure of the lab, each a function from a diagnosis to a chart whose title is the sentence that it proves."""

from __future__ import annotations

from collections.abc import Callable

from srelab_lib.model import Diagnosis
from srelab_lib.reports.before_after import signals_chart
from srelab_lib.reports.canvas import Chart
from srelab_lib.reports.log_levels import log_levels_chart
from srelab_lib.reports.memory import memory_against_limit
from srelab_lib.reports.timeline import timeline

__all__ = ["CHARTS", "Chart", "log_levels_chart", "memory_against_limit", "signals_chart", "timeline"]

CHARTS: dict[str, Callable[[Diagnosis], Chart]] = {
    "timeline": timeline,
    "signals": signals_chart,
    "log_levels": log_levels_chart,
    "memory": memory_against_limit,
}
"""By the name of the file that holds it, in the order of the report."""
