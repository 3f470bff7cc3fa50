"""Units as people and servers write them: which family a unit is of, and how much of the base unit it is."""

from __future__ import annotations

import re

_BINARY = {prefix: 1024.0**power for power, prefix in enumerate(("", "k", "m", "g", "t", "p"))}
_DECIMAL = {prefix: 1000.0**power for power, prefix in enumerate(("", "k", "m", "g", "t", "p"))}
_LONG = {"kilo": "k", "mega": "m", "giga": "g", "tera": "t", "kibi": "k", "mebi": "m", "gibi": "g", "tebi": "t"}
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "nanosecond": 1e-9,
    "microsecond": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "millisecond": 1e-3,
    "s": 1,
    "sec": 1,
    "second": 1,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hr": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "week": 604800,
}
_CORES = {"core": 1.0, "cpu": 1.0, "vcpu": 1.0, "millicore": 1e-3, "millicpu": 1e-3}

UNIT = (
    r"(?:[kmgtp]i?b?(?:/s|ps)?|bytes?(?:/s| per second)?|b|(?:kilo|mega|giga|tera|kibi|mebi|gibi|tebi)bytes?"
    r"|%|percent(?:age points?)?|per cent|ratio|(?:nano|micro|milli)?seconds?|msecs?|secs?|minutes?|mins?"
    r"|hours?|hrs?|days?|weeks?"
    r"|ns|us|µs|μs|ms|s|h|d|cores?|v?cpus?|millicores?|millicpus?"
    r"|(?:requests?|reqs?|errors?|events?|queries|calls|responses)"
    r"(?:/s(?:ec(?:ond)?)?|\s+(?:per|a|each|every)\s+second)"
    r"|rps|qps"
    r"|/s(?:ec(?:ond)?)?|(?:per|a|each|every)\s+second)"
)


def unit_of(text: str) -> tuple[str, str, float]:
    """Family, base and factor of a unit as written."""
    unit = " ".join(text.lower().split())
    singular = unit.removesuffix("s") if len(unit) > 2 else unit
    if not unit:
        return "", "", 1.0
    if unit == "m":
        return ("milli", "", 1e-3) if text == "m" else ("bytes", "decimal", 1e6)
    if unit in {"%", "per cent"} or unit.startswith("percent"):
        return "share", "", 0.01
    if unit == "ratio":
        return "share", "", 1.0
    if singular in _SECONDS or unit in _SECONDS:
        return "seconds", "", float(_SECONDS.get(unit, _SECONDS.get(singular, 1)))
    if singular in _CORES:
        return "cores", "", _CORES[singular]
    if (
        "second" in unit
        and "byte" not in unit
        or unit.endswith(("/s", "/sec"))
        and "b" not in unit
        or unit in {"rps", "qps"}
    ):
        return "rate", "", 1.0
    return _bytes(unit)


def _bytes(unit: str) -> tuple[str, str, float]:
    family = "bytes/s" if unit.endswith(("/s", "ps", "second")) else "bytes"
    name = re.sub(r"(?:/s|ps| per second)$", "", unit)
    long = next((prefix for prefix in _LONG if name.startswith(prefix)), None)
    if long:
        binary = long.endswith("bi")
        return family, "binary" if binary else "decimal", (_BINARY if binary else _DECIMAL)[_LONG[long]]
    if name in {"b", "byte", "bytes"}:
        return family, "", 1.0
    binary = "i" in name
    return family, "binary" if binary else "decimal", (_BINARY if binary else _DECIMAL)[name[0]]
