"""Pod life cycle: the checks on payloads of a real cluster, and the words of runtimes and languages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from recorded_checks import cited, found, recorded, told

from srelab_lib.diagnosis.checks import crashes, eviction, images, init_containers, jobs, memory
from srelab_lib.diagnosis.checks._words import missing_variable, of_start_message
from srelab_lib.model import TimeWindow
from srelab_lib.signals.frames import frame

CHECKS = (
    *crashes.CHECKS,
    *memory.CHECKS,
    *images.CHECKS,
    *init_containers.CHECKS,
    *eviction.CHECKS,
    *jobs.CHECKS,
)

RECORDED = [
    ("crash_bad_command", "crash_bad_command", "Deployment/*/catalog", ["StartError", "/opt/catalog/bin/server"]),
    ("crash_bad_command-shell", "crash_bad_command", "Deployment/*/catalog", ["exit_code=127", "not found"]),
    ("crash_bad_command-args", "crash_bad_command", "Deployment/*/catalog", ["exit_code=2", "/srv/catalog/mian.py"]),
    ("crash_missing_env", "crash_missing_env", "Deployment/*/orders", ["KeyError", "ORDERS_DATABASE_URL"]),
    ("crash_missing_env-shell", "crash_missing_env", "Deployment/*/orders", ["BROKER_URL", "parameter not set"]),
    ("crash_app_exit", "crash_app_exit", "Deployment/*/pricing", ["exit_code=1", "JSONDecodeError"]),
    ("crash_app_exit-clean", "crash_app_exit", "Deployment/*/pricing", ["exit_code=0", "Completed"]),
    ("oom_killed", "oom_killed", "Deployment/*/search", ["OOMKilled", "exit_code=137", "memory_limit=24Mi"]),
    ("oom_killed-start", "oom_killed", "Deployment/*/search", ["OOM-killed", "memory_limit=1Mi"]),
    ("oom_killed-child", "oom_killed", "Deployment/*/search", ["Killed", "memory_limit=24Mi"]),
    ("image_not_found", "image_not_found", "Deployment/*/checkout", ["ImagePullBackOff", "checkout:v9.9.9"]),
    ("image_not_found-name", "image_not_found", "Deployment/*/checkout", ["InvalidImageName", "Checkout:v1"]),
    ("image_never_pull", "image_never_pull", "Deployment/*/checkout", ["ErrImageNeverPull", "imagePullPolicy=Never"]),
    ("image_wrong_arch", "image_wrong_arch", "Deployment/*/thumbnails", ["exec format error"]),
    ("init_container_failed", "init_container_failed", "Deployment/*/ledger", ["container=migrate", "exit_code=3"]),
    ("init_container_stuck", "init_container_stuck", "Deployment/*/ledger", ["wait-for-db", "ledger-db:5432"]),
    ("evicted", "evicted", "Deployment/*/uploads", ["Evicted", "8Mi"]),
    ("container_killed", "container_killed", "Deployment/*/mailer", ["exit_code=137", "restart_count=1"]),
    ("job_failed", "job_failed", "Job/*/invoice-export", ["BackoffLimitExceeded", "exit_code=2", "14 invoices"]),
    ("job_failed-deadline", "job_failed", "Job/*/invoice-export", ["DeadlineExceeded"]),
    ("cronjob_failed", "cronjob_failed", "CronJob/*/nightly-report", ["BackoffLimitExceeded", "template is empty"]),
    ("priority_preempted", "priority_preempted", "Deployment/*/batch", ["Preempted", "priority=100000"]),
]


@pytest.mark.parametrize(("name", "fault", "object_", "cites"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded(name: str, fault: str, object_: str, cites: list[str]) -> None:
    s = recorded(name)
    findings = found(s, CHECKS)
    assert [(f.fault, f.object) for f in findings] == [(fault, object_.replace("*", s.namespace))]
    assert cited(findings[0], cites) == cites
    assert findings[0].strength > 1
    assert findings[0].since is not None
    assert s.window.start <= findings[0].since <= s.window.end


@pytest.mark.parametrize("name", ["control_lifecycle", "control_rolling_update", "scaled_to_zero", "rollout_stuck"])
def test_nothing_is_found_on_what_lives_well(name: str) -> None:
    assert found(recorded(name), CHECKS) == []


def test_causes_say_why() -> None:
    assert told("oom_killed", CHECKS) == "container search needs more memory than its limit of 24Mi"
    assert told("crash_missing_env", CHECKS) == "environment variable ORDERS_DATABASE_URL is missing"
    assert "cannot be reached" in told("image_not_found", CHECKS)
    assert "is not valid" in told("image_not_found-name", CHECKS)
    assert told("priority_preempted", CHECKS).endswith("urgent has priority 100000 (exercise-urgent)")
    assert "sent by" not in told("container_killed", CHECKS)


def statuses(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [status for pod in data["raw"]["Pod"] for status in pod["status"]["containerStatuses"]]


def pulled_with(words: str) -> Callable[[dict[str, Any]], None]:
    def alter(data: dict[str, Any]) -> None:
        statuses(data)[0]["state"]["waiting"] = {"reason": "ErrImagePull", "message": words}
        data["raw"]["Event"] = []

    return alter


@pytest.mark.parametrize(
    ("words", "fault", "cause"),
    [
        ("code = NotFound desc = failed to resolve reference x:1: not found", "image_not_found", "has no image"),
        ("manifest for x:1 not found: manifest unknown: manifest unknown", "image_not_found", "has no image"),
        ("pull access denied, repository does not exist or may require authorization", "image_not_found", "refuses"),
        ("failed to fetch oauth token: unexpected status: 401 Unauthorized", "image_not_found", "refuses"),
        ("dial tcp: lookup registry.local on 10.0.0.10:53: no such host", "image_not_found", "cannot be reached"),
        ("x509: certificate signed by unknown authority", "image_not_found", "cannot be reached"),
        ("toomanyrequests: You have reached your pull rate limit", "image_not_found", "rate limit"),
        ("no match for platform in manifest: not found", "image_wrong_arch", "architecture"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "image_wrong_arch", "architecture"),
    ],
)  # fmt: skip
def test_the_registrys_words(words: str, fault: str, cause: str) -> None:
    findings = found(recorded("image_not_found", pulled_with(words)), images.CHECKS)
    assert [f.fault for f in findings] == [fault]
    assert cause in findings[0].cause


def test_an_oom_kill_with_exit_code_0_is_one() -> None:
    def alter(data: dict[str, Any]) -> None:
        for status in statuses(data):
            if "terminated" in status.get("lastState", {}):
                status["lastState"]["terminated"]["exitCode"] = 0

    assert [f.fault for f in found(recorded("oom_killed", alter), CHECKS)] == ["oom_killed"]


def test_a_start_that_the_runtime_calls_oom_killed_is_one() -> None:
    words = (
        "runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)"
    )

    def alter(data: dict[str, Any]) -> None:
        for status in statuses(data):
            if "terminated" in status.get("lastState", {}):
                status["lastState"]["terminated"] |= {"reason": "StartError", "exitCode": 128, "message": words}

    (finding,) = found(recorded("oom_killed", alter), CHECKS)
    assert (finding.fault, finding.strength) == ("oom_killed", 3)
    assert cited(finding, ["OOM-killed", "memory_limit=24Mi"]) == ["OOM-killed", "memory_limit=24Mi"]


def test_an_eviction_is_seen_in_the_status_when_its_event_is_gone() -> None:
    (finding,) = found(recorded("evicted", lambda data: data["raw"].update(Event=[])), CHECKS)
    assert (finding.fault, cited(finding, ["reason=Evicted"])) == ("evicted", ["reason=Evicted"])


def test_sigkill_counts_as_oom_where_cadvisor_counted_it() -> None:
    s = recorded("container_killed")
    ref = f"Deployment/{s.namespace}/mailer"
    sample = {"signal": "oom_events_per_second", "object": ref, "time": s.window.end, "value": 0.05}
    counted = recorded("container_killed", metrics=frame("metrics", [sample]))
    assert {f.fault for f in found(counted, CHECKS)} == {"oom_killed"}


def test_a_restart_before_the_window_is_history() -> None:
    s = recorded("container_killed")
    later = recorded("container_killed", window=TimeWindow(start=s.window.end, end=s.window.end + timedelta(minutes=9)))
    assert found(later, CHECKS) == []


def test_a_crash_loop_that_began_before_the_window_goes_on() -> None:
    s = recorded("crash_app_exit-clean")
    later = recorded(
        "crash_app_exit-clean", window=TimeWindow(start=s.window.end, end=s.window.end + timedelta(minutes=9))
    )
    assert [f.fault for f in found(later, CHECKS)] == ["crash_app_exit"]


def test_one_early_exit_of_a_program_that_runs_since_is_a_start_up_race() -> None:
    def alter(data: dict[str, Any]) -> None:
        pod = data["raw"]["Pod"][0]
        status = pod["status"]["containerStatuses"][0]
        created = pod["metadata"]["creationTimestamp"]
        status |= {"ready": True, "restartCount": 1, "state": {"running": {"startedAt": created}}}
        status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": created}}

    assert found(recorded("crash_app_exit", alter), CHECKS) == []


def test_a_job_that_succeeds_at_last_is_well() -> None:
    def alter(data: dict[str, Any]) -> None:
        data["raw"]["Job"][0]["status"] = {
            "succeeded": 1,
            "failed": 1,
            "conditions": [{"type": "Complete", "status": "True"}],
        }

    assert found(recorded("job_failed", alter), CHECKS) == []


def test_a_cronjob_whose_latest_run_went_well_is_well() -> None:
    def alter(data: dict[str, Any]) -> None:
        latest = max(data["raw"]["Job"], key=lambda job: str(job["metadata"]["creationTimestamp"]))
        latest["status"] = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}

    assert found(recorded("cronjob_failed", alter), CHECKS) == []


def test_a_variable_that_the_spec_sets_is_not_missing() -> None:
    def alter(data: dict[str, Any]) -> None:
        for pod in data["raw"]["Pod"]:
            pod["spec"]["containers"][0]["env"].append({"name": "ORDERS_DATABASE_URL", "value": "sqlite:///x"})

    assert [f.fault for f in found(recorded("crash_missing_env", alter), CHECKS)] == ["crash_app_exit"]


def test_a_pod_that_is_going_away_is_no_fault() -> None:
    def alter(data: dict[str, Any]) -> None:
        for pod in data["raw"]["Pod"]:
            pod["metadata"]["deletionTimestamp"] = data["end"]

    assert found(recorded("crash_app_exit", alter), CHECKS) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("KeyError: 'DATABASE_URL'", "DATABASE_URL"),
        ("KeyError: 'TOKEN' (File \"<frozen os>\", line 679, in __getitem__)", "TOKEN"),
        ("Error: environment variable REDIS_HOST is not set", "REDIS_HOST"),
        ("environment variable \"S3_BUCKET\" not found", "S3_BUCKET"),
        ("panic: required key KAFKA_BROKERS missing value", "KAFKA_BROKERS"),
        ("env: required environment variable \"PORT\" is not set", "PORT"),
        ("Missing required environment variable: STRIPE_KEY", "STRIPE_KEY"),
        ("Error: Missing environment variables: API_TOKEN, API_URL", "API_TOKEN"),
        ("FATAL: JWT_SECRET must be set", "JWT_SECRET"),
        ("JWT_SECRET environment variable is required", "JWT_SECRET"),
        ("Config validation error: \"DB_HOST\" is required", "DB_HOST"),
        ("/entrypoint.sh: line 3: BROKER_URL: unbound variable", "BROKER_URL"),
        ("sh: BROKER_URL: parameter not set", "BROKER_URL"),
        ("/app/run.sh: 4: APP_MODE: parameter null or not set", "APP_MODE"),
        ("key not found: \"RAILS_MASTER_KEY\" (KeyError)", "RAILS_MASTER_KEY"),
        ("Could not resolve placeholder 'DB_URL' in value \"${DB_URL}\"", "DB_URL"),
        ("UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value.", "SECRET_KEY"),
        ("django.core.exceptions.ImproperlyConfigured: Set the DATABASE_URL environment variable", "DATABASE_URL"),
        ("You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.", "POSTGRES_PASSWORD"),
        ("thread 'main' panicked: called `Result::unwrap()` on an `Err` value: NotPresent", ""),
        ("env var MAIL_HOST is missing", "MAIL_HOST"),
        ("PHP Warning:  Undefined array key \"SMTP_URL\" in /app/index.php on line 3", "SMTP_URL"),
        ("ValidationError: 1 validation error for MailSettings: relay: field required (type=value_error.missing)", ""),
        ("1 validation error for Order: price: field required (type=value_error.missing)", None),
        ("2026-01-01 ERROR config QUEUE_URL is undefined", "QUEUE_URL"),
        ("KeyError: 'price'", None),
        ("environment variable LOG_LEVEL is set to debug", None),
        ("TLS is required", None),
        ("HTTP 404 Not Found", None),
        ("GET /items 200", None),
        ("connection to DB_HOST refused", None),
    ],
)  # fmt: skip
def test_missing_variables_in_many_languages(line: str, name: str | None) -> None:
    assert missing_variable(line) == name


def test_pydantic_names_the_field_on_the_line_above() -> None:
    assert missing_variable("  Field required [type=missing, input_value={}]", "database_url") == "DATABASE_URL"


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ('runc create failed: exec: "gunicron": executable file not found in $PATH: unknown', "crash_bad_command"),
        ('exec: "/entrypoint.sh": permission denied: unknown', "crash_bad_command"),
        ("crun: executable file `foo` not found in $PATH: No such file or directory", "crash_bad_command"),
        ("failed to generate spec: no command specified", "crash_bad_command"),
        ("exec /app/server: exec format error", "image_wrong_arch"),
        ('error mounting "/var/lib/kubelet/x" to rootfs at "/etc/app/app.conf": no such file or directory', None),
        ("failed to reserve container name", None),
    ],
)  # fmt: skip
def test_the_runtimes_words(message: str, fault: str | None) -> None:
    assert of_start_message(message) == fault
