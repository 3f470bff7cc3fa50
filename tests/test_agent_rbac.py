"""What ServiceAccount `sre-agent` may do: read in the manifest, and asked of the real API server, verb by verb."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client as kube_client
from kubernetes import config as kube_config

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.settings import LAB_CONTEXT
from srelab_lib.sources.resources import RESOURCES

ROOT = Path(__file__).resolve().parent.parent
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "k8s" / "agent-job.yaml").read_text(encoding="utf-8")))
AGENT = "system:serviceaccount:default:sre-agent"
REPORT = "sre-agent-report"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")

# Written out, so that a wider rule is seen here and not only repeated.
LISTED_IN_DEFAULT = {
    *("configmaps", "events", "limitranges", "persistentvolumeclaims", "pods", "resourcequotas"),
    *("serviceaccounts", "services", "daemonsets.apps", "deployments.apps", "replicasets.apps", "statefulsets.apps"),
    "controllerrevisions.apps",
    *("horizontalpodautoscalers.autoscaling", "cronjobs.batch", "jobs.batch", "endpointslices.discovery.k8s.io"),
    *("ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io", "poddisruptionbudgets.policy"),
    *("rolebindings.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io"),
}
LISTED_IN_CLUSTER = {
    *("nodes", "namespaces", "persistentvolumes", "ingressclasses.networking.k8s.io"),
    *("priorityclasses.scheduling.k8s.io", "storageclasses.storage.k8s.io"),
    *("mutatingwebhookconfigurations.admissionregistration.k8s.io",),
    *("validatingwebhookconfigurations.admissionregistration.k8s.io",),
    *("clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"),
}
# What every account may: ask who it is and what it may.
OF_EVERYONE = {
    ("create", "selfsubjectaccessreviews.authorization.k8s.io", ""),
    ("create", "selfsubjectrulesreviews.authorization.k8s.io", ""),
    ("create", "selfsubjectreviews.authentication.k8s.io", ""),
}
MAY = (
    {("list", name, "default") for name in LISTED_IN_DEFAULT}
    | {("list", name, "") for name in LISTED_IN_CLUSTER}
    | {("get", "pods/log", "default"), ("get", "namespaces", "")}
)


def rules(kind: str, namespace: str = "") -> list[dict[str, Any]]:
    [role] = [o for o in OBJECTS if o["kind"] == kind and o["metadata"].get("namespace", "") == namespace]
    found: list[dict[str, Any]] = role["rules"]
    return found


def spelled(kind: str, namespace: str = "") -> set[tuple[str, str]]:
    """(verb, resource.group) of a Role's rules that are for every name."""
    return {
        (verb, f"{resource}.{group}".rstrip("."))
        for rule in rules(kind, namespace)
        if "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_rules_are_what_the_analysis_reads() -> None:
    read = {
        (f"{item.plural}.{item.path.split('/')[2]}".removesuffix(".v1"), item.namespaced)
        for item in RESOURCES
        if not item.home and not item.params  # node events are events of namespace default
    }
    assert {name for name, namespaced in read if namespaced} == LISTED_IN_DEFAULT
    assert {name for name, namespaced in read if not namespaced} == LISTED_IN_CLUSTER
    assert spelled("Role", "default") == {(verb, name) for verb, name, place in MAY if place == "default"}
    assert spelled("ClusterRole") == {(verb, name) for verb, name, place in MAY if not place}
    assert [item.home for item in RESOURCES if item.home] == ["argocd"]
    assert spelled("Role", "argocd") == {("list", "applications.argoproj.io")}


def test_it_writes_one_object() -> None:
    named = [rule for o in OBJECTS for rule in o.get("rules", []) if "resourceNames" in rule]
    assert named == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [REPORT], "verbs": ["get", "patch", "update"]}
    ]
    [made] = [o for o in OBJECTS if o["kind"] == "ConfigMap"]
    assert made["metadata"]["name"] == REPORT
    assert "data" not in made, "applying the file again would empty the report"


def test_everything_is_labelled_and_bound_to_the_one_account() -> None:
    for item in OBJECTS:
        assert item["metadata"]["labels"] == {
            "app.kubernetes.io/name": "sre-agent",
            "app.kubernetes.io/part-of": "sre-agent",
        }
        for subject in item.get("subjects", []):
            assert subject == {"kind": "ServiceAccount", "name": "sre-agent", "namespace": "default"}


def test_the_pod_is_locked_down() -> None:
    [job] = [o for o in OBJECTS if o["kind"] == "Job"]
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert job["spec"]["backoffLimit"] <= 1
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} == container["resources"].keys()
    assert container["image"] == "sre-agent:v1"
    assert {"emptyDir", "configMap"} == {key for volume in pod["volumes"] for key in volume} - {"name"}


# --- the real API server ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def places() -> list[str]:
    """The account with its roles in the cluster; the namespaces to ask about."""
    kubectl = Kubectl()
    there = [item["metadata"]["name"] for item in kubectl.items("namespaces")]
    rights = [o for o in OBJECTS if o["kind"] != "Job" and o["metadata"].get("namespace", "default") in there]
    kubectl.apply(yaml.safe_dump_all(rights))
    return [name for name in ("default", "argocd", "monitoring") if name in there]


