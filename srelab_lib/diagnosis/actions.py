"""What to do next, as commands from templates. A person reads and pastes them; nothing here is ever executed.

A template is filled with names that the cluster itself accepted, and each of them is checked again: what does not look
like a Kubernetes name, a quantity or a commit leaves its command out, so no telemetry can shape a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from string import Template

from srelab_lib.diagnosis import action_templates as templates
from srelab_lib.diagnosis.checks._secrets import secrets_of
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.diagnosis.checks._ties import settings_read
from srelab_lib.diagnosis.rank import Ranked
from srelab_lib.diagnosis.started import is_task
from srelab_lib.model import Action, Change, Finding, Snapshot, Verdict, split_ref
from srelab_lib.settings import IN_CLUSTER


def suggest(
    top: Ranked | None, verdict: Verdict, snapshot: Snapshot, *, beside: Ranked | None = None
) -> tuple[Action, ...]:
    """Fix first, then verify, then where to look further; without a fix, where to look first.

    Args:
        top: the root cause.
        verdict: of it.
        snapshot: where the names in the commands come from.
        beside: a second fault, of its own cause, to be mended too.
    """
    if top is None or verdict.outcome != "fault":
        return _look_again(verdict, snapshot)
    values = _values(top, snapshot)
    fix = _fixes(top, values)
    values |= {"rolled": _rolled(fix, values)}
    checked, further = _fill("verify", _verify(top, values), values), _fill("inspect", _inspect(top), values)
    others = [_of_the_other(one) for one in _fixes(beside, _values(beside, snapshot))] if beside else []
    return (*fix, *others, *checked, *further) if fix else (*further, *others, *checked)


def _of_the_other(action: Action) -> Action:
    return replace(action, purpose=f"The other fault: {action.purpose[:1].lower()}{action.purpose[1:]}")


def _fixes(top: Ranked, values: Mapping[str, str]) -> tuple[Action, ...]:
    """What mends it: each action is one way, but for those that begin with `Then`."""
    if "commit" in values:
        return _fill("fix", [templates.REVERT], values)
    own = templates.FIX.get(top.finding.fault, ())
    undone = any(_needs(one) & templates.UNDOING and _needs(one) <= values.keys() for one in own)
    written = templates.EDIT_VALUE if _holds_value(top) else templates.EDIT_WRITTEN
    edits = [*([] if "was" in values else [templates.EDIT_BACK]), written, templates.READ_AGAIN]
    rest = [] if undone else [*_back(top, values), templates.SUSPEND, *edits]
    ways = _fill("fix", own, values), _fill("fix", rest, values)
    first, second = reversed(ways) if top.finding.fault in templates.STOPGAPS else ways
    fix = _alternatives([*first, *second])
    at_server = top.finding.fault == "rbac_denied" and "account" not in values
    if fix or at_server or top.finding.fault in templates.NOT_ITS_OWN:
        return fix
    return _fill("fix", [_correction(top, values)], values)


def _correction(top: Ranked, values: Mapping[str, str]) -> tuple[str, str]:
    """The edit that mends it, where no command does: of which field, as far as the fault says."""
    fault, kind = top.finding.fault, values.get("kind")
    if kind == "job":
        return templates.RENEW
    if fault == "dependency_down" and kind in templates.CONTROLLERS:
        return templates.START_ANEW
    found = templates.EDIT if _is_declared(top) else templates.EDIT_FOUND
    return templates.CORRECT.get(fault, found[0]), found[1]


def _holds_value(top: Ranked) -> bool:
    """Whether a value of the very ConfigMap that was written is part of the evidence."""
    written = top.change.object if top.change else ""
    return any(fact.kind == "spec" and fact.object == written for fact in top.finding.facts)


def _back(top: Ranked, values: Mapping[str, str]) -> list[tuple[str, str]]:
    if _rolls_back(top):
        return [next(one for one in templates.ROLL_BACKS if _needs(one) <= {*values, "changed"})]
    if "was_replicas" in values:
        return [templates.SCALE_BACK]
    return [templates.PATCH_BACK if "patch" in values else templates.SET_BACK]


def _alternatives(actions: Sequence[Action]) -> tuple[Action, ...]:
    """With `Or` before every way but the first, so that nobody pastes two of them; of one command the last purpose."""
    actions = list({one.command: one for one in actions}.values())
    others = [one if one.purpose.startswith("Then") else _or(one) for one in actions[1:]]
    return (*map(_first, actions[:1]), *others)


def _first(action: Action) -> Action:
    """What is alone follows nothing."""
    purpose = action.purpose.removeprefix("Then ")
    return replace(action, purpose=f"{purpose[:1].upper()}{purpose[1:]}")


def _or(action: Action) -> Action:
    return replace(action, purpose=f"Or {action.purpose[:1].lower()}{action.purpose[1:]}")


def _rolled(fix: Iterable[Action], values: Mapping[str, str]) -> str:
    """The controller that gets new pods by what mends it: the object's own first."""
    own = f"{values.get('kind')}/{values.get('name')}"
    told = " ".join(f"{own if one.command.startswith('git') else one.command}" for one in fix)
    objects = (own, values.get("reader", ""), values.get("changed", ""))
    return next((one for one in objects if one.partition("/")[0] in templates.CONTROLLERS and one in told), "")


