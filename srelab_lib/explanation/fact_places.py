"""Where a fact stands in the course of a failure, by its kind and by the reason that a server gives."""

from __future__ import annotations

import re

from srelab_lib.explanation.concept import (
    CHANGED,
    DECLARED,
    ENDED,
    FAILED,
    FELT,
    PROBED,
    REPEATED,
    REPORTED,
    SHORT,
    UNREADY,
)
from srelab_lib.explanation.passages import Held, workload_of
from srelab_lib.explanation.polarity import is_adverse

_BY_KIND = {"change": CHANGED, "spec": DECLARED, "log": FAILED, "alert": REPORTED}
_BY_REASON = (
    (re.compile(r"reason=BackOff|CrashLoopBackOff"), REPEATED),
    (re.compile(r"reason=(?:Killing|Evicted|Preempted|OOMKilling)"), ENDED),
    (re.compile(r"reason=Unhealthy"), PROBED),
    (re.compile(r"exit_code|terminated_reason|last_reason"), ENDED),
    (re.compile(r"ErrImage|ImagePull|CreateContainer|PodScheduled|ReplicaFailure|FailedCreate"), FAILED),
    (re.compile(r"Pressure|NodeNotReady|NodeStatusUnknown"), SHORT),
    (re.compile(r"BackoffLimitExceeded|ProgressDeadlineExceeded|condition=Failed"), REPORTED),
    (re.compile(r"ready(?:Replicas)?=|availableReplicas="), UNREADY),
)
_ENDPOINTS = re.compile(r"^ready_endpoints=\S+$")
"""What a Service has come to, though it is told with what is declared of it."""
_CALLED = re.compile(r"dependency|upstream", re.IGNORECASE)
_USED = re.compile(r"memory|cpu|disk|volume|filesystem|throttl", re.IGNORECASE)


def place_of(fact: Held) -> int:
    """The place of a fact; that of a failed operation where nothing says more."""
    kind, text = fact.item.kind, fact.item.text
    if kind == "log" and not is_adverse(fact.item_spread):
        return DECLARED  # what a program says that it does
    if kind == "spec" and _ENDPOINTS.search(text):
        return UNREADY
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    if kind == "metric":
        return SHORT if _USED.search(text) else FAILED if _CALLED.search(text) else FELT
    return next((place for pattern, place in _BY_REASON if pattern.search(text)), FAILED)


def workload(fact: Held) -> str:
    """The name of the workload that a fact is of."""
    return workload_of(fact.item.object)
