"""Recorded container logs, answered as API server and kubelet answer: containers, tails, bounds, times.

The recording holds each log with timestamps; a request is answered from that text. Messages: pkg/registry/core/pod and
pkg/kubelet of Kubernetes 1.34, and its answers.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from srelab_lib.sources.incidents import Exchange, Incident
from srelab_lib.sources.replay_http import (
    LOG,
    Response,
    invalid_field,
    not_recorded,
    replayed,
    status,
    text_response,
)

# RFC 3339 with exactly nine digits of a second, as the kubelet writes it.
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_GROUPS = ("initContainers", "containers", "ephemeralContainers")


class LogReplay:
    """Answers `GET .../pods/NAME/log` of an incident."""

    def __init__(self, incident: Incident) -> None:
        self._end = incident.window.end
        self._logs: dict[tuple[str, str, bool], Exchange] = {
            (item.path, item.params["container"], item.params.get("previous") == "true"): item
            for item in incident.exchanges("logs")
        }

    def answer(self, namespace: str, name: str, pod: Mapping[str, Any] | None, params: Mapping[str, str]) -> Response:
        """`pod` is None where it was not among the recorded pods of a recorded namespace."""
        refused = _refused(name, params)
        if refused:
            return refused
        if pod is None:
            return status(404, f'pods "{name}" not found', details={"name": name, "kind": "pods"})
        container = _container(name, pod, params.get("container", ""))
        if isinstance(container, Response):
            return container
        if not pod["spec"].get("nodeName"):
            return Response(status=204, content_type="", body=b"")
        if _true(params, "follow"):
            return not_recorded("a log that grows")
        return self._log(f"/api/v1/namespaces/{namespace}/pods/{name}/log", container, pod, params)

    def _log(self, path: str, container: str, pod: Mapping[str, Any], params: Mapping[str, str]) -> Response:
        previous = _true(params, "previous")
        found = self._logs.get((path, container, previous))
        if found is None:
            if previous and not _has_previous(pod, container):
                name = pod["metadata"]["name"]
                return status(400, f'previous terminated container "{container}" in pod "{name}" not found')
            return not_recorded(f"{path} of container {container}{', previous' if previous else ''}")
        if found.status != 200:
            return replayed(found)
        text = _selected(found.body, self._since(params), params.get("tailLines"), stamps=_true(params, "timestamps"))
        limit = params.get("limitBytes")
        body = text.encode(errors="replace")
        if limit is None:
            return text_response(text, content_type=LOG)
        return Response(status=200, content_type=LOG, body=body[: int(limit)])

    def _since(self, params: Mapping[str, str]) -> tuple[datetime, int] | None:
        """The moment and its nanoseconds; `sinceSeconds` counts back from the end of the incident, its now."""
        if "sinceSeconds" in params:
            return self._end - timedelta(seconds=int(params["sinceSeconds"])), 0
        return _time(params["sinceTime"]) if params.get("sinceTime") else None


def _selected(text: str, since: tuple[datetime, int] | None, tail: str | None, *, stamps: bool) -> str:
    """The tail is counted first and the time looked at then, as the kubelet does."""
    # Only a line feed ends a line; a progress bar's carriage returns are in it.
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    if tail is not None:
        lines = lines[-int(tail) :] if int(tail) else []
    if since is not None:
        lines = [line for line in lines if (_time(line) or since) >= since]
    if not stamps:
        lines = [_STAMP.sub("", line, count=1) if _STAMP.match(line) else line for line in lines]
    return "".join(lines)


def _time(text: str) -> tuple[datetime, int] | None:
    match = _STAMP.match(text)
    if match is None:
        return None
    moment = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")).astimezone(UTC)
    return moment, int((match[2] or "0").ljust(9, "0"))


def _true(params: Mapping[str, str], name: str) -> bool:
    """Kubernetes' query booleans: anything but an absent value, `false` and `0`."""
    return name in params and params[name].lower() not in {"false", "0"}


def _refused(name: str, params: Mapping[str, str]) -> Response | None:
    """What the server answers before it looks at the pod."""
    for key in ("sinceSeconds", "tailLines", "limitBytes"):
        if key in params and not re.fullmatch(r"[+-]?\d+", params[key]):
            return status(400, f'strconv.ParseInt: parsing "{params[key]}": invalid syntax')
    since = params.get("sinceTime")
    if since and (problem := _time_problem(since)):
        return status(400, f'parsing time "{since}"{problem}')
    for key, least, rule in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
    ):
        if key in params and int(params[key]) < least:
            return _invalid(name, "FieldValueInvalid", f"Invalid value: {int(params[key])}: {rule}", key)
    if since and "sinceSeconds" in params:
        message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        return _invalid(name, "FieldValueForbidden", message, "[]")
    if "sinceSeconds" in params and int(params["sinceSeconds"]) < 1:
        message = f"Invalid value: {int(params['sinceSeconds'])}: must be greater than 0"
        return _invalid(name, "FieldValueInvalid", message, "sinceSeconds")
    return None


def _time_problem(text: str) -> str:
    """What Go's time.Parse says, for the mistakes that people make."""
    layout = ' as "2006-01-02T15:04:05Z07:00": cannot parse '
    match = _STAMP.fullmatch(text)
    if match is None:
        zoneless = _STAMP.fullmatch(text + "Z")
        return f'{layout}"" as "Z07:00"' if zoneless else f'{layout}"{text}" as "2006"'
    year, month, day, hour, minute, second = map(int, re.findall(r"\d+", match[1]))
    if not 1 <= month <= 12:
        return ": month out of range"
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return ": day out of range"
    for name, value, bound in (("hour", hour, 24), ("minute", minute, 60), ("second", second, 60)):
        if value >= bound:
            return f": {name} out of range"
    return ""


def _invalid(name: str, problem: str, message: str, where: str) -> Response:
    return invalid_field("PodLogOptions", name, problem, message, where)


def _container(name: str, pod: Mapping[str, Any], asked: str) -> str | Response:
    groups = {group: [str(item["name"]) for item in pod["spec"].get(group) or []] for group in _GROUPS}
    everything = [container for names in groups.values() for container in names]
    if asked:
        return asked if asked in everything else status(400, f"container {asked} is not valid for pod {name}")
    if len(groups["containers"]) == 1:
        return groups["containers"][0]
    default = (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER, "")
    if default in everything:
        return str(default)
    choice = "[" + " ".join(everything) + "]"
    return status(400, f"a container name must be specified for pod {name}, choose one of: {choice}")


def _has_previous(pod: Mapping[str, Any], container: str) -> bool:
    """Whether the kubelet knows an earlier container: only then must the recording hold its log."""
    states = [
        item
        for group in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        for item in (pod.get("status") or {}).get(group) or []
    ]
    return any(item["name"] == container and (item.get("lastState") or {}).get("terminated") for item in states)
