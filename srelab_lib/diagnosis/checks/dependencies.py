"""Dependencies that are down or slow, hosts outside that do not answer, and failures that spread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from srelab_lib.diagnosis.checks._behind import began_again, changed_behind
from srelab_lib.diagnosis.checks._calls import Failure, Kind, all_failures, failures
from srelab_lib.diagnosis.checks._evident import evident
from srelab_lib.diagnosis.checks._facts import (
    Check,
    earliest,
    in_window,
    live_containers,
    log_fact,
    one_each,
    rows,
    spec_fact,
    status_fact,
)
from srelab_lib.diagnosis.checks._logs import ANYTHING, ERROR_LEVELS, hits
from srelab_lib.diagnosis.checks._services import Net, Service, Workload, calls_to, net
from srelab_lib.diagnosis.checks._symptoms import (
    FAILED_RATIO,
    FEW_ANSWERS,
    access_statuses,
    answers_are_fine,
    onsets_of,
    risen_signals,
    samples,
    symptoms,
    users_are_fine,
)
from srelab_lib.diagnosis.checks._ties import ties_of
from srelab_lib.diagnosis.checks.network_policy import blocked
from srelab_lib.diagnosis.checks.traffic import RETRY
from srelab_lib.diagnosis.ties import Refs
from srelab_lib.model import Fact, Finding, Snapshot, spoken

_SLOW_KINDS: tuple[Kind, ...] = ("timeout", "reset")

_CLIENT_GAVE_UP = 499
"""What nginx logs where the client did not wait for the answer."""
_AT_ONCE = timedelta(seconds=60)
"""Between a server's last words and the first call that fails."""
_LAST_LINES = 20
_MARGINAL_RATIO = 0.05
"""Below this share of its caller's errors a kind of failed call is not what it suffers from."""
SLOW_SECONDS = 0.5
"""A dependency that answers the slowest twentieth of its calls faster than this keeps nobody waiting."""


def check_dependency_down(s: Snapshot) -> Iterator[Finding]:
    """Endpoints of a Service that are not ready, and the failed calls of the workloads that use it."""
    view, failed = net(s), all_failures(s)
    for service in view.services.values():
        if not service.routed and not service.selector:
            continue
        calls = [call for call in calls_to(view, failed, service) if call.hits.ongoing]
        callers = {call.caller for call in calls} | {item.ref for item in view.callers(service)}
        callers -= {workload.ref for workload in service.workloads}
        unwell = [fact for ref in sorted(callers) for fact in symptoms(s, ref)]
        broken = _broken(s, service)
        ended = [] if broken else _shut_down(s, service, calls)
        broken = broken or ended
        if not broken or not (calls or unwell) or (not calls and not service.workloads):
            continue
        owner = service.workloads[0].ref if len(service.workloads) == 1 else service.ref
        told = [fact for call in calls[:3] for fact in call.hits.facts(2)] or unwell
        yield Finding(
            fault="dependency_down",
            object=owner,
            summary=f"{spoken(owner)} does not answer {', '.join(map(spoken, sorted(callers))) or 'its callers'}",
            cause=f"its program has shut down: {ended[-1].text}" if ended else _why_down(service, owner),
            facts=one_each([spec_fact(service.ref, ready_endpoints=service.ready), *broken[:3], *told]),
            since=earliest(*(began_again(call) for call in calls)) or _since(broken),
            related=tuple(dict.fromkeys([service.ref, *sorted(callers)])),
        )


def _why_down(service: Service, owner: str) -> str:
    """That no endpoint is ready, or what else is wrong where one is: its pods restart, or are not all ready."""
    if not service.ready:
        return f"{spoken(service.ref)} has 0 ready endpoints"
    return f"pods of {spoken(owner)} behind {spoken(service.ref)} restart or are not ready"


