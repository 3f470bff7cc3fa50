"""A recorded API server: lists and objects from the recorded lists, with selectors, pages and its own errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srelab_lib.sources.field_selectors import field_selector, selects_more_than
from srelab_lib.sources.incidents import Exchange, Incident
from srelab_lib.sources.label_selectors import SelectorError, label_selector
from srelab_lib.sources.replay_http import (
    JSON,
    Request,
    Response,
    json_response,
    no_such_resource,
    not_recorded,
    page_not_found,
    replayed,
    status,
    text_response,
)
from srelab_lib.sources.replay_logs import LogReplay
from srelab_lib.sources.replay_pages import BadRequestError, check_version, integer, page, start_key

_PREFIX = re.compile(r"/(?:api/(?P<core>[^/]+)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))(?P<rest>/.*)?")
_HEALTH = ("/healthz", "/livez", "/readyz")
_ROOTS = ("/", "/metrics", "/openapi/v2", "/openapi/v3", "/.well-known/openid-configuration", "/openid/v1/jwks")
"""What a real server answers outside of its APIs; other paths it does not know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    """What a path below /api or /apis means."""

    prefix: str
    group: str
    namespace: str | None
    resource: str
    name: str | None = None
    subresource: str | None = None

    @property
    def collection(self) -> str:
        scope = f"/namespaces/{self.namespace}" if self.namespace is not None else ""
        return f"{self.prefix}{scope}/{self.resource}"

    @property
    def everywhere(self) -> str:
        return f"{self.prefix}/{self.resource}"


