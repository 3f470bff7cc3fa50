"""How two specs differ, in words, and where a live object differs from what was applied."""

from __future__ import annotations

import json
from typing import Any

import pytest

from srelab_lib.signals.edits import LAST_APPLIED, drift
from srelab_lib.signals.spec_diff import diff_specs


def template(**container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "web", "image": "web:1", **container}]}


def probe(port: int, path: str = "/") -> dict[str, Any]:
    return {"readinessProbe": {"httpGet": {"port": port, "path": path}, "periodSeconds": 5}}


@pytest.mark.parametrize(
    ("old", "new", "texts"),
    [
        (template(), template(image="web:2"), ["image of container web changed from web:1 to web:2"]),
        (template(), template(command=["run", "-x"]), ["command of container web added: run -x"]),
        (template(command=["a", "b"]), template(command=["a", "c"]),
         ["command of container web changed from a b to a c"]),
        (template(args=["a"]), template(), ["args of container web removed (was a)"]),
        (template(**probe(80)), template(**probe(9)),
         ["readiness probe (httpGet.port) of container web changed from 80 to 9"]),
        (template(), template(**probe(80)),
         ["readiness probe of container web added: httpGet.port=80, httpGet.path=/, periodSeconds=5"]),
        (template(resources={"limits": {"cpu": "1"}}), template(resources={"limits": {"cpu": "250m"}}),
         ["cpu limit of container web lowered from 1 to 250m"]),
        (template(resources={"limits": {"memory": "1Gi"}}), template(resources={}),
         ["memory limit of container web removed (was 1Gi)"]),
        (template(resources={"requests": {"memory": "900Mi"}}), template(resources={"requests": {"memory": "1Gi"}}),
         ["memory request of container web raised from 900Mi to 1Gi"]),
        (template(env=[{"name": "A", "value": ""}]), template(env=[{"name": "A", "value": "1"}]),
         ["environment variable A of container web changed from empty to 1"]),
        (template(env=[{"name": "A", "value": "1"}]),
         template(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
         ["environment variable A of container web changed from 1 to key k of Secret s"]),
        ({"serviceAccountName": "a"}, {"serviceAccountName": "b"}, ["service account changed from a to b"]),
        ({"nodeSelector": {"disk": "hdd"}}, {"nodeSelector": {"disk": "ssd"}},
         ["nodeSelector[disk] changed from hdd to ssd"]),
        ({"volumes": [{"name": "d", "emptyDir": {}}]}, {"volumes": [{"name": "d", "configMap": {"name": "c"}}]},
         ["volumes[d].configMap.name added: c", "volumes[d].emptyDir removed (was {})"]),
        ({**template(), "initContainers": [{"name": "i", "image": "x"}]}, template(),
         ["initContainers[i] removed (was image=x)"]),
        ({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]},
         {"containers": [{"name": "b", "image": "y"}, {"name": "a", "image": "x"}]}, []),
        ({"labels": {"pod-template-hash": "1", "v": "1"}}, {"labels": {"pod-template-hash": "2", "v": "1"}}, []),
    ],
)  # fmt: skip
def test_differences_of_specs(old: dict[str, Any], new: dict[str, Any], texts: list[str]) -> None:
    assert [item.text for item in diff_specs(old, new)] == texts


def test_a_long_value_is_cut_and_says_by_how_much() -> None:
    (item,) = diff_specs(template(args=["x" * 1000]), template(args=["y"]))
    assert "(840 characters more)" in item.text


@pytest.mark.parametrize(
    ("applied", "live", "differs"),
    [
        ({"data": {"a": "1"}}, {"data": {"a": "2"}}, {"data[a]": ("1", "2")}),
        ({"data": {"a": "1"}}, {"data": {"a": "1", "b": "2"}}, {}),  # set by someone, or by a default
        ({"spec": {"cpu": "1000m"}}, {"spec": {"cpu": "1"}}, {}),
        ({"spec": {"a": ""}}, {"spec": {}}, {}),
        (
            {"spec": {"ports": [{"containerPort": 80}]}},
            {"spec": {"ports": [{"containerPort": 80, "protocol": "TCP"}]}},
            {},
        ),
        (
            {"spec": {"ports": [{"containerPort": 80}, {"containerPort": 81}]}},
            {"spec": {"ports": [{"containerPort": 80, "protocol": "TCP"}]}},
            {"spec.ports[81].containerPort": ("81", None)},
        ),
    ],
)
def test_drift_from_what_was_applied(applied: Any, live: Any, differs: Any) -> None:
    item = {"metadata": {"annotations": {LAST_APPLIED: json.dumps(applied)}}, **live}
    assert drift(item) == differs


@pytest.mark.parametrize("text", ["{", "[]", "null", ""])
def test_an_annotation_that_is_no_configuration_tells_nothing(text: str) -> None:
    assert drift({"metadata": {"annotations": {LAST_APPLIED: text}}, "data": {"a": "1"}}) == {}


def test_of_a_long_line_what_differs_is_shown() -> None:
    line = "upstream seats { server seat-map:%d; keepalive 8; } location /seats { proxy_pass http://seats; " + "x " * 80
    (item,) = diff_specs(template(args=[line % 8081]), template(args=[line % 8018]))
    was, _, now = item.text.partition(" to ")
    assert "server seat-map:8081;" in was
    assert "server seat-map:8018;" in now
    assert "characters more" not in item.text


def test_a_port_with_another_name_is_renamed_and_one_with_another_number_is_not() -> None:
    def with_port(name: str, number: int) -> dict[str, Any]:
        return template(ports=[{"name": name, "containerPort": number}, {"name": "metrics", "containerPort": 9000}])

    (item,) = diff_specs(with_port("http", 8080), with_port("web", 8080))
    assert (item.field, item.old, item.new) == ("containers[web].ports[http].name", "http", "web")
    assert item.text == "ports[http].name of container web changed from http to web"
    fields = [item.field for item in diff_specs(with_port("http", 8080), with_port("web", 8081))]
    assert fields == ["containers[web].ports[web].containerPort", "containers[web].ports[http].containerPort"]


def test_rules_of_a_role_are_told_as_rights() -> None:
    def role(*verbs: str) -> dict[str, Any]:
        return {"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]}

    (item,) = diff_specs(role("get", "list", "patch", "update"), role("list", "get", "watch"))
    assert item.text == "rules changed: no longer patch, update configmaps; now watch configmaps"


def test_of_several_long_lines_what_differs_is_shown_in_each() -> None:
    site = "upstream seats { server seats:%d; }\nlocation / { proxy_pass http://seats; proxy_connect_timeout 2s; "
    site += "proxy_set_header Connection ''; proxy_buffers 8 16k; proxy_next_upstream off; proxy_read_timeout %ds; }\n"
    (item,) = diff_specs(template(args=[site % (8081, 5)]), template(args=[site % (8018, 8)]))
    was, _, now = item.text.partition(" to ")
    assert all(part in was for part in ("server seats:8081;", "proxy_read_timeout 5s;"))
    assert all(part in now for part in ("server seats:8018;", "proxy_read_timeout 8s;"))