def _broken(s: Snapshot, service: Service) -> list[Fact]:
    """Why a Service cannot answer: no pods, pods that are not ready, pods that restart."""
    facts = [fact for workload in service.workloads for fact in _restarts(s, workload)]
    if service.ready:
        return facts
    facts += [status_fact(p, phase=p["phase"], ready=p["ready"]) for w in service.workloads for p in w.pods[:2]]
    facts += [spec_fact(w.ref, replicas=w.replicas, ready_replicas=w.ready) for w in service.workloads]
    return facts or [spec_fact(service.ref, pods_selected=0)]


def check_waits_below(s: Snapshot) -> Iterator[Finding]:
    """Pods that run and are no longer ready, since one whom they call was changed and lets them wait."""
    view = net(s)
    for service in view.services.values():
        if service.ready or len(service.workloads) != 1 or not _runs(s, service.workloads[0].ref):
            continue
        ref = service.workloads[0].ref
        own = [call for call in all_failures(s) if call.caller == ref and view.service(call.address)]
        began = earliest(*(began_again(call) for call in own))
        behind = changed_behind(s, view, ref, began) if began else None
        if not behind or not view.workloads[behind].ready:
            continue
        yield Finding(
            fault="slow_dependency",
            object=behind,
            summary=f"{spoken(behind)} lets {spoken(ref)} wait, which is no longer ready",
            cause=f"{spoken(behind)} was changed right before, and {spoken(ref)}, which calls it, was not",
            facts=one_each([*(fact for call in own[:3] for fact in call.hits.facts(2)), *_broken(s, service)]),
            since=began,
            related=(ref, service.ref),
        )


_SHUTS_DOWN = re.compile(
    r"\bshut(?:ting)?[ -]?down\b|\bterminating\b|\bexiting\b|\bbye[ -]?bye\b|"
    r"\bstopp(?:ing|ed) (?:the )?(?:server|listen\w*|accept\w*)|\bserver (?:has )?(?:stopped|closed|exited)",
    re.IGNORECASE,
)
"""What servers say when they end; a container may outlive its program, and be ready where no probe asks."""


def _shut_down(s: Snapshot, service: Service, calls: list[Failure]) -> list[Fact]:
    """The last words of a server whose log ends with them where its calls begin to fail."""
    own, first = {workload.ref for workload in service.workloads}, earliest(*(call.hits.first for call in calls))
    df = s["logs"]
    lines = list(rows(df[df["object"].isin(own)].tail(_LAST_LINES))) if own and first else []
    ends = [row for row in lines if _SHUTS_DOWN.search(row["message"]) and abs(row["time"] - first) <= _AT_ONCE]
    if not ends or lines[-1]["time"] - ends[-1]["time"] > _AT_ONCE:
        return []
    return [log_fact(row) for row in ends[-2:]]


def _runs(s: Snapshot, ref: str) -> bool:
    """True for a workload whose containers run, and were not started again in the window."""
    own = [row for row in live_containers(s, "app", "sidecar") if row["object"] == ref]
    return bool(own) and all(row["state"] == "running" and not in_window(s, row["last_finished_at"]) for row in own)


def _restarts(s: Snapshot, workload: Workload) -> list[Fact]:
    return [fact for fact in symptoms(s, workload.ref) if fact.kind == "status"]


def _since(facts: list[Fact]) -> datetime | None:
    return earliest(*(fact.time for fact in facts))


