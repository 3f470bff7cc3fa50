"""Secrets to stable placeholders, at one place: where raw bytes become text or JSON.

A secret is known by where it stands (the value of `DB_PASSWORD`, the data of a Secret) or by its shape (a private key,
a JWT, the password in a URL). Every search is linear in the length of the text, also where that was made to be slow.
"""

from __future__ import annotations

import json
from typing import Any

from srelab_lib.redact.commands import conceal_words
from srelab_lib.redact.manifests import conceal_manifests
from srelab_lib.redact.places import conceal_places
from srelab_lib.redact.private_keys import conceal_private_keys
from srelab_lib.redact.shapes import conceal_shapes
from srelab_lib.redact.words import conceal, is_count, is_reference, is_secret_key, words_of


def redact_text(text: str) -> str:
    """The text with every secret in it replaced. Redacting twice changes nothing more."""
    return conceal_places(conceal_manifests(conceal_shapes(text)))


def redact_json(value: Any) -> Any:
    """The same value with every secret in it replaced; keys, order and types of everything else stay.

    JSON in a string (`last-applied-configuration`) is looked into, to any depth.
    """
    return _walk(value, inside=False)


# Fields of a reference to a Secret, or of a volume made from one.
_REFERENCE_FIELDS = words_of(
    "name namespace secretName key keys path kind apiVersion apiGroup type optional items defaultMode mode uid "
    "resourceVersion audience username user host port url server"
)


_MIN_SECRET = 4
_NUMBER = "0123456789.+-eE"
"""A sample of Prometheus, a quantity: most strings of a payload."""


def _walk(value: Any, *, inside: bool, said: str = "") -> Any:
    if isinstance(value, dict):
        return _object(value, inside=inside)
    if isinstance(value, list):
        return _items(value, inside=inside, said=said)
    if isinstance(value, str):
        return conceal(value) if inside else _string(value)
    return value


def _object(value: dict[str, Any], *, inside: bool) -> dict[str, Any]:
    held = value.keys() & {"data", "stringData"} if value.get("kind") == "Secret" else frozenset()
    pair = isinstance(value.get("name"), str) and is_secret_key(value["name"])
    said = f"{value.get('image')} {value.get('command')}" if isinstance(value.get("args"), list) else ""
    return {
        key: _walk(item, inside=inside, said=said)
        if said and key == "args"
        else _field(key, item, all_secret=key in held, inside=inside, named=pair and key == "value")
        for key, item in value.items()
    }


def _field(key: str, item: Any, *, all_secret: bool, inside: bool, named: bool) -> Any:
    if all_secret and isinstance(item, dict):
        return {name: conceal(str(text)) for name, text in item.items()}
    secret = named or is_secret_key(key)
    if isinstance(item, int | float) and not isinstance(item, bool):
        return conceal(str(item)) if secret and not is_count(key, str(item)) else item
    if isinstance(item, str):
        if secret:
            return item if is_reference(key, item) else conceal(item)
        return _string(item) if key in _REFERENCE_FIELDS else _walk(item, inside=inside)
    return _walk(item, inside=secret or (inside and key not in _REFERENCE_FIELDS))


def _items(values: list[Any], *, inside: bool, said: str) -> list[Any]:
    """A list that holds an option is a command line, one that begins a key is its lines."""
    if any(isinstance(value, str) and value[:1] == "-" for value in values):
        words = [value if isinstance(value, str) else "" for value in values]
        lines = conceal_private_keys("\n".join(words)).split("\n")
        words = conceal_words(lines if len(lines) == len(words) else words, said)
        values = [word if isinstance(value, str) else value for value, word in zip(values, words, strict=True)]
    return [_walk(value, inside=inside) for value in values]


def _string(text: str) -> str:
    if len(text) < _MIN_SECRET or not text.strip(_NUMBER):
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
