"""The verifier on claims in other words, over facts of other applications: one group of claims for each mechanism."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from srelab_lib.explanation.grounding import verify
from srelab_lib.model import Evidence, EvidenceSet


def _set(*rows: tuple[str, str, str]) -> EvidenceSet:
    time = datetime(2026, 3, 4, 9, 20, tzinfo=UTC)
    return EvidenceSet(
        items=tuple(
            Evidence(id=f"E{number}", kind=kind, object=ref, text=text, time=None if kind == "spec" else time)
            for number, (kind, ref, text) in enumerate(rows, start=1)
        )
    )


FACTS = {
    "heap": _set(
        ("change", "Deployment/bank/statements", "memory limit of container jvm changed from 1Gi to 384Mi (revision 7)"),
        ("status", "Pod/bank/statements-5d5f9c8b7d-h8k2p", "container=jvm last_reason=OOMKilled exit_code=137 "
         "restart_count=9 waiting_reason=CrashLoopBackOff memory_limit=384Mi"),
        ("status", "Deployment/bank/statements", "replicas=4 updatedReplicas=4 readyReplicas=1 availableReplicas=1"),
        ("metric", "Deployment/bank/statements", "error_ratio went from 0.002 to 0.75 ratio"),
        ("metric", "Deployment/bank/statements", "memory_working_set_bytes 371 MiB of a limit of 384 MiB"),
    ),
    "mysql": _set(
        ("log", "Pod/rides/dispatch-6f7b8c9d5f-zx4lm", "pymysql.err.OperationalError: (1045, \"Access denied for user "
         "'dispatcher'@'10.8.0.4' (using password: YES)\") (container=dispatch previous=true)"),
        ("status", "Pod/rides/dispatch-6f7b8c9d5f-zx4lm", "container=dispatch last_reason=Error exit_code=2 "
         "restart_count=6 waiting_reason=CrashLoopBackOff"),
        ("spec", "Deployment/rides/dispatch", "container=dispatch env=MYSQL_PASSWORD secretKeyRef.name=dispatch-mysql "
         "key=app-password"),
        ("change", "Secret/rides/dispatch-mysql", "Secret dispatch-mysql changed: key app-password (revision 3)"),
    ),
    "fleet": _set(
        ("change", "Deployment/fleet/tracker", "environment variable POLL_SECONDS of container tracker changed from "
         "0.5 to 30 (revision 4)"),
        ("log", "Pod/fleet/map-7d4b9f6c5d-qq7rt", "2026-03-04 09:19:58 ERROR GET http://tracker:9000/positions failed: "
         "ReadTimeout: timed out (container=map)"),
        ("metric", "Deployment/fleet/tracker", "latency_p95_seconds went from 0.11 to 29.4 seconds"),
        ("spec", "Service/fleet/tracker", "port=9000 targetPort=9000 ready_endpoints=2"),
    ),
    "probe": _set(
        ("event", "Pod/clinic/scheduler-ui-8b6f5c7d9-lm2nk", "reason=Unhealthy message=\"Readiness probe failed: HTTP "
         "probe failed with statuscode: 503\" count=44"),
        ("spec", "Deployment/clinic/scheduler-ui", "container=ui readinessProbe.httpGet.port=3000 "
         "readinessProbe.httpGet.path=/up periodSeconds=5 timeoutSeconds=2 failureThreshold=6 containerPort=3000"),
        ("status", "Pod/clinic/scheduler-ui-8b6f5c7d9-lm2nk", "container=ui state=running ready=false restart_count=0"),
        ("spec", "Service/clinic/scheduler-ui", "ready_endpoints=0"),
        ("log", "Pod/clinic/scheduler-ui-8b6f5c7d9-lm2nk", "ERROR: relation \"patients\" does not exist (container=ui)"),
    ),
    "volume": _set(
        ("event", "Pod/media/encoder-0", "reason=FailedMount message=\"MountVolume.SetUp failed for volume "
         "\\\"codec\\\" : secret \\\"codec-license\\\" not found\" count=17"),
        ("spec", "StatefulSet/media/encoder", "volume=codec secret.secretName=codec-license"),
        ("status", "StatefulSet/media/encoder", "replicas=3 updatedReplicas=3 readyReplicas=0 availableReplicas=0"),
        ("log", "Pod/media/writer-6c7d8f9b5c-2xkfp", "OSError: [Errno 28] No space left on device: '/data/clip-19' "
         "(container=writer)"),
        ("log", "Pod/media/writer-6c7d8f9b5c-2xkfp", "ERROR clip 19 not saved (container=writer)"),
    ),
}  # fmt: skip

TRUE = (
    ("heap", "E1", "Revision 7 cut the jvm container of statements from 1Gi of memory to 384Mi."),
    ("heap", "E2", "statements-5d5f9c8b7d-h8k2p ran out of memory nine times and is now being backed off from."),
    ("heap", "E1,E2", "Having lost more than half of its memory, the jvm container gets OOM-killed over and over."),
    ("heap", "E3", "Just one in four replicas of statements is up."),
    ("heap", "E3", "Three replicas of statements are not ready."),
    ("heap", "E4", "Three quarters of the requests to statements end in an error."),
    ("heap", "E5", "The jvm has nearly filled its 384 MiB, with 371 MiB in use."),
    ("heap", "E2,E4", "Because its container keeps being killed, statements fails 75% of its requests."),
    ("mysql", "E1", "MySQL turned dispatcher away: access denied, although a password was sent."),
    ("mysql", "E1,E2", "dispatch gives up with exit code 2 as the database does not let it in."),
    ("mysql", "E3", "The password for MySQL comes from the entry app-password of the secret dispatch-mysql."),
    ("mysql", "E1,E4", "After dispatch-mysql had been edited, the login of user dispatcher was refused."),
    ("mysql", "E2", "The dispatch container has been restarted half a dozen times and ended with an error each time."),
    ("fleet", "E1", "tracker now polls every 30 seconds rather than every half second."),
    ("fleet", "E2", "map gave up on /positions at 09:19:58, since tracker did not answer in time."),
    ("fleet", "E1,E3", "Once POLL_SECONDS had been raised to 30, the p95 latency of tracker shot up to about 29 s."),
    ("fleet", "E4", "Two endpoints stand behind the tracker service, which listens on port 9000."),
    ("probe", "E1", "The readiness check of scheduler-ui keeps getting a 503."),
    ("probe", "E2", "A check is made at five-second intervals, and six failures, or half a minute, take the pod out of service."),
    ("probe", "E3", "The ui container is up without a single restart, but it isn't ready."),
    ("probe", "E1,E4", "As the readiness probe is answered with 503, the scheduler-ui service is left with no endpoints."),
    ("probe", "E5", "ui cannot find the relation patients in its database."),
    ("volume", "E1,E2", "encoder's codec volume can't be mounted, for the secret codec-license is missing."),
    ("volume", "E1", "Seventeen times the mount of encoder-0 was tried in vain."),
    ("volume", "E3", "Not one of the three encoder replicas has become ready."),
    ("volume", "E4,E5", "Clip 19 was lost because the device had no space left."),
)  # fmt: skip

FALSE = {
    "object": (
        ("heap", "E1", "The memory limit of the sidecar container was cut from 1Gi to 384Mi."),
        ("mysql", "E1", "MySQL denies access to the user reporter."),
        ("mysql", "E3", "The password is read from the key root-password of dispatch-mysql."),
        ("fleet", "E2", "map timed out while it called the host geocoder."),
        ("probe", "E5", "The relation doctors does not exist."),
        ("volume", "E1", "The volume fonts could not be mounted."),
    ),
    "negation": (
        ("heap", "E2", "The jvm container was not killed."),
        ("heap", "E3", "All four statements replicas are available."),
        ("mysql", "E1", "The database accepted the password of dispatcher."),
        ("fleet", "E1", "POLL_SECONDS was not changed."),
        ("fleet", "E2", "tracker replied to map in time."),
        ("probe", "E1", "The readiness probe goes through."),
        ("probe", "E3", "The ui container is ready."),
        ("volume", "E1", "codec-license was found and the volume mounted."),
        ("volume", "E5", "Clip 19 has been saved."),
        ("fleet", "E3", "The latency of tracker fell from 29.4 to 0.11 seconds."),
    ),
    "swap": (
        ("heap", "E1,E2", "Nine OOM kills are what brought the memory limit down to 384Mi."),
        ("heap", "E2,E4", "The errors of statements made the kernel kill its container."),
        ("mysql", "E1,E2", "Six restarts of dispatch are the reason why access was denied to it."),
        ("mysql", "E1,E4", "The denied access prompted the change of dispatch-mysql."),
        ("fleet", "E2,E3", "tracker's latency rose because map ran into time-outs."),
        ("fleet", "E1,E2", "What drove POLL_SECONDS to 30 was the time-out of map."),
        ("probe", "E1,E4", "Having no endpoints, and that is why the readiness probe of scheduler-ui gets a 503."),
        ("probe", "E1,E3", "The ui container not being ready results in its readiness probe failing."),
        ("volume", "E1,E3", "Since no encoder replica is ready, the volume codec could not be mounted."),
        ("volume", "E4,E5", "Because clip 19 could not be saved, the device ran out of space."),
        ("volume", "E1,E2", "The secret codec-license went missing owing to the failed mount."),
    ),
    "number": (
        ("heap", "E4", "Half of the requests to statements fail."),
        ("heap", "E3", "One in three replicas of statements is ready."),
        ("fleet", "E1", "tracker polls every 30 minutes now."),
        ("probe", "E2", "The probe is given 20 seconds before the pod counts as unready."),
        ("mysql", "E2", "dispatch has been restarted a dozen times."),
    ),
}  # fmt: skip


def _reason(facts: str, cited: str, text: str) -> str:
    return verify(text, cited.split(","), FACTS[facts]).reason


@pytest.mark.parametrize(("facts", "cited", "text"), TRUE)
def test_a_true_claim_is_kept(facts: str, cited: str, text: str) -> None:
    assert _reason(facts, cited, text) == ""


@pytest.mark.parametrize(("facts", "cited", "text"), [claim for claims in FALSE.values() for claim in claims])
def test_a_false_claim_is_struck(facts: str, cited: str, text: str) -> None:
    assert _reason(facts, cited, text)