def check_slow_dependency(s: Snapshot) -> Iterator[Finding]:
    """Calls that time out though the called pods are ready, by log lines."""
    view = net(s)
    slow = _slow_calls(s, view)
    leaves = _leaves(slow, ties_of(s).calls)
    if len(leaves) > 1:
        return
    # Who waits for another one itself is not where the time goes.
    for ref in sorted(leaves or {target for _, _, target in slow}):
        calls = [call for call, _, target in slow if target == ref]
        services = [service.ref for _, service, target in slow if target == ref]
        callers = list(dict.fromkeys(call.caller for call in (*calls, *(call for call, _, _ in slow))))
        began = min(began_again(call) for call in calls)
        behind = changed_behind(s, view, ref, began)
        waits = f"; of those whom it calls {spoken(behind)} was changed right before" if behind else ""
        lost = not behind and all(
            _CONNECTING.search(str(line["message"])) for call in calls for line in call.hits.lines
        )
        where = "connections to it are lost on the way, or not taken" if lost else f"its pods are ready{waits}"
        yield Finding(
            fault="network_slow_or_lossy" if lost else "slow_dependency",
            object=behind or ref,
            summary=f"{spoken(behind)} lets {spoken(ref)} wait, and so {spoken(callers[0])}"
            if behind
            else f"{spoken(ref)} answers {spoken(callers[0])} too slowly",
            cause=f"calls to {spoken(services[0])} time out, and {where}",
            facts=one_each(
                [
                    *(f for call in calls for f in call.hits.facts()),
                    *symptoms(s, ref),
                    *(f for caller in callers for f in symptoms(s, caller)),
                ]
            ),  # fmt: skip
            since=began,
            related=tuple(dict.fromkeys([*services, *callers, *([ref] if behind else [])])),
        )


_CONNECTING = re.compile(
    r"failed: timeout expired|ConnectTimeout|dial tcp .{0,120}(?:i/o timeout|timed out)|connect(?:ion)? ETIMEDOUT"
    r"|timed out\) while connecting to upstream|failed to connect to \S+ port \d+ after",
    re.IGNORECASE,
)
"""Words for a time-out before anything was asked: the kernel of who is called takes connections, not its program."""


def check_dependency_latency(s: Snapshot) -> Iterator[Finding]:
    """The latency that a program measures at its dependencies, from the change point on."""
    view = net(s)
    for ref, workload in view.workloads.items():
        risen = [row for row in onsets_of(s, ref, "dependency_latency_p95_seconds") if row["after"] >= SLOW_SECONDS]
        if not risen or _users_feel_nothing(s, ref):
            continue
        asked = [x for item in view.references(workload) if (x := view.service(item.address))]
        named_in = [x for x in asked if any(x.name in str(row["series"]) for row in risen)] or asked
        owners = list(dict.fromkeys(item.ref for service in named_in for item in service.workloads))
        target = owners[0] if len(owners) == 1 else ref
        yield Finding(
            fault="slow_dependency",
            object=target,
            summary=f"a dependency of {spoken(ref)} answers slowly",
            cause=f"calls of {spoken(ref)} take {risen[0]['after']:.3g} s instead of {risen[0]['before']:.3g} s",
            facts=one_each([*risen_signals(s, ref, "dependency_latency_p95_seconds"), *symptoms(s, ref)]),
            since=risen[0]["time"],
            related=tuple(dict.fromkeys([ref, *owners, *(service.ref for service in named_in)])),
        )


def _users_feel_nothing(s: Snapshot, ref: str) -> bool:
    """True when a caller's own latency and errors are measured and did not rise: a few slow calls are no incident."""
    measured = not samples(s, ref, "latency_p95_seconds").empty
    return measured and not onsets_of(s, ref, "latency_p95_seconds", "error_ratio")


def _slow_calls(s: Snapshot, view: Net) -> list[tuple[Failure, Service, str]]:
    """Timed-out calls of Services whose pods are ready and may be reached, with the workload behind them."""
    found = []
    for service in view.services.values():
        if not service.ready or not service.workloads or _broken(s, service):
            continue
        if all(_is_quick(s, workload.ref) for workload in service.workloads):
            continue
        for call in calls_to(view, failures(s, *_SLOW_KINDS), service):
            named_or_only = call.address or len(view.references(view.workloads[call.caller])) == 1
            port = call.address.port if call.address else None
            offered = port in (None, *(item.get("port") for item in service.ports))
            own_doing = (
                call.caller in {workload.ref for workload in service.workloads}
                or _lost_patience(s, call)
                or _is_marginal(s, call)
                or _is_impatient(s, service, call)
            )
            if own_doing or not (named_or_only and offered) or (not call.address and _worker_is_down(s, view, service)):
                continue
            if evident(s, call.hits) and not blocked(s, view, call):
                found.append((call, service, service.workloads[0].ref))
    return found


