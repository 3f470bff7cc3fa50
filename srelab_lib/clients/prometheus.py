"""Prometheus' HTTP API: raw answers, bounded in time and size. A query that the server refuses is an ApiError."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.prometheus_answers import ShapeError, check_alerts, check_matrix, check_result, said
from srelab_lib.clients.transport import MIB, Params, Transport
from srelab_lib.errors import SourceError
from srelab_lib.model import TimeWindow
from srelab_lib.redact.urls import shown_url

ANSWER_BYTES = 8 * MIB


def _any_shape(_: dict[str, Any]) -> None:
    """For answers of which no field is relied on."""


class PrometheusClient:
    """One Prometheus, by its URL or through an API server's service proxy.

    Args:
        server: a URL, or `KubernetesClient.proxy(...)`.
    """

    def __init__(self, server: str | Transport) -> None:
        self._transport = (
            Transport(server, name=f"Prometheus {shown_url(server)}") if isinstance(server, str) else server
        )
        self._owned = isinstance(server, str)
        self.name = self._transport.name

    def close(self) -> None:
        """Close the connections that are its own; a proxied one's belong to the cluster's client."""
        if self._owned:
            self._transport.close()

    def query(self, expr: str, time: datetime, *, deadline: Deadline) -> dict[str, Any]:
        """An instant query: `{"resultType": ..., "result": [...]}`, as all answers here without the envelope.

        What the server says of the answer (that it is partial) is in `warnings`, where it says anything.

        Raises:
            SourceError: and its kinds; an answer of another shape than Prometheus' is one, as in all methods here.
        """
        return self._data("query", {"query": expr, "time": f"{time.timestamp():.3f}"}, deadline, check_result)

    def query_range(self, expr: str, window: TimeWindow, step_seconds: int, *, deadline: Deadline) -> dict[str, Any]:
        """A range query: a matrix with one sample at each step of the window, gaps left out."""
        params: Params = {
            "query": expr,
            "start": f"{window.start.timestamp():.3f}",
            "end": f"{window.end.timestamp():.3f}",
            "step": step_seconds,
        }
        return self._data("query_range", params, deadline, check_matrix)

    def alerts(self, *, deadline: Deadline) -> dict[str, Any]:
        """`{"alerts": [...]}`: pending and firing, now; Prometheus keeps no past ones here."""
        return self._data("alerts", None, deadline, check_alerts)

    def rules(self, *, deadline: Deadline) -> dict[str, Any]:
        """`{"groups": [...]}`: alerting and recording rules."""
        return self._data("rules", None, deadline)

    def buildinfo(self, *, deadline: Deadline) -> dict[str, Any]:
        """`{"version": ..., ...}`: also the cheapest question whether it answers at all."""
        return self._data("status/buildinfo", None, deadline)

    def _data(
        self, endpoint: str, params: Params, deadline: Deadline, check: Callable[[dict[str, Any]], None] = _any_shape
    ) -> dict[str, Any]:
        answer = self.envelope(endpoint, params, deadline=deadline)
        data = answer.get("data")
        if not isinstance(data, dict):
            raise self._strange(endpoint, "it has no data")
        try:
            check(data)
        except ShapeError as error:
            raise self._strange(endpoint, str(error)) from error
        return data | ({"warnings": warnings} if (warnings := said(answer)) else {})

    def envelope(self, endpoint: str, params: Params = None, *, deadline: Deadline) -> dict[str, Any]:
        """The whole answer below /api/v1/, with `status` and `warnings`: what a recording keeps."""
        answer = self._transport.json(f"/api/v1/{endpoint}", params, deadline=deadline, max_bytes=ANSWER_BYTES)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            error = answer.get("error") if isinstance(answer, dict) else None
            raise self._strange(endpoint, f"it is no success{f', {error}' if error else ''}"[:300])
        return answer

    def _strange(self, endpoint: str, reason: str) -> SourceError:
        return SourceError(
            f"the answer is not Prometheus': {reason}", source=f"{self.name} {endpoint}", hint="see prometheus_url"
        )
