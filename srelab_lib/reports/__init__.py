"""A diagnosis as figures and pages."""

from srelab_lib.reports.render import render

__all__ = ["render"]