def _is_quick(s: Snapshot, ref: str) -> bool:
    """True when a workload is well by its own meters or access log: a caller that gave up had its own reasons."""
    slowest, answers = samples(s, ref, "latency_p95_seconds"), access_statuses(s, ref)
    if not slowest.empty:
        return users_are_fine(s, ref) and bool(slowest["value"].max() < SLOW_SECONDS)
    left = answers == _CLIENT_GAVE_UP
    told = len(answers) >= FEW_ANSWERS and bool(left.any())  # Others log an answer that nobody waited for as well.
    return told and bool(((answers >= 500) | left).mean() < FAILED_RATIO)


def _is_impatient(s: Snapshot, service: Service, call: Failure) -> bool:
    """True for a caller that gives up on one who answers well: it always did, or it asks again and again at once."""
    retries = [line for line in call.hits.lines if RETRY.search(str(line["message"]))]
    always = not call.hits.risen and not symptoms(s, call.caller)
    own = always or 2 * len(retries) > len(call.hits.lines)
    return own and all(answers_are_fine(s, workload.ref) for workload in service.workloads)


def _is_marginal(s: Snapshot, call: Failure) -> bool:
    """True for calls that are next to nothing of what the caller complains of since then: the story is another one."""
    complaints = [line for hit in hits(s, ANYTHING) if hit.object == call.caller for line in hit.lines]
    since = [line for line in complaints if line["level"] in ERROR_LEVELS and line["time"] >= call.hits.first]
    return len(call.hits.lines) < _MARGINAL_RATIO * len(since)


def _worker_is_down(s: Snapshot, view: Net, service: Service) -> bool:
    """True when another one that uses the Service is down: who waits in vain may wait for its work, as of a queue."""
    own = {workload.ref for workload in service.workloads}
    return any(_restarts(s, one) for one in view.callers(service) if one.ref not in own)


def _lost_patience(s: Snapshot, call: Failure) -> bool:
    """True when the caller's own time-out was lowered before its calls timed out: who is called is no slower for it."""
    df = s["changes"]
    own = df[(df["object"] == call.caller) & df["field"].str.contains(r"time_?out|deadline", case=False)]
    spans = [(row["time"], _seconds(row["old"]), _seconds(row["new"])) for row in rows(own)]
    return any(old and new and new < old and time <= call.hits.first for time, old, new in spans)


