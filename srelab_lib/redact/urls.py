"""A server's address as people may see it: who may use it is told in the same URL."""

from __future__ import annotations

import re

_URL = re.compile(r"(?P<scheme>[^:/?#]*://)?(?P<authority>[^/?#]*)(?P<path>[^?#]*)", re.DOTALL)


def shown_url(url: str) -> str:
    """Scheme, host, port and path: no user, no password, no query, no fragment."""
    match = _URL.match(url)
    if match is None:
        return ""
    return (match["scheme"] or "") + match["authority"].rpartition("@")[2] + match["path"].rstrip("/")