def _verify(top: Ranked, values: Mapping[str, str]) -> list[tuple[str, str]]:
    """That new pods get ready where the fix brings some, that its log is quiet where the log told; then this again."""
    logged = any(fact.kind == "log" and fact.object.startswith("Pod/") for fact in top.finding.facts)
    quiet = logged and values.get("kind") in templates.CONTROLLERS
    return [*([templates.READY] if values["rolled"] else [templates.QUIET] if quiet else []), templates.AGAIN]


def _inspect(top: Ranked) -> list[tuple[str, str]]:
    fault = top.finding.fault
    found = [templates.INSPECT_CRASH] if fault in templates.CRASHES else [*templates.COMPARE.get(fault, ())]
    log = templates.LOG_OF_RUN if top.finding.object.startswith("CronJob/") else templates.LOG
    quiet = _is_declared(top) or fault in templates.NEVER_RAN
    found += [templates.TASK_DID, templates.TASK_LOG, *([] if quiet else [log])]
    return found + ([] if fault in templates.ABSENT else [templates.EVENTS])


def _is_declared(top: Ranked) -> bool:
    """Whether what an object asks for is part of the evidence."""
    return any(fact.kind == "spec" for fact in top.finding.facts)


def _look_again(verdict: Verdict, snapshot: Snapshot) -> tuple[Action, ...]:
    if verdict.outcome == "no_fault":
        return ()
    looks = [
        ("See what is not running", "$kubectl get pods -o wide"),
        ("Read the events", "$kubectl get events --sort-by=.lastTimestamp"),
    ]
    return _fill("inspect", looks, _base(snapshot, snapshot.namespace))


def _rolls_back(top: Ranked) -> bool:
    """A rollout that altered something; pods that were only replaced have no other revision to go back to."""
    change = top.change
    if change is None or not change.revision or re.search(r"^template$|restartedAt", change.field):
        return False
    return split_ref(change.object)[0].lower() in templates.CONTROLLERS


def _values(top: Ranked, snapshot: Snapshot) -> dict[str, str]:
    kind, namespace, name = split_ref(top.finding.object)
    values = _base(snapshot, namespace) | {"kind": kind.lower(), "name": name}
    values |= _container(top, snapshot)
    values["configmap"] = next((x[2] for x in map(split_ref, top.finding.related) if x[0] == "ConfigMap"), "")
    values |= _rights(top.finding)
    values["behind"] = name if kind == "Service" and f"Deployment/{namespace}/{name}" in top.finding.related else ""
    values |= _maker(kind, name, snapshot)
    values |= _ports(name, values["behind"] and f"Deployment/{namespace}/{name}", snapshot)
    values |= _listens(top.finding, snapshot)
    values |= _of_change(top.change, namespace) if top.change else {}
    values |= {"patch": _patch_back(top), **_volumes(top.finding, snapshot), **_secret(top.finding, snapshot)}
    values |= _of_settings(top, snapshot) | _of_task(top.change, snapshot)
    values |= {"limited": values.get("container", ""), **_set_back(top)}
    return {key: value for key, value in values.items() if key in ("kubectl", "chosen") or _is_allowed(key, value)}


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


def _listens(finding: Finding, snapshot: Snapshot) -> dict[str, str]:
    """The one port that the pods of a Service declare, where the Service has one port."""
    view = net(snapshot)
    service = next((one for one in view.services.values() if one.ref == finding.object), None)
    declared = {port for one in service.workloads for port in one.ports()} if service else set()
    return {"listens": str(min(declared))} if service and len(declared) == len(service.ports) == 1 else {}


