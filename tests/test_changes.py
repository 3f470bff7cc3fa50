"""What was changed, from a real namespace in which everything was edited, and from small variations of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from signals_data import NAMESPACE as NS
from signals_data import RawByKind, edited_cluster

from srelab_lib.model import TimeWindow
from srelab_lib.signals.changes import changes_table
from srelab_lib.signals.frames import check
from srelab_lib.signals.ownership import owners

RECORDED, WINDOW = edited_cluster()
SHOP = f"Deployment/{NS}/shop"


def lists() -> RawByKind:
    return copy.deepcopy({kind: items for kind, items in RECORDED.items() if kind != "events.k8s.io"})


def changes(raw: RawByKind | None = None, window: TimeWindow = WINDOW, **more: Any) -> pd.DataFrame:
    raw = raw or lists()
    return check("changes", changes_table(raw, owners(raw), window, **more))


def named(raw: RawByKind, kind: str, name: str) -> dict[str, Any]:
    return next(item for item in raw[kind] if item["metadata"]["name"] == name)


CHANGES = changes()


def of(object_ref: str, field: str, df: pd.DataFrame = CHANGES) -> list[dict[str, Any]]:
    rows = df[(df["object"] == object_ref) & (df["field"] == field)].to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]


def clock(row: dict[str, Any]) -> str:
    return f"{row['time']:%H:%M:%S}"


def test_a_lowered_limit_is_one_sentence_with_both_values() -> None:
    lowered, raised = of(SHOP, "containers[shop].resources.limits.memory")
    assert (lowered["kind"], lowered["old"], lowered["new"], lowered["revision"]) == ("rollout", "64Mi", "32Mi", "3")
    assert lowered["text"] == "memory limit of container shop lowered from 64Mi to 32Mi (revision 3)"
    assert clock(lowered) == "02:20:52"
    assert raised["text"].startswith("memory limit of container shop raised from 32Mi to 64Mi")


def test_environment_variables_are_compared_by_name() -> None:
    changed, back = of(SHOP, "containers[shop].env[MODE]")
    assert (changed["old"], changed["new"], changed["revision"]) == ("fast", "slow", "2")
    assert (back["old"], back["new"], back["revision"]) == ("slow", "fast", "5")
    added, removed = of(SHOP, "containers[shop].env[NEW]")
    assert (added["old"], added["new"]) == (None, "1")
    assert removed["text"].startswith("environment variable NEW of container shop removed (was 1)")
    assert not of(SHOP, "containers[shop].env[DB_HOST]")


def test_a_rollback_has_the_time_of_the_rollback_and_says_so() -> None:
    """Its ReplicaSet is the oldest of all: the creation time would be that of the first rollout."""
    rows = CHANGES[(CHANGES["object"] == SHOP) & (CHANGES["revision"] == "5")]
    assert len(rows) >= 5
    assert {f"{time:%H:%M:%S}" for time in rows["time"]} == {"02:21:23"}
    assert rows["text"].str.contains("rolled back to revision 1").all()
    assert set(rows["rolled_back_to"]) == {"1"}


def test_a_rollback_without_a_trace_of_the_edit_has_the_time_of_the_event() -> None:
    raw = lists()
    named(raw, "Deployment", "shop")["metadata"]["managedFields"] = []
    rows = changes(raw)
    times = rows.loc[(rows["object"] == SHOP) & (rows["revision"] == "5"), "time"]
    scaled = [e["lastTimestamp"] for e in raw["Event"] if "Scaled up replica set shop-57f55c777" in e["message"]]
    assert set(times) <= {pd.Timestamp(time) for time in scaled}
    assert (times > pd.Timestamp("2026-11-25T02:21:06Z")).all()


def test_a_rollback_is_dated_also_after_one_of_which_no_event_is_left() -> None:
    raw = lists()
    shop = [item for item in raw["ReplicaSet"] if item["metadata"]["name"].startswith("shop-")]
    sets = {int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]): item for item in shop}
    history = sets[5]["metadata"]["annotations"]
    history["deployment.kubernetes.io/revision"] = "7"
    sets[4]["metadata"]["annotations"] |= {
        "deployment.kubernetes.io/revision": "6", "deployment.kubernetes.io/revision-history": "2",
    }  # fmt: skip
    sets[4]["metadata"]["creationTimestamp"] = sets[5]["metadata"]["creationTimestamp"]
    raw["Event"] = [event for event in raw["Event"] if sets[4]["metadata"]["name"] not in event.get("message", "")]
    rows = changes(raw)
    assert {f"{time:%H:%M:%S}" for time in rows.loc[rows["revision"] == "7", "time"]} == {"02:21:23"}


def test_another_probe_is_one_row_that_went_and_one_that_came() -> None:
    assert of(SHOP, "containers[shop].readinessProbe.exec")[0]["text"].startswith(
        "readiness probe (exec) of container shop removed"
    )
    assert "port=9999" in of(SHOP, "containers[shop].readinessProbe.httpGet")[0]["new"]


def test_scaling_by_hand_is_told_from_the_steps_of_a_rollout() -> None:
    (scaled,) = of(SHOP, "spec.replicas")
    assert (scaled["kind"], scaled["old"], scaled["new"]) == ("scale", "2", "1")
    assert scaled["text"] == "number of replicas of Deployment shop lowered from 2 to 1"
    assert clock(scaled) == "02:21:37"
    assert not of(f"Deployment/{NS}/crash", "spec.replicas")
    (store,) = of(f"StatefulSet/{NS}/store", "spec.replicas")
    assert (store["old"], store["new"]) == ("1", "0")


def scaled_up(time: str, old: int, new: int) -> list[dict[str, Any]]:
    """Rows of the number of replicas when the newest ReplicaSet of `crash` was scaled up at that time."""
    raw = lists()
    event = copy.deepcopy(next(e for e in raw["Event"] if "Scaled up replica set crash-5b8bb84785" in e["message"]))
    event["message"] = f"Scaled up replica set crash-5b8bb84785 from {old} to {new}"
    event["lastTimestamp"] = time
    raw["Event"].append(event)
    named(raw, "Deployment", "crash")["spec"]["replicas"] = new
    return of(f"Deployment/{NS}/crash", "spec.replicas", changes(raw))


def test_scaling_up_is_none_while_a_rollout_goes_on() -> None:
    assert not scaled_up("2026-11-25T02:22:12Z", 1, 2)  # another ReplicaSet goes down at 02:22:16
    (row,) = scaled_up("2026-11-25T02:26:00Z", 1, 3)
    assert (row["old"], row["new"], clock(row)) == ("1", "3", "02:26:00")


def test_an_edit_of_a_configmap_has_the_applied_value_as_its_old_one() -> None:
    (edited,) = of(f"ConfigMap/{NS}/settings", "data[DB_HOST]")
    assert (edited["kind"], edited["old"], edited["new"]) == ("config", "db.example", "wrong.example")
    assert edited["text"].endswith("changed from db.example to wrong.example by kubectl-patch")
    assert clock(edited) == "02:21:42"


def test_a_second_apply_does_not_know_the_value_before() -> None:
    (applied,) = of(f"ConfigMap/{NS}/banner", "data[TEXT]")
    assert (applied["old"], applied["new"], clock(applied)) == (None, "bye", "02:21:47")
    assert "not known" in applied["text"]


def written(raw: RawByKind, manager: str, fields: dict[str, Any]) -> None:
    """An entry of the ConfigMap's managedFields, as a client leaves it that writes with a time."""
    named(raw, "ConfigMap", "settings")["metadata"]["managedFields"] = [{
        "manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-11-25T02:24:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": fields},
    }]  # fmt: skip


