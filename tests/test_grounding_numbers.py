"""The verifier on numbers, dates, rates and reports in other words, over facts of other applications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from srelab_lib.explanation.grounding import verify
from srelab_lib.model import Evidence, EvidenceSet

TIME = datetime(2026, 3, 4, 9, 20, tzinfo=UTC)


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


QUAY = EvidenceSet(
    items=tuple(
        depot_fact(number, kind, place, seconds, text)
        for number, (kind, place, seconds, text) in enumerate(
            [
                (
                    "log",
                    "Pod/quay/manifest-db-0",
                    4,
                    "[71] process 71 still waiting for ShareLock on transaction 90412 of relation 20513 after 2000 ms",
                ),
                ("status", "Job/quay/load-tally", None, "condition=Failed failed=5 backoffLimit=4"),
                (
                    "log",
                    "Pod/quay/crane-ctl-6c9d7f5b48-x2x7q",
                    40,
                    "chart is stale, refusing age_s=75 max_age_s=60 (container=crane-ctl)",
                ),
                (
                    "status",
                    "Deployment/quay/berth-api",
                    None,
                    "replicas=4 updatedReplicas=1 readyReplicas=3 availableReplicas=3",
                ),
                (
                    "log",
                    "Pod/quay/crane-ctl-6c9d7f5b48-x2x7q",
                    20,
                    "lift failed, retrying container=880123 attempt=3/8 (container=crane-ctl)",
                ),
                ("log", "Pod/quay/crane-ctl-6c9d7f5b48-x2x7q", 25, "lift gave up container=880456 attempts=8"),
                (
                    "change",
                    "ConfigMap/quay/crane-settings",
                    3,
                    'ConfigMap crane-settings written again by argocd-controller: LIMIT: "1.5" became LIMIT: "0.2"',
                ),
                (
                    "change",
                    "Deployment/quay/crane-ctl",
                    5,
                    "Deployment crane-ctl written again by argocd-controller: U=http://tides/v1 became U=http://tides/v2",
                ),
                ("status", "Application/argocd/quay", None, "resource=Deployment/quay/berth-api status=OutOfSync"),
                (
                    "status",
                    "Application/argocd/quay",
                    None,
                    'message="Failed sync to [77ab01c9e0d14f2a9c77]: "berth-api" is invalid: selector is immutable"',
                ),
                (
                    "log",
                    "Pod/quay/berth-api-5bd6c9f874-d9jmr",
                    50,
                    "connect() failed (111: Connection refused) while connecting to upstream",
                ),
                (
                    "status",
                    "Pod/quay/tides-7d54f77d6d-jpq6j",
                    48,
                    "container=tides last_reason=OOMKilled exit_code=137 restart_count=6",
                ),
                (
                    "log",
                    "Pod/quay/tide-keeper-64b8b479d6-8w5rg",
                    12,
                    "[leaderelection.go:18] failed to renew lease: stopped leading, reconciliation paused",
                ),
                (
                    "log",
                    "Pod/quay/scale-watch-56bb895f5f-bw4rr",
                    10,
                    "[ERROR] queue lorries: 18 waiting, DEADLINE 30s MISSED",
                ),
                (
                    "log",
                    "Pod/quay/scale-watch-56bb895f5f-bw4rr",
                    55,
                    "[ERROR] queue lorries: 64 waiting, DEADLINE 30s MISSED",
                ),
                (
                    "log",
                    "Pod/quay/berth-api-5bd6c9f874-d9jmr",
                    18,
                    "GET /tides failed: Connection to tides timed out. (connect timeout=4)",
                ),
                (
                    "log",
                    "Pod/quay/crane-ctl-6c9d7f5b48-x2x7q",
                    21,
                    "receipt for lorry 12 failed: Timeout connecting to server",
                ),
                (
                    "log",
                    "Pod/quay/crane-ctl-6c9d7f5b48-x2x7q",
                    24,
                    "receipt for lorry 31 failed: Timeout connecting to server",
                ),
                ("status", "Pod/quay/lorrys-0", None, "container=lorrys state=running"),
                (
                    "change",
                    "Application/argocd/quay",
                    2,
                    "Argo CD rolled out commit 77ab01c9e0: tides to v1.8.0, suggested mooring labels (renovate[bot])",
                ),
            ],
            start=1,
        )
    )
)


@pytest.mark.parametrize(
    ("text", "cited", "status"),
    [
        # a number stands by the word or key that it has in the fact
        ("Process 71 of manifest-db had been waiting two seconds for a ShareLock.", ["E1"], "kept"),
        ("Backend 71 of manifest-db was waiting for a lock of relation 20513.", ["E1"], "kept"),
        ("In manifest-db process 20513 was still waiting for a ShareLock.", ["E1"], "struck"),
        ("manifest-db still waited for relation 90412.", ["E1"], "struck"),
        ("load-tally failed 5 times, with a backoffLimit of 4.", ["E2"], "kept"),
        ("load-tally has a backoff limit of 5.", ["E2"], "struck"),
        ("The lift of 880456 was given up after 8 attempts.", ["E5", "E6"], "kept"),
        ("The lift of 880456 was given up after 3 attempts.", ["E5", "E6"], "struck"),
        ("The lift of 880123 failed at attempt 3 of 8.", ["E5", "E6"], "kept"),
        # what is measured is not its bound
        ("crane-ctl refused, as its chart was 75 s old and it allows 60 s.", ["E3"], "kept"),
        ("crane-ctl allows at most 75 seconds for the age of its chart.", ["E3"], "struck"),
        ("The chart 75 s old is too stale for crane-ctl.", ["E3"], "kept"),
        # replicas in the state that is told
        ("Three of the berth-api replicas are ready and available, and one is updated.", ["E4"], "kept"),
        ("Only 1 of the berth-api replicas is ready.", ["E4"], "struck"),
        ("One of the pods is available.", ["E4"], "struck"),
        # what was written again: from its old to its new value, and in the object that was written
        ("LIMIT in crane-settings was lowered from 1.5 to 0.2.", ["E7"], "kept"),
        ("LIMIT in crane-settings was raised.", ["E7"], "struck"),
        ("LIMIT in crane-settings went from 0.2 to 1.5.", ["E7"], "struck"),
        ("argocd-controller wrote the Deployment crane-ctl again, with U at v2.", ["E8"], "kept"),
        ("argocd-controller wrote the Deployment tides again, with U at v2.", ["E8"], "struck"),
        # a commit by more or fewer digits
        ("The last sync attempt, to 77ab01c9e0d1, failed.", ["E10"], "kept"),
        ("The last sync attempt, to 77ab01c9e0d7, failed.", ["E10"], "struck"),
        (
            "Argo CD rolled out 77ab01c, which has renovate's bump of tides to v1.8.0 and suggested mooring labels.",
            ["E20"],
            "kept",
        ),
        # what a controller reports is no cause
        ("berth-api is OutOfSync because its selector is immutable.", ["E9", "E10"], "kept"),
        ("Because berth-api was OutOfSync, its selector was invalid.", ["E9", "E10"], "struck"),
        # who calls is hurt by the one that ended, and ends it not
        ("berth-api's connection was refused because tides had been OOM-killed.", ["E11", "E12"], "kept"),
        ("berth-api's refused connections drove tides into being OOM-killed.", ["E11", "E12"], "struck"),
        # a line that has its own reason
        ("tide-keeper stopped leading because it failed to renew its lease.", ["E13"], "kept"),
        ("tide-keeper failed to renew its lease because it stopped leading.", ["E13"], "struck"),
        ("tide-keeper stopped leading because the chart of crane-ctl was stale.", ["E3", "E13"], "struck"),
        ("tide-keeper could not renew its leader-election lease.", ["E13"], "kept"),
        # a count that grew from line to line, and a missed deadline
        ("The lorries queue swelled from 18 waiting (09:20:10) to 64 (09:20:55).", ["E14", "E15"], "kept"),
        ("The lorries queue shrank from 64 waiting (09:20:10) to 18 (09:20:55).", ["E14", "E15"], "struck"),
        ("The deadline of 30 s is blown, scale-watch reports.", ["E14"], "kept"),
        # a time limit is a timeout; no time-out is denied where there was one
        ("berth-api's connection to tides timed out (limit 4 s).", ["E16"], "kept"),
        ("berth-api's connection to tides timed out (limit 4 ms).", ["E16"], "struck"),
        ("berth-api connected to tides without timing out.", ["E16"], "struck"),
        # clocks of twelve hours, and spans within which something happened
        ("At 9:20:18 a.m. UTC berth-api's connection to tides timed out.", ["E16"], "kept"),
        ("At 9:20:18 p.m. UTC berth-api's connection to tides timed out.", ["E16"], "struck"),
        ("berth-api's connection to tides timed out within 20 s of the change.", ["E8", "E16"], "kept"),
        ("berth-api's connection to tides timed out within 5 s of the change.", ["E8", "E16"], "struck"),
        # things by their numbers, and no object that is called so
        ("The receipts of crane-ctl for lorrys 12 and 31 failed.", ["E17", "E18"], "kept"),
        ("The receipts of crane-ctl for lorrys 12 and 32 failed.", ["E17", "E18"], "struck"),
    ],
)
def test_numbers_are_those_of_their_word_and_reports_cause_nothing(text: str, cited: list[str], status: str) -> None:
    judged = verify(text, cited, QUAY)
    assert judged.status == status, judged.reason
