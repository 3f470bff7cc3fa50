"""Probes that fail, and whether it is the probe that is wrong or the program.

A probe is wrong when it asks what nobody promised: a port that the container does not declare and does not listen on, a
path that the program does not have, a command that the image does not hold. A program that refuses its own port,
answers 5xx or not at all may really be ill: that is only a symptom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from srelab_lib.diagnosis.checks._facts import (
    Row,
    change_fact,
    event_facts,
    events,
    first_seen,
    in_window,
    live_containers,
    live_pods,
    log_fact,
    raw_objects,
    rows,
    spec_fact,
    status_fact,
)
from srelab_lib.diagnosis.checks._logs import QUIET
from srelab_lib.model import Fact, Snapshot

LISTENS = re.compile(
    r"\b(?:listen(?:ing|s)?|running|serving|serves|started|bound|binding|accept(?:ing|s)?|available)\b"
    r".{0,60}?(?:\bport(?:\(s\))?[ =:]+|:)(?P<port>\d{2,5})\b(?!:)",
    re.IGNORECASE,
)
_STATUS = re.compile(r"statuscode: (?P<code>\d{3})")
_WRONG_SCHEME = re.compile(r"server gave HTTP response to HTTPS client|malformed HTTP response", re.IGNORECASE)
_WRONG_COMMAND = re.compile(
    r"executable file not found|no such file or directory|not found$|not found:|can't open|cannot access"
    r"|permission denied|exec failed",
    re.IGNORECASE | re.MULTILINE,
)
_NO_GRPC_HEALTH = re.compile(r"does not implement the grpc health|unknown service grpc\.health", re.IGNORECASE)
_UNHEARD = re.compile(r"connection refused|i/o timeout|no route to host|failed to connect", re.IGNORECASE)
_ANSWERED = re.compile(r"\"(?:GET|POST|PUT|HEAD|PATCH|DELETE) (?P<path>\S+) HTTP/[\d.]+\" 2\d\d")
_STOPS = re.compile(r"SIGTERM|shut(?:ting)? ?down|terminat|drain|stopping|exiting", re.IGNORECASE)
_NOT_REFUSALS = frozenset({408, 425, 429})
"""Client errors that speak of load, not of a wrong question."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A container's probe with the events of its failures."""

    kind: str
    row: Row
    failures: tuple[Row, ...]

    @property
    def spec(self) -> dict[str, Any]:
        """The probe as the container's spec has it."""
        return dict(self.row["spec"].get(f"{self.kind}Probe") or {})

    @property
    def handler(self) -> tuple[str, dict[str, Any]]:
        """`("httpGet", {...})`."""
        return next(
            ((k, self.spec[k] or {}) for k in ("httpGet", "tcpSocket", "grpc", "exec") if k in self.spec), ("", {})
        )

    @property
    def port(self) -> int | None:
        """The port's number, a named one looked up."""
        port = self.handler[1].get("port")
        named = {item.get("name"): item["containerPort"] for item in self.row["spec"].get("ports") or []}
        number = port if str(port).isdecimal() else named.get(port)
        return None if number is None else int(number)

    @property
    def message(self) -> str:
        """What the kubelet said last."""
        return str(self.failures[-1]["message"]) if self.failures else ""

    @property
    def patience_seconds(self) -> int:
        """How long the probe may fail from the start before the kubelet acts."""
        period, threshold = self.spec.get("periodSeconds") or 10, self.spec.get("failureThreshold") or 3
        return int((self.spec.get("initialDelaySeconds") or 0) + period * threshold)

    def facts(self) -> list[Fact]:
        """The failures, the probe's spec and the container's state."""
        kind, handler = self.handler
        command = " ".join(handler.get("command") or []) or None
        asked = {"port": handler.get("port"), "path": handler.get("path"), "command": command}
        timing = {
            key: self.spec.get(key)
            for key in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")
        }
        ports = ",".join(str(item["containerPort"]) for item in self.row["spec"].get("ports") or [])
        name = f"{self.kind}Probe.{kind}"
        probe: dict[str, Any] = {f"{name}.{key}": value for key, value in asked.items()} | timing
        return [
            *event_facts(self.failures),
            spec_fact(str(self.row["object"]), container=self.row["container"], **probe, containerPort=ports or None),
            status_fact(
                self.row,
                state=self.row["state"],
                ready=self.row["ready"],
                restart_count=self.row["restart_count"],
                waiting_reason=self.row["waiting_reason"],
            ),
        ]


def failing(s: Snapshot, kind: str) -> list[Probe]:
    """Probes of one kind (`readiness`, `liveness`, `startup`) that failed within the window."""
    said = [
        e for e in events(s, "Unhealthy", message=rf"^{kind} probe (failed|errored)") if in_window(s, e["last_seen"])
    ]
    found = []
    for row in live_containers(s, "app", "sidecar"):
        probe = Probe(kind=kind, row=row, failures=tuple(e for e in said if e["involved_name"] == row["pod"]))
        if probe.spec and probe.failures and _is_about(probe):
            found.append(probe)
    return found


def _is_about(probe: Probe) -> bool:
    """An event does not name its container in the message: where it names a port, that must be the probe's."""
    ports = {int(port) for port in re.findall(r":(\d{2,5})\b", probe.message)}
    return probe.port is None or not ports or probe.port in ports


