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


def depot_fact(number: int, kind: str, place: str, seconds: int | None, text: str) -> Evidence:
    time = None if seconds is None else TIME + timedelta(seconds=seconds)
    return Evidence(id=f"E{number}", kind=kind, object=place, time=time, text=text)


DEPOT = EvidenceSet(
    items=tuple(
        depot_fact(number, *row)
        for number, row in enumerate(
            [
                ("log", "Pod/depot/riders-5c8d7f9b66-x2kqp", 0, "sent=40 failed=10 p50=0.210s (container=riders)"),
                ("log", "Pod/depot/riders-5c8d7f9b66-x2kqp", 30, "sent=40 failed=40 p50=0.010s (container=riders)"),
                ("log", "Pod/depot/audit-sim-77c9d5b4f8-mm2ld", 60, "result=summary ok=75 failed=25"),
                ("log", "Deployment/depot/router", None, "5 of 72 answers that its log tells of have a 5xx status"),
                (
                    "log",
                    "Pod/depot/router-6b9949b5df-g5xgg",
                    20,
                    "stale map: tiles are 94 s old, max 60; refusing to route until they are reloaded",
                ),
                (
                    "change",
                    "ConfigMap/depot/cache-rules",
                    2,
                    "data[ttl_seconds] of ConfigMap cache-rules changed from 300 to 30 by kubectl-edit",
                ),
                (
                    "change",
                    "Deployment/depot/router",
                    5,
                    "image of container router changed from acme/router:3.10.0 to acme/router:3.9.2 (revision 4)",
                ),
                ("change", "Deployment/depot/router", 5, "cpu request of container router raised from 100m to 3"),
                (
                    "status",
                    "Deployment/depot/router",
                    40,
                    'condition=Progressing status=True message="ReplicaSet router-1 is progressing."',
                ),
                ("spec", "Deployment/depot/router", None, "tolerations=none requests.cpu=3 requests.memory=64Mi"),
                ("status", "Node//depot-worker", None, "allocatable cpu=2 memory=8Gi"),
                (
                    "event",
                    "ReplicaSet/depot/router-6b9949b5df",
                    45,
                    'reason=FailedCreate message="error looking up service account depot/router-sa" count=12',
                ),
                ("metric", "Deployment/depot/dispatch", 50, "error_ratio went from 0 to 0.62 ratio"),
                (
                    "status",
                    "Pod/depot/router-6b9949b5df-g5xgg",
                    None,
                    "container=router state=waiting waiting_reason=CrashLoopBackOff restart_count=6",
                ),
                ("metric", "Deployment/depot/dispatch", 50, "request_rate went from 4 to 0 requests/s"),
                ("spec", "Service/depot/maps", None, "services_in_namespace=maps-v2,router"),
                (
                    "event",
                    "PersistentVolumeClaim/depot/tiles",
                    55,
                    'reason=FailedBinding message="no persistent volumes available for this claim" count=3',
                ),
                (
                    "status",
                    "Pod/depot/tiler-0",
                    50,
                    'condition=PodScheduled reason=Unschedulable message="pod has unbound PersistentVolumeClaims"',
                ),
                ("change", "Deployment/depot/dispatch", 1, "liveness probe (periodSeconds) lowered from 9 to 3"),
                ("change", "Deployment/depot/dispatch", 1, "liveness probe (timeoutSeconds) lowered from 3 to 1"),
                ("log", "Pod/depot/tiler-0", 52, "OSError: [Errno 28] No space left on device"),
                ("status", "Deployment/depot/dispatch", None, "replicas=3 updatedReplicas=3 readyReplicas=2"),
                (
                    "log",
                    "Pod/depot/dispatch-7d54f77d6d-jpq6j",
                    33,
                    "order lost: unexpected status 503 from http://router:8080/route?id=o-88",
                ),
            ],
            start=1,
        )
    )
)


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        # a total beside a count of those that failed
        ("All of the 40 requests that riders sent by 09:20:30 failed.", ["E2"], "kept"),
        ("A quarter of the requests that riders sent failed, and 30 got through.", ["E1"], "kept"),
        ("Every request that riders sent failed.", ["E1"], "struck"),
        ("riders counted 40 failed requests.", ["E1"], "struck"),
        ("audit-sim has 75 failures in its summary.", ["E3"], "struck"),
        ("25 requests of audit-sim were ok.", ["E3"], "struck"),
        # the whole is not the part
        ("5 of the 72 answers that router logged have a 5xx status.", ["E4"], "kept"),
        ("72 of the answers that router logged have a 5xx status.", ["E4"], "struck"),
        # what is compared has one unit, and a key has the unit of its value
        ("router refuses to route over tiles of 94 seconds, with 60 seconds as the maximum.", ["E5"], "kept"),
        ("router refuses to route over tiles of 94 seconds, with 60 minutes as the maximum.", ["E5"], "struck"),
        ("The ttl of cache-rules was lowered from 300 seconds to 30.", ["E6"], "kept"),
        ("The ttl of cache-rules was lowered from 300 minutes to 30.", ["E6"], "struck"),
        # a line says what was done because of what it says before
        ("router declines to route because its tiles are 94 s old.", ["E5"], "kept"),
        ("The tiles became stale because router was refusing to route.", ["E5"], "struck"),
        ("dispatch lost an order because router answered with status 503.", ["E23"], "kept"),
        ("router answered with status 503 because dispatch lost an order.", ["E23"], "struck"),
        # days of the calendar
        ("On 4 March 2026 the ttl of cache-rules was lowered.", ["E6"], "kept"),
        ("The ttl of cache-rules was lowered on Mar 5.", ["E6"], "struck"),
        # versions go up and down
        ("At 09:20:05 router was downgraded to 3.9.2.", ["E7"], "kept"),
        ("At 09:20:05 router was upgraded to 3.9.2.", ["E7"], "struck"),
        # the time and the values of one change
        ("It was at 09:20:05 that the CPU request of router was raised to 3 cores.", ["E8", "E9"], "kept"),
        ("It was at 09:20:40 that the CPU request of router was raised to 3 cores.", ["E8", "E9"], "struck"),
        ("The liveness timeout of dispatch was cut from 3 seconds to 1.", ["E19", "E20"], "kept"),
        ("The liveness timeout of dispatch was cut from 9 seconds to 1.", ["E19", "E20"], "struck"),
        ("The liveness timeout of dispatch was cut from 9 seconds to 3.", ["E19", "E20"], "struck"),
        ("The change left the liveness timeout of dispatch at 3 seconds.", ["E20"], "struck"),
        # what fits
        ("router asks for 3 CPUs and would not fit on depot-worker, which has 2 allocatable.", ["E10", "E11"], "kept"),
        ("router asks for 3 CPUs and would fit on depot-worker, which has 2 allocatable.", ["E10", "E11"], "struck"),
        # names stand whole, and in the list that has them
        ("The service account that could not be looked up is depot/router-sa.", ["E12"], "kept"),
        ("The service account that could not be looked up is depot/router.", ["E12"], "struck"),
        ("maps-v2 is among the services in the namespace.", ["E16"], "kept"),
        ("maps is present in the namespace, beside router.", ["E16"], "struck"),
        # how often in a span, whatever is counted
        ("dispatch got 240 requests per minute before its rate fell to zero.", ["E15"], "kept"),
        ("dispatch got 4 requests per minute before its rate fell to zero.", ["E15"], "struck"),
        ("The service account was looked up 12 times per second.", ["E12"], "struck"),
        # what is not there
        ("tiles is not bound, for want of a persistent volume.", ["E17"], "kept"),
        ("tiler-0 had free space left on its device.", ["E21"], "struck"),
        ("Two replicas of dispatch are ready; there should be three.", ["E22"], "kept"),
        ("Two replicas of dispatch are ready; there should be five.", ["E22"], "struck"),
        ("dispatch error ratio: 0 -> 62 %", ["E13"], "kept"),
        ("dispatch error ratio: 0 -> 38 %", ["E13"], "struck"),
        # who keeps whom from what
        ("tiler-0 is unschedulable because its claim is unbound.", ["E17", "E18"], "kept"),
        ("The claim is unbound because tiler-0 is unschedulable.", ["E17", "E18"], "struck"),
        ("The errors of dispatch drove router into CrashLoopBackOff.", ["E13", "E14"], "struck"),
    ],
)
def test_tallies_changes_days_and_rates_are_those_of_the_facts(text: str, cited: list[str], status: str) -> None:
    judged = verify(text, cited, DEPOT)
    assert judged.status == status, judged.reason
