"""What a run is asked to do: notebook parameters and environment variables, validated strictly."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from srelab_lib.errors import SettingsError
from srelab_lib.redact.urls import shown_url

LAB_CLUSTER = "sre-lab"
LAB_CONTEXT = f"kind-{LAB_CLUSTER}"
IN_CLUSTER = "in-cluster"
"""What a run in a pod calls its cluster; no kubeconfig has such a context."""
AGENT_NAME = "sre-agent"
AGENT_JOB = f"{AGENT_NAME}-job"
AGENT_REPORT = f"{AGENT_NAME}-report"
AGENT_CODE = "agent-code"
"""The analysis as a Job in the cluster, the ConfigMaps with its report and its script: k8s/agent-job.yaml."""
DEFAULT_INCIDENT = "oom-memory-limit"
SOURCES = ("auto", "live", "incident")
URLS = ("prometheus_url", "ollama_url")
"""Parameters that may hold a credential."""
FIRST_YEAR, LAST_YEAR = 1970, 2200
"""Of a window's end. The tables count nanoseconds in 64 bits, which end in 2262."""
INJECTED = "# Parameters"
"""How papermill begins the cell that it injects."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_INCIDENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_MODEL = re.compile(r"[\w.:/-]{1,120}")


class Parameters(Protocol):
    """A frozen dataclass whose fields are str, int or bool."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Kind = TypeVar("Kind", bound=Parameters)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One run of the analysis.

    Attributes:
        source: `auto`, `live` or `incident`.
        incident: name of a folder in incidents/; empty is the default incident.
        context: kube context for `live`; empty is the current one.
        namespace: the namespace under analysis; empty is `default`, or the incident's own.
        minutes: length of the window, 1 to 1440; 0 is the incident's own, or 15 when live.
        end: the window's end as RFC 3339 UTC; empty is now, or the incident's own.
        prometheus_url: empty is the lab's Prometheus by the API server's service proxy.
        ollama_url: empty is the lab's Ollama by the service proxy when live, localhost for an incident.
        model: the model's name in Ollama.
        output_dir: where the report goes; empty is runs/<UTC>-<source>/.
        model_deadline_seconds: wall clock for everything that the model is asked; 0 asks no model.
        job_deadline_seconds: wall clock for the same analysis as a Job in the lab's cluster, without what the model is
            given; 0 runs no Job. A busy machine needs a minute.
    """

    source: Literal["auto", "live", "incident"] = "auto"
    incident: str = ""
    context: str = ""
    namespace: str = ""
    minutes: int = 0
    end: str = ""
    prometheus_url: str = ""
    ollama_url: str = ""
    model: str = "phi3"
    output_dir: str = ""
    model_deadline_seconds: int = 120
    job_deadline_seconds: int = 240

    def __post_init__(self) -> None:
        check_types(self)
        if self.source not in SOURCES:
            raise _unknown("source", self.source, SOURCES)
        _check_pattern("incident", self.incident, _INCIDENT, "lower case letters, digits and dashes")
        _check_pattern("namespace", self.namespace, _DNS_LABEL, "a DNS label such as default")
        if not _MODEL.fullmatch(self.model):
            raise SettingsError(f"model={self.model!r} is not a model name", hint="for example phi3 or smollm2:135m")
        _check_range("minutes", self.minutes, 0, 1440)
        _check_range("model_deadline_seconds", self.model_deadline_seconds, 0, 3600)
        _check_range("job_deadline_seconds", self.job_deadline_seconds, 0, 3600)
        for name in URLS:
            _check_url(name, getattr(self, name))
        if self.end and not FIRST_YEAR <= parse_time(self.end).year <= LAST_YEAR:
            hint = f"a time between {FIRST_YEAR} and {LAST_YEAR}, or empty"
            raise SettingsError(f"end={self.end!r} is out of range", hint=hint)
        if self.source == "incident" and self.context:
            raise SettingsError("context is for a live cluster, source='incident' has none", hint="leave context empty")
        if self.source == "live" and self.incident:
            raise SettingsError("incident is for a recording, source='live' has none", hint="leave incident empty")

    def shown(self) -> dict[str, str | int]:
        """The parameters as people may see them: of a URL its scheme, host, port and path."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return values | {name: shown_url(values[name]) for name in URLS}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.shown().items())})"