@pytest.mark.parametrize("manager", ["kubectl-client-side-apply", "OpenAPI-Generator", "helm"])
def test_who_owns_all_fields_need_not_have_changed_them(manager: str) -> None:
    raw = lists()
    written(raw, manager, {".": {}, "f:DB_HOST": {}, "f:TIMEOUT": {}})
    del named(raw, "ConfigMap", "settings")["metadata"]["annotations"]
    rows = changes(raw).query("object == 'ConfigMap/t-signals-a/settings' and field != 'created'")
    assert rows["field"].to_list() == ["data[DB_HOST], data[TIMEOUT]"]
    assert "which value changed is not known" in rows["text"].iloc[0]


def test_of_all_fields_that_a_manager_owns_those_that_differ_from_what_was_applied_are_told() -> None:
    raw = lists()
    written(raw, "OpenAPI-Generator", {".": {}, "f:DB_HOST": {}, "f:TIMEOUT": {}})
    (row,) = of(f"ConfigMap/{NS}/settings", "data[DB_HOST]", changes(raw))
    assert (row["old"], row["new"], clock(row)) == ("db.example", "wrong.example", "02:24:00")
    assert not of(f"ConfigMap/{NS}/settings", "data[TIMEOUT]", changes(raw))


def test_a_removed_key_leaves_no_manager_and_is_dated_by_its_resource_version() -> None:
    """The last trace in managedFields is of 02:21:42; the patch that removed the key ran at 02:22:10 or soon after."""
    (removed,) = of(f"ConfigMap/{NS}/settings", "data[EXTRA]")
    assert (removed["old"], removed["new"]) == ("yes", None)
    assert pd.Timestamp("2026-11-25T02:22:05Z") <= removed["time"] <= pd.Timestamp("2026-11-25T02:22:14Z")


