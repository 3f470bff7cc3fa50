"""What the tests of the target app share: its folder, its metrics as numbers, a port for it."""

from __future__ import annotations

import socket
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

APP = Path(__file__).resolve().parent.parent / "app"


def samples(exposition: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(exposition)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(exposition: str, name: str, **labels: str) -> float:
    """The sum of the samples of that name which have these labels."""
    wanted = labels.items()
    return sum(v for (n, has), v in samples(exposition).items() if n == name and wanted <= dict(has).items())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