@pytest.fixture(scope="module")
def authorization() -> Iterator[kube_client.AuthorizationV1Api]:
    api = kube_config.new_client_from_config(context=LAB_CONTEXT, persist_config=False)  # type: ignore[no-untyped-call]
    yield kube_client.AuthorizationV1Api(api)
    api.rest_client.pool_manager.clear()


def allowed(api: kube_client.AuthorizationV1Api, **attributes: Any) -> bool:
    key = "nonResourceAttributes" if "path" in attributes else "resourceAttributes"
    groups = ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    body: Any = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": AGENT, "groups": groups, key: attributes},
    }
    answer: Any = api.create_subject_access_review(body=body, _preload_content=False, _request_timeout=20)
    status = json.loads(answer.data)["status"]
    assert "evaluationError" not in status
    return bool(status["allowed"])


def served() -> list[tuple[str, str, bool]]:
    """Group, resource with its subresources, and whether it is namespaced: everything that the server serves."""
    cluster = KubernetesClient.from_context(LAB_CONTEXT)
    deadline = Deadline(30)
    groups = cluster.get("/apis", deadline=deadline)["groups"]
    paths = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    found = [
        (path.split("/")[2] if path.startswith("/apis/") else "", item["name"], bool(item["namespaced"]))
        for path in paths
        for item in cluster.get(path, deadline=deadline)["resources"]
    ]
    cluster.close()
    return found


@pytest.mark.cluster
def test_every_verb_on_everything_that_is_served(
    places: list[str], authorization: kube_client.AuthorizationV1Api
) -> None:
    asked = [
        (verb, group, resource, place)
        for group, resource, namespaced in served()
        for verb in VERBS
        for place in (["", *places] if namespaced else [""])
    ]

    def ask(question: tuple[str, str, str, str]) -> bool:
        verb, group, resource, place = question
        name, _, sub = resource.partition("/")
        what = {"verb": verb, "group": group, "resource": name, "subresource": sub, "namespace": place}
        return allowed(authorization, **what)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, asked))
    may = {
        (verb, f"{resource}.{group}".rstrip("."), place)
        for (verb, group, resource, place), yes in zip(asked, answers, strict=True)
        if yes
    }
    served_names = {f"{resource}.{group}".rstrip(".") for group, resource, _ in served()}
    argo = {("list", "applications.argoproj.io", "argocd")} if "applications.argoproj.io" in served_names else set()
    assert len(asked) > 1000
    assert may - OF_EVERYONE == MAY | argo


NEVER = [
    {"verb": "get", "resource": "secrets", "namespace": "default", "name": "broken-app"},
    {"verb": "list", "resource": "secrets", "namespace": "argocd"},
    {"verb": "create", "resource": "pods", "subresource": "exec", "namespace": "default"},
    {"verb": "get", "resource": "pods", "subresource": "exec", "namespace": "default"},
    {"verb": "create", "resource": "pods", "subresource": "portforward", "namespace": "default"},
    {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "argocd"},
    {"verb": "create", "resource": "configmaps", "namespace": "default"},
    {"verb": "patch", "resource": "configmaps", "namespace": "default", "name": "broken-app"},
    {"verb": "patch", "resource": "configmaps", "namespace": "default", "name": "agent-code"},
    {"verb": "delete", "resource": "configmaps", "namespace": "default", "name": REPORT},
    {"verb": "patch", "resource": "configmaps", "namespace": "monitoring", "name": REPORT},
    {"verb": "patch", "resource": "applications", "group": "argoproj.io", "namespace": "argocd"},
    {"verb": "get", "resource": "nodes", "subresource": "proxy"},
    {
        "verb": "get",
        "resource": "services",
        "subresource": "proxy",
        "namespace": "monitoring",
        "name": "prometheus:9090",
    },
    {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "namespace": "default"},
    {"verb": "impersonate", "resource": "users"},
    {"verb": "impersonate", "resource": "serviceaccounts", "namespace": "default"},
    {"verb": "escalate", "resource": "roles", "group": "rbac.authorization.k8s.io", "namespace": "default"},
    {"verb": "bind", "resource": "clusterroles", "group": "rbac.authorization.k8s.io"},
    {"verb": "get", "path": "/metrics"},
    {"verb": "get", "path": "/logs"},
]


@pytest.mark.cluster
@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("question", NEVER, ids=lambda question: " ".join(question.values()))
def test_what_it_must_never_do(question: dict[str, str], authorization: kube_client.AuthorizationV1Api) -> None:
    assert not allowed(authorization, **question)


@pytest.mark.cluster
@pytest.mark.usefixtures("places")
def test_it_may_write_its_report(authorization: kube_client.AuthorizationV1Api) -> None:
    for verb in ("get", "patch", "update"):
        assert allowed(authorization, verb=verb, resource="configmaps", namespace="default", name=REPORT)
