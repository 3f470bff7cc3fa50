"""Checks of Services, names, NetworkPolicies and Ingresses, on payloads of a real cluster."""

from __future__ import annotations

from typing import Any

import pytest
from recorded_checks import DATA, by_fault, found, recorded

from srelab_lib.diagnosis.checks import dependencies, ingress, names, network_policy, ports, selectors
from srelab_lib.diagnosis.checks._calls import addresses, called, kind_of
from srelab_lib.diagnosis.checks._policies import Peer, Policy, allowed, matches
from srelab_lib.diagnosis.checks._services import net

SERVICES = (*selectors.CHECKS, *ports.CHECKS)
GROUP = (*SERVICES, *names.CHECKS, *network_policy.CHECKS, *ingress.CHECKS, *dependencies.CHECKS)
EFFECTS = {"dependency_down"}


@pytest.mark.parametrize(
    ("recording", "fault", "ref", "quoted"),
    [
        ("service_selector_mismatch", "service_selector_mismatch", "Service/{ns}/catalog", "app=catalog,tier=back-end"),
        ("service_wrong_port", "service_wrong_port", "Service/{ns}/catalog", "targetPort=9090"),
        ("service_wrong_port-named", "service_wrong_port", "Service/{ns}/catalog", "targetPort=web"),
        ("service_missing", "service_missing", "Deployment/{ns}/frontend", "http://catalogue/"),
        ("network_policy_blocks", "network_policy_blocks", "NetworkPolicy/{ns}/catalog-from-gateway",
         "Connection refused"),
        ("network_policy_blocks-egress", "network_policy_blocks", "NetworkPolicy/{ns}/frontend-no-egress",
         "Temporary failure in name resolution"),
        ("dns_failure", "dns_failure", "Deployment/{ns}/frontend", "dnsPolicy=None nameservers=10.96.0.99"),
        ("ingress_class_missing", "ingress_class_missing", "Ingress/{ns}/shop", "ingressClassName=edge"),
        ("ingress_backend_missing", "ingress_backend_missing", "Ingress/{ns}/shop", "service=catalogue"),
        ("upstream_unreachable", "upstream_unreachable", "Deployment/{ns}/payments", "http://192.0.2.10:8443/charge"),
    ],
)  # fmt: skip
def test_names_the_fault_and_quotes_what_proves_it(recording: str, fault: str, ref: str, quoted: str) -> None:
    s = recorded(recording)
    findings = by_fault(found(s, GROUP))
    assert set(findings) - EFFECTS == {fault}
    assert findings[fault].object == ref.format(ns=s.namespace)
    assert any(quoted in fact.text for fact in findings[fault].facts)


def test_the_label_that_differs_is_named() -> None:
    (finding,) = found(recorded("service_selector_mismatch"), (selectors.check_selector_mismatch,))
    assert "selects tier=back-end" in finding.cause
    assert "have tier=backend" in finding.cause


@pytest.mark.parametrize("field", [{"clusterIP": "None"}, {"type": "ExternalName"}, {"selector": None}])
def test_a_service_without_a_selector_of_its_own_has_no_mismatch(field: dict[str, Any]) -> None:
    def alter(data: dict[str, Any]) -> None:
        data["raw"]["Service"][0]["spec"].update(field)

    assert found(recorded("service_selector_mismatch", alter), (selectors.check_selector_mismatch,)) == []


def test_a_service_whose_pods_are_scaled_away_matches() -> None:
    def scale(data: dict[str, Any]) -> None:
        data["raw"]["Service"][0]["spec"]["selector"]["tier"] = "backend"
        data["raw"]["Deployment"][0]["spec"]["replicas"] = 0
        data["raw"]["Pod"] = [pod for pod in data["raw"]["Pod"] if not pod["metadata"]["name"].startswith("catalog")]

    assert found(recorded("service_selector_mismatch", scale), SERVICES) == []


def test_a_service_that_was_deleted_is_the_object_when_its_pods_are_there() -> None:
    def delete(data: dict[str, Any]) -> None:
        data["raw"]["Service"], data["raw"]["EndpointSlice"] = [], []
        for log in data["logs"]:
            log["text"] = log["text"].replace("catalogue", "catalog")
        for deployment in data["raw"]["Deployment"]:
            for variable in deployment["spec"]["template"]["spec"]["containers"][0].get("env") or []:
                variable["value"] = variable["value"].replace("catalogue", "catalog")

    s = recorded("service_missing", delete)
    (finding,) = found(s, names.CHECKS)
    assert (finding.fault, finding.object) == ("service_missing", f"Service/{s.namespace}/catalog")
    assert f"Deployment/{s.namespace}/frontend" in finding.related


def test_a_declared_port_alone_is_no_fault() -> None:
    """Containers need not declare their ports: without a probe, a log or a refused call nothing is proven."""

    def silence(data: dict[str, Any]) -> None:
        data["logs"] = []
        for item in (*data["raw"]["Pod"], *data["raw"]["Deployment"]):
            spec = item["spec"].get("template", item)["spec"]
            spec["containers"][0].pop("readinessProbe", None)

    assert found(recorded("service_wrong_port", silence), SERVICES) == []


