"""One field of one object in a YAML text, edited so that every other line, comments too, stays as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import yaml

from srelab_lib.errors import SourceError

Node = yaml.nodes.Node


def with_field(text: str, kind: str, name: str, path: Sequence[str], value: Any) -> str:
    """The text with one field set, added or removed.

    Args:
        text: YAML, one or more documents in block style.
        kind: of the object.
        name: its `metadata.name`.
        path: the field. In a list, the `name` of an element.
        value: what the field shall hold; for an element of a list, the element. None removes it.

    Raises:
        SourceError: there is no such object or no such way, or a value of several lines would have to be replaced.
    """
    parent = _document(text, kind, name)
    for step in path[:-1]:
        found = _child(parent, step)
        if found is None:
            raise SourceError(f"there is no {step!r} on the way to {'.'.join(path)}", source=f"{kind} {name}")
        parent = found
    field = _child(parent, path[-1])
    if value is None:
        return _removed(text, parent, path[-1])
    if field is not None:
        return _replaced(text, field, value, ".".join(path))
    return _added(text, parent, path[-1], value)


def field_of(manifest: Any, path: Sequence[str]) -> Any:
    """The field of a parsed object by the same path; None where it is not there."""
    for step in path:
        if isinstance(manifest, list):
            manifest = next((item for item in manifest if item.get("name") == step), None)
        else:
            manifest = (manifest or {}).get(step)
    return manifest


def _document(text: str, kind: str, name: str) -> Node:
    for root in yaml.compose_all(text, Loader=yaml.SafeLoader):
        metadata = _child(root, "metadata")
        if _scalar(_child(root, "kind")) == kind and metadata and _scalar(_child(metadata, "name")) == name:
            return root
    raise SourceError(f"there is no {kind} {name} in it", source="YAML")


def _child(node: Node, step: str) -> Node | None:
    """The value of a key, or the element of that name."""
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode):
        named = ((item, _child(item, "name")) for item in node.value)
        return next((item for item, name in named if _scalar(name) == step), None)
    return None


def _scalar(node: Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _replaced(text: str, field: Node, value: Any, path: str) -> str:
    if not isinstance(field, yaml.ScalarNode) and not field.flow_style:  # type: ignore[attr-defined]
        raise SourceError(f"{path} is written over several lines", source="YAML", hint="name a field in it")
    written = in_one_line(value)
    return text[: field.start_mark.index] + written + text[field.end_mark.index :]


def _added(text: str, parent: Node, key: str, value: Any) -> str:
    """After the first entry of a mapping; before the first element of a list, where it is what people see first."""
    if not isinstance(parent, yaml.CollectionNode) or parent.flow_style or not parent.value:
        raise SourceError(f"{key} cannot be added to a value of one line", source="YAML")
    if isinstance(parent, yaml.MappingNode):
        line = _last_line(parent.value[0][1]) + 1
        written = f"{key}: {in_one_line(value)}\n" if _is_flat(value) else _block({key: value})
    else:
        line, written = parent.value[0].start_mark.line, _block([value])
    lines = text.splitlines(keepends=True)
    return "".join((*lines[:line], textwrap.indent(written, " " * parent.start_mark.column), *lines[line:]))


def _removed(text: str, parent: Node, step: str) -> str:
    field = _child(parent, step)
    if field is None:
        raise SourceError(f"there is no {step!r} to remove", source="YAML")
    first = field.start_mark.line
    if isinstance(parent, yaml.MappingNode):
        first = next(key.start_mark.line for key, value in parent.value if value is field)
    lines = text.splitlines(keepends=True)
    return "".join((*lines[:first], *lines[_last_line(field) + 1 :]))


def _last_line(node: Node) -> int:
    """The line that the node's last value stands on: a block's own end lies behind the comments that follow it."""
    if isinstance(node, yaml.ScalarNode) or not node.value or node.flow_style:  # type: ignore[attr-defined]
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def _is_flat(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not any(isinstance(item, dict | list) for item in items)


def _block(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=200)


def in_one_line(value: Any) -> str:
    """A value as YAML on one line, quoted where it has to be."""
    dumped = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=1000)
    return dumped.removesuffix("...\n").strip()


class _Dumper(yaml.SafeDumper):
    """Double quotes where quotes are needed, as in the lab's manifests; elements of a list as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    quoted = yaml.safe_dump(value).startswith(("'", '"'))
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if quoted else None)


_Dumper.add_representer(str, _text)
