"""What differs between two specs, field by field, each in one sentence with old and new value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product, takewhile
from typing import Any

from srelab_lib.signals.flatten import MAX_SHOWN, Flat, flatten, shortened
from srelab_lib.signals.quantity import quantity

_CONTAINER = re.compile(r"(?:containers|initContainers|ephemeralContainers)\[([^\]]+)\]\.(.+)")
_PROBE = re.compile(r"(liveness|readiness|startup)Probe(?:\.(.+))?")
_ENV = re.compile(r"env\[([^\]]+)\]")
_UNIT = re.compile(
    r"(?:containers|initContainers|volumes)\[[^\]]+\]|(?:liveness|readiness|startup)Probe(?:\.(?:exec|grpc|httpGet|tcpSocket))?"
)
_PORT = re.compile(r"(?:[^\[]+\[[^\]]+\]\.|spec\.)?ports\[[^\]]+\]")
_WORDS = {"spec.replicas": "number of replicas", "serviceAccountName": "service account"}
MAX_KEPT = 4000
"""Characters of a value in a table."""
_RESOURCE = re.compile(r"resources\.(limits|requests)\.(.+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One altered field. `old` is None when it was added, `new` when it was removed."""

    field: str
    old: str | None
    new: str | None
    text: str


def diff_specs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The fields that differ, in the order of the new spec, removed ones last."""
    before, after = flatten(old), flatten(new)
    units, ports = list(_units(before, after)), list(_renamed_ports(before, after))
    below = tuple(f"{unit}." for unit in (*(unit for unit, _, _ in units), *(port for pair in ports for port in pair)))
    fields = [*after, *(field for field in before if field not in after)]
    altered = [(field, before.get(field), after.get(field)) for field in fields if not field.startswith(below)]
    renamed = [(f"{was}.name", _item(was), _item(now)) for was, now in ports]
    differing = [(field, was, now) for field, was, now in (*units, *renamed, *altered) if was != now]
    return [difference(*one) for one in differing if not _is_default(*one)]


def _is_default(field: str, old: str | None, new: str | None) -> bool:
    """True where one says what holds when nothing is said."""
    return field.endswith(".initialDelaySeconds") and {old, new} == {None, "0"}


def difference(field: str, old: str | None, new: str | None, *, of: str = "") -> Difference:
    """One altered field with its sentence, on one line: `number of replicas of Deployment web lowered from 3 to 0`."""
    subject = f"{_subject(field)} of {of}" if of else _subject(field)
    text = " ".join(f"{subject} {_verb(field, old, new)}".split())
    return Difference(field=field, old=kept(old), new=kept(new), text=text)


def kept(value: str | None) -> str | None:
    """What a table holds of a value: a file's first pages."""
    return None if value is None else shortened(value, MAX_KEPT)


def _units(before: Flat, after: Flat) -> Iterator[tuple[str, str | None, str | None]]:
    """Containers, probes and volumes that came or went: one change each, not one for each of their fields."""
    units = {field[: match.end()] for field in (*before, *after) for match in _UNIT.finditer(field)}
    seen: list[str] = []
    for unit in sorted(units, key=lambda unit: (len(unit), unit)):
        old, new = _below(before, unit), _below(after, unit)
        if bool(old) != bool(new) and not unit.startswith(tuple(seen)):
            seen.append(f"{unit}.")
            yield unit, _summary(old), _summary(new)


def _renamed_ports(before: Flat, after: Flat) -> Iterator[tuple[str, str]]:
    """Ports that are the same but for their names: one that went, and the one that came for it."""
    was, now = ({match[0] for field in flat if (match := _PORT.match(field))} for flat in (before, after))
    for gone, come in product(sorted(was - now), sorted(now - was)):
        alike = gone.rpartition("[")[0] == come.rpartition("[")[0]
        if alike and _below(before, gone) == _below(after, come):
            yield gone, come


def _item(path: str) -> str:
    """What stands in the last brackets of a path."""
    return path.rpartition("[")[2].rstrip("]")


def _below(flat: Flat, unit: str) -> Flat:
    return {field[len(unit) + 1 :]: value for field, value in flat.items() if field.startswith(f"{unit}.")}