def test_a_services_selector_and_a_new_network_policy() -> None:
    (selector,) = of(f"Service/{NS}/shop", "spec.selector[app]")
    assert (selector["kind"], selector["old"], selector["new"]) == ("object", "shop", "shopp")
    (policy,) = of(f"NetworkPolicy/{NS}/deny", "created")
    assert policy["text"] == "NetworkPolicy deny created"
    assert 'spec.policyTypes=["Ingress"]' in policy["new"]
    assert clock(policy) == "02:21:54"


def test_a_statefulset_has_no_revisions_but_what_was_applied() -> None:
    (edited,) = of(f"StatefulSet/{NS}/store", "containers[store].env[SIZE]")
    assert (edited["kind"], edited["old"], edited["new"]) == ("rollout", "small", "large")


def test_a_restart_is_a_restart() -> None:
    (restarted,) = of(f"Deployment/{NS}/crash", "annotations[kubectl.kubernetes.io/restartedAt]")
    assert restarted["text"] == "Deployment crash restarted (revision 2)"


def test_a_first_rollout_is_a_creation_and_no_change_of_a_field() -> None:
    agent = CHANGES[CHANGES["object"] == f"DaemonSet/{NS}/agent"]
    assert agent["field"].tolist() == ["created"]
    assert agent["text"].iloc[0] == "DaemonSet agent created: image busybox:1.35"
    assert "1" not in set(CHANGES["revision"])


def test_an_object_that_was_edited_does_not_show_its_values_as_those_of_its_creation() -> None:
    (created,) = of(f"ConfigMap/{NS}/banner", "created")
    assert "bye" not in created["text"]


def test_what_controllers_made_is_no_change() -> None:
    refs = set(CHANGES["object"])
    assert not any(ref.startswith(("ReplicaSet/", "Job/", "Node/")) for ref in refs)
    assert not any("kube-root-ca" in ref for ref in refs)
    assert {ref for ref in refs if ref.startswith("Pod/")} == {
        f"Pod/{NS}/{name}" for name in ("lonely", "redis", "flask", "nginx")
    }


def test_the_window_bounds_what_is_told() -> None:
    assert changes(window=TimeWindow(start=WINDOW.end, end=WINDOW.end + timedelta(hours=2))).empty
    start = datetime(2026, 11, 25, 2, 21, 40, tzinfo=UTC)
    few = changes(window=TimeWindow(start=start, end=start + timedelta(seconds=5)))
    assert few["field"].tolist() == ["data[DB_HOST]"]


def test_rows_are_in_order_of_time_and_the_same_each_time() -> None:
    assert CHANGES["time"].is_monotonic_increasing
    shuffled = {kind: list(reversed(items)) for kind, items in reversed(lists().items())}
    pd.testing.assert_frame_equal(changes(shuffled), CHANGES)


