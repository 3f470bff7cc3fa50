"""What a mark asks of this machine: without it the test is skipped, and the reason is printed."""

from __future__ import annotations

import pytest

from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.settings import LAB_CONTEXT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if LAB_CONTEXT in contexts()[0]:
        return
    skip = pytest.mark.skip(reason=f"no context {LAB_CONTEXT}: there is no cluster to ask")
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(skip)
