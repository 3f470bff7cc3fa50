"""Field selectors as the API server reads them, with its own words for what it cannot read.

Which fields a kind can be selected by: the label conversions in pkg/apis/*/v1/conversion.go of Kubernetes 1.34.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from srelab_lib.sources.label_selectors import Match, SelectorError


def _at(*path: str) -> Callable[[Mapping[str, Any]], str]:
    """The field as the server compares it: text, `false` and empty where it is absent."""

    def read(item: Mapping[str, Any]) -> str:
        value: Any = item
        for name in path:
            value = (value or {}).get(name) if isinstance(value, Mapping) else None
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return read


def _flag(*path: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda item: _at(*path)(item) or "false"


def _source(item: Mapping[str, Any]) -> str:
    return _at("source", "component")(item) or _at("reportingComponent")(item)


Field = Callable[[Mapping[str, Any]], str]
_COMMON: dict[str, Field] = {
    "metadata.name": _at("metadata", "name"),
    "metadata.namespace": _at("metadata", "namespace"),
}
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT: dict[str, Field] = {
    "reason": _at("reason"),
    "reportingComponent": _source,
    "source": _source,
    "type": _at("type"),
}
_POD_FIELDS = ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName")
_FIELDS: dict[tuple[str, str], dict[str, Field]] = {
    ("", "pods"): {
        **{f"spec.{name}": _at("spec", name) for name in _POD_FIELDS},
        "spec.hostNetwork": _flag("spec", "hostNetwork"),
        **{f"status.{name}": _at("status", name) for name in ("phase", "podIP", "nominatedNodeName")},
        "status.podIPs": _at("status", "podIP"),
    },
    ("", "events"): {**{f"involvedObject.{name}": _at("involvedObject", name) for name in _INVOLVED}, **_EVENT},
    ("", "nodes"): {"spec.unschedulable": _flag("spec", "unschedulable")},
    ("", "namespaces"): {"status.phase": _at("status", "phase")},
    ("", "services"): {"spec.clusterIP": _at("spec", "clusterIP"), "spec.type": _at("spec", "type")},
    ("batch", "jobs"): {"status.successful": lambda item: _at("status", "succeeded")(item) or "0"},
}
# Kinds without conversions of their own: the server answers in other words for them.
_BUILT_IN = re.compile(r"|[a-z]+|(\w+\.)*k8s\.io")


def field_selector(text: str, *, group: str, resource: str) -> Match:
    """`type=Warning,involvedObject.name!=x` as a test of an object of that resource.

    Raises:
        SelectorError: the server would refuse it.
    """
    tests = []
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        split = re.match(r"((?:\\.|[^=!\\])*?)(!=|==|=)(.*)", term, re.DOTALL)
        if split is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        name, operator, raw = split.groups()
        value = _unescaped(raw)
        field = _field(name, group, resource)
        tests.append((field, value, operator != "!="))
    return lambda item: all((field(item) == value) is wanted for field, value, wanted in tests)


def _field(name: str, group: str, resource: str) -> Field:
    known = {**_COMMON, **_FIELDS.get((group, resource), {})}
    if name in known:
        return known[name]
    if (group, resource) == ("batch", "jobs"):
        raise SelectorError(f'field label "{name}" not supported for Job')
    if (group, resource) in _FIELDS or not _BUILT_IN.fullmatch(group):
        raise SelectorError(f"field label not supported: {name}")
    raise SelectorError(f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"')


def _unescaped(raw: str) -> str:
    for escape, plain in re.findall(r"(\\.?)|([=,])", raw):
        if plain:
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(plain)}")
        if escape not in {"\\\\", "\\,", "\\="}:
            raise SelectorError(f"invalid field selector: invalid escape sequence: {escape}")
    return re.sub(r"\\(.)", r"\1", raw)


def selects_more_than(recorded: str, asked: str) -> bool:
    """Whether everything that `asked` selects is among what `recorded` selects; both are field selectors."""
    return set(filter(None, recorded.split(","))) <= set(asked.split(","))
