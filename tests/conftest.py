"""What a mark asks of this machine: without it the test is skipped, and the reason is printed."""

from __future__ import annotations

import pytest

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubeconfig import contexts
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.errors import SourceError
from srelab_lib.settings import LAB_CONTEXT

LONGEST = (
    "test_other_apps.py",
    "test_claims_recorded.py",
    "test_notebooks.py",
    "test_grounding.py",
    "test_incidents.py",
)
"""What takes a worker longest, and so comes first."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    asking = [item for item in items if item.get_closest_marker("cluster")]
    if not asking:
        return
    if LAB_CONTEXT in contexts()[0]:
        _answers()
        return
    skip = pytest.mark.skip(reason=f"no context {LAB_CONTEXT}: there is no cluster to ask")
    for item in asking:
        item.add_marker(skip)


def _answers() -> None:
    """One line instead of an error of every test, where the context has outlived its cluster."""
    client = KubernetesClient.from_context(LAB_CONTEXT)
    try:
        client.get("/version", deadline=Deadline(20))
    except SourceError as error:
        pytest.exit(f"{error.message}: 99_cleanup takes away what is left of the lab, 01 builds it", returncode=4)
    finally:
        client.close()
