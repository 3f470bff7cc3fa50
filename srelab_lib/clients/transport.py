"""One HTTP server, spoken to with bounds on time and size. Bytes become text or JSON here, redacted, and nowhere else."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout, make_headers

from srelab_lib.clients.deadline import Deadline
from srelab_lib.errors import ApiError, SourceError, TooLargeError, UnreachableError
from srelab_lib.redact import redact_json, redact_text

MIB = 1024 * 1024
CHUNK_BYTES = 64 * 1024
ERROR_BODY_BYTES = 64 * 1024
CONNECT_SECONDS = 5.0
POOL_SIZE = 16
RETRY_SECONDS = 1.0

# ECMA-48 control sequences, and OSC strings (titles, links) up to their terminator.
_ANSI = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\n]{0,1024}(?:\x07|\x1b\\)|[@-Z\\^_])")

Params = Mapping[str, str | int | bool] | None
"""Query parameters; true and false are written as Kubernetes and Prometheus read them."""


@contextmanager
def _after(seconds: float, cut: Callable[[], object]) -> Iterator[None]:
    """Run `cut` from another thread unless the block ends first: what stops a read that single bytes keep alive."""
    timer = threading.Timer(max(seconds, 0.0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Bounded(HTTPConnection):
    """The whole status line and headers must arrive within the read timeout, not each of their bytes."""

    def getresponse(self) -> Any:
        sock, seconds = self.sock, self.timeout
        if sock is None or not isinstance(seconds, int | float):
            return super().getresponse()
        with _after(seconds, lambda: _shut(sock)):
            return super().getresponse()


class _BoundedTls(_Bounded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTls


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Transport:
    """Requests to one server under `base_url`.

    Args:
        base_url: scheme, host, port and an optional path; credentials in it are sent as basic auth, never shown.
        pool: where connections come from (a cluster's with its certificates); a plain one when None.
        headers: called for each request: tokens expire and are renewed.
        name: what errors call the server; the URL without credentials when empty.
    """

    def __init__(
        self,
        base_url: str,
        *,
        pool: urllib3.PoolManager | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
        name: str = "",
    ) -> None:
        parts = urlsplit(base_url)
        host = parts.netloc.rpartition("@")[2]
        self.base_url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self.name = name or self.base_url
        self._basic = make_headers(basic_auth=parts.netloc.rpartition("@")[0]) if "@" in parts.netloc else {}
        self._headers = headers
        self._pool = pool or urllib3.PoolManager(maxsize=POOL_SIZE)
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def under(self, path: str, *, name: str) -> Transport:
        """The same server and credentials, every path below `path`."""
        return Transport(self.base_url + path, pool=self._pool, headers=self._headers, name=name)

    def close(self) -> None:
        """Close the connections, also those of `under`."""
        self._pool.clear()

    def json(self, path: str, params: Params = None, *, deadline: Deadline, max_bytes: int) -> Any:
        """GET as JSON, redacted.

        Raises:
            UnreachableError, DeadlineError, TooLargeError, ApiError: as their names say.
            SourceError: the answer broke off, or is not JSON.
        """
        body = self.read(path, params, deadline=deadline, max_bytes=max_bytes)
        try:
            return redact_json(json.loads(body))
        except (ValueError, RecursionError) as error:
            start = redact_text(_text(body[:80]))
            raise SourceError(
                f"the answer is not JSON: {start!r}", source=f"{self.name} {path}", hint="is it the right server?"
            ) from error

    def text(self, path: str, params: Params = None, *, deadline: Deadline, max_bytes: int) -> str:
        """GET as text, redacted, without terminal colours. Raises as `json` does."""
        return redact_text(_text(self.read(path, params, deadline=deadline, max_bytes=max_bytes)))

    def read(self, path: str, params: Params = None, *, deadline: Deadline, max_bytes: int) -> bytes:
        """GET as the server gave it: not redacted, so for what goes no further than the caller."""
        body = bytearray()
        for chunk in self.stream("GET", path, params=params, deadline=deadline):
            body += chunk
            if len(body) > max_bytes:
                raise TooLargeError(
                    f"the answer is larger than {max_bytes // 1024} KiB",
                    source=f"{self.name} {path}",
                    hint="choose a shorter window or a smaller namespace",
                )
        return bytes(body)

    def stream(
        self, method: str, path: str, *, params: Params = None, body: Any = None, deadline: Deadline
    ) -> Iterator[bytes]:
        """The body in pieces as they arrive; `body` is sent as JSON. The deadline bounds all of it.

        Raises:
            UnreachableError, DeadlineError, ApiError: as their names say.
            SourceError: the connection broke off in the middle.
        """
        source = f"{self.name} {path}"
        with _translated(source, deadline):
            response = self._open(method, path, params, body, deadline)
            try:
                yield from _chunks(response, deadline, source)
            finally:
                # A connection with unread bytes cannot be used again; one that was read to its end is in the pool.
                response.close()
                response.release_conn()

    def _open(self, method: str, path: str, params: Params, body: Any, deadline: Deadline) -> BaseHTTPResponse:
        source = f"{self.name} {path}"
        headers = {"Accept": "application/json, */*", **self._basic, **self._headers()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = self.base_url + path + ("?" + urlencode(_spelled(params)) if params else "")
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(3):
            deadline.check(source)
            try:
                response = self._pool.urlopen(
                    method,
                    url,
                    body=data,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=Timeout(connect=min(CONNECT_SECONDS, deadline.remaining()), read=deadline.remaining()),
                )
            except urllib3.exceptions.ProtocolError:
                # A kept connection that the server had closed in the meantime.
                if method != "GET" or attempt or deadline.remaining() <= 0:
                    raise
                continue
            if response.status != 429 or attempt == 2:
                break
            response.close()
            time.sleep(min(RETRY_SECONDS, deadline.remaining()))
        if response.status >= 300:
            raise _api_error(response, deadline, source)
        return response


@contextmanager
def _translated(source: str, deadline: Deadline) -> Iterator[None]:
    """urllib3's errors as ours."""
    http = urllib3.exceptions
    try:
        yield
    except (http.NewConnectionError, http.ConnectTimeoutError, http.NameResolutionError, http.ProxyError) as error:
        hint = "is it running, and is the address right?"
        raise UnreachableError(f"nothing answers: {_reason(error)}", source=source, hint=hint) from error
    except http.SSLError as error:
        hint = "is the certificate of this server the one that the kubeconfig names?"
        raise UnreachableError(f"TLS failed: {_reason(error)}", source=source, hint=hint) from error
    except http.HTTPError as error:
        if isinstance(error, http.ReadTimeoutError) or deadline.remaining() <= 0:
            raise deadline.error(source) from error
        raise SourceError(f"the answer broke off: {_reason(error)}", source=source, hint="try again") from error
    except OSError as error:
        raise SourceError(f"the connection failed: {_reason(error)}", source=source, hint="try again") from error


def _reason(error: BaseException) -> str:
    """The innermost text of an error, without object addresses."""
    text = str(error).rpartition(": ")[2] or type(error).__name__
    return redact_text(re.sub(r"\s+at 0x[0-9a-f]+", "", text))[:200]


def _chunks(response: BaseHTTPResponse, deadline: Deadline, source: str) -> Iterator[bytes]:
    def cut() -> None:
        with suppress(OSError, RuntimeError, ValueError):
            response.shutdown()

    with _after(deadline.remaining(), cut):
        while chunk := response.read1(CHUNK_BYTES):
            yield chunk
            deadline.check(source)
    # A cut reads like the end of a body that has no length.
    deadline.check(source)


def _api_error(response: BaseHTTPResponse, deadline: Deadline, source: str) -> ApiError:
    body = bytearray()
    for chunk in _chunks(response, deadline, source):
        body += chunk
        if len(body) > ERROR_BODY_BYTES:
            break
    response.close()
    return ApiError(
        _error_message(redact_text(_text(bytes(body))), response.reason or ""),
        status=response.status,
        source=source,
        hint=_HINTS.get(response.status, ""),
    )


_HINTS = {
    401: "the credentials are wrong or have expired: kubectl get namespaces",
    403: "the identity that is used may not read this: kubectl auth can-i --list",
    404: "look at the spelling, and whether the cluster serves this kind",
    429: "the server has too much to do: try again later",
    502: "the service behind the proxy does not answer",
    503: "the service has no ready pod behind it, or the server is starting",
    504: "the service behind the proxy does not answer in time",
}


def _error_message(body: str, reason: str) -> str:
    """The `message` of a Kubernetes Status, the `error` of Prometheus or Ollama, else the body's start."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict):
        for field in ("message", "error"):
            if isinstance(value.get(field), str) and value[field]:
                return str(value[field])[:500]
    return body.strip()[:200] or reason or "the server gave an error"


def _text(body: bytes) -> str:
    return _ANSI.sub("", body.decode(errors="replace"))


def _spelled(params: Params) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in (params or {}).items()
    }
