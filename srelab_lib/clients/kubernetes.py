"""A Kubernetes API server, read only by construction: raw JSON and logs, bounded in time, size and number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies

from kubernetes import client as kube_client
from kubernetes import config as kube_config

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubeconfig import contexts, default_kubeconfig, unknown_context
from srelab_lib.clients.transport import MIB, POOL_SIZE, Params, Transport, readable
from srelab_lib.errors import ApiError, SourceError, TooLargeError, UnreachableError
from srelab_lib.redact import redact_text
from srelab_lib.settings import IN_CLUSTER

GET_BYTES = 16 * MIB
LOG_BYTES = MIB
PAGE_ITEMS = 500
MAX_PAGES = 20
THIS_MACHINE = "localhost,127.0.0.0/8,::1"

# What may be sent other than a GET: a question to a model through the service proxy. It changes nothing in the cluster.
_ASKS = re.compile(r"/api/v1/namespaces/[^/]+/services/[^/]+/proxy/api/(?:chat|show)")


def _reads_only(method: str, path: str) -> bool:
    return method == "GET" or (method == "POST" and _ASKS.fullmatch(path) is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """A container's log; `cut` is true when the server stopped at the bound on bytes."""

    text: str
    cut: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """The items of a list; `cut` is true when there are more than the bound on pages allows.

    `nameless` counts what was left out: items that are no object with a name.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    cut: bool = False
    nameless: int = 0


class KubernetesClient:
    """Reads from one API server. Nothing here can create, change or delete an object."""

    def __init__(self, transport: Transport, *, name: str) -> None:
        self.name = name
        self._transport = transport

    @classmethod
    def from_context(cls, context: str | None = None, *, kubeconfig: str | None = None) -> KubernetesClient:
        """The cluster of a kubeconfig's context, the current one when None or empty.

        Raises:
            SettingsError: no such context; the hint names near ones.
            UnreachableError: no usable kubeconfig.
        """
        path = kubeconfig or default_kubeconfig()
        known, current = contexts(kubeconfig=path)
        name = context or current
        if not name or name not in known:
            raise unknown_context(name, known)
        configuration = kube_client.Configuration()
        try:
            kube_config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=path, context=name, client_configuration=configuration, persist_config=False
            )
        except (kube_config.ConfigException, OSError, KeyError, TypeError, ValueError) as error:
            raise UnreachableError(
                f"context {name!r} of the kubeconfig cannot be used: {redact_text(str(error))[:300]}",
                source="kubeconfig",
                hint=f"kubectl --context {name} get namespaces",
            ) from error
        if configuration.proxy in getproxies().values():
            # As kubectl does: what the environment names is not asked for this machine itself; a proxy-url is.
            configuration.no_proxy = f"{configuration.no_proxy or ''},{THIS_MACHINE}"
        return cls._of(kube_client.ApiClient(configuration), name)

    @classmethod
    def in_cluster(cls) -> KubernetesClient:
        """The cluster around this pod, as its ServiceAccount.

        Raises:
            UnreachableError: not in a pod, or a pod without a token.
        """
        configuration = kube_client.Configuration()
        try:
            kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (kube_config.ConfigException, OSError) as error:
            raise UnreachableError(
                f"no credentials of a pod: {error}", source=IN_CLUSTER, hint="is automountServiceAccountToken false?"
            ) from error
        return cls._of(kube_client.ApiClient(configuration), IN_CLUSTER)

    @classmethod
    def from_url(cls, url: str, *, name: str = "") -> KubernetesClient:
        """A server that asks for no credentials: a recording's."""
        transport = Transport(url, name=name, may_send=_reads_only)
        return cls(transport, name=transport.name)

    @classmethod
    def _of(cls, api: kube_client.ApiClient, name: str) -> KubernetesClient:
        manager = api.rest_client.pool_manager
        manager.connection_pool_kw["maxsize"] = POOL_SIZE

        def credentials() -> Mapping[str, str]:
            headers: dict[str, str] = {}
            api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
            return headers

        transport = Transport(
            api.configuration.host, pool=manager, headers=credentials, name=name, may_send=_reads_only
        )
        return cls(transport, name=name)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def get(self, path: str, params: Params = None, *, deadline: Deadline, max_bytes: int = GET_BYTES) -> Any:
        """One object or list as the server gave it, redacted.

        Raises:
            SourceError: and its kinds, ApiError with `status` among them.
        """
        return self._transport.json(path, params, deadline=deadline, max_bytes=max_bytes)

    def list(
        self, path: str, params: Params = None, *, deadline: Deadline, limit: int = PAGE_ITEMS
    ) -> list[dict[str, Any]]:
        """All items of a list.

        Raises:
            TooLargeError: more than MAX_PAGES pages; `read_list` gives what fits.
            SourceError: and its kinds; an item that is no object with a name is one.
        """
        listing = self.read_list(path, params, deadline=deadline, limit=limit)
        if listing.cut:
            raise TooLargeError(f"more than {MAX_PAGES * limit} items", source=f"{self.name} {path}")
        if listing.nameless:
            raise _no_list(f"{self.name} {path}")
        return listing.items

    def read_list(
        self,
        path: str,
        params: Params = None,
        *,
        deadline: Deadline,
        limit: int = PAGE_ITEMS,
        max_pages: int = MAX_PAGES,
    ) -> Listing:
        """The items of a list, page by page; a `continue` that expired begins again, once.

        An item of a list has no `kind`; it gets the list's, with its apiVersion, as a single GET would give it.
        """
        try:
            return self._pages(path, dict(params or {}), deadline, limit, max_pages)
        except ApiError as error:
            if error.status != 410:
                raise
        return self._pages(path, dict(params or {}), deadline, limit, max_pages)

    def _pages(self, path: str, params: dict[str, Any], deadline: Deadline, limit: int, max_pages: int) -> Listing:
        items: list[dict[str, Any]] = []
        nameless = 0
        for _ in range(max_pages):
            page = self.get(path, {**params, "limit": limit}, deadline=deadline)
            found = _items(page, f"{self.name} {path}")
            named = [item for item in found if _has_name(item)]
            items += _with_kind(page, named)
            nameless += len(found) - len(named)
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return Listing(items=items, nameless=nameless)
            params["continue"] = token
        return Listing(items=items, cut=True, nameless=nameless)

    def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        deadline: Deadline,
        previous: bool = False,
        tail_lines: int | None = None,
        limit_bytes: int = LOG_BYTES,
        since_time: datetime | None = None,
        since_seconds: int | None = None,
        timestamps: bool = True,
    ) -> str:
        """The text of `read_log`."""
        params = {"tailLines": tail_lines, "sinceSeconds": since_seconds, "timestamps": timestamps}
        return self.read_log(
            namespace,
            pod,
            container,
            deadline=deadline,
            previous=previous,
            since_time=since_time,
            limit_bytes=limit_bytes,
            params={name: value for name, value in params.items() if value is not None},
        ).text

    def read_log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        deadline: Deadline,
        previous: bool = False,
        since_time: datetime | None = None,
        limit_bytes: int = LOG_BYTES,
        params: Params = None,
    ) -> Log:
        """A container's log, redacted, without terminal colours; what is no UTF-8 becomes U+FFFD.

        The server counts `limit_bytes` from the first line that it sends: where `tailLines` binds too, the newest
        lines are what is lost.

        Raises:
            SourceError: and its kinds; 400 when the container has not started, or has no previous one.
        """
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        asked: dict[str, str | int | bool] = {"container": container, "limitBytes": limit_bytes, **(params or {})}
        asked.setdefault("timestamps", True)
        if previous:
            asked["previous"] = True
        if since_time is not None:
            asked["sinceTime"] = f"{since_time:%Y-%m-%dT%H:%M:%SZ}"
        body = self._transport.read(path, asked, deadline=deadline, max_bytes=limit_bytes + MIB)
        return Log(text=readable(body), cut=len(body) >= limit_bytes)

    def proxy_url(self, namespace: str, service: str, port: int | str) -> str:
        """The path of the service proxy, without a slash at its end."""
        return f"/api/v1/namespaces/{quote(namespace)}/services/{quote(service)}:{port}/proxy"

    def proxy(self, namespace: str, service: str, port: int | str) -> Transport:
        """A Service's HTTP server through the API server, with the cluster's credentials; for GETs."""
        name = f"{self.name} Service/{namespace}/{service}:{port}"
        return self._transport.under(self.proxy_url(namespace, service, port), name=name)

    def stream(self, method: str, path: str, body: Any = None, *, deadline: Deadline) -> Iterator[bytes]:
        """Raw bytes as they arrive: a GET, or the POST of a question to Ollama through the service proxy.

        Raises:
            ValueError: any other request; the client stays read only.
            SourceError: and its kinds.
        """
        return self._transport.stream(method, path, body=body, deadline=deadline)


def _items(page: Any, source: str) -> list[Any]:
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        # A server writes an empty list of some kinds as null.
        if isinstance(page, dict) and "items" in page and page["items"] is None:
            return []
        raise _no_list(source)
    return list(page["items"])


def _no_list(source: str) -> SourceError:
    return SourceError("the answer is not a Kubernetes list", source=source, hint="is it an API server?")


def _has_name(item: Any) -> bool:
    meta = item.get("metadata") if isinstance(item, dict) else None
    return isinstance(meta, dict) and isinstance(meta.get("name"), str) and bool(meta["name"])


def _with_kind(page: dict[str, Any], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    common = {"apiVersion": page.get("apiVersion"), "kind": str(page.get("kind", "")).removesuffix("List")}
    return [{**common, **item} for item in items]
