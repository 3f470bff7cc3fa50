"""Telemetry of a fixed window in which a memory limit was lowered, for the sample diagnoses."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from srelab_lib.model import Missing, Snapshot, SourceInfo, TimeWindow
from srelab_lib.signals.frames import SCHEMAS, frame

END = datetime(2026, 1, 31, 12, 10, tzinfo=UTC)
WINDOW = TimeWindow.last(minutes=15, now=END)
CHANGED = datetime(2026, 1, 31, 12, 3, 11, tzinfo=UTC)
KILLED = datetime(2026, 1, 31, 12, 3, 20, tzinfo=UTC)
WEB = "Deployment/default/broken-app"
MIB = 2.0**20


def at(seconds: float) -> datetime:
    """That many seconds after the change."""
    return CHANGED + timedelta(seconds=seconds)


def snapshot(
    rows: Mapping[str, Iterable[Mapping[str, Any]]] = {},
    *,
    kind: Literal["live", "incident"] = "incident",
    missing: tuple[Missing, ...] = (),
) -> Snapshot:
    """A snapshot of the fixed window with the given rows, all other tables empty."""
    name = "oom-memory-limit" if kind == "incident" else "kind-sre-lab"
    return Snapshot(
        source=SourceInfo(kind=kind, name=name, versions={"kubernetes": "v1.34.3", "prometheus": "3.5.0"}),
        namespace="default",
        window=WINDOW,
        tables={table: frame(table, rows.get(table, ())) for table in SCHEMAS},
        missing=missing,
        seconds=4.2,
    )


def samples(
    signal: str, function: Any, *, ref: str = WEB, pod: str | None = None, step: int = 10
) -> list[dict[str, Any]]:
    """A series over the window; where the function gives None there is a gap."""
    rows = []
    for offset in range(0, int(WINDOW.seconds) + 1, step):
        time = WINDOW.start + timedelta(seconds=offset)
        value = function((time - CHANGED).total_seconds())
        if value is not None:
            rows.append({"signal": signal, "object": ref, "pod": pod, "series": "", "time": time, "value": value})
    return rows


def oom_metrics() -> list[dict[str, Any]]:
    """What a lowered memory limit does to an app under load."""
    noise = random.Random(7)  # noqa: S311

    def wobble(value: float, share: float) -> float:
        return value * (1 + noise.uniform(-share, share))

    def memory(t: float) -> float | None:
        if t < 5:
            return wobble(61 * MIB, 0.02)
        return None if t % 60 > 40 else wobble(9.4 * MIB, 0.06)

    return [
        *samples("request_rate", lambda t: wobble(12.0, 0.06) if t < 10 else wobble(7.5, 0.15)),
        *samples("error_ratio", lambda t: 0.0 if t < 10 else wobble(0.38, 0.1)),
        *samples(
            "latency_p95_seconds", lambda t: wobble(0.045, 0.1) if t < 10 else None if t % 90 > 60 else wobble(0.4, 0.3)
        ),
        *samples("memory_working_set_bytes", memory, pod="broken-app-5f6d8-abcde"),
        *samples("memory_limit_bytes", lambda t: (256 if t < 5 else 10) * MIB, pod="broken-app-5f6d8-abcde"),
        *samples("cpu_usage_cores", lambda t: wobble(0.08, 0.2) if t < 5 else wobble(0.12, 0.4)),
    ]


def oom_logs() -> list[dict[str, Any]]:
    """Access lines all the time, errors after the change."""
    rows = []
    for offset in range(0, int(WINDOW.seconds), 5):
        time = WINDOW.start + timedelta(seconds=offset)
        late = time > KILLED
        rows.append({"time": time, "object": WEB, "level": "info", "message": "GET /"})
        if late and offset % 15 == 0:
            rows.append({"time": time, "object": WEB, "level": "error", "message": "worker was sent SIGKILL!"})
        if offset % 90 == 0:
            rows.append({"time": time, "object": WEB, "level": "warning", "message": "slow"})
    return rows
