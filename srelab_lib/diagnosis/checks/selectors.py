"""Selectors of Services: of one that matches no pod, and of one that matches the pods of somebody else."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from srelab_lib.diagnosis.checks._calls import all_failures
from srelab_lib.diagnosis.checks._facts import Check, Row, change_fact, earliest, one_each, spec_fact
from srelab_lib.diagnosis.checks._services import Net, Service, Workload, calls_to, in_ingress, net, selects
from srelab_lib.diagnosis.checks._symptoms import symptoms
from srelab_lib.diagnosis.checks.changes_made import felt_by_others
from srelab_lib.diagnosis.checks.ports import call_facts, changes_of, edited
from srelab_lib.model import Finding, Snapshot, split_ref, spoken

_NEAR = 0.6


def check_selector_mismatch(s: Snapshot) -> Iterator[Finding]:
    """Service.spec.selector against the labels of pods and pod templates."""
    view, failed = net(s), all_failures(s)
    for service in view.services.values():
        near = _near(view, service) if service.routed and not service.workloads and not service.ready else None
        if near is None:
            continue
        calls = [call for call in calls_to(view, failed, service) if call.hits.ongoing]
        wrong = {key: value for key, value in service.selector.items() if near.labels.get(key) != value}
        has = {key: near.labels.get(key) for key in wrong}
        callers = [workload.ref for workload in view.callers(service)]
        unwell = [fact for ref in callers for fact in symptoms(s, ref)]
        yield Finding(
            fault="service_selector_mismatch",
            object=service.ref,
            summary=f"{spoken(service.ref)} has no endpoints: its selector matches no pod",
            cause=f"it selects {_pairs(wrong)}, and the pods of {spoken(near.ref)} have {_pairs(has)}",
            facts=one_each(
                [
                    spec_fact(service.ref, selector=_pairs(service.selector), ready_endpoints=0),
                    spec_fact(near.ref, labels=_pairs(near.labels)),
                    *call_facts(calls),
                    *unwell,
                ]
            ),  # fmt: skip
            since=earliest(*(call.hits.first for call in calls), *edited(s, service.ref)),
            strength=3 if calls or unwell or changes_of(s, service.ref, near.ref) or in_ingress(s, service) else 2,
            related=tuple(dict.fromkeys([near.ref, *callers, *(call.caller for call in calls)])),
        )


def _near(view: Net, service: Service) -> Workload | None:
    """The workload that the selector was meant for: most pairs in common, then the most alike name."""
    selector = service.selector
    served = {workload.ref for other in view.services.values() for workload in other.workloads}
    scored = []
    for workload in view.workloads.values():
        shared = sum(workload.labels.get(key) == value for key, value in selector.items())
        alike = difflib.SequenceMatcher(None, service.name, split_ref(workload.ref)[2]).ratio()
        values = [
            difflib.SequenceMatcher(None, str(workload.labels.get(k, "")), v).ratio() for k, v in selector.items()
        ]
        if alike == 1 or (
            workload.ref not in served and (max(values) >= _NEAR or shared) and (alike >= _NEAR or shared)
        ):
            scored.append((shared, alike, max(values), workload.ref, workload))
    return max(scored, key=lambda item: item[:4], default=(None,) * 5)[4]


def _pairs(labels: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" if value is not None else f"no label {key}" for key, value in labels.items())


def check_selects_others(s: Snapshot) -> Iterator[Finding]:
    """Edits of Service.spec.selector, or of labels, since which pods of another workload answer the callers."""
    view = net(s)
    for service in view.services.values():
        meant = _meant(s, view, service)
        others = [workload for workload in service.workloads if workload is not meant]
        edit = _brought_in(s, service, others) if meant and service.routed else None
        if meant is None or edit is None:
            continue
        felt = felt_by_others(s, {workload.ref for workload in others}, edit["time"])
        if not felt:
            continue
        wrong, selector = ", ".join(spoken(one.ref) for one in others), _pairs(service.selector)
        kept = selects(service.selector, meant.labels)
        has = {key: meant.labels.get(key) for key, value in service.selector.items() if meant.labels.get(key) != value}
        yield Finding(
            fault="service_selector_mismatch",
            object=service.ref,
            summary=f"{spoken(service.ref)} sends calls that are for {spoken(meant.ref)} to the pods of {wrong}",
            cause=f"it selects {selector}, which those pods have"
            + (", too" if kept else f"; the pods of {spoken(meant.ref)} have {_pairs(has)}"),
            facts=one_each(
                [
                    change_fact(edit),
                    spec_fact(service.ref, selector=selector, ready_endpoints=service.ready),
                    *(spec_fact(one.ref, labels=_pairs(one.labels)) for one in (meant, *others)),
                    *(fact for hit in felt for fact in hit.facts(2)),
                    *(fact for hit in felt for fact in symptoms(s, hit.object)),
                ]
            ),
            since=min(hit.first for hit in felt),
            strength=3,
            related=tuple(dict.fromkeys([meant.ref, *(one.ref for one in others), *(hit.object for hit in felt)])),
        )


def _meant(s: Snapshot, view: Net, service: Service) -> Workload | None:
    """The workload that the Service is there for: it has its name, or the labels that it selected before an edit."""
    old = {
        row["field"].rpartition("[")[2].rstrip("]"): row["old"]
        for row in changes_of(s, service.ref)
        if row["field"].startswith("spec.selector[") and row["old"]
    }
    named = [one for one in view.workloads.values() if split_ref(one.ref)[2] == service.name]
    before = [one for one in view.workloads.values() if old and selects(old, one.labels)]
    return next(iter(named or before), None)


def _brought_in(s: Snapshot, service: Service, others: list[Workload]) -> Row | None:
    """The edit of the selector, or of labels of the others, that made them the Service's."""
    labels = {f"labels[{key}]" for key in service.selector}
    edits = [row for row in changes_of(s, service.ref) if row["field"].startswith("spec.selector")]
    edits += [row for row in changes_of(s, *(one.ref for one in others)) if row["field"] in labels]
    return max(edits, key=lambda row: (row["time"], row["old"] is not None), default=None) if others else None


CHECKS: tuple[Check, ...] = (check_selector_mismatch, check_selects_others)
