"""What to do next, as commands from templates. A person reads and pastes them; nothing here is ever executed.

A template is filled with names that the cluster itself accepted, and each of them is checked again: what does not look
like a Kubernetes name, a quantity or a commit leaves its command out, so no telemetry can shape a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import Template

from srelab_lib.diagnosis.checks._services import net
from srelab_lib.diagnosis.checks._ties import settings_read
from srelab_lib.diagnosis.rank import Ranked, is_task
from srelab_lib.model import Action, Change, Finding, Snapshot, Verdict, split_ref
from srelab_lib.settings import IN_CLUSTER

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_OBJECT = re.compile(r"[a-z]{1,63}/[a-z0-9]([-.a-z0-9:]{0,251}[a-z0-9])?")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_ALLOWED: dict[str, re.Pattern[str]] = {
    "namespace": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "kind": re.compile(r"[a-z]{1,63}"),
    "name": re.compile(r"[a-z0-9]([-.a-z0-9:]{0,251}[a-z0-9])?"),
    "container": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "old_memory": _QUANTITY,
    "old_cpu": _QUANTITY,
    "old_replicas": re.compile(r"[1-9][0-9]{0,5}"),
    "limited": re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "commit": re.compile(r"[0-9a-f]{7,64}"),
    "context": re.compile(r"[A-Za-z0-9][-\w.:@/]{0,251}"),
    "configmap": _NAME,
    "account": re.compile(r"[-a-z0-9]{1,63}:[-.a-z0-9]{1,253}"),
    "role": _NAME,
    "behind": _NAME,
    "called": _PORT,
    "target": _PORT,
    "changed": _OBJECT,
    "added": _OBJECT,
    "written": _OBJECT,
    "field": re.compile(r"[-A-Za-z0-9_./\[\]]{1,120}"),
    "reader": _OBJECT,
    "task": _OBJECT,
    "running": _OBJECT,
    "was": re.compile(r"[-A-Za-z0-9_.:/@]{1,120}"),
}
_SETS: dict[str, re.Pattern[str]] = {
    "old_memory": re.compile(r"(?:containers\[(?P<limited>[^\]]+)\]\.resources\.)?limits\.memory"),
    "old_cpu": re.compile(r"(?:containers\[(?P<limited>[^\]]+)\]\.resources\.)?limits\.cpu"),
    "old_replicas": re.compile(r"(?:spec\.)?replicas"),
}
"""The field that a command sets to each of these: the old value of any other field has no place there."""
_ADDED = frozenset(
    {
        "networkpolicy", "resourcequota", "limitrange",
        "validatingwebhookconfiguration", "mutatingwebhookconfiguration",
    }
)  # fmt: skip
"""What only restricts others may be deleted again; a workload that came at the same time may not."""
_EDITED = ("spec.", "data[", "rules", "subjects", "webhooks", "metadata.labels")
"""What somebody edited by hand, and can edit back."""
_CONTROLLERS = frozenset({"deployment", "statefulset", "daemonset"})

_ROLL_BACK = ("Go back to the revision before the change", "$kubectl rollout undo $changed")
_REVERT = ("Revert the commit; Argo CD rolls it out", "git revert --no-edit $commit && git push")
_LIMIT_BACK = "Set the limit back to what it was"
_SET_BACK = ("Set $field back to $was", "$kubectl edit $changed")
_EDIT_BACK = ("Undo what was changed in $field", "$kubectl edit $changed")
_EDIT_WRITTEN = ("Correct it: which of its values was changed is not known", "$kubectl edit $written")
_READ_AGAIN = ("Let it read the ConfigMap again", "$kubectl rollout restart $reader")
_SUSPEND = (
    "Stop the Job for now, unless its work must go on",
    '$kubectl patch $running --patch=\'{"spec":{"suspend":true}}\'',
)
_TASK_LOG = ("Read what the Job says", "$kubectl logs $task --timestamps")
_DELETE = ("Delete what was added, unless it is wanted", "$kubectl delete $added")
_EDIT = ("Correct the field that the evidence names", "$kubectl edit $kind/$name")
_EDIT_FOUND = ("No fact names a field: read its log first, then correct what it tells of", "$kubectl edit $kind/$name")
_RENEW = ("Delete it and make it again, corrected: a Job cannot be edited", "$kubectl delete $kind/$name")
_LOG = ("Read what it says since then", "$kubectl logs $kind/$name -c $container --since=15m --timestamps")
_EVENTS = ("Read what the cluster says of it", "$kubectl describe $kind/$name")
_FREE_NODE = ("See what each node has left", "kubectl$context describe nodes")

_FIX: dict[str, tuple[tuple[str, str], ...]] = {
    "oom_killed": (
        (_LIMIT_BACK, "$kubectl set resources $kind/$name -c $limited --limits=memory=$old_memory"),
    ),
    "cpu_throttled": (
        (_LIMIT_BACK, "$kubectl set resources $kind/$name -c $limited --limits=cpu=$old_cpu"),
    ),
    "memory_leak": (
        ("Gain time: start fresh processes", "$kubectl rollout restart $kind/$name"),
    ),
    "scaled_to_zero": (("Scale it up again", "$kubectl scale $kind/$name --replicas=$old_replicas"),),
    "node_cordoned": (("Let the node take pods again", "kubectl$context uncordon $name"),),
    "configmap_key_missing": (("Add the key", "$kubectl edit configmap/$configmap"),),
    "secret_rotated": (("Let it read the credential again", "$kubectl rollout restart $kind/$name"),),
    "tls_expired": (
        ("Renew the certificate in its Secret, then let the server read it", "$kubectl rollout restart $kind/$name"),
    ),
    "rbac_denied": (
        ("Give the account the Role", "$kubectl create rolebinding $name --role=$role --serviceaccount=$account"),
    ),
    "service_missing": (
        (
            "Make it, from the port that is called to the port of the pods",
            "$kubectl expose deployment/$behind --name=$name --port=$called --target-port=$target",
        ),
    ),
    "network_policy_blocks": (_DELETE,),
    "webhook_unreachable": (_DELETE,),
    "quota_exceeded": (_DELETE,),
    "limit_range_violated": (_DELETE,),
}  # fmt: skip
_COMPARE: dict[str, tuple[tuple[str, str], ...]] = {
    "configmap_missing": (("See which ConfigMaps exist", "$kubectl get configmaps"),),
    "secret_missing": (("See which Secrets exist, names only", "$kubectl get secrets -o name"),),
    "service_selector_mismatch": (("Compare with the pods' labels", "$kubectl get pods --show-labels"),),
    "service_wrong_port": (("See which ports the pods declare", "$kubectl get endpointslices -o yaml"),),
    "service_missing": (("See which Services exist", "$kubectl get services"),),
    "network_policy_blocks": (("See what the policies allow", "$kubectl describe networkpolicies"),),
    "quota_exceeded": (("See what uses the quota", "$kubectl describe resourcequotas"),),
    "limit_range_violated": (("See the allowed range", "$kubectl describe limitranges"),),
    "insufficient_cpu": (_FREE_NODE,),
    "insufficient_memory": (_FREE_NODE,),
    "insufficient_extended_resource": (_FREE_NODE,),
    "node_selector_unmatched": (("Compare with the nodes' labels", "kubectl$context get nodes --show-labels"),),
    "taint_untolerated": (("See the nodes' taints", "kubectl$context describe nodes"),),
    "pvc_pending": (("See claims and classes", "$kubectl get pvc,storageclass"),),
    "pvc_missing": (("See which claims exist", "$kubectl get pvc"),),
    "storage_class_missing": (("See which classes exist", "kubectl$context get storageclass"),),
    "ingress_class_missing": (("See which classes exist", "kubectl$context get ingressclass"),),
    "ingress_backend_missing": (("See which Services exist", "$kubectl get services"),),
    "rbac_denied": (("See what the account may do", "$kubectl auth can-i --list --as=system:serviceaccount:$account"),),
    "webhook_unreachable": (
        ("See which webhooks check objects", "kubectl$context get validatingwebhookconfigurations"),
        ("See which webhooks alter objects", "kubectl$context get mutatingwebhookconfigurations"),
    ),
    "node_not_ready": (
        (
            "See which pods it had",
            "kubectl$context get pods --all-namespaces -o wide --field-selector spec.nodeName=$name",
        ),
    ),
    "hpa_no_metrics": (("See whether metrics are served", "kubectl$context get apiservices v1beta1.metrics.k8s.io"),),
    "argo_out_of_sync": (("See how it differs from git", "$kubectl get application/$name -o yaml"),),
}  # fmt: skip

_INSPECT_CRASH = (
    "Read why the last container ended",
    "$kubectl logs $kind/$name -c $container --previous --tail=50 --timestamps",
)
_NOT_ITS_OWN = frozenset(
    {"upstream_unreachable", "db_lock", "schema_mismatch", "slow_query", "node_not_ready", "node_pressure"}
)
"""What no edit of the object mends: it fails by what is elsewhere."""
_ABSENT = frozenset({"service_missing"})
"""What these name cannot be described."""
_CRASHES = frozenset(
    {"crash_app_exit", "crash_missing_env", "crash_bad_command", "container_killed", "init_container_failed"}
)


def suggest(top: Ranked | None, verdict: Verdict, snapshot: Snapshot) -> tuple[Action, ...]:
    """Fix first, then verify, then where to look further; without a fix, where to look first."""
    if top is None or verdict.outcome != "fault":
        return _look_again(verdict, snapshot)
    values = _values(top, snapshot)
    kind = values.get("kind", "")
    back = [_REVERT] if "commit" in values else [_ROLL_BACK] if _rolls_back(top) else [_SET_BACK]
    fixes = [*_FIX.get(top.finding.fault, ()), *back]
    fixes += [_SUSPEND]
    fixes += [*([] if "was" in values else [_EDIT_BACK]), _EDIT_WRITTEN, _READ_AGAIN]
    verify = (
        [("Watch it become ready", "$kubectl rollout status $kind/$name --timeout=120s")]
        if kind in _CONTROLLERS
        else []
    )
    verify.append(("Run this analysis again", "papermill notebooks/06_rca.ipynb out.ipynb"))
    inspect = [_INSPECT_CRASH] if top.finding.fault in _CRASHES else [*_COMPARE.get(top.finding.fault, ())]
    inspect += [_TASK_LOG, *([] if _is_declared(top) else [_LOG])]
    inspect += [_EVENTS] if top.finding.fault not in _ABSENT else []
    last = _RENEW if kind == "job" else _EDIT if _is_declared(top) else _EDIT_FOUND
    mends_itself = top.finding.fault not in _NOT_ITS_OWN
    fix = _fill("fix", fixes, values) or _fill("fix", [last] if mends_itself else [], values)
    further = _fill("inspect", inspect, values)
    checked = _fill("verify", verify, values)
    return (*fix, *checked, *further) if fix else (*further, *checked)


def _is_declared(top: Ranked) -> bool:
    """Whether what an object asks for is part of the evidence."""
    return any(fact.kind == "spec" for fact in top.finding.facts)


def _look_again(verdict: Verdict, snapshot: Snapshot) -> tuple[Action, ...]:
    if verdict.outcome == "no_fault":
        return ()
    templates = [
        ("See what is not running", "$kubectl get pods -o wide"),
        ("Read the events", "$kubectl get events --sort-by=.lastTimestamp"),
    ]
    return _fill("inspect", templates, _base(snapshot, snapshot.namespace))


def _rolls_back(top: Ranked) -> bool:
    """A rollout that altered something; pods that were only replaced have no other revision to go back to."""
    change = top.change
    if change is None or not change.revision or re.search(r"^template$|restartedAt", change.field):
        return False
    return split_ref(change.object)[0].lower() in _CONTROLLERS


def _values(top: Ranked, snapshot: Snapshot) -> dict[str, str]:
    kind, namespace, name = split_ref(top.finding.object)
    values = _base(snapshot, namespace) | {"kind": kind.lower(), "name": name}
    values["container"] = _container(top, snapshot)
    values["configmap"] = next((x[2] for x in map(split_ref, top.finding.related) if x[0] == "ConfigMap"), "")
    values |= _rights(top.finding)
    values["behind"] = name if f"Deployment/{namespace}/{name}" in top.finding.related else ""
    values |= _ports(name, values["behind"] and f"Deployment/{namespace}/{name}", snapshot)
    values |= _of_change(top.change, namespace) if top.change else {}
    values |= _of_settings(top, snapshot) | _of_task(top.change, snapshot)
    values |= {"limited": values["container"], **_set_back(top)}
    return {key: value for key, value in values.items() if key == "kubectl" or _is_allowed(key, value)}


def _rights(finding: Finding) -> dict[str, str]:
    """The account that lacks a right, and a Role that has it and is not bound to the account."""
    named = {kind: (namespace, name) for kind, namespace, name in map(split_ref, finding.related)}
    namespace, account = named.get("ServiceAccount", ("", ""))
    unbound = [fact.object for fact in finding.facts if fact.kind == "spec" and fact.object.startswith("Role/")]
    return {"account": f"{namespace}:{account}", "role": split_ref(unbound[0])[2] if unbound else ""}


def _ports(name: str, behind: str, snapshot: Snapshot) -> dict[str, str]:
    """The one port on which a name is called by those that are set to it, and the one that its pods declare."""
    view = net(snapshot)
    workload = view.workloads.get(behind)
    if workload is None or len(workload.ports()) != 1:
        return {}
    target = next(iter(workload.ports()))
    addresses = [item.address for one in view.workloads.values() for item in view.references(one)]
    called = {address.port for address in addresses if address.port and view.local_name(address.host) == name}
    return {"called": str(min(called or {target})), "target": str(target)} if len(called) < 2 else {}


def _of_change(change: Change, namespace: str) -> dict[str, str]:
    kind, place, name = split_ref(change.object)
    changed = f"{kind.lower()}/{name}" if place in (namespace, "") else ""
    came = change.field == "created" and kind.lower() in _ADDED
    edited = not change.revision and not change.commit and change.field.startswith(_EDITED)
    return {
        "commit": change.commit,
        "changed": changed,
        "added": changed if came else "",
        "written": changed if kind == "ConfigMap" and change.old is None and change.new is None else "",
        "field": change.field if edited else "",
        "was": change.old or "",
    }


def _of_settings(top: Ranked, snapshot: Snapshot) -> dict[str, str]:
    """Of an edited ConfigMap: the controller that reads it and has the trouble."""
    change = top.change
    if change is None or change.commit or not change.object.startswith("ConfigMap/"):
        return {}
    reads = settings_read(snapshot)
    concerned = [top.finding.object, *top.finding.related]
    reader = next((ref for ref in concerned if change.object in reads.get(ref, ())), "")
    kind, _, name = split_ref(reader) if reader else ("", "", "")
    return {"reader": f"{kind.lower()}/{name}" if kind.lower() in _CONTROLLERS else ""}


def _of_task(change: Change | None, snapshot: Snapshot) -> dict[str, str]:
    """The Job that was started, also as one that still runs."""
    if change is None or not is_task(change):
        return {}
    name = f"job/{split_ref(change.object)[2]}"
    pods = snapshot["pods"]
    runs = ((pods["object"] == change.object) & (pods["phase"] == "Running")).any()
    return {"task": name, "running": name if runs else ""}


def _set_back(top: Ranked) -> dict[str, str]:
    """The old value of a field of the object itself, by what a command that sets this very field calls it."""
    change = top.change
    if change is None or change.object != top.finding.object:
        return {}
    found = {}
    for name, pattern in _SETS.items():
        if match := pattern.fullmatch(change.field):
            found = {name: change.old or ""} | {key: of for key, of in match.groupdict().items() if of}
    return found


def _base(snapshot: Snapshot, namespace: str) -> dict[str, str]:
    name = snapshot.source.name
    named = snapshot.source.kind == "live" and name != IN_CLUSTER and _ALLOWED["context"].fullmatch(name)
    context = f" --context {name}" if named else ""
    scoped = f" -n {namespace}" if namespace and _ALLOWED["namespace"].fullmatch(namespace) else ""
    return {"context": context, "kubectl": f"kubectl{context}{scoped}"}


def _is_allowed(key: str, value: str) -> bool:
    return key == "context" or _ALLOWED[key].fullmatch(value) is not None


def _container(top: Ranked, snapshot: Snapshot) -> str:
    """The object's container that restarted most, or its first."""
    rows = snapshot["containers"]
    rows = rows[rows["object"] == top.finding.object].sort_values("restart_count", ascending=False, kind="stable")
    return "" if rows.empty else str(rows.iloc[0]["container"])


def _fill(kind: str, templates: Iterable[tuple[str, str]], values: Mapping[str, str]) -> tuple[Action, ...]:
    actions = []
    for purpose, template in templates:
        needed = {*Template(template).get_identifiers(), *Template(purpose).get_identifiers()}
        if needed <= values.keys():
            command = Template(template).substitute(values)
            told = Template(purpose).substitute(values)
            actions.append(Action(purpose=told, command=command, kind=kind))  # type: ignore[arg-type]
    return tuple(actions)