def load_settings(parameters: Mapping[str, Any]) -> Settings:
    """Settings from a notebook's parameters; an unknown name is refused, with the nearest known one.

    Raises:
        SettingsError: an unknown name, a wrong type, or a value that cannot be right.
    """
    return _load(Settings, parameters)


def from_notebook(namespace: Mapping[str, Any]) -> Settings:
    """Settings from a notebook's `globals()`; see `read_parameters`."""
    return read_parameters(namespace, Settings)


def read_parameters(namespace: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """A frozen dataclass from a notebook's `globals()`: its parameters cell, and what papermill injected after it.

    papermill injects a name that no parameter has with no more than a warning; the injected cell is read here, so that
    a typo is an error. `kind` has fields of str, int and bool, and its `__post_init__` calls `check_types`.

    Raises:
        SettingsError: an unknown name, a wrong type, or a value that cannot be right.
    """
    known = {item.name for item in fields(kind)}
    names = {name for cell in namespace.get("In", ()) if cell.startswith(INJECTED) for name in _assigned(cell)}
    return _load(kind, {name: namespace[name] for name in sorted(known & namespace.keys() | names)})


def check_types(parameters: Parameters) -> None:
    """Refuses a value whose type is not the declared one: papermill passes `-p flag no` on as text.

    Raises:
        SettingsError: a wrong type.
    """
    for item in fields(parameters):
        _check_type(item.name, getattr(parameters, item.name), str(item.type))


def from_env(environment: Mapping[str, str], *, prefix: str = "SRELAB_") -> Settings:
    """Settings from variables such as SRELAB_NAMESPACE; whole numbers are converted, anything else is refused."""
    values: dict[str, Any] = {}
    for item in fields(Settings):
        text = environment.get(prefix + item.name.upper())
        if text is None:
            continue
        if item.type == "int":
            if not re.fullmatch(r"-?\d{1,9}", text):
                raise SettingsError(f"{prefix}{item.name.upper()}={text!r} is not a whole number")
            values[item.name] = int(text)
        else:
            values[item.name] = text
    return Settings(**values)


def parse_time(text: str) -> datetime:
    """RFC 3339 to UTC.

    Raises:
        SettingsError: not a time, a time without a zone, or one that UTC cannot hold.
    """
    hint = "write it as 2026-01-31T12:00:00Z"
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is not a time", hint=hint) from error
    if time.tzinfo is None:
        raise SettingsError(f"{text!r} has no time zone", hint=hint)
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise SettingsError(f"{text!r} is beyond the calendar in UTC", hint=hint) from error


def given_folder(output_dir: str) -> Path:
    """The folder that a parameter names, `~` for the home directory.

    Raises:
        SettingsError: the home directory of somebody who is not known.
    """
    try:
        return Path(output_dir).expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(f"output_dir={output_dir!r} cannot be right", hint="write the whole path") from error


def _load(kind: type[Kind], parameters: Mapping[str, Any]) -> Kind:
    known = [item.name for item in fields(kind)]
    for name in parameters:
        if name not in known:
            raise _unknown("parameter", name, known)
    return kind(**parameters)


def _assigned(source: str) -> set[str]:
    targets = [target for node in ast.parse(source).body if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _check_type(name: str, value: object, declared: str) -> None:
    expected: type = {"int": int, "bool": bool}.get(declared, str)
    if type(value) is not expected:
        raise SettingsError(
            f"{name}={value!r} is {type(value).__name__}, and must be {expected.__name__}",
            hint=f"with papermill: -r {name} VALUE passes text, -p {name} VALUE converts numbers",
        )


def _check_pattern(name: str, value: str, pattern: re.Pattern[str], wanted: str) -> None:
    if value and not pattern.fullmatch(value):
        raise SettingsError(f"{name}={value!r} cannot be right", hint=f"it is {wanted}")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name}={value} is out of range", hint=f"{low} to {high}")


def _check_url(name: str, value: str) -> None:
    """A value that cannot be used is told only when no credential can be in it."""
    told = f"{name}={value!r}" if not re.search("[@?]", value) else name
    if re.search(r"[\s\x00-\x1f\x7f]", value):
        raise SettingsError(f"{told} has a blank or a control character in it", hint="write a blank in a URL as %20")
    if not value:
        return
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"{told} is not a URL", hint="for example http://localhost:9090")


def _unknown(what: str, value: str, known: tuple[str, ...] | list[str]) -> SettingsError:
    near = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}"
    return SettingsError(f"unknown {what} {value!r}", hint=hint)