def test_a_policy_with_a_rule_for_the_caller_does_not_block() -> None:
    def allow(data: dict[str, Any]) -> None:
        rule = {"from": [{"podSelector": {"matchLabels": {"app": "frontend"}}}], "ports": [{"port": 8080}]}
        data["raw"]["NetworkPolicy"][0]["spec"]["ingress"].append(rule)

    assert found(recorded("network_policy_blocks", allow), network_policy.CHECKS) == []


def test_without_the_policy_the_same_lines_are_no_policy() -> None:
    s = recorded("network_policy_blocks", lambda data: data["raw"]["NetworkPolicy"].clear())
    assert "network_policy_blocks" not in by_fault(found(s, GROUP))


@pytest.mark.parametrize(
    ("rule", "through"),
    [
        ({}, True),
        ({"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}, True),
        ({"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}, False),
        ({"from": [{"namespaceSelector": {}}]}, True),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}, False),
        ({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}, True),
        ({"from": [{"ipBlock": {"cidr": "192.168.0.0/24"}}]}, False),
        ({"ports": [{"port": 8080}]}, True),
        ({"ports": [{"port": "http"}]}, True),
        ({"ports": [{"port": 8000, "endPort": 9000}]}, True),
        ({"ports": [{"port": 443}]}, False),
        ({"ports": [{"port": 8080, "protocol": "UDP"}]}, False),
    ],
)
def test_a_rule_lets_through_as_the_api_defines_it(rule: dict[str, Any], through: bool) -> None:
    peer = Peer(labels={"app": "web"}, namespace="shop", namespace_labels={}, port=8080, port_name="http")
    policy = Policy(ref="NetworkPolicy/shop/p", spec={"ingress": [rule]}, created=None)
    assert allowed([policy], "Ingress", peer, own_namespace="shop") is through


def test_without_a_policy_everything_is_allowed_and_an_empty_one_forbids_all() -> None:
    peer = Peer(labels={}, namespace="shop", namespace_labels={}, port=80)
    assert allowed([], "Ingress", peer, own_namespace="shop")
    assert not allowed([Policy(ref="p", spec={}, created=None)], "Ingress", peer, own_namespace="shop")


@pytest.mark.parametrize(
    ("operator", "values", "labels", "fits"),
    [
        ("In", ["a"], {"app": "a"}, True),
        ("NotIn", ["a"], {"app": "a"}, False),
        ("NotIn", ["a"], {}, True),
        ("Exists", [], {"app": "a"}, True),
        ("DoesNotExist", [], {"app": "a"}, False),
    ],
)
def test_selector_expressions(operator: str, values: list[str], labels: dict[str, str], fits: bool) -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": operator, "values": values}]}
    assert matches(selector, labels) is fits


def test_what_an_address_means() -> None:
    s = recorded("service_missing")
    view = net(s)
    meanings = {
        "catalog": "service",
        f"catalog.{s.namespace}.svc.cluster.local": "service",
        view.services["catalog"].spec["clusterIP"]: "service",
        "catalogue": "missing",
        f"catalogue.{s.namespace}": "missing",
        "db.other.svc.cluster.local": "elsewhere",
        "api.partner.example": "external",
        "192.0.2.10": "external",
    }
    assert {host: view.meaning(addresses(f"http://{host}:80/")[0]) for host in meanings} == meanings


@pytest.mark.parametrize(
    ("text", "seconds"), [("2", 2.0), ("0.12", 0.12), ("500ms", 0.5), ("1m", 60.0), ("soon", None), (None, None)]
)
def test_a_time_out_as_settings_have_it(text: str | None, seconds: float | None) -> None:
    assert dependencies._seconds(text) == seconds


CALLS = [
    line.split("\t") for line in (DATA / "checks_b" / "calls.tsv").read_text().splitlines() if not line.startswith("#")
]


@pytest.mark.parametrize(("kind", "host", "port", "line"), CALLS)
def test_reads_how_clients_of_many_languages_fail(kind: str, host: str, port: str, line: str) -> None:
    address = called(line, kind_of(line) or "failed")
    assert (kind_of(line) or "-") == kind
    assert (address.host if address else "-", str((address and address.port) or "-")) == (host, port)


@pytest.mark.parametrize(
    ("message", "hosts"),
    [
        ("QueuePool limit of size 1 reached (Background on this error at: https://sqlalche.me/e/21/3o7r)", []),
        ("cannot reach http://rates:9000/v1, see https://docs.example.com/errors#12", ["rates"]),
        ("see if http://rates:9000 answers", ["rates"]),
    ],
)
def test_a_page_that_explains_an_error_was_not_called(message: str, hosts: list[str]) -> None:
    assert [address.host for address in addresses(message)] == hosts
