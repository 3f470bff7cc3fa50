"""Whether log lines tell of a fault that is there now, by the log itself, by what servers state, or by who calls."""

from __future__ import annotations

from srelab_lib.diagnosis.checks._calls import all_failures
from srelab_lib.diagnosis.checks._logs import Hits
from srelab_lib.diagnosis.checks._services import net
from srelab_lib.diagnosis.checks._symptoms import (
    access_statuses,
    answers_are_fine,
    samples,
    symptoms,
    users_are_fine,
)
from srelab_lib.model import Fact, Snapshot

_FEW = 3
"""So many failed calls may have any reason."""


def evident(s: Snapshot, hit: Hits) -> bool:
    """True when the lines tell of a fault that is there now, and not of noise that was always there, or is over."""
    refused = failed_calls(s, hit.object)
    # What a program counts of itself leaves out the requests in which it died.
    fine = callers_are_fine(s, hit.object) or (users_are_fine(s, hit.object) and not refused)
    if not hit.ongoing or fine:
        return False
    still = s.window.end - hit.last <= hit.patience
    began = hit.risen or hit.dominant or refused
    return bool(still and began) or bool(symptoms(s, hit.object))


def callers_are_fine(s: Snapshot, ref: str) -> bool:
    """True when those who call a workload log or measure their own answers, and all are well; it shows no symptom."""
    view = net(s)
    own = [service for service in view.services.values() if any(item.ref == ref for item in service.workloads)]
    callers = {caller.ref for service in own for caller in view.callers(service)} - {ref}
    logged = [caller for caller in callers if not access_statuses(s, caller).empty]
    measured = [caller for caller in callers if not samples(s, caller, "error_ratio").empty]
    well = bool(logged or measured) and all(
        [*(answers_are_fine(s, caller) for caller in logged), *(users_are_fine(s, caller) for caller in measured)]
    )
    return well and not failed_calls(s, ref) and not symptoms(s, ref)


def failed_calls(s: Snapshot, ref: str) -> list[Fact]:
    """What others log of their calls of a workload, where these began to fail while watched and still do."""
    view = net(s)
    own = {service.ref for service in view.services.values() if any(item.ref == ref for item in service.workloads)}
    found: list[Fact] = []
    for call in all_failures(s):
        service = view.service(call.address)
        if service and service.ref in own and call.caller != ref:
            lasting = call.hits.risen and call.hits.ongoing and len(call.hits.lines) > _FEW
            found += call.hits.facts(2) if lasting else []
    return found
