"""Pages and versions of lists, as the API server cuts and checks them: `limit`, `continue`, `resourceVersion`.

Behaviour and messages: k8s.io/apiserver pkg/storage, and the answers of a 1.34 API server.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from srelab_lib.sources.replay_http import Response, invalid_field, status

_VERSION = "meta.k8s.io/v1"
_BAD_TOKEN = "invalid continue token: continue key is not valid: "  # noqa: S105


class BadRequestError(Exception):
    """A parameter that the server answers with 400; the message is the server's."""


def integer(params: Mapping[str, str], name: str) -> int:
    """A number among the parameters, 0 when it is absent.

    Raises:
        BadRequestError: it is there and no number.
    """
    text = params.get(name, "0")
    if not re.fullmatch(r"[+-]?\d+", text):
        raise BadRequestError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def page(
    body: Mapping[str, Any], items: Sequence[Mapping[str, Any]], *, start: str, limit: int, spans: bool, counted: bool
) -> dict[str, Any]:
    """A list of at most `limit` of the items, from the key `start` on.

    Args:
        body: the recorded list, for its kind and version.
        items: what the selectors selected.
        start: see `start_key`.
        limit: 0 or less is none.
        spans: whether the list is one over all namespaces.
        counted: whether the server knows how many items remain: only without selectors.
    """
    rest = [item for item in items if _key(item, spans) >= start]
    shown = rest[:limit] if limit > 0 else rest
    meta: dict[str, Any] = {"resourceVersion": body["metadata"].get("resourceVersion", "")}
    if len(shown) < len(rest):
        meta["continue"] = _token(meta["resourceVersion"], _key(shown[-1], spans))
        if counted:
            meta["remainingItemCount"] = len(rest) - len(shown)
    return {"kind": body["kind"], "apiVersion": body["apiVersion"], "metadata": meta, "items": list(shown)}


def _key(item: Mapping[str, Any], spans: bool) -> str:
    """The key below the collection: lists are in its order, and a page begins after one."""
    meta = item["metadata"]
    return f"/{meta['namespace']}/{meta['name']}" if spans and meta.get("namespace") else f"/{meta['name']}"


def _token(version: str, key: str) -> str:
    value = {"v": _VERSION, "rv": int(version or 0), "start": f"{key}\0"}
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def start_key(token: str) -> str:
    """The key from which a `continue` token goes on; "" is the beginning.

    Raises:
        BadRequestError: no token of this server.
    """
    if not token:
        return ""
    value = _decoded(token)
    if not isinstance(value, dict) or value.get("v") != _VERSION:
        version = value.get("v", "") if isinstance(value, dict) else ""
        raise BadRequestError(f"{_BAD_TOKEN}server does not recognize this encoded version {version}")
    for name, problem in (("rv", "incorrect encoded start resourceVersion"), ("start", "encoded start key empty")):
        if not value.get(name):
            raise BadRequestError(f"{_BAD_TOKEN}{problem} (version {_VERSION})")
    return str(value["start"])


def _decoded(token: str) -> Any:
    bad = re.search(r"[^A-Za-z0-9_-]", token)
    # What is left over of the last group of four is at fault when the length cannot be.
    at = bad.start() if bad else len(token) - 1
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)) if not bad else None
    except binascii.Error:
        raw = None
    if raw is None:
        raise BadRequestError(f"{_BAD_TOKEN}illegal base64 data at input byte {at}")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise BadRequestError(
            f"{_BAD_TOKEN}invalid character '{chr(raw[0])}' looking for beginning of value"
        ) from error


def check_version(params: Mapping[str, str], recorded: str) -> Response | None:
    """The server's refusal of a `resourceVersion` that cannot be; None when it is well."""
    asked = params.get("resourceVersion", "")
    if not asked:
        if not params.get("resourceVersionMatch"):
            return None
        message = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        where = "resourceVersionMatch"
        return invalid_field("ListOptions", "", "FieldValueForbidden", message, where, group="meta.k8s.io")
    if not asked.isdecimal():
        problem = f'strconv.ParseUint: parsing "{asked}": invalid syntax'
        return status(400, f'invalid resource version: resourceVersion: Invalid value: "{asked}": {problem}')
    if int(asked) <= int(recorded or 0):
        return None
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {recorded}"
    return status(504, message, details={"causes": [cause], "retryAfterSeconds": 1})
