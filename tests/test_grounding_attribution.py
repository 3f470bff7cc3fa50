"""The verifier on claims that cite several facts: what one of them has is not said of another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from srelab_lib.explanation.grounding import verify
from srelab_lib.model import Evidence, EvidenceSet

TIME = datetime(2026, 3, 4, 9, 20, tzinfo=UTC)
FACTS = (
    ("log", "Pod/dock/crane-5d5f9c8b7d-h8k2p", 0, "worker 417 got SIGTERM after 1500 ms (container=crane)"),
    ("log", "Pod/dock/crane-5d5f9c8b7d-zx4lm", 95, "worker 932 got SIGTERM after 80 ms (container=crane)"),
    ("status", "Pod/dock/crane-5d5f9c8b7d-h8k2p", 130, "container=crane last_reason=Error exit_code=1 restart_count=4"),
    ("log", "Pod/dock/crane-5d5f9c8b7d-h8k2p", 131, 'TypeError: bad mast (File "/srv/lift.py", line 23, in go)'),
    ("spec", "Node//dock-worker", None, 'taint="key=fleet.example/cold value=true effect=NoSchedule"'),
    ("spec", "Node//dock-worker2", None, 'taint="key=node.example/batch effect=NoSchedule"'),
    ("change", "Deployment/dock/crane", 60, "memory limit of container crane lowered from 512Mi to 96Mi (revision 4)"),
    (
        "status",
        "Pod/dock/crane-5d5f9c8b7d-zx4lm",
        70,
        (
            'condition=PodScheduled reason=Unschedulable message="0/3 nodes are available: 1 node(s) had untolerated '
            "taint(s), 2 Insufficient memory. preemption: 0/3 nodes are available: 3 Preemption is not helpful for "
            'scheduling."'
        ),
    ),
    (
        "log",
        "Pod/dock/ledger-0",
        75,
        'ERROR: relation "loads" contains duplicate keys, row too wide (container=ledger)',
    ),
    ("spec", "Deployment/dock/crane", None, "volume=tmp sizeLimit=24Mi"),
    ("spec", "StatefulSet/dock/ledger", None, "replicas=1 ready_replicas=0"),
    ("event", "PersistentVolumeClaim/dock/loads", 80, 'message="storageclass.storage.k8s.io "fast-ssd" not found"'),
    (
        "change",
        "Application/argocd/dock",
        55,
        "Argo CD rolled out commit 7c1d2ab: dock: crane (Mo Lind) (commit 7c1d2ab)",
    ),
    ("metric", "Deployment/dock/pier", 90, "error_ratio went from 0 to 0.3 ratio"),
    ("spec", "Deployment/dock/crane", None, "container=crane memory_limit=96Mi"),
)
DOCK = EvidenceSet(
    items=tuple(
        Evidence(
            id=f"E{number}",
            kind=kind,
            object=place,
            time=None if seconds is None else TIME + timedelta(seconds=seconds),
            text=text,
        )
        for number, (kind, place, seconds, text) in enumerate(FACTS, start=1)
    )
)


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        # a time, a number and a pod of one clause are of one fact
        ("Worker 932 of crane got SIGTERM at 09:21:35.", ["E1", "E2"], "kept"),
        ("Worker 932 of crane got SIGTERM at 09:20:00.", ["E1", "E2"], "struck"),
        ("Worker 417 got SIGTERM after 1500 ms, worker 932 after 80 ms.", ["E1", "E2"], "kept"),
        ("Worker 417 got SIGTERM after 80 ms.", ["E1", "E2"], "struck"),
        ("crane-5d5f9c8b7d-zx4lm got SIGTERM at 09:20:00.", ["E1", "E2"], "struck"),
        ("Worker 932 got SIGTERM 95 seconds after worker 417, which got it at 09:20:00.", ["E1", "E2"], "kept"),
        # what has the role of a number is not the number of a line
        ("crane had been restarted 4 times after the TypeError in line 23.", ["E3", "E4"], "kept"),
        ("crane had been restarted 23 times after the TypeError.", ["E3", "E4"], "struck"),
        # what the one node has the other one has not
        ("The taint fleet.example/cold is on dock-worker.", ["E5", "E6"], "kept"),
        ("The taint fleet.example/cold is on dock-worker2.", ["E5", "E6"], "struck"),
        # who logged it
        ("ledger logged that a row was too wide.", ["E9", "E14"], "kept"),
        ("pier logged that a row was too wide.", ["E9", "E14"], "struck"),
        # a key written out has its own value
        ("The volume tmp has a sizeLimit of 24Mi.", ["E10", "E15"], "kept"),
        ("The volume tmp has a sizeLimit of 96Mi.", ["E10", "E15"], "struck"),
        # so many nodes for this reason, so many for that
        ("Two nodes had insufficient memory for the pod.", ["E8"], "kept"),
        ("All three nodes had insufficient memory for the pod.", ["E8"], "struck"),
    ],
)
def test_what_one_fact_has_is_not_told_of_another(text: str, cited: list[str], status: str) -> None:
    judged = verify(text, cited, DOCK)
    assert judged.status == status, judged.reason


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        ("Revision 4 lowered the memory limit of crane.", ["E7"], "kept"),
        ("Revision 4 left the memory limit of crane unchanged.", ["E7"], "struck"),
        ("Preempting other pods would not have helped.", ["E8"], "kept"),
        ("Preempting other pods would have helped.", ["E8"], "struck"),
        ("A row of the relation loads was too wide for ledger.", ["E9"], "kept"),
        ("A row of the relation loads was not too wide for ledger.", ["E9"], "struck"),
        ("There are no duplicate keys in the relation loads.", ["E9"], "struck"),
        ('There are duplicate keys in the relation "loads".', ["E9"], "kept"),
        ('There are duplicate keys in the relation "rows".', ["E9"], "struck"),
        ("The only replica of the StatefulSet ledger is not ready.", ["E11"], "kept"),
        ("The only replica of the StatefulSet ledger is ready.", ["E11"], "struck"),
        ('The storage class "fast-ssd" was not found.', ["E12"], "kept"),
        ('The storage class "loads" was not found.', ["E12"], "struck"),
        ("Argo CD rolled out the commit 7c1d2ab.", ["E13"], "kept"),
        ("Argo CD could not roll out the commit 7c1d2ab.", ["E13"], "struck"),
    ],
)
def test_what_facts_state_is_not_denied_nor_what_they_deny_said(text: str, cited: list[str], status: str) -> None:
    judged = verify(text, cited, DOCK)
    assert judged.status == status, judged.reason