def test_a_cordon_is_a_change_of_the_node() -> None:
    raw = lists()
    node = named(raw, "Node", "sre-lab-worker")
    node["spec"]["unschedulable"] = True
    node["metadata"]["managedFields"].append({
        "manager": "kubectl-cordon", "operation": "Update", "apiVersion": "v1", "time": "2026-11-25T02:25:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:unschedulable": {}}},
    })  # fmt: skip
    (row,) = of("Node//sre-lab-worker", "spec.unschedulable", changes(raw))
    assert row["new"] == "true"
    assert "by kubectl-cordon" in row["text"]


def test_an_object_that_is_being_deleted() -> None:
    raw = lists()
    named(raw, "Service", "shop")["metadata"]["deletionTimestamp"] = "2026-11-25T02:25:00Z"
    (row,) = of(f"Service/{NS}/shop", "deleted", changes(raw))
    assert row["text"] == "Service shop is being deleted"


def rebuilt(raw: RawByKind) -> None:
    """One more pod of the DaemonSet's, later, with another image under the same name."""
    first, second = (pod for pod in raw["Pod"] if pod["metadata"]["name"].startswith("agent-"))
    status = second["status"]["containerStatuses"][0]
    assert status["imageID"] == first["status"]["containerStatuses"][0]["imageID"]
    status["imageID"] = status["imageID"][:-8] + "0badc0de"
    status["state"]["running"]["startedAt"] = "2026-11-25T02:26:00Z"


def test_a_rebuild_under_the_same_tag_is_a_change_of_the_image() -> None:
    raw = lists()
    rebuilt(raw)
    (row,) = of(f"DaemonSet/{NS}/agent", "containers[agent].imageID", changes(raw))
    assert (row["kind"], clock(row)) == ("image", "02:26:00")
    assert row["new"].endswith("0badc0de")
    assert "same tag" in row["text"]


def restarted(raw: RawByKind, image_id: str) -> pd.DataFrame:
    """All pods of the Deployment were replaced, and run this; the DaemonSet's run what they always did."""
    for pod in raw["Pod"]:
        if pod["metadata"]["name"].startswith("shop-"):
            pod["status"]["containerStatuses"][0]["imageID"] = image_id
            pod["status"]["containerStatuses"][0]["image"] = "sha256:the-tag-is-on-another-image-now"
    return changes(raw, TimeWindow(start=datetime(2026, 11, 25, 2, 20, tzinfo=UTC), end=WINDOW.end))


def test_a_rebuild_that_replaced_every_pod_is_seen_beside_another_workload() -> None:
    raw = lists()
    agent = named(raw, "Pod", "agent-582wd")["status"]["containerStatuses"][0]["imageID"]
    (row,) = of(SHOP, "containers[shop].imageID", restarted(raw, agent[:-8] + "0badc0de"))
    assert (row["old"], row["new"][-8:], clock(row)) == (agent, "0badc0de", "02:21:51")
    assert f"DaemonSet {NS}/agent still runs the former" in row["text"]
    assert not of(f"DaemonSet/{NS}/agent", "containers[agent].imageID", restarted(raw, agent[:-8] + "0badc0de"))


def test_the_same_contents_under_another_import_are_no_rebuild() -> None:
    raw = lists()
    agent = named(raw, "Pod", "agent-582wd")["status"]["containerStatuses"][0]["imageID"]
    assert not of(SHOP, "containers[shop].imageID", restarted(raw, agent.replace("import-2026-11-25", "import-x")))


def test_what_came_with_the_window_was_not_rebuilt() -> None:
    raw = lists()
    named(raw, "Deployment", "shop")["metadata"]["creationTimestamp"] = "2026-11-25T02:20:30Z"
    agent = named(raw, "Pod", "agent-582wd")["status"]["containerStatuses"][0]["imageID"]
    assert not of(SHOP, "containers[shop].imageID", restarted(raw, agent[:-8] + "0badc0de"))