def wrong_question(s: Snapshot, probe: Probe) -> tuple[str, list[Fact]] | None:
    """What is wrong with the probe and the facts that show it, or None when it may well be the program."""
    kind, handler = probe.handler
    status = _STATUS.search(probe.message)
    code = int(status["code"]) if status else 0
    if 400 <= code < 500 and code not in _NOT_REFUSALS:
        return f"its {probe.kind} probe asks for {handler.get('path', '/')} and the program answers {code}", []
    if _WRONG_SCHEME.search(probe.message):
        return f"its {probe.kind} probe speaks {handler.get('scheme', 'HTTP')}, which the program does not", []
    if _NO_GRPC_HEALTH.search(probe.message):
        return f"its {probe.kind} probe asks for a gRPC health service that the program does not have", []
    if kind == "exec" and (_WRONG_COMMAND.search(probe.message) or _always_fails(handler)):
        return f'its {probe.kind} probe\'s command "{" ".join(handler.get("command") or [])}" cannot succeed', []
    return _wrong_port(s, probe) if _UNHEARD.search(probe.message) else None


def _latest(s: Snapshot, probe: Probe) -> list[Row]:
    """What the last revision before the probe failed altered."""
    ref, first = str(probe.row["object"]), first_seen(probe.failures)
    df = s["changes"]
    came = [row for row in rows(df[df["object"] == ref]) if row["revision"] and first and row["time"] <= first]
    return [row for row in came if row["revision"] == came[-1]["revision"]]


def changes_of_probe(s: Snapshot, probe: Probe) -> list[Row]:
    """What of the probe itself that revision altered."""
    return [row for row in _latest(s, probe) if f".{probe.kind}Probe" in row["field"]]


def altered(s: Snapshot, probe: Probe) -> tuple[str, list[Fact]] | None:
    """That the probe was changed before it failed, and nothing else of the program with it."""
    own, latest = changes_of_probe(s, probe), _latest(s, probe)
    if not own or len(own) < len(latest):
        return None
    told = "; ".join(row["text"].removesuffix(f" (revision {row['revision']})") for row in own)
    return f"the probe was changed, and the program was not: {told}", [change_fact(row) for row in own]


def _always_fails(handler: dict[str, Any]) -> bool:
    words = " ".join(handler.get("command") or []).split()
    return bool(words) and (words[-1].endswith("false") or words[-2:] in (["exit", "1"], ["-c", "exit"]))


def _wrong_port(s: Snapshot, probe: Probe) -> tuple[str, list[Fact]] | None:
    """The probe's port is none that the pod declares, and none that its log, environment or Service names."""
    asks = f"its {probe.kind} probe asks port {probe.port}"
    host = probe.handler[1].get("host")
    if host:
        return f"{asks} of host {host}", []
    declared = _declared(s, probe)
    listens, lines = _listens(s, probe)
    if probe.port in listens:
        return None
    if listens:
        return f"{asks}, and the program listens on {_joined(listens)}", [log_fact(line) for line in lines[:1]]
    if declared and probe.port not in declared:
        return f"{asks}, and the container declares {_joined(declared)}", []
    others = _spoken_of(s, probe) - {probe.port}
    if others and not declared and probe.port not in _spoken_of(s, probe):
        return f"{asks}, and its Services and environment speak of {_joined(others)}", []
    return None


def _declared(s: Snapshot, probe: Probe) -> set[int]:
    """Ports of all containers of the pod: they share one network."""
    pod = [row for row in live_containers(s, "app", "sidecar") if row["pod"] == probe.row["pod"]]
    return {int(port["containerPort"]) for row in pod for port in row["spec"].get("ports") or []}


def _listens(s: Snapshot, probe: Probe) -> tuple[set[int], list[Row]]:
    """Ports that the container says it listens on, with the lines."""
    lines = [line for line in lines_of(s, probe.row) if LISTENS.search(line["message"] or "")]
    return {int(match["port"]) for line in lines if (match := LISTENS.search(line["message"]))}, lines


def lines_of(s: Snapshot, row: Row) -> list[Row]:
    """Log lines of one container, oldest first."""
    df = s["logs"]
    df = df[(df["pod"] == row["pod"]) & (df["container"] == row["container"])]
    return rows(df.sort_values("time", kind="stable", na_position="first"))


def _spoken_of(s: Snapshot, probe: Probe) -> set[int]:
    """Ports in the container's environment, and target ports of Services that select the pod."""
    env = {str(item.get("value")) for item in probe.row["spec"].get("env") or [] if "PORT" in item["name"].upper()}
    labels = next((pod["labels"] or {} for pod in live_pods(s) if pod["pod"] == probe.row["pod"]), {})
    for service in raw_objects(s, "Service").values():
        spec = service.get("spec") or {}
        selector = spec.get("selector") or {}
        if selector and selector.items() <= labels.items():
            env |= {str(port.get("targetPort") or port.get("port")) for port in spec.get("ports") or []}
    return {int(port) for port in env if port.isdecimal()}


def served(s: Snapshot, probe: Probe) -> list[Row]:
    """Log lines of requests that the program answered well while the probe failed, the probe's own aside."""
    since = min(event["first_seen"] or event["last_seen"] for event in probe.failures)
    path = probe.handler[1].get("path", "/")
    lines = [line for line in lines_of(s, probe.row) if line["time"] and line["time"] >= since]
    found = [
        (line, _ANSWERED.search(line["message"] or "")) for line in lines if "kube-probe" not in (line["message"] or "")
    ]
    return [line for line, match in found if match and match["path"] != path]


def worked(s: Snapshot, probe: Probe, killed: datetime) -> list[Row]:
    """Lines of no trouble that the program wrote while the probe failed, up to its kill."""
    since = killed - timedelta(seconds=probe.patience_seconds)
    lines = [line for line in lines_of(s, probe.row) if line["time"] and since <= line["time"] <= killed]
    return [line for line in lines if line["level"] in QUIET and not _STOPS.search(line["message"] or "")]


def _joined(ports: Iterable[int]) -> str:
    return ", ".join(str(port) for port in sorted(ports))
