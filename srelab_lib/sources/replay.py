"""A recorded incident as a server: the parts of the Kubernetes and Prometheus APIs that the lab reads, on 127.0.0.1.

Read only, in process, and faithful: selectors, pages, logs and errors are those of the real servers, so the same
clients run against a recording. What was not recorded is an error (501, reason NotRecorded), never an empty success.
Prometheus is at `url + "/prometheus"`, and at the path of the API server's service proxy that the recording names.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from srelab_lib.sources.incidents import Incident, list_incidents, load_incident
from srelab_lib.sources.replay_http import Request, Response, not_recorded, status
from srelab_lib.sources.replay_kubernetes import KubernetesReplay
from srelab_lib.sources.replay_prometheus import PrometheusReplay

__all__ = ["Incident", "Replay", "ReplayServer", "list_incidents", "load_incident"]

FORM_BYTES = 1024 * 1024
POLL_SECONDS = 0.05
"""How long it takes at most to notice that it is to end."""

_PROXY = re.compile(r"/api/v1/namespaces/([^/]+)/services/([^/]+)/proxy(/.*)?")


class Replay:
    """Answers requests from an incident: a pure function of the recording, without a socket."""

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        self._kubernetes = KubernetesReplay(incident)
        self._prometheus = PrometheusReplay(incident)

    def answer(self, request: Request) -> Response:
        """What the server at that path would answer."""
        if request.path == "/prometheus" or request.path.startswith("/prometheus/"):
            return self._prometheus.answer(_below(request, request.path.removeprefix("/prometheus")))
        proxied = _PROXY.fullmatch(request.path)
        if proxied is None:
            return self._kubernetes.answer(request)
        namespace, service, path = proxied.groups(default="/")
        if (namespace, *service.removeprefix("http:").split(":")) == self._incident.prometheus:
            return self._prometheus.answer(_below(request, path))
        name = re.sub(r"^https?:", "", service).partition(":")[0]
        if self._kubernetes.service_exists(namespace, name) is False:
            return status(404, f'services "{name}" not found', details={"name": name, "kind": "services"})
        return not_recorded(f"what Service {namespace}/{service} answers")


def _below(request: Request, path: str) -> Request:
    return Request(method=request.method, path=path or "/", params=request.params)


class ReplayServer:
    """A context manager that serves an incident on a free port of 127.0.0.1.

    Args:
        folder: the incident's folder.

    Raises:
        RecordingError: see `load_incident`.
    """

    def __init__(self, folder: Path) -> None:
        self.incident = load_incident(folder)

    @property
    def url(self) -> str:
        """The API server's URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def prometheus_url(self) -> str:
        """Prometheus' URL, without the detour of the service proxy."""
        return f"{self.url}/prometheus"

    def __enter__(self) -> ReplayServer:
        self._server = _Server(Replay(self.incident))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Remembers its connections: kept-alive ones would hold their threads until the client goes away."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle of an answer is not our error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # One segment for head and body: two would wait for each other's acknowledgement, 40 ms a request.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        form = self._form()
        params: dict[str, str] = {}
        for name, value in [*parse_qsl(parts.query, keep_blank_values=True), *form]:
            params.setdefault(name, value)
        request = Request(method=self.command, path=unquote(parts.path), params=params)
        response = self.server.replay.answer(request)
        self.send_response(response.status)
        if response.content_type:
            self.send_header("Content-Type", response.content_type)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def _form(self) -> list[tuple[str, str]]:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, FORM_BYTES))
        if length > FORM_BYTES:
            self.close_connection = True
        if "x-www-form-urlencoded" not in self.headers.get("Content-Type", ""):
            return []
        return parse_qsl(body.decode(errors="replace"), keep_blank_values=True)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """A server inside a notebook says nothing on stderr."""
