"""How the workloads of a namespace hang together: what each reads, whom it calls, with whom it shares."""

from __future__ import annotations

from collections.abc import Mapping

from srelab_lib.diagnosis.checks._calls import all_failures
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._secrets import secrets_of
from srelab_lib.diagnosis.checks._services import Net, Workload, net, tasks
from srelab_lib.diagnosis.ties import Ties
from srelab_lib.model import Snapshot, object_ref


def settings_read(s: Snapshot) -> dict[str, frozenset[str]]:
    """The ConfigMaps that each workload reads."""
    view = net(s)
    return {
        ref: frozenset(object_ref("ConfigMap", s.namespace, name) for name, _, _ in view.configured(workload))
        for ref, workload in view.workloads.items()
    }


@once
def ties_of(s: Snapshot) -> Ties:
    """How the workloads of the namespace hang together, by what their definitions name, and their failed calls."""
    view, direct = net(s), calls_of(s)
    jobs = {job.ref: _called(view, job) | _shared(view, job, direct) for job in tasks(s)}
    return Ties(
        reads=settings_read(s),
        calls={ref: frozenset(_reached(ref, direct) - {ref}) for ref in direct},
        shares={ref: frozenset(one for one in direct if one != ref and direct[one] & direct[ref]) for ref in direct},
        tasks={ref: frozenset(job for job in jobs if jobs[job] & direct[ref]) for ref in direct},
    )


@once
def calls_of(s: Snapshot) -> dict[str, set[str]]:
    """Whom each workload calls itself: by its definition, and by its log where that names who did not answer."""
    view = net(s)
    direct = {ref: _called(view, one) - {ref} for ref, one in view.workloads.items()}
    for call in all_failures(s):
        service = view.service(call.address)
        if call.caller in direct and service:
            direct[call.caller] |= {one.ref for one in service.workloads} - {call.caller}
    return direct


def _called(view: Net, workload: Workload) -> set[str]:
    """The workloads behind the Services that one calls."""
    return {one.ref for service in view.called(workload) for one in service.workloads}


def _shared(view: Net, job: Workload, direct: Mapping[str, set[str]]) -> set[str]:
    """Servers that call nobody and have a Secret that a Job has, too: it works on them."""
    secrets = {name for name, _ in secrets_of(job)}
    leaves = [one for one in view.workloads.values() if not direct[one.ref]]
    return {one.ref for one in leaves if secrets & {name for name, _ in secrets_of(one)}}


def _reached(ref: str, direct: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [ref]
    while waiting:
        fresh = direct.get(waiting.pop(), set()) - seen
        seen |= fresh
        waiting += fresh
    return seen
