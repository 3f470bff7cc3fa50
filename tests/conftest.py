"""What a mark asks of this machine, and which tests share a process when several run at once."""

from __future__ import annotations

import pytest

from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.settings import LAB_CONTEXT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs a cluster where there is none, with the reason printed; keeps what shares something together."""
    cluster = LAB_CONTEXT in contexts()[0]
    skip = pytest.mark.skip(reason=f"no context {LAB_CONTEXT}: there is no cluster to ask")
    for item in items:
        on_cluster = item.get_closest_marker("cluster") is not None
        if on_cluster and not cluster:
            item.add_marker(skip)
        # One cluster, so one test of it at a time; fixtures of a file are made once.
        item.add_marker(pytest.mark.xdist_group("cluster" if on_cluster else item.path.stem))
