"""Reads every list of RESOURCES, several at a time. A kind that cannot be read is named, and stops nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import PAGE_ITEMS, KubernetesClient, Listing
from srelab_lib.errors import ApiError, SourceError, UnreachableError
from srelab_lib.model import Missing
from srelab_lib.sources.own_job import is_own
from srelab_lib.sources.resources import NODE_EVENTS_NAMESPACE, RESOURCES, Resource

Raw = dict[str, Any]
RawByKind = dict[str, list[Raw]]
Answer = Listing | SourceError

WORKERS = 12
LIST_SECONDS = 30.0
NEIGHBOUR_SECONDS = 5.0

# What makes a namespace more than an empty one. Every namespace has a ServiceAccount and a ConfigMap by itself.
_CONTENT = (
    "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Service", "Ingress",
    "PersistentVolumeClaim",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Objects:
    """Raw objects by kind, in the order of RESOURCES, and the lists that failed or were cut."""

    by_kind: RawByKind
    missing: tuple[Missing, ...] = ()


def read_objects(kubernetes: KubernetesClient, namespace: str, *, progress: Callable[[str], None]) -> Objects:
    """All lists for one namespace and for what has none.

    Raises:
        SourceError: the namespace does not exist or holds nothing (the hint names others), or the server gives
            nothing at all.
    """
    _check_namespace(kubernetes, namespace)
    resources = [item for item in RESOURCES if not (item.params and namespace == NODE_EVENTS_NAMESPACE)]
    deadline = Deadline(LIST_SECONDS)
    answers = _answers(kubernetes, [item for item in resources if not item.of], namespace, deadline)
    _check_any([answer for _, answer in answers])
    there = {kind for kind, items in _by_kind(answers, namespace).items() if items}
    answers += _answers(kubernetes, [item for item in resources if item.of & there], namespace, deadline)
    by_kind = _by_kind(answers, namespace)
    for kind in ("Pod", "Event", "Node"):
        if kind in by_kind:
            progress(f"{kind.lower()}s: {len(by_kind[kind])}")
    _check_content(kubernetes, namespace, by_kind)
    missing = [item for resource, answer in answers if (item := _missing(resource, answer)) is not None]
    return Objects(by_kind=by_kind, missing=tuple(missing))


def _answers(
    kubernetes: KubernetesClient, resources: Sequence[Resource], namespace: str, deadline: Deadline
) -> list[tuple[Resource, Answer]]:
    with ThreadPoolExecutor(WORKERS) as pool:
        answers = pool.map(lambda item: _read(kubernetes, item, namespace, deadline), resources)
        return list(zip(resources, answers, strict=True))


def _by_kind(answers: Sequence[tuple[Resource, Answer]], namespace: str) -> RawByKind:
    by_kind: RawByKind = {}
    for resource, answer in answers:
        if isinstance(answer, Listing):
            kept = [item for item in answer.items if _belongs(resource.kind, item, namespace)]
            by_kind[resource.kind] = by_kind.get(resource.kind, []) + kept
    return by_kind


def _read(kubernetes: KubernetesClient, resource: Resource, namespace: str, deadline: Deadline) -> Answer:
    try:
        return kubernetes.read_list(resource.path_in(namespace), resource.params, deadline=deadline)
    except ApiError as error:
        return _narrower(kubernetes, resource, deadline, error) if error.status == 403 and resource.home else error
    except SourceError as error:
        return error


def _narrower(kubernetes: KubernetesClient, resource: Resource, deadline: Deadline, refused: ApiError) -> Answer:
    """The list of the kind's usual namespace, for who may not read all of them.

    A server refuses before it looks whether it serves the kind at all, so that is asked first.
    """
    group, _, plural = resource.path.rpartition("/")
    try:
        kubernetes.get(group, deadline=deadline)
        return kubernetes.read_list(f"{group}/namespaces/{resource.home}/{plural}", resource.params, deadline=deadline)
    except ApiError as error:
        return error if error.status == 404 else refused
    except SourceError:
        return refused


def _missing(resource: Resource, answer: Answer) -> Missing | None:
    if isinstance(answer, Listing):
        cut = f"cut after the first {len(answer.items)}" if answer.cut else ""
        nameless = f"without {answer.nameless} of its items, which have no name" if answer.nameless else ""
        reason = ", ".join(filter(None, [cut, nameless]))
    elif isinstance(answer, ApiError) and answer.status == 404:
        reason = ""  # the server does not serve this kind, so there are none of it
    else:
        reason = answer.message
    if not reason:
        return None
    return Missing(source=resource.source, reason=reason, matters=resource.matters, deciding=resource.deciding)


def _belongs(kind: str, item: Raw, namespace: str) -> bool:
    if kind == "Application":
        return _deploys_to(item, namespace)
    if kind == "Namespace":
        return bool(_name(item) == namespace)
    return not is_own(kind, item)


def _deploys_to(application: Raw, namespace: str) -> bool:
    """An Argo CD Application that lies in the namespace, is meant for it, or has objects in it."""
    destination = (application.get("spec") or {}).get("destination") or {}
    resources = (application.get("status") or {}).get("resources") or []
    places = {application["metadata"].get("namespace"), destination.get("namespace")}
    return namespace in places | {resource.get("namespace") for resource in resources}


# --- what a person got wrong ------------------------------------------------------------------------------------------


def _check_any(answers: Sequence[Answer]) -> None:
    """A server that answers nothing, or to which we are nobody, is an error and no degraded report."""
    errors = [answer for answer in answers if isinstance(answer, SourceError)]
    if len(errors) == len(answers):
        first = errors[0]
        if not isinstance(first, ApiError) or first.status == 401:
            raise first


def _check_namespace(kubernetes: KubernetesClient, namespace: str) -> None:
    try:
        kubernetes.get(f"/api/v1/namespaces/{namespace}", deadline=Deadline(LIST_SECONDS))
    except UnreachableError:
        raise
    except ApiError as error:
        if error.status != 404:
            return  # a ServiceAccount that may not see namespaces may still read what is in one
        message = f"there is no namespace {namespace!r}"
        raise SourceError(message, source=kubernetes.name, hint=_others(kubernetes, namespace)) from error
    except SourceError:
        return


def _check_content(kubernetes: KubernetesClient, namespace: str, by_kind: RawByKind) -> None:
    if any(kind not in by_kind for kind in _CONTENT):
        return
    if any(not _is_api_server(item) for kind in _CONTENT for item in by_kind[kind]):
        return
    message = f"there is nothing in namespace {namespace!r}: no workload, pod, Service or volume claim"
    raise SourceError(message, source=kubernetes.name, hint=_others(kubernetes, namespace))


def _is_api_server(item: Raw) -> bool:
    """Service default/kubernetes is in every cluster."""
    meta = item.get("metadata") or {}
    return (item.get("kind"), meta.get("namespace"), meta.get("name")) == ("Service", "default", "kubernetes")


def _others(kubernetes: KubernetesClient, namespace: str) -> str:
    """Namespaces of a similar name, then those that have pods."""
    deadline = Deadline(NEIGHBOUR_SECONDS)
    names = [_name(item) for item in _quietly(kubernetes, "/api/v1/namespaces", deadline)]
    near = difflib.get_close_matches(namespace, [name for name in names if name != namespace], n=3)
    if near:
        return f"did you mean {', '.join(near)}?"
    pods = _quietly(kubernetes, "/api/v1/pods", deadline)
    busy = sorted({str((pod.get("metadata") or {}).get("namespace")) for pod in pods})
    shown = [name for name in busy or names if not name.startswith("kube-") and name != namespace][:8]
    return f"there are pods in {', '.join(shown)}" if shown else "kubectl get pods --all-namespaces"


def _quietly(kubernetes: KubernetesClient, path: str, deadline: Deadline) -> list[Raw]:
    """For a hint only: what cannot be read is left out of it."""
    try:
        return kubernetes.read_list(path, deadline=deadline, limit=PAGE_ITEMS, max_pages=1).items
    except SourceError:
        return []


def _name(item: Raw) -> str:
    return str((item.get("metadata") or {}).get("name", ""))
