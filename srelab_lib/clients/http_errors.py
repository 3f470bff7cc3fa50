"""What goes wrong on the way to an HTTP server, in the words of our errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from urllib3 import exceptions as http

from srelab_lib.clients.deadline import Deadline
from srelab_lib.errors import ApiError, SourceError, UnreachableError
from srelab_lib.redact import redact_text

_HINTS = {
    401: "the credentials are wrong or have expired: kubectl get namespaces",
    403: "the identity that is used may not read this: kubectl auth can-i --list",
    404: "look at the spelling, and whether the cluster serves this kind",
    429: "the server has too much to do: try again later",
    502: "the service behind the proxy does not answer",
    503: "the service has no ready pod behind it, or the server is starting",
    504: "the service behind the proxy does not answer in time",
}


@contextmanager
def translated(source: str, deadline: Deadline) -> Iterator[None]:
    """urllib3's errors as ours."""
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
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    text = str(error).rpartition(": ")[2] or type(error).__name__
    return redact_text(re.sub(r"\s+at 0x[0-9a-f]+", "", text))[:200]


def api_error(status: int, reason: str, body: str, source: str) -> ApiError:
    """The error for an answer of 300 and above; `body` is redacted text."""
    return ApiError(_error_message(body, reason), status=status, source=source, hint=_HINTS.get(status, ""), body=body)


def _error_message(body: str, reason: str) -> str:
    """The `message` of a Kubernetes Status, the `error` of Prometheus or Ollama, else the body's start."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        for field in ("message", "error"):
            if isinstance(value.get(field), str) and value[field]:
                return str(value[field])[:500]
    return body.strip()[:200] or reason or "the server gave an error"
