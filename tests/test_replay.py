"""The replayed API server: what a real one says, and never an empty answer for what was not recorded."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from recorded import FOLDER, PODS, altered, body, get, names

from srelab_lib.sources.replay import Replay, load_incident


@pytest.fixture(scope="module")
def replay() -> Replay:
    return Replay(load_incident(FOLDER))


def test_an_object_is_what_the_list_holds_with_its_kind(replay: Replay) -> None:
    pod = body(replay, f"{PODS}/pair")
    listed = next(item for item in body(replay, PODS)["items"] if item["metadata"]["name"] == "pair")
    assert list(pod)[:2] == ["kind", "apiVersion"]
    assert pod == {"kind": "Pod", "apiVersion": "v1", **listed}
    assert pod["metadata"]["managedFields"], "nothing is left out of a payload"


def test_a_name_that_does_not_exist_is_the_servers_404(replay: Replay) -> None:
    answer = get(replay, "/apis/apps/v1/namespaces/faithful/deployments/nobody")
    assert (answer.status, answer.content_type) == (404, "application/json")
    # As a 1.34 API server answered, byte for byte.
    assert answer.body == (
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \\"nobody\\" '
        b'not found","reason":"NotFound","details":{"name":"nobody","group":"apps","kind":"deployments"},"code":404}\n'
    )


def test_html_characters_are_escaped_as_go_does(replay: Replay) -> None:
    raw = get(replay, "/api/v1/namespaces/faithful/configmaps/settings").body
    assert b"calm \\u003c\\u0026\\u003e 'quoted' \xc3\xa9" in raw


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/v1/namespaces/faithful/things", "the server could not find the requested resource"),
        ("/apis/apps/v9/namespaces/faithful/deployments", "the server could not find the requested resource"),
        ("/api/v1/namespaces/faithful/nodes", "the server could not find the requested resource"),
        ("/apis/no.such.group/v1/things", "404 page not found"),
        ("/nothing/here", "404 page not found"),
    ],
)
def test_what_the_server_does_not_have_is_404(replay: Replay, path: str, message: str) -> None:
    answer = get(replay, path)
    assert answer.status == 404
    assert message in answer.body.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/other/pods",
        "/api/v1/namespaces/no-such-namespace/pods",
        "/api/v1/pods",
        "/api/v1/namespaces/faithful/secrets",
        "/api/v1/namespaces/faithful/secrets/token",
        "/api/v1/secrets",
        "/apis/coordination.k8s.io/v1/leases",
        "/api/v1/namespaces/default/events",
        "/api/v1/namespaces/monitoring/services/grafana:80/proxy/",
        "/metrics",
        "/openapi/v2",
    ],
)
def test_what_was_not_recorded_is_never_an_empty_success(replay: Replay, path: str) -> None:
    answer = get(replay, path)
    assert answer.status == 501
    status = json.loads(answer.body)
    assert status["reason"] == "NotRecorded"
    assert "not recorded" in status["message"]
    assert "items" not in status


def test_a_watch_is_not_recorded(replay: Replay) -> None:
    assert get(replay, PODS, watch="true").status == 501
    assert get(replay, PODS, watch="false").status == 200


def test_a_list_with_a_selector_answers_what_it_covers(replay: Replay) -> None:
    path = "/api/v1/namespaces/default/events"
    about_nodes = body(replay, path, fieldSelector="involvedObject.kind=Node")["items"]
    warnings_only = body(replay, path, fieldSelector="type=Warning,involvedObject.kind=Node")["items"]
    assert about_nodes
    assert warnings_only == [item for item in about_nodes if item["type"] == "Warning"]
    assert get(replay, path, fieldSelector="involvedObject.kind=Pod").status == 501


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_written(replay: Replay, method: str) -> None:
    answer = get(replay, f"{PODS}/pair", method)
    assert answer.status == 405
    assert json.loads(answer.body)["reason"] == "MethodNotAllowed"


def test_a_refusal_is_replayed_as_it_was(tmp_path: Path) -> None:
    # As a 1.34 API server answered a user without any right.
    refusal = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "a"',
        "reason": "Forbidden", "details": {"kind": "pods"}, "code": 403,
    }  # fmt: skip

    def refuse(exchange: dict[str, Any]) -> dict[str, Any]:
        return {**exchange, "status": 403, "body": refusal} if exchange["path"] == PODS else exchange

    refused = Replay(load_incident(altered(tmp_path, refuse)))
    assert json.loads(get(refused, PODS).body) == refusal
    assert get(refused, PODS).status == 403
    assert get(refused, f"{PODS}/pair").status == 501, "reading one may be allowed where listing is not"


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=back", {"pair", "restarted"}),
        ("tier==back,app!=pair", {"restarted"}),
        ("tier in (back,front),app notin (talker)", {"pair", "restarted"}),
        ("!tier", {"noimage", "unplaced"}),
        ("tier,app", {"pair", "restarted", "talker"}),
        ("tier notin (front)", {"pair", "restarted", "noimage", "unplaced"}),
        ("tier=", set()),
    ],
)
def test_label_selectors(replay: Replay, selector: str, expected: set[str]) -> None:
    found = names(replay, PODS, labelSelector=selector)
    assert {name.split("-")[0] for name in found} == expected


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("tier===x", "unable to parse requirement: found '=', expected: identifier"),
        ("tier in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("!!x", "unable to parse requirement: found '!', expected: identifier"),
        ("tier=a b", "found 'b', expected: ',' or 'end of string'"),
        (",tier", "found ',', expected: !, identifier, or 'end of string'"),
        ("tier,", "found '', expected: identifier after ','"),
        ("tier in x", "unable to parse requirement: found 'x' expected: '('"),
        ("a b=c", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a<x", ("unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value "
         "must be an integer")),
        ("/a=b", 'unable to parse requirement: <nil>: Invalid value: "/a": prefix part must be non-empty'),
    ],
)  # fmt: skip
def test_label_selectors_that_cannot_be_read(replay: Replay, selector: str, message: str) -> None:
    status = body(replay, PODS, labelSelector=selector)
    assert (status["code"], status["reason"], status["message"]) == (400, "BadRequest", message)


def test_field_selectors(replay: Replay) -> None:
    assert names(replay, PODS, fieldSelector="metadata.name=pair") == ["pair"]
    assert names(replay, PODS, fieldSelector="spec.nodeName=") == ["unplaced"]
    assert set(names(replay, PODS, fieldSelector="status.phase!=Running")) == {"noimage", "unplaced"}
    assert len(names(replay, "/api/v1/nodes", fieldSelector="spec.unschedulable=false")) == 3
    assert names(replay, "/api/v1/nodes", fieldSelector="spec.unschedulable=true") == []
    events = body(replay, "/api/v1/namespaces/faithful/events", fieldSelector="involvedObject.name=unplaced")["items"]
    assert {event["reason"] for event in events} == {"FailedScheduling"}


@pytest.mark.parametrize(
    ("path", "selector", "message"),
    [
        (PODS, "foo=bar", "field label not supported: foo"),
        (PODS, "foo", "invalid selector: 'foo'; can't understand 'foo'"),
        (PODS, "metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
        ("/apis/batch/v1/namespaces/faithful/jobs", "foo=bar", 'field label "foo" not supported for Job'),
        ("/api/v1/namespaces/faithful/configmaps", "foo=bar",
         '"foo" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    ],
)  # fmt: skip
def test_field_selectors_that_the_server_does_not_know(replay: Replay, path: str, selector: str, message: str) -> None:
    status = body(replay, path, fieldSelector=selector)
    assert (status["code"], status["message"]) == (400, message)


def test_pages_add_up_to_the_list(replay: Replay) -> None:
    whole, found, token, remaining = names(replay, PODS), [], "", []
    while True:
        page = body(replay, PODS, limit="2", **({"continue": token} if token else {}))
        found += [item["metadata"]["name"] for item in page["items"]]
        remaining.append(page["metadata"].get("remainingItemCount"))
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == whole
    assert len(whole) == 6
    assert remaining == [4, 2, None]


def test_the_server_does_not_count_what_remains_under_a_selector(replay: Replay) -> None:
    meta = body(replay, PODS, limit="1", labelSelector="tier")["metadata"]
    assert meta["continue"]
    assert "remainingItemCount" not in meta


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"continue": "!!"}, "continue key is not valid: illegal base64 data at input byte 0"),
        ({"continue": "abcde"}, "continue key is not valid: illegal base64 data at input byte 4"),
        ({"continue": "abc"}, "invalid continue token: continue key is not valid: invalid character 'i' looking for"),
        ({"continue": "eyJ2IjoieCJ9"}, "server does not recognize this encoded version x"),
        ({"resourceVersion": "abc"}, 'parsing "abc": invalid syntax'),
    ],
)
def test_pages_that_cannot_be(replay: Replay, params: dict[str, str], message: str) -> None:
    status = body(replay, PODS, **params)
    assert status["code"] == 400
    assert message in status["message"]


@pytest.mark.cluster
def test_the_recording_answers_as_the_cluster_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "e2e")
    faithful = importlib.import_module("faithful")
    with faithful.fixture():
        answers = list(faithful.compare(tmp_path / "faithful"))
        assert not faithful.leaks(tmp_path / "faithful")
    assert len(answers) >= 40
    assert {name: problem for name, *pair in answers if (problem := faithful.difference(*pair))} == {}