def _summary(parts: Flat) -> str | None:
    return shortened(", ".join(f"{field}={value}" for field, value in parts.items())) if parts else None


def _subject(field: str) -> str:
    """The field in words: `memory limit of container web`."""
    match = _CONTAINER.fullmatch(field)
    if match is None:
        return _WORDS.get(field, field)
    kind = "init container" if field.startswith("init") else "container"
    return f"{_of_container(match[2])} of {kind} {match[1]}"


def _of_container(part: str) -> str:
    if match := _RESOURCE.fullmatch(part):
        return f"{match[2]} {match[1][:-1]}"
    if match := _PROBE.fullmatch(part):
        return f"{match[1]} probe" + (f" ({match[2]})" if match[2] else "")
    if match := _ENV.fullmatch(part):
        return f"environment variable {match[1]}"
    return part


def _verb(field: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"added: {shortened(new or '')}"
    if new is None:
        return f"removed (was {shortened(old)})"
    if field == "rules" and (altered := _altered_rights(old, new)):
        return f"changed: {altered}"
    gone, come = (shortened(text) for text in _altered_lines(old, new))
    if not (gone and come) and old and new:
        return f"changed: added {come}" if come else f"changed: removed {gone}"
    old, new = gone, come
    was, now = quantity(old), quantity(new)
    if was is None or now is None or was == now:
        return f"changed from {old or 'empty'} to {new or 'empty'}"
    return (
        f"{'lowered' if now < was else 'raised'} from {old} to {new}"
        if _is_amount(field)
        else f"changed from {old} to {new}"
    )


def _altered_rights(old: str, new: str) -> str:
    """What rules of a Role allow no longer, and what now: `no longer patch, update configmaps`."""
    before, after = _rights(old), _rights(new)
    gone, come = (_spoken(one - other) for one, other in ((before, after), (after, before)))
    return "; ".join(f"{word} {rights}" for word, rights in (("no longer", gone), ("now", come)) if rights)


def _rights(rules: str) -> set[tuple[str, str]]:
    """(what, verb) of each right in the rules of a Role, which have no order."""
    return {
        (resource, verb)
        for rule in json.loads(rules) or []
        for resource in (*(rule.get("resources") or []), *(rule.get("nonResourceURLs") or []))
        for verb in rule.get("verbs") or []
    }


def _spoken(rights: set[tuple[str, str]]) -> str:
    by_resource: dict[str, list[str]] = {}
    for resource, verb in sorted(rights):
        by_resource.setdefault(resource, []).append(verb)
    return ", ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in by_resource.items())


def _altered_lines(old: str, new: str) -> tuple[str, str]:
    """Of two texts of several lines those that the other has not, else the texts."""
    before, after = old.splitlines(), new.splitlines()
    in_before, in_after = set(before), set(after)
    gone = [line for line in before if line not in in_after]
    come = [line for line in after if line not in in_before]
    several = len(before) > 1 or len(after) > 1
    if not several or not (gone or come):
        gone, come = [old], [new]
    if len(gone) == len(come) and max(len("\n".join(lines)) for lines in (gone, come)) > MAX_SHOWN:
        gone, come = map(list, zip(*(_around(*pair) for pair in zip(gone, come, strict=True)), strict=True))
    return "\n".join(gone), "\n".join(come)


_BESIDE = 40
"""Characters that are shown on either side of what differs in a long text."""


def _around(old: str, new: str) -> tuple[str, str]:
    """Of two long texts what differs, with a few words on either side, so that it is not cut off."""
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    return _piece(old, head, len(old) - tail), _piece(new, head, len(new) - tail)


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with together."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _piece(text: str, start: int, end: int) -> str:
    first = text.rfind(" ", 0, max(0, start - _BESIDE)) + 1
    last = text.find(" ", end + _BESIDE)
    return f"{'… ' if first else ''}{text[first:] if last < 0 else f'{text[first:last]} …'}"


def _is_amount(field: str) -> bool:
    """Whether more and less mean something: a port is not lowered."""
    return not re.search(r"port|env\[|data\[|image|version|uid|user|group", field, re.IGNORECASE)
