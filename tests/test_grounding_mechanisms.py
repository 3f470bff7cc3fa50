"""The verifier on claims in other words, over facts of other applications: some claims for each mechanism."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.explanation.grounding import verify
from srelab_lib.model import Evidence, EvidenceSet

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "data/claims_mechanisms.json").read_text(encoding="utf-8"))
TIME = datetime(2026, 3, 4, 9, 20, tzinfo=UTC)
FACTS = {
    name: EvidenceSet(items=tuple(Evidence(**row, time=None if row["kind"] == "spec" else TIME) for row in rows))
    for name, rows in DATA["facts"].items()
}


@pytest.mark.parametrize("claim", DATA["claims"], ids=lambda claim: f"{claim['kind']}-{claim['text'][:50]}")
def test_a_true_claim_is_kept_and_a_false_one_is_struck(claim: dict[str, Any]) -> None:
    judged = verify(claim["text"], claim["cited"], FACTS[claim["facts"]])
    assert judged.status == ("kept" if claim["kind"] == "true" else "struck"), judged.reason


SHOP = EvidenceSet(
    items=tuple(
        Evidence(id=f"E{number}", kind=kind, object=f"{place}", time=TIME, text=text)
        for number, (kind, place, text) in enumerate(
            [
                (
                    "change",
                    "Deployment/shop/front",
                    "environment variable API_URL of container front removed (revision 3)",
                ),
                (
                    "status",
                    "Pod/shop/front-5d5f9c8b7d-h8k2p",
                    "container=front last_reason=Error exit_code=1 restart_count=3",
                ),
                (
                    "status",
                    "Pod/shop/front-5d5f9c8b7d-zx4lm",
                    "container=front state=running ready=false restart_count=0",
                ),
                ("metric", "Deployment/shop/front", "error_ratio went from 0 to 0.41 ratio"),
                ("change", "Deployment/shop/stock", "number of replicas of Deployment stock lowered from 2 to 0"),
                ("event", "ReplicaSet/shop/stock-7b986d94db", 'reason=SuccessfulDelete message="Deleted pod: stock-a"'),
                ("log", "Pod/shop/front-5d5f9c8b7d-zx4lm", "stock did not answer in time (read timeout=2.0)"),
                ("metric", "Deployment/shop/front", "request_rate went from 3 to 0 requests/s"),
                ("spec", "Deployment/shop/front", "container=front memory_limit=256Mi"),
            ],
            start=1,
        )
    )
)
MECHANISMS = {
    "an event is ruled out by the one in its place": (
        ("E2", "The container left with exit code 1, so it was not an OOM kill.", "kept"),
        ("E2", "The container left with exit code 1, so it was no error.", "struck"),
    ),
    "a denied direction": (
        ("E4", "The error ratio rose from 0 to 0.41.", "kept"),
        ("E4", "The error ratio did not rise.", "struck"),
        ("E4", "The error ratio has not changed.", "struck"),
    ),
    "a denied value of a field": (
        ("E3", "The container is running, but it is not ready.", "kept"),
        ("E3", "The container is not running.", "struck"),
        ("E9", "Container front has unlimited memory.", "struck"),
    ),
    "what was so before": (
        ("E4", "Before that there were no errors; then the error ratio reached 0.41.", "kept"),
        ("E4", "There are no errors.", "struck"),
    ),
    "what is said to last": (
        ("E5", "The lowered number of 0 replicas is still in place.", "kept"),
        ("E1", "API_URL is still set on container front.", "struck"),
        ("E8", "front still gets 3 requests/s.", "struck"),
    ),
    "dropped is removed where the facts remove": (
        ("E1", "Revision 3 dropped the variable API_URL.", "kept"),
        ("E8", "Revision 3 dropped the variable API_URL.", "struck"),
    ),
    "what followed a change does not bring it about": (
        ("E5 E6", "Scaling stock to 0 led to the deletion of its pod.", "kept"),
        ("E5 E6", "The deletion of the pod brought about the reduction of the replicas to 0.", "struck"),
    ),
    "the one who calls and the one who is called": (
        ("E7", "front logged that stock did not answer in time.", "kept"),
        ("E7", "stock logged that front did not answer in time.", "struck"),
        ("E7", "The call to front timed out.", "struck"),
    ),
    "a number that only its key gives a unit": (
        ("E7", "The read from stock exceeded the timeout of 2.0.", "kept"),
        ("E7", "The read from stock was tried 2.0 times.", "struck"),
    ),
    "a number that names and does not count": (
        ("E1", "API_URL went away in revision 3.", "kept"),
        ("E1", "API_URL went away from 3 containers.", "struck"),
    ),
}


@pytest.mark.parametrize(
    ("cited", "text", "status"),
    [claim for claims in MECHANISMS.values() for claim in claims],
    ids=lambda value: value[:60],
)
def test_each_mechanism_keeps_and_strikes(cited: str, text: str, status: str) -> None:
    judged = verify(text, cited.split(), SHOP)
    assert judged.status == status, judged.reason


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Requests to front fell to 0, followed by the removal of API_URL.", "struck"),
        ("API_URL of front was removed, followed by a fall of requests to 0.", "kept"),
        ("The deletion of pod stock-a forced the replicas of stock down from 2 to 0.", "struck"),
    ],
)
def test_a_change_that_is_dated_first_does_not_follow(text: str, status: str) -> None:
    seconds = {"change": 0, "event": 0, "metric": 5}
    items = [replace(item, time=TIME + timedelta(seconds=seconds.get(item.kind, 0))) for item in SHOP.items]
    cited = ["E5", "E6"] if "stock" in text else ["E1", "E8"]
    assert verify(text, cited, EvidenceSet(items=tuple(items))).status == status


DOCK = EvidenceSet(
    items=(
        Evidence(
            id="E1",
            kind="log",
            object="Pod/port/crane-5d5f9c8b7d-h8k2p",
            time=TIME,
            text='level=error msg="container not lifted" cause="http://berth/slot answered 503" (container=crane)',
        ),
        Evidence(
            id="E2", kind="spec", object="Service/port/berth", time=None, text="selector=app=berth pods_selected=0"
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        ("berth answered 503, so crane could not lift the container.", "E1", "kept"),
        ("A container that was not lifted made berth answer with a 503.", "E1", "struck"),
        ("The Service berth selects no pods.", "E2", "kept"),
        ("The Service berth selects running pods.", "E2", "struck"),
        ("The Service berth still has a pod that it selects.", "E2", "struck"),
    ],
)
def test_what_a_line_calls_the_cause_and_what_a_field_calls_none_are_no_other_way_round(
    text: str, cited: str, status: str
) -> None:
    assert verify(text, [cited], DOCK).status == status


LOCK = EvidenceSet(
    items=(
        Evidence(
            id="E1",
            kind="log",
            object="Pod/dock/tally-5d5f9c8b7d-h8k2p",
            time=TIME,
            text="load sheet 4711 not written: dial tcp: lookup stow.dock: no such host (container=tally)",
        ),
        Evidence(
            id="E2",
            kind="status",
            object="Node//edge-7",
            time=TIME,
            text='condition=Ready status=Unknown reason=NodeStatusUnknown message="Kubelet stopped posting status."',
        ),
        Evidence(
            id="E3",
            kind="log",
            object="Pod/dock/gate-66c9f8d7b5-zx4lm",
            time=TIME,
            text='level=error msg="truck not admitted" err="timed out" took=2.4s (container=gate)',
        ),
        Evidence(
            id="E4",
            kind="metric",
            object="Deployment/dock/tally",
            time=TIME,
            text="memory_working_set_bytes 90.0 MiB of a limit of 120 MiB (container=tally)",
        ),
        Evidence(
            id="E5",
            kind="status",
            object="Pod/dock/tally-5d5f9c8b7d-h8k2p",
            time=TIME,
            text="container=tally last_reason=OOMKilled exit_code=137 restart_count=3",
        ),
        Evidence(
            id="E6", kind="spec", object="Service/dock/stow", time=None, text="selector=app=stow ready_endpoints=0"
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        # behind a line's colon, and in the message of a reason, stands what brought it about
        ("The host stow.dock could not be found, so the load sheet was not written.", ["E1"], "kept"),
        ("The load sheet could not be written, which made the lookup of stow.dock fail.", ["E1"], "struck"),
        ("The Ready condition of edge-7 is Unknown because the kubelet stopped posting its status.", ["E2"], "kept"),
        ("The kubelet stopped posting because the Ready condition of edge-7 was Unknown.", ["E2"], "struck"),
        # a number may be part of what a line names
        ("Load sheet 4711 could not be written.", ["E1"], "kept"),
        ("Load sheet 4712 could not be written.", ["E1"], "struck"),
        # what one field of a line denies, another one may state
        ("gate gave up on a truck after 2.4 seconds with a time-out.", ["E3"], "kept"),
        ("The truck was admitted at gate without a time-out.", ["E3"], "struck"),
        # how is denied, and not that
        ("tally did not end by itself: it was OOMKilled.", ["E5"], "kept"),
        ("tally did not end: it was never killed.", ["E5"], "struck"),
        # a label stands as it is written, and a value of another fact's field is not this one's
        ("The Service stow selects the label app=stow.", ["E6"], "kept"),
        ("The Service stow selects the label app=tally.", ["E6"], "struck"),
        ("In container gate a truck was not admitted.", ["E3"], "kept"),
        ("In container tally a truck was not admitted.", ["E3"], "struck"),
        # not yet is one word
        ("tally has not yet reached its limit of 120 MiB; it stands at 75 % of it.", ["E4"], "kept"),
        ("tally has reached its limit of 120 MiB.", ["E4"], "struck"),
        # a state that is told with its trouble
        ("The Service stow has nobody ready to take traffic.", ["E6"], "kept"),
        ("The Service stow has somebody ready to take traffic.", ["E6"], "struck"),
    ],
)
def test_what_facts_tell_of_causes_and_fields_and_manner(text: str, cited: list[str], status: str) -> None:
    judged = verify(text, cited, LOCK)
    assert judged.status == status, judged.reason


FORGE = EvidenceSet(
    items=(
        Evidence(
            id="E1",
            kind="log",
            object="Pod/works/forge-5d5f9c8b7d-h8k2p",
            time=TIME,
            text="forge: can't open /etc/forge/alloys.yaml: permission denied (container=forge)",
        ),
        Evidence(
            id="E2",
            kind="log",
            object="Pod/works/yard-66c9f8d7b5-zx4lm",
            time=TIME + timedelta(seconds=5),
            text='msg="unexpected answer" url=http://gate:8080/ingots/7 status=504 ms=3011 (container=yard)',
        ),
        Evidence(
            id="E3",
            kind="log",
            object="Pod/works/mill-7b986d94db-q2w4k",
            time=TIME,
            text="write of sheet 12: no space left on device (container=mill)",
        ),
        Evidence(
            id="E4",
            kind="change",
            object="ConfigMap/works/cache-conf",
            time=TIME + timedelta(seconds=8),
            text="data[cache.conf] of ConfigMap cache-conf changed from maxmemory 64mb to maxmemory 16mb by kubectl",
        ),
        Evidence(
            id="E5",
            kind="metric",
            object="Deployment/works/gate",
            time=TIME,
            text="error_ratio went from 0 to 0.79 ratio",
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        # what failed is not done
        ("forge could not open alloys.yaml for want of permission.", ["E1"], "kept"),
        ("forge found alloys.yaml and opened it.", ["E1"], "struck"),
        # the key behind a number is no unit of it, and a key may be the unit of the number behind it
        ("yard got a 504 from gate.", ["E2"], "kept"),
        ("yard waited some three seconds for an answer with status 504.", ["E2"], "kept"),
        ("yard got an answer from gate after 504 ms.", ["E2"], "struck"),
        # an answer of 5xx hurts whom it is given
        ("The disk filled up at mill, and yard was given a 504 five seconds later.", ["E3", "E2"], "kept"),
        ("The 504 that yard was given left mill without space for its sheet.", ["E3", "E2"], "struck"),
        # the words that differ tell where the value went
        ("maxmemory of cache-conf fell from 64 MB to 16 MB.", ["E4"], "kept"),
        ("maxmemory of cache-conf grew from 64 MB to 16 MB.", ["E4"], "struck"),
        # those who succeed are the rest of those who fail
        ("About one request in five to gate still succeeds.", ["E5"], "kept"),
        ("About four requests in five to gate still succeed.", ["E5"], "struck"),
        # what began is dated by the first of its facts
        ("yard only began to get a 504 once maxmemory of cache-conf was cut to 16 MB.", ["E2", "E4"], "struck"),
        ("maxmemory of cache-conf was cut to 16 MB three seconds after yard got its 504.", ["E2", "E4"], "kept"),
    ],
)
def test_what_failed_what_is_a_unit_and_who_is_hurt(text: str, cited: list[str], status: str) -> None:
    judged = verify(text, cited, FORGE)
    assert judged.status == status, judged.reason


GATES = EvidenceSet(
    items=(
        Evidence(
            id="E1",
            kind="log",
            object="Pod/arena/turnstile-5d5f9c8b7d-h8k2p",
            time=TIME,
            text='level=error msg="lookup failed" seat=81 row=b after=0.15s (container=turnstile)',
        ),
        Evidence(
            id="E2",
            kind="status",
            object="Node//rack-2",
            time=TIME + timedelta(seconds=44),
            text='condition=Ready status=Unknown message="Kubelet stopped posting node status."',
        ),
        Evidence(
            id="E3",
            kind="spec",
            object="Deployment/arena/turnstile",
            time=None,
            text="container=turnstile readinessProbe.httpGet.port=8080 initialDelaySeconds=3 periodSeconds=5 "
            "timeoutSeconds=2 failureThreshold=3",
        ),
        Evidence(
            id="E4",
            kind="status",
            object="Pod/arena/seats-66c9f8d7b5-zx4lm",
            time=TIME,
            text='condition=PodScheduled reason=Unschedulable message="0/3 nodes are available: 1 node(s) had '
            "untolerated taint(s), 2 node(s) didn't match pod anti-affinity rules.\"",
        ),
        Evidence(
            id="E5",
            kind="log",
            object="Pod/arena/turnstile-5d5f9c8b7d-h8k2p",
            time=TIME + timedelta(seconds=90),
            text="sent=30 p95=0.4s (container=turnstile)",
        ),
        Evidence(
            id="E6",
            kind="log",
            object="Pod/arena/turnstile-5d5f9c8b7d-h8k2p",
            time=TIME,
            text="sent=31 p95=2.8s (container=turnstile)",
        ),
        Evidence(
            id="E7",
            kind="metric",
            object="Deployment/arena/turnstile",
            time=TIME,
            text="error_ratio went from 0 to 0.79 ratio",
        ),
        Evidence(
            id="E8",
            kind="log",
            object="Pod/arena/turnstile-5d5f9c8b7d-h8k2p",
            time=TIME,
            text="GET /seats answered after 44ms (container=turnstile)",
        ),
        Evidence(
            id="E9",
            kind="log",
            object="Pod/arena/turnstile-5d5f9c8b7d-h8k2p",
            time=TIME,
            text="GET /rows answered after 1800ms (container=turnstile)",
        ),
        Evidence(
            id="E10",
            kind="status",
            object="Application/argocd/arena",
            time=None,
            text='message="error when patching: Deployment.apps "seats" is invalid: field is immutable"',
        ),
        Evidence(
            id="E11",
            kind="change",
            object="Application/argocd/arena",
            time=TIME,
            text="Argo CD could not roll out commit 40a7bfc503: more seats (commit 40a7bfc)",
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        # a letter is one of its own thing
        ("It was in row b that the lookup failed.", ["E1"], "kept"),
        ("It was in row d that the lookup failed.", ["E1"], "struck"),
        # what has stopped is not kept up
        ("The kubelet of rack-2 quit posting its status.", ["E2"], "kept"),
        ("The kubelet of rack-2 went on posting its status without a break.", ["E2"], "struck"),
        # a long span between two facts stands however it is told
        ("44 seconds into the trouble at turnstile, the kubelet of rack-2 stopped posting.", ["E1", "E2"], "kept"),
        ("58 seconds into the trouble at turnstile, the kubelet of rack-2 stopped posting.", ["E1", "E2"], "struck"),
        # the first delay is no period
        ("turnstile is probed every 5 seconds.", ["E3"], "kept"),
        ("turnstile is probed every 3 seconds.", ["E3"], "struck"),
        # nodes are counted for their own reason
        ("Anti-affinity rules kept seats off 2 nodes.", ["E4"], "kept"),
        ("Anti-affinity rules kept seats off 3 nodes.", ["E4"], "struck"),
        # a number fell from the one that is told before it
        ("The p95 of turnstile was 2.8 s and had dropped to 0.4 s 90 seconds later.", ["E5", "E6"], "kept"),
        ("The p95 of turnstile was 2.8 s and had risen to 0.4 s 90 seconds later.", ["E5", "E6"], "struck"),
        # who was asked, and how long it took, are of one line
        ("turnstile answered /seats after 44 ms.", ["E8", "E9"], "kept"),
        ("turnstile answered /seats after 1800 ms.", ["E8", "E9"], "struck"),
        # a kind that a fact gives a name is no other kind
        ("The patch of Deployment seats failed.", ["E10"], "kept"),
        ("The patch of Service seats failed.", ["E10"], "struck"),
        ("Deployment arena is not what was patched.", ["E10"], "struck"),
        # what becomes of a node comes before its pods
        ("Since rack-2 is not ready, the lookups of turnstile fail.", ["E1", "E2"], "kept"),
        ("Because turnstile fails its requests, rack-2 is not ready.", ["E7", "E2"], "struck"),
        # a commit's digits are no status
        ("The commit 40a7bfc503 was rolled out successfully.", ["E11"], "struck"),
        # what is had is not denied in any word for having
        ("turnstile does not have a readiness probe.", ["E3"], "struck"),
        ("The error ratio of turnstile did not go up.", ["E7"], "struck"),
        ("The error ratio of turnstile went up.", ["E7"], "kept"),
    ],
)
def test_whose_number_it_is_and_what_goes_on(text: str, cited: list[str], status: str) -> None:
    judged = verify(text, cited, GATES)
    assert judged.status == status, judged.reason