class KubernetesReplay:
    """Answers requests to the API server of an incident."""

    def __init__(self, incident: Incident) -> None:
        self._lists: dict[str, list[Exchange]] = {}
        self._documents: dict[str, Exchange] = {}
        for exchange in incident.exchanges("kubernetes"):
            if _PREFIX.fullmatch(exchange.path) and _target(exchange.path) is not None:
                self._lists.setdefault(exchange.path, []).append(exchange)
            else:
                self._documents[exchange.path] = exchange
        self._logs = LogReplay(incident)

    def answer(self, request: Request) -> Response:
        """What the server would answer, or that it was not recorded."""
        path = request.path if request.path == "/" else request.path.rstrip("/")
        if request.method != "GET":
            message = "the server does not allow this method on the requested resource"
            return status(405, message, details={})
        if path == "/version" and path in self._documents:
            return text_response(json.dumps(self._documents[path].body, indent=2), content_type=JSON)
        if path in self._documents:
            return replayed(self._documents[path])
        if path in _HEALTH:
            return text_response("ok")
        target = _target(path)
        if target is None:
            return self._no_target(path)
        return self._unserved(target) or self._served(target, request.params)

    def service_exists(self, namespace: str, name: str) -> bool | None:
        """None where the Services of the namespace were not recorded."""
        found = self._recorded(_Target(prefix="/api/v1", group="", namespace=namespace, resource="services"), "")
        return None if found is None else any(item["metadata"]["name"] == name for item in _items(found))

    def _no_target(self, path: str) -> Response:
        match = _PREFIX.fullmatch(path)
        if path in _ROOTS or path in {"/api", "/apis", "/version"} or (match and not self._unknown_group(path)):
            return not_recorded(path)
        return page_not_found()

    def _unknown_group(self, path: str) -> bool:
        match = _PREFIX.fullmatch(path)
        groups = self._documents.get("/apis")
        if match is None or match["group"] is None or groups is None:
            return False
        return all(group["name"] != match["group"] for group in groups.body["groups"])

    def _unserved(self, target: _Target) -> Response | None:
        """The server's answer for a resource that it does not have; None when it has it, or when that is unknown."""
        if self._unknown_group(target.prefix + "/"):
            return page_not_found()
        discovery = self._documents.get(target.prefix)
        if discovery is None:
            groups = self._documents.get("/apis")
            served = groups is not None and f'"{target.prefix[6:]}"' in json.dumps(groups.body)
            return no_such_resource() if groups is not None and not served and target.prefix != "/api/v1" else None
        wanted = "/".join(filter(None, (target.resource, target.subresource)))
        namespaced = target.namespace is not None
        for resource in discovery.body["resources"]:
            if resource["name"] == wanted and (resource["namespaced"] == namespaced or not (namespaced or target.name)):
                return None
        return no_such_resource()

    def _served(self, target: _Target, params: Mapping[str, str]) -> Response:
        if target.name is None:
            return self._list(target, params)
        if target.subresource not in {None, "status", "log"}:
            return not_recorded(f"{target.collection}/{target.name}/{target.subresource}")
        found = self._recorded(target, "")
        if found is None:
            return not_recorded(_why(target))
        if found.status != 200:
            return not_recorded(f"{target.collection}/{target.name}: the list of them was refused")
        item = next((item for item in _items(found) if item["metadata"]["name"] == target.name), None)
        if target.subresource == "log":
            return self._logs.answer(target.namespace or "", target.name, item, params)
        if item is None:
            return _not_found(target)
        kind = found.body["kind"].removesuffix("List")
        return json_response({"kind": kind, "apiVersion": found.body["apiVersion"], **item})

    def _recorded(self, target: _Target, selector: str) -> Exchange | None:
        """The recorded list that holds everything that a field selector asks for."""
        for path in dict.fromkeys((target.collection, target.everywhere)):
            for exchange in self._lists.get(path, ()):
                if not selects_more_than(exchange.params.get("fieldSelector", ""), selector):
                    continue
                if path == target.collection or exchange.status != 200:
                    return exchange
                here = [item for item in _items(exchange) if item["metadata"].get("namespace") == target.namespace]
                return Exchange(path=path, body={**exchange.body, "items": here})
        return None

    def _list(self, target: _Target, params: Mapping[str, str]) -> Response:
        try:
            integer(params, "timeoutSeconds")
            limit = integer(params, "limit")
            labels = label_selector(params.get("labelSelector", ""))
            fields = field_selector(params.get("fieldSelector", ""), group=target.group, resource=target.resource)
            start = start_key(params.get("continue", ""))
        except (SelectorError, BadRequestError) as error:
            return status(400, str(error))
        if params.get("watch", "false") not in {"false", "0"}:
            return not_recorded(f"{target.collection}: a recording has nothing to watch")
        found = self._recorded(target, params.get("fieldSelector", ""))
        if found is None:
            return not_recorded(_why(target))
        if found.status != 200:
            return replayed(found)
        refused = check_version(params, found.body["metadata"].get("resourceVersion", ""))
        if refused:
            return refused
        items = [item for item in _items(found) if labels(item) and fields(item)]
        selected = bool(params.get("labelSelector") or params.get("fieldSelector", "").strip(","))
        return json_response(
            page(found.body, items, start=start, limit=limit, spans=target.namespace is None, counted=not selected)
        )


def _items(exchange: Exchange) -> list[dict[str, Any]]:
    return exchange.body.get("items") or [] if exchange.status == 200 else []


def _target(path: str) -> _Target | None:
    """`/apis/apps/v1/namespaces/default/deployments/web` in its parts; None for what is no resource's path."""
    match = _PREFIX.fullmatch(path)
    if match is None:
        return None
    parts = [part for part in (match["rest"] or "").split("/") if part]
    prefix = f"/api/{match['core']}" if match["core"] else f"/apis/{match['group']}/{match['version']}"
    namespace = None
    if len(parts) > 2 and parts[0] == "namespaces" and parts[2] not in {"status", "finalize"}:
        namespace, parts = parts[1], parts[2:]
    if not parts:
        return None
    return _Target(
        prefix=prefix,
        group=match["group"] or "",
        namespace=namespace,
        resource=parts[0],
        name=parts[1] if len(parts) > 1 else None,
        subresource="/".join(parts[2:]) or None,
    )


def _why(target: _Target) -> str:
    if target.resource == "secrets":
        return f"{target.collection}: the lab never reads a Secret"
    return f"{target.collection} is not in this recording"


def _not_found(target: _Target) -> Response:
    what = ".".join(filter(None, (target.resource, target.group)))
    details = {"name": target.name, **({"group": target.group} if target.group else {}), "kind": target.resource}
    return status(404, f'{what} "{target.name}" not found', details=details)
