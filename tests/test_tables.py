"""Raw lists of a real cluster as tables: owners, containers, workloads, events, objects, alerts."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from signals_data import NAMESPACE as NS
from signals_data import edited_cluster

from srelab_lib.signals import frames
from srelab_lib.signals.ownership import Owners
from srelab_lib.signals.quantity import quantity
from srelab_lib.signals.tables import (
    alerts_table,
    containers_table,
    events_table,
    objects_table,
    owners,
    pods_table,
    workloads_table,
)

RAW, _ = edited_cluster()
KUBERNETES = {kind: items for kind, items in RAW.items() if kind != "events.k8s.io"}
OWNED = owners(KUBERNETES)


def one(df: pd.DataFrame, **wanted: str) -> dict[str, Any]:
    for column, value in wanted.items():
        df = df[df[column] == value]
    assert len(df) == 1, f"{len(df)} rows for {wanted}"
    return {str(column): value for column, value in df.iloc[0].items()}


def tables() -> dict[str, pd.DataFrame]:
    return {
        "pods": pods_table(KUBERNETES["Pod"], OWNED),
        "containers": containers_table(KUBERNETES["Pod"], OWNED),
        "workloads": workloads_table(KUBERNETES, OWNED),
        "events": events_table(KUBERNETES["Event"], OWNED),
        "objects": objects_table(KUBERNETES),
        "alerts": alerts_table([], OWNED),
    }


@pytest.mark.parametrize("name", ["pods", "containers", "workloads", "events", "objects", "alerts"])
def test_every_table_keeps_its_schema_full_and_empty(name: str) -> None:
    frames.check(name, tables()[name])
    frames.check(name, frames.frame(name))


def test_objects_are_the_top_controllers() -> None:
    pods = pods_table(KUBERNETES["Pod"], OWNED)
    tops = {pod.rpartition("-")[0] or pod: ref for pod, ref in zip(pods["pod"], pods["object"], strict=True)}
    assert f"Deployment/{NS}/shop" in tops.values()
    assert one(pods, pod="agent-582wd")["object"] == f"DaemonSet/{NS}/agent"
    assert one(pods, pod="lonely")["object"] == f"Pod/{NS}/lonely"
    reports = pods[pods["pod"].str.startswith("report-")]
    assert set(reports["object"]) == {f"CronJob/{NS}/report"}


@pytest.mark.parametrize(
    ("pod", "top"),
    [
        ("shop-57f55c777-zzzzz", "Deployment/shop"),  # of a ReplicaSet that is there
        ("shop-6d4b75cb6d-zzzzz", "Deployment/shop"),  # of one that is gone
        ("store-7", "StatefulSet/store"),
        ("agent-x2x2x", "DaemonSet/agent"),
        ("report-29926001-dbmcx", "CronJob/report"),  # the Job is gone
        ("gone-6d4b75cb6d-zzzzz", "Deployment/gone"),  # the Deployment is gone too, but that is a pattern of one
        ("someone-else", "Pod/someone-else"),
        ("shop", "Pod/shop"),
    ],
)
def test_pods_that_are_gone_are_mapped_by_their_name(pod: str, top: str) -> None:
    kind, name = top.split("/")
    assert OWNED.of_pod(NS, pod) == f"{kind}/{NS}/{name}"


def test_another_namespace_has_other_owners() -> None:
    assert OWNED.of_pod("elsewhere", "store-7") == "Pod/elsewhere/store-7"


def test_owners_of_other_controllers_and_of_loops() -> None:
    meta = {"namespace": "n", "name": "a", "ownerReferences": [{"kind": "Rollout", "name": "web", "controller": True}]}
    loop = {"namespace": "n", "name": "l", "ownerReferences": [{"kind": "Loop", "name": "l", "controller": True}]}
    owned = owners({"ReplicaSet": [{"metadata": meta}], "Loop": [{"metadata": loop}]})
    assert owned.top("ReplicaSet/n/a") == "Rollout/n/web"
    assert owned.top("Loop/n/l") == "Loop/n/l"


@pytest.mark.parametrize(
    ("labels", "ref"),
    [
        ({"namespace": NS, "pod": "store-0", "service": "x"}, f"StatefulSet/{NS}/store"),
        ({"namespace": NS, "persistentvolumeclaim": "data"}, f"PersistentVolumeClaim/{NS}/data"),
        ({"node": "sre-lab-worker", "instance": "10.0.0.1:9100"}, "Node//sre-lab-worker"),
        ({"namespace": NS, "deployment": "shop"}, f"Deployment/{NS}/shop"),
        ({"job": "whatever"}, None),
    ],
)
def test_labels_name_the_object(labels: dict[str, str], ref: str | None) -> None:
    assert OWNED.of_labels(labels) == ref


def test_a_node_is_found_by_its_address() -> None:
    node = KUBERNETES["Node"][0]
    address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    assert OWNED.of_labels({"instance": f"{address}:9100"}) == f"Node//{node['metadata']['name']}"


def test_kinds_and_states_of_containers() -> None:
    containers = containers_table(KUBERNETES["Pod"], OWNED)
    shop = containers[containers["object"] == f"Deployment/{NS}/shop"].drop_duplicates("container")
    assert dict(zip(shop["container"], shop["kind"], strict=True)) == {
        "prepare": "init",
        "proxy": "sidecar",
        "shop": "app",
    }
    prepared = shop[shop["container"] == "prepare"].iloc[0]
    assert (prepared["state"], prepared["exit_code"], prepared["terminated_reason"]) == ("terminated", 0, "Completed")
    lonely = one(containers, container="lonely")
    assert lonely["waiting_reason"] in {"ErrImageNeverPull", "ImagePullBackOff"}
    assert "no.such/image:1" in lonely["waiting_message"]
    crash = containers[containers["container"] == "crash"].iloc[0]
    assert (crash["last_reason"], crash["last_exit_code"]) == ("Error", 1)
    assert crash["restart_count"] >= 1
    assert pd.notna(crash["last_finished_at"])


def test_requests_and_limits_are_in_bytes_and_cores() -> None:
    containers = containers_table(KUBERNETES["Pod"], OWNED)
    shop = containers[containers["container"] == "shop"].iloc[0]
    assert (shop["cpu_request_cores"], shop["cpu_limit_cores"]) == (0.005, 0.5)
    assert (shop["memory_request_bytes"], shop["memory_limit_bytes"]) == (8 * 2**20, 64 * 2**20)
    assert pd.isna(containers[containers["container"] == "proxy"].iloc[0]["memory_limit_bytes"])


def test_workloads_with_their_old_revisions() -> None:
    workloads = workloads_table(KUBERNETES, OWNED)
    shop = one(workloads, ref=f"Deployment/{NS}/shop")
    assert (shop["revision"], shop["replicas"], shop["ready_replicas"]) == (5, 1, 1)
    revisions = workloads[(workloads["kind"] == "ReplicaSet") & (workloads["object"] == f"Deployment/{NS}/shop")]
    assert sorted(revisions["revision"]) == [2, 3, 4, 5]
    assert one(workloads, ref=f"StatefulSet/{NS}/store")["replicas"] == 0
    assert one(workloads, kind="DaemonSet")["replicas"] == 2
    cron = one(workloads, kind="CronJob")
    assert pd.isna(cron["replicas"])
    assert cron["template"]["spec"]["containers"][0]["name"] == "report"


def test_events_of_one_kind_are_joined_with_their_times_and_counts() -> None:
    events = events_table(KUBERNETES["Event"], OWNED)
    raw = [
        e for e in KUBERNETES["Event"] if e["involvedObject"]["name"] == "lonely" and e["reason"] == "ErrImageNeverPull"
    ]
    joined = one(events, involved=f"Pod/{NS}/lonely", reason="ErrImageNeverPull")
    assert joined["count"] == sum(event["count"] for event in raw)
    assert joined["last_seen"] > joined["first_seen"]
    assert events["count"].sum() == sum(event["count"] for event in KUBERNETES["Event"])
    assert len(events) < len(KUBERNETES["Event"])
    assert events["first_seen"].is_monotonic_increasing
    assert one(events, involved=f"Pod/{NS}/lonely", reason="Scheduled")["object"] == f"Pod/{NS}/lonely"
    assert set(events[events["involved_kind"] == "ReplicaSet"]["object"]) <= {
        f"Deployment/{NS}/shop",
        f"Deployment/{NS}/crash",
    }


def test_events_are_joined_over_pods_of_other_names_only_when_they_are_about_the_same() -> None:
    events = events_table(KUBERNETES["Event"], OWNED)
    keys = events[["involved", "involved_uid", "reason", "message"]].duplicated()
    assert not keys.any()
    assert events[events["reason"] == "Scheduled"]["involved"].nunique() > 3


def test_what_went_well_tells_its_steps() -> None:
    def scaled(old: int, new: int, time: str) -> dict[str, Any]:
        event = next(event for event in KUBERNETES["Event"] if event["reason"] == "ScalingReplicaSet")
        message = re.sub(r"from \d+ to \d+", f"from {old} to {new}", event["message"])
        return {**event, "message": message, "firstTimestamp": time, "lastTimestamp": time, "count": 1}

    table = events_table([scaled(0, 1, "2026-11-24T00:00:00Z"), scaled(1, 5, "2026-11-24T00:02:00Z")], OWNED)
    assert list(table["first_seen"].dt.minute) == [0, 2]
    assert list(table["message"].str[-11:]) == ["from 0 to 1", "from 1 to 5"]


def test_both_forms_of_the_events_api_give_the_same_rows() -> None:
    core, new = KUBERNETES["Event"], RAW["events.k8s.io"]
    versions = {event["metadata"]["uid"]: event["metadata"]["resourceVersion"] for event in new}
    same = {
        e["metadata"]["uid"] for e in core if versions.get(e["metadata"]["uid"]) == e["metadata"]["resourceVersion"]
    }
    assert len(same) > 20
    old_rows, new_rows = (
        events_table([event for event in events if event["metadata"]["uid"] in same], OWNED) for events in (core, new)
    )
    pd.testing.assert_frame_equal(old_rows, new_rows)


def test_an_event_with_a_series_and_without_times() -> None:
    event = {
        "metadata": {"namespace": "n", "name": "e", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "involvedObject": {"kind": "Pod", "namespace": "n", "name": "p"},
        "reason": "FailedScheduling", "message": "0/3 nodes are available", "type": "Warning",
        "firstTimestamp": None, "lastTimestamp": None, "eventTime": "2026-01-01T00:00:01.000001Z",
        "series": {"count": 7, "lastObservedTime": "2026-01-01T00:05:00.000001Z"},
        "reportingComponent": "default-scheduler", "source": {},
    }  # fmt: skip
    row = one(events_table([event], Owners()), reason="FailedScheduling")
    assert (row["count"], row["component"]) == (7, "default-scheduler")
    assert row["last_seen"] - row["first_seen"] == pd.Timedelta(minutes=4, seconds=59)
    bare = {key: value for key, value in event.items() if key not in ("series", "eventTime")}
    assert one(events_table([bare], Owners()), count=1)["first_seen"] == pd.Timestamp("2026-01-01T00:00:00Z")  # type: ignore[arg-type]


def test_objects_are_whole_and_have_refs() -> None:
    objects = objects_table(KUBERNETES)
    service = one(objects, ref=f"Service/{NS}/shop")
    assert service["raw"]["spec"]["selector"] == {"app": "shopp"}
    assert "Node//sre-lab-worker" in set(objects["ref"])
    assert not {"Pod", "Event", "Deployment", "ReplicaSet"} & set(objects["kind"])


def test_alerts_that_fire() -> None:
    alert = {
        "labels": {"alertname": "HighErrors", "severity": "critical", "namespace": NS, "pod": "store-0"},
        "annotations": {"summary": "many errors"},
        "state": "firing",
        "activeAt": "2026-01-01T00:00:00.123456789Z",
        "value": "1e+00",
    }
    table = alerts_table([alert, alert | {"state": "pending"}], OWNED)
    assert len(table) == 1
    row = one(table, name="HighErrors")
    assert (row["object"], row["severity"], row["summary"]) == (f"StatefulSet/{NS}/store", "critical", "many errors")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250m", 0.25), ("1", 1), ("0.5", 0.5), (".5", 0.5), ("2.", 2), ("64Mi", 64 * 2**20), ("1Ki", 1024),
        ("1k", 1000),
        ("2M", 2e6), ("1Gi", 2**30), ("1G", 1e9), ("1Ti", 2**40), ("1T", 1e12), ("1Pi", 2**50), ("1P", 1e15),
        ("1Ei", 2**60), ("1E", 1e18), ("1e3", 1000), ("1E3", 1000), ("12e-1", 1.2), ("100n", 1e-7), ("5u", 5e-6),
        ("-1", -1), (3, 3), (1.5, 1.5), ("0", 0),
    ],
)  # fmt: skip
def test_quantities(text: object, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", [None, "", "abc", "1 Mi", "1KiB", "Mi", "1e", "--1", "1.2.3", "1K"])
def test_what_is_no_quantity(text: object) -> None:
    assert quantity(text) is None
