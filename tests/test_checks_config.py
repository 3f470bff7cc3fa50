"""Checks of configuration and access, on payloads of a real cluster."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from recorded_checks import by_fault, found, recorded

from srelab_lib.diagnosis.checks import CHECKS, access, certificates, config, config_values, credentials
from srelab_lib.signals.frames import frame

GROUP = (*access.CHECKS, *certificates.CHECKS, *config.CHECKS, *config_values.CHECKS, *credentials.CHECKS)


@pytest.mark.parametrize(
    ("recording", "fault", "ref", "quoted"),
    [
        ("configmap_missing", "configmap_missing", "Deployment/{ns}/billing", 'configmap "billing-settings" not found'),
        ("configmap_missing-volume", "configmap_missing", "Deployment/{ns}/gateway", 'configmap "gateway-site"'),
        ("configmap_key_missing", "configmap_key_missing", "Deployment/{ns}/billing", "couldn't find key TAX_RATE"),
        ("configmap_key_missing-volume", "configmap_key_missing", "Deployment/{ns}/gateway", "key: default.conf"),
        ("configmap_wrong_value", "configmap_wrong_value", "ConfigMap/{ns}/basket-settings", "CACHE_ADDR=cache:6380"),
        ("configmap_wrong_value-parse", "configmap_wrong_value", "ConfigMap/{ns}/ledger-settings", "POOL_SIZE=twenty"),
        ("secret_missing", "secret_missing", "Deployment/{ns}/billing", 'secret "billing-db" not found'),
        ("secret_missing-volume", "secret_missing", "Deployment/{ns}/gateway", 'secret "gateway-tls" not found'),
        ("secret_key_missing", "secret_key_missing", "Deployment/{ns}/billing", "couldn't find key password in Secret"),
        ("secret_rotated", "secret_rotated", "Deployment/{ns}/login", "WRONGPASS invalid username-password pair"),
        ("rbac_denied", "rbac_denied", "Deployment/{ns}/watcher", 'cannot list resource "pods"'),
        ("service_account_missing", "service_account_missing", "Deployment/{ns}/reporter", 'serviceaccount "reporter"'),
        ("webhook_unreachable", "webhook_unreachable", "ValidatingWebhookConfiguration//image-policy-lab",
         'failed calling webhook "image-policy.lab.local"'),
        ("tls_expired", "tls_expired", "Deployment/{ns}/vault", "certificate has expired"),
        ("pod_security_denied", "pod_security_denied", "Deployment/{ns}/probe", 'PodSecurity "baseline:latest"'),
    ],
)  # fmt: skip
def test_names_the_fault_with_the_words_of_the_server(recording: str, fault: str, ref: str, quoted: str) -> None:
    s = recorded(recording)
    findings = by_fault(found(s, GROUP))
    assert set(findings) == {fault}
    finding = findings[fault]
    assert finding.object == ref.format(ns=s.namespace)
    assert any(quoted in fact.text for fact in finding.facts)
    assert finding.since
    assert finding.since >= s.window.start - timedelta(seconds=5)


@pytest.mark.parametrize(
    "recording", ["configmap_missing", "configmap_missing-volume", "secret_missing", "secret_key_missing"]
)
def test_a_reference_that_was_repaired_is_no_finding(recording: str) -> None:
    """The events stay for an hour; the pod that runs by now tells that they are over."""

    def run(data: dict[str, Any]) -> None:
        for pod in data["raw"]["Pod"]:
            pod["status"]["phase"] = "Running"
            for status in pod["status"]["containerStatuses"]:
                status["state"] = {"running": {"startedAt": data["end"]}}

    assert found(recorded(recording, run), GROUP) == []


def test_a_refused_pod_that_exists_by_now_is_no_finding() -> None:
    def create(data: dict[str, Any]) -> None:
        for replicaset in data["raw"]["ReplicaSet"]:
            replicaset["status"]["replicas"] = replicaset["spec"]["replicas"]

    for recording in ("service_account_missing", "webhook_unreachable", "pod_security_denied"):
        assert found(recorded(recording, create), GROUP) == []


def test_the_missing_object_and_the_place_that_names_it_are_cited() -> None:
    s = recorded("secret_missing")
    (finding,) = found(s, config.CHECKS)
    assert finding.related == (f"Secret/{s.namespace}/billing-db",)
    assert any("env=DB_PASSWORD secretKeyRef.name=billing-db key=password" in fact.text for fact in finding.facts)


def test_a_value_that_no_error_names_is_not_blamed() -> None:
    s = recorded("configmap_wrong_value", lambda data: data["raw"]["ConfigMap"].clear())
    assert found(s, config_values.CHECKS) == []


def test_an_edit_before_the_errors_is_cited() -> None:
    (finding,) = found(recorded("configmap_wrong_value"), (config_values.check_wrong_value,))
    assert any(fact.kind == "change" and fact.time is not None for fact in finding.facts)
    assert 'holds CACHE_ADDR=cache:6380; the log says "ConnectionError' in finding.cause


def test_errors_right_after_an_edit_are_blamed_on_it_though_they_name_no_value() -> None:
    def reword(data: dict[str, Any]) -> None:
        for log in data["logs"]:
            log["text"] = re.sub(r" ERROR cache .*", " ERROR basket could not be stored", log["text"])

    s = recorded("configmap_wrong_value", reword)
    (finding,) = found(s, config_values.CHECKS)
    assert finding.object == f"ConfigMap/{s.namespace}/basket-settings"

    def forget(data: dict[str, Any]) -> None:
        reword(data)
        for item in data["raw"]["ConfigMap"]:
            for entry in item["metadata"]["managedFields"]:
                entry["time"] = item["metadata"]["creationTimestamp"]

    assert found(recorded("configmap_wrong_value", forget), config_values.CHECKS) == []


def test_a_setting_in_a_mounted_file_is_found_by_the_value_that_the_error_quotes() -> None:
    def mount(data: dict[str, Any]) -> None:
        for item in data["raw"]["ConfigMap"]:
            if "POOL_SIZE" in item.get("data", {}):
                item["data"] = {"ledger.yaml": "pool_size: twenty\nname: ledger\n"}

    (finding,) = found(recorded("configmap_wrong_value-parse", mount), (config_values.check_wrong_value,))
    assert finding.fault == "configmap_wrong_value"


def test_a_denial_of_another_account_is_somebody_elses() -> None:
    """A log can quote the denial of any account; only the pod's own one hurts it."""

    def rename(data: dict[str, Any]) -> None:
        for pod in data["raw"]["Pod"]:
            pod["spec"]["serviceAccountName"] = "other"

    assert found(recorded("rbac_denied", rename), access.CHECKS) == []