def deployed(**more: Any) -> dict[str, Any]:
    return {
        "application": "Application/argocd/shop", "revision": "b" * 40, "previous": "a" * 40,
        "started_at": "2026-11-25T02:20:48Z", "deployed_at": "2026-11-25T02:20:55Z", "repository": "git://x",
        "path": ".", "resources": (SHOP,), "author": "Ada", "subject": "less memory", "committed_at": "",
        "diff": "-64Mi\n+32Mi", "pruned": (), "failed": False, "commit": "b" * 40, **more,
    }  # fmt: skip


def test_a_commit_stands_beside_the_change_that_it_made() -> None:
    table = changes(deployed=[deployed()])
    (sync,) = of("Application/argocd/shop", "revision", table)
    assert (sync["kind"], sync["old"], sync["commit"]) == ("argo", "a" * 40, "b" * 40)
    assert sync["text"] == "Argo CD rolled out commit bbbbbbbbbb: less memory (Ada)"
    lowered, raised = of(SHOP, "containers[shop].resources.limits.memory", table)
    assert (lowered["commit"], lowered["diff"]) == ("b" * 40, "-64Mi\n+32Mi")
    assert raised["commit"] is None
    assert of(f"ConfigMap/{NS}/settings", "data[DB_HOST]", table)[0]["commit"] is None


@pytest.mark.parametrize(
    ("diff", "ended", "found"),
    [
        ("--- a/x\n+++ b/x\n-  memory: 64Mi\n+  memory: 32Mi", "02:20:12", True),
        ("--- a/x\n+++ b/x\n-  memory: 32Mi\n+  memory: 64Mi", "02:20:12", False),
        ("--- a/x\n+++ b/x\n+  replicas: 2", "02:20:12", False),
        ("", "02:20:12", False),
        ("--- a/x\n+++ b/x\n-  memory: 64Mi\n+  memory: 32Mi", "02:18:12", False),
    ],
    ids=["waited", "the other way", "another field", "no diff", "too long ago"],
)
def test_a_rollout_that_waited_for_its_old_pods_has_its_commit(diff: str, ended: str, found: bool) -> None:
    """40 seconds after the sync: the commit has to speak of it, or an edit by hand would be laid at its door."""
    at = f"2026-11-25T{ended}Z"
    table = changes(deployed=[deployed(started_at=at, deployed_at=at, diff=diff)])
    lowered, _ = of(SHOP, "containers[shop].resources.limits.memory", table)
    assert lowered["commit"] == ("b" * 40 if found else None)


def test_what_argo_cd_deleted_and_what_it_could_not_roll_out_are_changes() -> None:
    gone = f"Service/{NS}/units"
    rows = of(gone, "deleted", changes(deployed=[deployed(pruned=(gone,))]))
    assert [row["text"] for row in rows] == [
        f"Service units deleted: Argo CD pruned it with commit {'b' * 10}: less memory (Ada)"
    ]
    (row,) = of("Application/argocd/shop", "revision", changes(deployed=[deployed(failed=True)]))
    assert row["text"].startswith("Argo CD could not roll out commit bbbbbbbbbb: ")
    assert not of("Application/argocd/shop", "revision", changes(deployed=[deployed(commit="", diff="")]))


def test_a_deployment_before_the_window_is_no_change_in_it() -> None:
    table = changes(deployed=[deployed(started_at="2026-11-24T00:00:00Z", deployed_at="2026-11-24T00:00:09Z")])
    assert "argo" not in set(table["kind"])


DAMAGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda item: item["metadata"].pop("managedFields", None),
    lambda item: item["metadata"].pop("creationTimestamp", None),
    lambda item: item["metadata"].pop("resourceVersion", None),
    lambda item: item["metadata"].pop("annotations", None),
    lambda item: item.pop("spec", None),
    lambda item: item.pop("status", None),
    lambda item: item["metadata"].update(annotations=None, labels=None, ownerReferences=None),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_field_that_is_not_there_is_no_error(damage: Callable[[dict[str, Any]], Any]) -> None:
    raw = lists()
    for items in raw.values():
        for item in items:
            damage(item)
    changes(raw)
