"""What a replayed request and its answer are, and JSON and errors spelled as Go servers spell them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srelab_lib.sources.incidents import Exchange

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"
LOG = "text/plain"
NOT_RECORDED = "NotRecorded"

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request: the decoded path without query, and the parameters of query and form."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """One answer; a content type of "" sends none."""

    status: int
    content_type: str
    body: bytes


def json_response(value: Any, *, status: int = 200, end: str = "\n") -> Response:
    """JSON byte for byte as Go's encoder writes it: compact, `<`, `>` and `&` escaped; `end` follows it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for plain, escaped in (
        ("&", "\\u0026"),
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(plain, escaped)
    return Response(status=status, content_type=JSON, body=(text + end).encode(errors="replace"))


def text_response(text: str, *, status: int = 200, content_type: str = PLAIN) -> Response:
    """Text as it is."""
    return Response(status=status, content_type=content_type, body=text.encode(errors="replace"))


def replayed(exchange: Exchange, *, end: str = "\n") -> Response:
    """A recorded answer as it was."""
    if isinstance(exchange.body, str):
        return text_response(exchange.body, status=exchange.status)
    return json_response(exchange.body, status=exchange.status, end=end)


def page_not_found() -> Response:
    """What Go's ServeMux answers for a path that nothing is registered for."""
    return text_response("404 page not found\n", status=404)


def status_body(
    code: int, message: str, *, reason: str | None = None, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A Kubernetes Status as the API server writes it."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": _REASONS.get(code, "") if reason is None else reason,
    }
    if details is not None:
        body["details"] = dict(details)
    return {**body, "code": code}


def status(code: int, message: str, *, reason: str | None = None, details: Mapping[str, Any] | None = None) -> Response:
    """An error as the API server answers it."""
    return json_response(status_body(code, message, reason=reason, details=details), status=code)


def invalid_field(kind: str, name: str, problem: str, message: str, where: str, *, group: str = "") -> Response:
    """422 for one field that has a value which it cannot have."""
    named = {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}
    details = {**named, "causes": [{"reason": problem, "message": message, "field": where}]}
    what = f"{kind}.{group}" if group else kind
    return status(422, f'{what} "{name}" is invalid: {where}: {message}', details=details)


def no_such_resource() -> Response:
    """The API group exists, the resource in it does not."""
    return status(404, "the server could not find the requested resource", details={})


def not_recorded(what: str) -> Response:
    """No real server says this: the recording cannot answer, and an empty answer would be a lie."""
    return status(501, f"not recorded: {what}", reason=NOT_RECORDED)