@pytest.mark.parametrize(
    "line",
    [
        'psycopg2.OperationalError: connection failed: FATAL:  password authentication failed for user "shop"',
        "ERROR 1045 (28000): Access denied for user 'shop'@'10.244.1.7' (using password: YES)",
        "redis.exceptions.AuthenticationError: NOAUTH Authentication required.",
        "MongoServerError: Authentication failed.",
        "amqp.exceptions.AccessRefused: (0, 0): (403) ACCESS_REFUSED - Login was refused",
        "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: http://pay/v1/charge",
        "AxiosError: Request failed with status code 401",
        "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the PutObject operation",
        "Login failed for user 'sa'.",
    ],
)
def test_knows_how_servers_refuse_a_credential(line: str) -> None:
    """The same client, with the wording of another server in place of Redis'."""

    def reword(data: dict[str, Any]) -> None:
        for log in data["logs"]:
            log["text"] = log["text"].replace(
                "session store: WRONGPASS invalid username-password pair or user is disabled.", line
            )

    assert set(by_fault(found(recorded("secret_rotated", reword), credentials.CHECKS))) == {"secret_rotated"}


@pytest.mark.parametrize("recording", ["control_noisy", "control_injected"])
def test_no_check_finds_anything_on_a_control(recording: str) -> None:
    assert found(recorded(recording), CHECKS) == []


def test_no_check_finds_anything_in_empty_tables() -> None:
    s = recorded("control_noisy")
    assert found(replace(s, tables={table: frame(table) for table in s.tables}), CHECKS) == []
