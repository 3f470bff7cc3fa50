"""Secrets to stable placeholders, at one place: where raw bytes become text or JSON.

A secret is known by where it stands (the value of `DB_PASSWORD`, the data of a Secret, the password in a URL) or by its
shape (a private key, a JWT, a token with a vendor's prefix). Every search here is linear in the length of the text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from srelab_lib.secret_keys import is_secret_key, may_be_number

_PLACEHOLDER = re.compile(r"<secret:[0-9a-f]{4}>")
_DOMAIN = b"srelab redact 1\0"


def placeholder(secret: str) -> str:
    """`<secret:ab12>`: the same for the same secret, and too short to find the secret by trying."""
    return f"<secret:{hashlib.sha256(_DOMAIN + secret.encode(errors='surrogatepass')).hexdigest()[:4]}>"


def redact_text(text: str) -> str:
    """The text with every secret in it replaced. Redacting twice changes nothing more."""
    if not _HINT.search(text):
        return text
    if "PRIVATE KEY" in text:
        text = _private_keys(text)
    text = _SHAPES.sub(_shape, text)
    if "@" in text:
        text = _USERINFO.sub(_userinfo, text)
    if "Secret" in text:
        text = _secret_manifests(text)
    text = _PAIR.sub(_pair, text)
    text = _assignments(text)
    return _LOOSE.sub(_loose, text)


def redact_json(value: Any) -> Any:
    """The same value with every secret in it replaced; keys, order and types of everything else stay.

    JSON in a string (`last-applied-configuration`) is looked into, to any depth.
    """
    return _walk(value, inside=False)


# --- JSON -------------------------------------------------------------------------------------------------------------

# Fields of a reference to a Secret, or of a volume made from one.
_REFERENCE_FIELDS = frozenset(
    "name namespace secretName key keys path kind apiVersion apiGroup type optional items defaultMode mode uid "
    "resourceVersion audience username user host port url server".split()
)


def _walk(value: Any, *, inside: bool) -> Any:
    if isinstance(value, dict):
        return _object(value, inside=inside)
    if isinstance(value, list):
        return list(_items(value, inside=inside))
    if isinstance(value, str):
        return _secret(value) if inside else _string(value)
    return value


def _object(value: dict[str, Any], *, inside: bool) -> dict[str, Any]:
    held = value.keys() & {"data", "stringData"} if value.get("kind") == "Secret" else frozenset()
    pair = isinstance(value.get("name"), str) and is_secret_key(value["name"])
    return {
        key: _field(key, item, all_secret=key in held, inside=inside, named=pair and key == "value")
        for key, item in value.items()
    }


def _field(key: str, item: Any, *, all_secret: bool, inside: bool, named: bool) -> Any:
    if all_secret and isinstance(item, dict):
        return {name: _secret(str(text)) for name, text in item.items()}
    secret = named or is_secret_key(key)
    if isinstance(item, int | float) and not isinstance(item, bool):
        return _secret(str(item)) if secret and not _is_count(key, str(item)) else item
    if isinstance(item, str):
        if secret:
            return item if _is_reference(key, item) else _secret(item)
        return _string(item) if key in _REFERENCE_FIELDS else _walk(item, inside=inside)
    return _walk(item, inside=secret or (inside and key not in _REFERENCE_FIELDS))


def _items(values: list[Any], *, inside: bool) -> Iterator[Any]:
    option = False
    for value in values:
        yield _secret(value) if option and isinstance(value, str) else _walk(value, inside=inside)
        option = isinstance(value, str) and value.startswith("-") and "=" not in value and is_secret_key(value)


def _string(text: str) -> str:
    if len(text) < 4 or not _HINT.search(text):
        return text
    if text.lstrip()[:1] in {"{", "["}:
        try:
            value = json.loads(text)
            clean = _walk(value, inside=False)
        except (ValueError, RecursionError):
            return redact_text(text)
        return text if clean == value else _dump_like(text, value, clean)
    return redact_text(text)


def _dump_like(text: str, value: Any, clean: Any) -> str:
    """As JSON, compact when the original was, with its final newline."""
    ascii_only = text.isascii()
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only) == text.strip()
    separators = (",", ":") if compact else None
    return json.dumps(clean, separators=separators, ensure_ascii=ascii_only) + ("\n" if text.endswith("\n") else "")


def _secret(value: str) -> str:
    """The placeholder, unless the value cannot be a secret: empty, a literal, a reference to a variable."""
    return value if _NO_SECRET.fullmatch(value.strip()) else placeholder(value)


# --- what a value is --------------------------------------------------------------------------------------------------

_NO_SECRET = re.compile(
    r"(?i:|null|none|nil|true|false|yes|no|on|off|undefined|unset|empty|~|-+|\.{2,}|[*•x]{3,}|\[?(?:redacted|masked|hidden)\]?"
    r"|<(?:none|nil|unset|redacted|masked|hidden|set to [^>]*)>)|<secret:[0-9a-f]{4}>|\$\{[^}]*\}|\$\([^)]*\)"
    r"|\$[A-Z_][A-Z0-9_]*|\{\{[^}]*\}\}|%[sdvq]|%\(\w+\)s"
)
_COUNT = re.compile(r"\d{1,5}(?:\.\d{1,6})?(?:ms|s|m|h|d|%)?")
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


def _is_count(key: str, value: str) -> bool:
    return bool(_COUNT.fullmatch(value)) and may_be_number(key)


def _is_reference(key: str, value: str) -> bool:
    """`secret="default/db"` names a Secret; `PWD=/srv` is a folder."""
    name = key.lower()
    if name.endswith("secret") and _NAME.fullmatch(value):
        return True
    if name in {"pwd", "oldpwd"} and value.startswith("/"):
        return True
    return name == "auth" and not re.fullmatch(r"[A-Za-z0-9+/_=.-]{12,}", value)
