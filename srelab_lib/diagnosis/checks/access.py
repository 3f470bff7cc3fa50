"""What the API server refuses: pods that may not be created, and calls that a ServiceAccount may not make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from srelab_lib.diagnosis.checks._facts import (
    CLOCKS,
    Check,
    Row,
    change_fact,
    event_facts,
    events,
    first_seen,
    grouped,
    live_pods,
    of_namespace,
    one_each,
    raw_objects,
    rows,
    spec_fact,
)
from srelab_lib.diagnosis.checks._logs import hits
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.model import Fact, Finding, Snapshot, object_ref, spoken

_REFUSED = ("FailedCreate", "FailedUpdate", "FailedDelete", "FailedScheduling", "ReplicaSetCreateError")
_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[\w.-]+)" not found')
_WEBHOOK = re.compile(r'failed calling webhook "(?P<name>[\w./-]+)": (?P<why>.*)', re.DOTALL)
_POD_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[\w.:-]+)": (?P<why>.*)', re.DOTALL)
_QUOTE = r"[\\\\\"']*"
"""A quotation mark as it comes through a program's own quoting."""
_DENIED = re.compile(
    rf"User {_QUOTE}system:serviceaccount:(?P<namespace>[\w-]+):(?P<account>[\w.-]+){_QUOTE} "
    rf"cannot (?P<verb>\w+) (?:resource|path) {_QUOTE}(?P<resource>[^\"'\\\\\s]+){_QUOTE}"
    rf"(?: in API group {_QUOTE}(?P<group>[^\"'\\\\\s]*){_QUOTE})?"
)


def check_service_account_missing(s: Snapshot) -> Iterator[Finding]:
    """FailedCreate events: `serviceaccount "x" not found`."""
    for ref, items, match in _refused(s, _ACCOUNT):
        account = match["name"]
        yield Finding(
            fault="service_account_missing",
            object=ref,
            summary=f"{spoken(ref)} cannot create its pods: ServiceAccount {account} does not exist",
            cause=f"ServiceAccount {account} does not exist",
            facts=one_each([*event_facts(items), spec_fact(ref, serviceAccountName=account)]),
            since=first_seen(items),
            strength=3,
            related=(object_ref("ServiceAccount", s.namespace, account),),
        )


def check_pod_security_denied(s: Snapshot) -> Iterator[Finding]:
    """FailedCreate events: `violates PodSecurity`."""
    for ref, items, match in _refused(s, _POD_SECURITY):
        yield Finding(
            fault="pod_security_denied",
            object=ref,
            summary=f"{spoken(ref)} cannot create its pods: they violate PodSecurity {match['level']}",
            cause=f"pod security admission refuses {match['why'].strip()}",
            facts=one_each([*event_facts(items), *_enforced(s)]),
            since=first_seen(items),
            strength=3,
            related=(object_ref("Namespace", "", s.namespace),),
        )


def _enforced(s: Snapshot) -> list[Fact]:
    raw = raw_objects(s, "Namespace").get(s.namespace, {})
    labels = (raw.get("metadata") or {}).get("labels") or {}
    level = labels.get("pod-security.kubernetes.io/enforce")
    ref = object_ref("Namespace", "", s.namespace)
    return [spec_fact(ref, **{"pod-security.kubernetes.io/enforce": level})] if level else []


def check_webhook_unreachable(s: Snapshot) -> Iterator[Finding]:
    """FailedCreate events: `failed calling webhook`."""
    for ref, items, match in _refused(s, _WEBHOOK):
        configuration, hook = _configuration(s, match["name"])
        behind = _behind(s, hook)
        changed = _changed(s, behind, first_seen(items))
        yield Finding(
            fault="webhook_unreachable",
            object=configuration or ref,
            summary=f"{spoken(ref)} cannot create its pods: admission webhook {match['name']} does not answer",
            cause=f"webhook {match['name']} fails: {' '.join(match['why'].split())}",
            facts=one_each(
                [
                    *event_facts(items),
                    _hook_fact(configuration, hook) if configuration else None,
                    change_fact(changed) if changed else None,
                ]
            ),
            since=first_seen(items),
            strength=3,
            related=tuple(dict.fromkeys([ref, *behind])),
        )


