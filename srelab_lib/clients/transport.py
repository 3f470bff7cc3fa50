"""One HTTP server, spoken to with bounds on time and size. Here bytes become redacted text or JSON, and only here."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.http_errors import api_error, translated
from srelab_lib.errors import SourceError, TooLargeError
from srelab_lib.redact import redact_json, redact_text
from srelab_lib.redact.urls import shown_url

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
        base_url: of the server, with an optional path. A user with a password is sent as basic auth and a query with
            every request; neither is ever shown.
        pool: where connections come from (a cluster's with its certificates); a plain one when None.
        headers: called for each request: tokens expire and are renewed.
        name: what errors call the server; the URL as it is shown when empty.
        may_send: whether a request of this method and absolute path may be made at all; any when None.
    """

    def __init__(
        self,
        base_url: str,
        *,
        pool: urllib3.PoolManager | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
        name: str = "",
        may_send: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._server = urlsplit(base_url)
        self.base_url = shown_url(base_url)
        self.name = name or self.base_url
        self._basic = _basic_auth(self._server.netloc.rpartition("@")[0])
        self._headers = headers
        self._may_send = may_send
        self._pool = pool or urllib3.PoolManager(maxsize=POOL_SIZE)
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def under(self, path: str, *, name: str) -> Transport:
        """The same server and credentials, every path below `path`."""
        server = self._server._replace(path=self._server.path.rstrip("/") + path).geturl()
        return Transport(server, pool=self._pool, headers=self._headers, name=name, may_send=self._may_send)

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
            start = readable(body[:80])
            raise SourceError(
                f"the answer is not JSON: {start!r}", source=f"{self.name} {path}", hint="is it the right server?"
            ) from error

    def text(self, path: str, params: Params = None, *, deadline: Deadline, max_bytes: int) -> str:
        """GET as text, redacted, without terminal colours. Raises as `json` does."""
        return readable(self.read(path, params, deadline=deadline, max_bytes=max_bytes))

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
        """The body in pieces as they arrive. The deadline bounds all of it.

        `body` is sent as JSON; bytes, and an iterator of bytes for what does not fit into memory, as they are.

        Raises:
            ValueError: a request that this transport may not make.
            UnreachableError, DeadlineError, ApiError: as their names say.
            SourceError: the connection broke off in the middle.
        """
        source = f"{self.name} {path}"
        with translated(source, deadline):
            response = self._open(method, path, params, body, deadline)
            try:
                yield from _chunks(response, deadline, source)
            finally:
                # A connection with unread bytes cannot be used again; one that was read to its end is in the pool.
                response.close()
                response.release_conn()

    def _open(self, method: str, path: str, params: Params, body: Any, deadline: Deadline) -> BaseHTTPResponse:
        source = f"{self.name} {path}"
        if self._may_send and not self._may_send(method, self._server.path.rstrip("/") + path):
            raise ValueError(f"{method} {path}: this client only reads")
        headers = {"Accept": "application/json, */*", **self._basic, **self._headers()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        query = "&".join(filter(None, [self._server.query, urlencode(_spelled(params))]))
        url = self.base_url + path + ("?" + query if query else "")
        data = body if body is None or isinstance(body, bytes | Iterator) else json.dumps(body).encode()
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
            body_text = _error_body(response, deadline, source)
            raise api_error(response.status, response.reason or "", body_text, source)
        return response


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


def _error_body(response: BaseHTTPResponse, deadline: Deadline, source: str) -> str:
    body = bytearray()
    for chunk in _chunks(response, deadline, source):
        body += chunk
        if len(body) > ERROR_BODY_BYTES:
            break
    response.close()
    return readable(bytes(body))


def readable(body: bytes) -> str:
    """Bytes as text: without terminal colours, redacted; what is no UTF-8 becomes U+FFFD."""
    return redact_text(_ANSI.sub("", body.decode(errors="replace")))


def _basic_auth(credentials: str) -> dict[str, str]:
    """The header for `user:password` of a URL, which is percent-encoded there."""
    return {"Authorization": f"Basic {b64encode(unquote(credentials).encode()).decode()}"} if credentials else {}


def _spelled(params: Params) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in (params or {}).items()
    }