def _of_change(change: Change, namespace: str) -> dict[str, str]:
    kind, place, name = split_ref(change.object)
    changed = f"{kind.lower()}/{name}" if place in (namespace, "") else ""
    came = change.field == "created" and kind.lower() in templates.ADDED
    by_hand = change.field.startswith(templates.EDITED) or kind == "CronJob"
    edited = by_hand and not change.revision and not change.commit
    scaled = changed.partition("/")[0] in templates.CONTROLLERS and re.fullmatch(r"(?:spec\.)?replicas", change.field)
    return {
        "commit": change.commit,
        "changed": changed,
        "added": changed if came else "",
        "written": changed if kind == "ConfigMap" and change.old is None and change.new is None else "",
        "field": change.field if edited else "",
        "was": change.old or "",
        "was_replicas": (change.old or "") if scaled else "",
        "revision_before": change.revision_before,
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
    return {"reader": f"{kind.lower()}/{name}" if kind.lower() in templates.CONTROLLERS else ""}


_MERGED = re.compile(r"(data|spec\.selector)\[([-A-Za-z0-9_./]{1,253})\]")


def _patch_back(top: Ranked) -> str:
    """The merge patch that brings back what one edit altered, where every old value is known or was none."""
    if top.change is None or top.change.old is None:
        return ""
    edit = [top.change, *top.beside]
    keys = [_MERGED.fullmatch(one.field) for one in edit]
    plain = all(one.old is None or templates.ALLOWED["was"].fullmatch(one.old) for one in edit)
    if not (plain and all(keys)):
        return ""
    patch: object = {key[2]: one.old for key, one in zip(keys, edit, strict=True) if key}
    for name in reversed(keys[0][1].split(".") if keys[0] else []):
        patch = {name: patch}
    return json.dumps(patch, separators=(",", ":"))


def _volumes(finding: Finding, snapshot: Snapshot) -> dict[str, str]:
    """The one claim that the object's pods mount, else their one emptyDir."""
    rows = snapshot["pods"]
    specs = [spec or {} for spec in rows.loc[rows["object"] == finding.object, "spec"]][:1]
    volumes = [volume for spec in specs for volume in spec.get("volumes") or []]
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")]
    scratch = [volume["name"] for volume in volumes if "emptyDir" in volume and not claims]
    return {"claim": _only(claims), "scratch": _only(scratch)}


def _maker(kind: str, name: str, snapshot: Snapshot) -> dict[str, str]:
    """The StatefulSet that makes a claim from its template, always as that is, and the pod that mounts it."""
    sets = snapshot["workloads"].query("kind == 'StatefulSet'")["name"] if kind == "PersistentVolumeClaim" else ()
    made = [(one, match["pod"]) for one in sets if (match := re.search(rf"-(?P<pod>{re.escape(one)}-\d+)$", name))]
    if made:
        return {"maker": made[0][0], "mounts": made[0][1]}
    return {"claimed": name} if kind == "PersistentVolumeClaim" else {}


def _secret(finding: Finding, snapshot: Snapshot) -> dict[str, str]:
    """The Secret that the object reads: the one of several that the facts speak of."""
    workload = net(snapshot).workloads.get(finding.object)
    names = {name for name, _ in secrets_of(workload)} if workload else set()
    told = {name for name in names if any(name in fact.text for fact in finding.facts)}
    return {"secret": _only(sorted(told or names))}


def _only(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ""


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
    for name, pattern in templates.SETS.items():
        if match := pattern.fullmatch(change.field):
            found = {name: change.old or ""} | {key: of for key, of in match.groupdict().items() if of}
    return found


def _base(snapshot: Snapshot, namespace: str) -> dict[str, str]:
    name = snapshot.source.name
    named = snapshot.source.kind == "live" and name != IN_CLUSTER and templates.ALLOWED["context"].fullmatch(name)
    context = f" --context {name}" if named else ""
    place = next((one for one in (namespace, snapshot.namespace) if _is_allowed("namespace", one)), "")
    scoped = f" -n {namespace}" if namespace and templates.ALLOWED["namespace"].fullmatch(namespace) else ""
    chosen = (f" -p context {name}" if named else "") + (f" -p namespace {place}" if place else "")
    return {"context": context, "kubectl": f"kubectl{context}{scoped}", "chosen": chosen}


def _is_allowed(key: str, value: str) -> bool:
    return key == "context" or templates.ALLOWED[key].fullmatch(value) is not None


def _container(top: Ranked, snapshot: Snapshot) -> dict[str, str]:
    """The object's container that restarted most, or started last, and its pod."""
    rows = snapshot["containers"]
    rows = rows[rows["object"] == top.finding.object].sort_values(
        ["restart_count", "started_at"], ascending=False, kind="stable"
    )
    if rows.empty:
        return {}
    found = {key: str(rows.iloc[0][key]) for key in ("container", "pod")}
    return found | {"postgres": found["pod"] if "postgres" in str(rows.iloc[0]["image"]) else ""}


def _needs(template: tuple[str, str]) -> set[str]:
    """What has to be known for it."""
    return {name for text in template for name in Template(text).get_identifiers()}


def _fill(kind: str, templates: Iterable[tuple[str, str]], values: Mapping[str, str]) -> tuple[Action, ...]:
    actions = []
    for purpose, template in templates:
        if _needs((purpose, template)) <= values.keys():
            command = Template(template).substitute(values)
            told = Template(purpose).substitute(values)
            actions.append(Action(purpose=told, command=command, kind=kind))  # type: ignore[arg-type]
    return tuple(actions)