def _seconds(text: str | None) -> float | None:
    """A time-out as settings have it: `2`, `0.5`, `500ms`, `2s`, `1m`; a bare number in whatever unit."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|s|m)?", text or "")
    return float(match[1]) * {"ms": 0.001, "m": 60.0}.get(match[2], 1.0) if match else None


def _leaves(slow: list[tuple[Failure, Service, str]], calls: Refs) -> set[str]:
    """Slow workloads that do not wait for another one themselves, as far as their logs or definitions tell."""
    callers, targets = {call.caller for call, _, _ in slow}, {target for _, _, target in slow}
    return {target for target in targets if target not in callers and not targets & calls.get(target, frozenset())}


def check_network_slow(s: Snapshot) -> Iterator[Finding]:
    """Calls that time out or are reset towards several Services at once, whose pods are all ready."""
    slow = _slow_calls(s, net(s))
    leaves = _leaves(slow, ties_of(s).calls)
    if len(leaves) < 2:
        return
    callers = sorted({call.caller for call, _, _ in slow})
    targets = ", ".join(spoken(ref) for ref in sorted(leaves))
    yield Finding(
        fault="network_slow_or_lossy",
        object=callers[0],
        summary=f"calls of {', '.join(map(spoken, callers))} to {targets} time out or are reset at the same time",
        cause="several Services with ready pods became slow together, which the network between them explains",
        facts=one_each(fact for call, _, _ in slow for fact in call.hits.facts(2)),
        since=min(call.hits.first for call, _, _ in slow),
        related=tuple(dict.fromkeys([*callers, *sorted(leaves), *(service.ref for _, service, _ in slow)])),
    )


def check_upstream_unreachable(s: Snapshot) -> Iterator[Finding]:
    """Failed calls of hosts that are outside the namespace."""
    view = net(s)
    for call in failures(s):
        outside = _outside(view, call)
        if not outside or len(call.hits.lines) < 2 or not evident(s, call.hits) or blocked(s, view, call):
            continue
        workload = view.workloads.get(call.caller)
        settings = [item for item in view.references(workload) if item.address.host == outside] if workload else []
        same = [one for one in failures(s) if one.caller == call.caller and _outside(view, one) == outside]
        yield Finding(
            fault="upstream_unreachable",
            object=call.caller,
            summary=f"{spoken(call.caller)} cannot reach {outside}, which is outside namespace {s.namespace}",
            cause=_WORDS[call.kind].format(host=outside),
            facts=one_each(
                [
                    *call.hits.facts(),
                    *(spec_fact(item.where, setting=item.text) for item in settings[:2]),
                    *symptoms(s, call.caller),
                ]
            ),  # fmt: skip
            since=min(one.hits.first for one in same if one.hits.ongoing or one.hits.risen),
            related=tuple(item.where for item in settings if item.where != call.caller),
        )


_WORDS = {"no_such_name": "the name {host} does not resolve", "no_dns_answer": "the name {host} does not resolve",
          "refused": "{host} refuses connections", "timeout": "{host} does not answer: calls time out",
          "reset": "{host} resets connections", "unreachable": "there is no route to {host}"}  # fmt: skip


def _outside(view: Net, call: Failure) -> str | None:
    """The host outside that a failed call meant; an unknown name of another namespace is a missing Service."""
    workload = view.workloads.get(call.caller)
    settings = [item.address for item in view.references(workload)] if workload else []
    address = call.address or (settings[0] if len({item.host for item in settings}) == 1 else None)
    meaning = view.meaning(address) if address else "missing"
    unknown_elsewhere = meaning == "elsewhere" and call.kind == "no_such_name"
    return address.host if address and meaning in ("external", "elsewhere") and not unknown_elsewhere else None


def check_cascade(s: Snapshot) -> Iterator[Finding]:
    """Failed calls in a chain: a workload that cannot reach one, which itself cannot reach another."""
    view = net(s)
    edges: dict[tuple[str, str], Failure] = {}
    for call in failures(s):
        service = view.service(call.address)
        for target in service.workloads if service and call.hits.ongoing and evident(s, call.hits) else ():
            edges.setdefault((call.caller, target.ref), call)
    for (caller, middle), call in sorted(edges.items()):
        for (other, root), cause in sorted(edges.items()):
            if other == middle and root not in (caller, middle) and not any(start == root for start, _ in edges):
                yield Finding(
                    fault="cascade",
                    object=root,
                    summary=f"a failure of {spoken(root)} spread to {spoken(middle)} and {spoken(caller)}",
                    cause=f"{spoken(middle)} depends on {spoken(root)}, and {spoken(caller)} on {spoken(middle)}",
                    facts=one_each([*cause.hits.facts(2), *call.hits.facts(2)]),
                    since=cause.hits.first,
                    strength=1,
                    related=(middle, caller),
                )


CHECKS: tuple[Check, ...] = (
    check_dependency_down,
    check_waits_below,
    check_slow_dependency,
    check_dependency_latency,
    check_network_slow,
    check_upstream_unreachable,
    check_cascade,
)