def _configuration(s: Snapshot, name: str) -> tuple[str, Mapping[str, Any]]:
    """The configuration that registers a webhook, and the webhook in it."""
    df = s["objects"]
    for row in rows(df[df["kind"].isin(["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])]):
        for hook in (row["raw"] or {}).get("webhooks") or []:
            if hook.get("name") == name:
                return str(row["ref"]), hook
    return "", {}


def _behind(s: Snapshot, hook: Mapping[str, Any]) -> list[str]:
    """The Service that a webhook asks, and what stands behind it, where these are in sight."""
    asked = (hook.get("clientConfig") or {}).get("service") or {}
    service = net(s).services.get(asked.get("name", "")) if asked.get("namespace") == s.namespace else None
    return [service.ref, *(one.ref for one in service.workloads)] if service else []


def _changed(s: Snapshot, refs: list[str], failed: datetime | None) -> Row | None:
    """The last change of what a webhook asks before it failed, other than that it came: it had worked until then."""
    df = s["changes"]
    near = [
        row
        for row in rows(df[df["object"].isin(refs) & (df["field"] != "created")])
        if failed is None or row["time"] <= failed + CLOCKS
    ]
    return max(near, key=lambda row: row["time"], default=None)


def _hook_fact(ref: str, hook: Mapping[str, Any]) -> Fact:
    config = hook.get("clientConfig") or {}
    service = config.get("service") or {}
    where = "/".join(str(service[field]) for field in ("namespace", "name") if field in service)
    return spec_fact(ref, webhook=hook.get("name"), service=where or None, url=config.get("url"),
                     failurePolicy=hook.get("failurePolicy"))  # fmt: skip


def _refused(s: Snapshot, pattern: re.Pattern[str]) -> Iterator[tuple[str, list[Row], re.Match[str]]]:
    """Refusals that still hold, by workload, with what the pattern found in the latest of them."""
    heard = [event for event in events(s, *_REFUSED) if pattern.search(event["message"]) and _still_short(s, event)]
    for ref, items in grouped(heard).items():
        match = pattern.search(items[-1]["message"])
        if match:
            yield ref, items, match


def _still_short(s: Snapshot, event: Row) -> bool:
    """False when the controller that was refused has its pods by now, or wants none."""
    own = [row for row in of_namespace(s, "workloads") if row["ref"] == event["involved"]]
    status, spec = (own[0]["status"] or {}, own[0]["spec"] or {}) if own else ({}, {})
    if not own or "replicas" not in spec:
        return event["involved_kind"] not in ("ReplicaSet", "ReplicationController") or not own
    return int(status.get("replicas") or 0) < int(spec["replicas"] or 0)


def check_rbac_denied(s: Snapshot) -> Iterator[Finding]:
    """Log lines and events: `User "system:serviceaccount:..." cannot list resource ...` of the pod's own account."""
    accounts = {str(pod["object"]): pod["service_account"] or "default" for pod in live_pods(s)}
    for ref, items, match in _refused(s, _DENIED):
        yield _denied(s, ref, match, event_facts(items), first_seen(items), strength=3)
    for hit in hits(s, _DENIED, quiet=True):
        told = _DENIED.search(str(hit.lines[-1]["message"]))
        own = told and (told["namespace"], told["account"]) == (s.namespace, accounts.get(hit.object))
        if told and own and hit.ongoing and hit.lines[-1]["level"] not in ("info", "debug"):
            yield _denied(s, hit.object, told, hit.facts(), hit.first, strength=2, was_let=hit.risen)


def _denied(
    s: Snapshot, ref: str, match: re.Match[str], facts: Any, since: Any, *, strength: Any, was_let: bool = False
) -> Finding:
    group = f" in API group {match['group']}" if match["group"] else ""
    what = f"ServiceAccount {match['account']} may not {match['verb']} {match['resource']}{group}"
    unbound = [name for name, role in raw_objects(s, "Role").items() if _allows(role, match)]
    given = f"; Role {unbound[0]} does, and nothing binds it to that account" if unbound else ""
    given += ", though it was not refused before: the binding was taken away" if unbound and was_let else ""
    account = object_ref("ServiceAccount", match["namespace"], match["account"])
    unused = [object_ref("Role", s.namespace, name) for name in unbound[:1]]
    bound = [object_ref("Role", s.namespace, name) for name in _bound(s, match)]
    changes = s["changes"]
    edits = rows(changes[changes["object"].isin(bound) & (changes["field"] != "created")].sort_values("time"))
    edited = str(edits[-1]["object"]) if edits else ""
    given = f"; Role {edited.rpartition('/')[2]}, which is bound to it, was edited" if edited else given
    asked = f"{match['verb']} {match['resource']}"
    return Finding(
        fault="rbac_denied",
        object=edited or ref,
        summary=f"{spoken(ref)} is refused by the API server: {what}",
        cause=f"nothing that is bound to ServiceAccount {match['account']} allows it{given}",
        facts=one_each(
            [
                *facts,
                spec_fact(ref, serviceAccountName=match["account"]),
                *(spec_fact(role, allows=asked) for role in unused),
                *map(change_fact, edits[-1:]),
            ]
        ),  # fmt: skip
        since=since,
        strength=strength,
        related=(ref, account, *unused, *bound),
    )


def _bound(s: Snapshot, match: re.Match[str]) -> list[str]:
    """Names of the Roles that are bound to a ServiceAccount: what was refused one of them may have allowed before."""
    return [
        str((binding.get("roleRef") or {}).get("name"))
        for binding in raw_objects(s, "RoleBinding").values()
        if (binding.get("roleRef") or {}).get("kind") == "Role"
        and any(
            (subject.get("kind"), subject.get("name"), subject.get("namespace") or s.namespace)
            == ("ServiceAccount", match["account"], match["namespace"])
            for subject in binding.get("subjects") or ()
        )
    ]


def _allows(role: Mapping[str, Any], match: re.Match[str]) -> bool:
    """Whether a Role's rules let its subjects do what was refused."""
    wanted = {"verbs": match["verb"], "resources": match["resource"], "apiGroups": match["group"] or ""}
    return any(
        all({value, "*"} & set(rule.get(part) or ()) for part, value in wanted.items())
        for rule in role.get("rules") or ()
    )


CHECKS: tuple[Check, ...] = (
    check_service_account_missing,
    check_pod_security_denied,
    check_webhook_unreachable,
    check_rbac_denied,
)
