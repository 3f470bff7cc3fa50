"""Services, the pods behind them, and who refers to them: what a name or an address means in the namespace."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srelab_lib.diagnosis.checks._calls import Address, Failure, addresses
from srelab_lib.diagnosis.checks._facts import Row, live_pods, of_namespace, raw_objects
from srelab_lib.diagnosis.checks._hidden_hosts import hidden_hosts
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.model import Snapshot, object_ref

Meaning = Literal["service", "missing", "elsewhere", "external"]
HOST_KEYS = (
    "host",
    "addr",
    "address",
    "server",
    "endpoint",
    "url",
    "uri",
    "service",
    "upstream",
    "backend",
    "svc",
    "dsn",
)
"""Last words of names of settings whose value is a host."""

_ORDINAL = re.compile(r"-\d+$")
_EPHEMERAL = 32768
"""From here on up a port is that of a client, and its address not one that was called."""
_HOST_OPTION = re.compile(r"(?<!\S)(?:-h|-H|--host(?:name)?)(?:[ =]|(?<=-h))[\"']?(?P<host>[A-Za-z][\w.-]*)")
"""As psql, mysql, redis-cli and their kin take it."""

_HOST_SETTING = re.compile(
    r"(?<![\w.-])[\w.-]*(?:host|hostname|host_name|addr|address|server)[\"']? ?[:=] ?[\"']?"
    r"(?P<host>[a-z][a-z0-9.-]*[a-z0-9])(?=[\"'\s,;)}\]]|$)",
    re.IGNORECASE,
)
"""`host = db` in a file of settings, or of a program: a name without a port is an address where a Service has it."""
_NEAR = 0.75
_PROGRAM = re.compile(r"\.(?:py|js|mjs|cjs|ts|rb|pl|php|lua|sh)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """What runs pods: the top controller, or a bare pod."""

    ref: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    replicas: int | None
    pods: tuple[Row, ...]

    @property
    def ready(self) -> int:
        return sum(1 for pod in self.pods if pod["ready"])

    def containers(self) -> list[dict[str, Any]]:
        return [*(self.spec.get("initContainers") or []), *(self.spec.get("containers") or [])]

    def ports(self) -> dict[int, str]:
        """Declared container ports and their names."""
        declared = [port for container in self.containers() for port in container.get("ports") or []]
        return {int(port["containerPort"]): str(port.get("name") or "") for port in declared}


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A Service with the workloads that its selector matches, and how many of its endpoints are ready."""

    ref: str
    name: str
    spec: Mapping[str, Any]
    workloads: tuple[Workload, ...]
    ready: int

    @property
    def selector(self) -> dict[str, str]:
        return dict(self.spec.get("selector") or {})

    @property
    def ports(self) -> list[dict[str, Any]]:
        return list(self.spec.get("ports") or [])

    @property
    def routed(self) -> bool:
        """True when Kubernetes itself finds its pods behind one address: a selector, not headless, not an alias."""
        return bool(self.selector) and self.spec.get("type") != "ExternalName" and self.spec.get("clusterIP") != "None"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A place in a workload's definition that names something to connect to."""

    address: Address
    where: str
    text: str
    configmap: str = ""


def is_pod(host: str) -> bool:
    """`web-0.web`: one pod of a StatefulSet, which has a name as long as it is ready."""
    first, _, rest = host.partition(".")
    return bool(rest) and _ORDINAL.search(first) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Net:
    """The namespace as its network sees it."""

    namespace: str
    namespaces: frozenset[str]
    services: Mapping[str, Service]
    workloads: Mapping[str, Workload]
    configmaps: Mapping[str, Mapping[str, str]]
    addresses: Mapping[str, str]

    def service(self, address: Address | None) -> Service | None:
        """The Service of the namespace that an address means, by name or by cluster or endpoint IP."""
        if address is None:
            return None
        if name := self.local_name(address.host):
            return self.services.get(name)
        own = (address.port or 0) >= _EPHEMERAL
        return None if own else self.services.get(self.addresses.get(address.host, ""))

    def meaning(self, address: Address) -> Meaning:
        """A Service with pods here, a name here without a Service, a name of another namespace, or outside."""
        service = self.service(address)
        if service is not None:
            return "service" if service.selector else "external"
        if self.local_name(address.host):
            return "missing"
        parts = address.host.rstrip(".").split(".")
        if address.host.replace(".", "").isdigit():
            return "elsewhere" if parts[0] == "10" else "external"
        other = len(parts) > 2 and parts[2] == "svc" or parts[-1] in ("local", "svc")
        return "elsewhere" if other or parts[-1] in self.namespaces else "external"

    def local_name(self, host: str) -> str | None:
        """`web`, `web.ns`, `web.ns.svc.cluster.local`, of a StatefulSet's pod `web-0.web` -> `web`; None for others."""
        parts = host.rstrip(".").split(".")
        if is_pod(host) and parts[1] in self.services:
            parts = parts[1:]
        if host.replace(".", "").isdigit() or (len(parts) > 1 and parts[1] != self.namespace):
            return None
        return parts[0] if len(parts) < 3 or parts[2] == "svc" else None

    def references(self, workload: Workload) -> list[Reference]:
        """What the workload's environment, arguments and ConfigMaps name as something to connect to."""
        sources = (_literals(workload), self._options(workload), self._configured(workload))
        return [item for source in sources for item in source]

    def callers(self, service: Service) -> list[Workload]:
        """Workloads that call the Service by their definition."""
        return [workload for workload in self.workloads.values() if self.calls(workload, service)]

    def calls(self, workload: Workload, service: Service) -> bool:
        """True when a workload's definition names the Service, or a Secret of it must."""
        return any(one is service for one in self.called(workload))

    def names(self, workload: Workload, service: Service) -> bool:
        """True when a workload's definition names the Service itself."""
        return any(self.service(item.address) is service for item in self.references(workload))

    def called(self, workload: Workload) -> list[Service]:
        """The Services that a workload's definition names, and those that its Secrets must."""
        hosts = [item.address for item in self.references(workload)]
        ports = {one.name: {int(port["port"]) for port in one.ports} for one in self.services.values()}
        hosts += [Address(host=name) for name in hidden_hosts(workload.containers(), ports)]
        return [service for host in hosts if (service := self.service(host))]

    def configured(self, workload: Workload) -> list[tuple[str, str, str]]:
        """(ConfigMap, key, value) of what a workload reads from ConfigMaps, by environment or as a file.

        Of several program files in one ConfigMap, it reads those that its command names.
        """
        found = []
        for name, key in config_keys(workload.spec):
            data = self.configmaps.get(name, {})
            found += [(name, k, v) for k, v in data.items() if key in (None, k)]
        run = {key for _, key, _ in found if _PROGRAM.search(key) and _is_named(key, workload)}
        return [item for item in dict.fromkeys(found) if not run or item[1] in run or not _PROGRAM.search(item[1])]

    def _options(self, workload: Workload) -> Iterator[Reference]:
        """Services that a command names as a host by an option: other options may have the same letter."""
        for container in workload.containers():
            for option in _HOST_OPTION.finditer(" ".join(_arguments(container))):
                address = Address(host=option["host"].lower())
                if self.service(address):
                    yield Reference(address=address, where=workload.ref, text=option[0].strip())

    def _configured(self, workload: Workload) -> Iterator[Reference]:
        for name, key, value in self.configured(workload):
            where = f"ConfigMap/{self.namespace}/{name}"
            yield from _references(key, value, where, configmap=name)
            for line in _HOST_SETTING.finditer(value):
                address = Address(host=line["host"].lower())
                if self.service(address):
                    yield Reference(address=address, where=where, text=f"{key}={line[0].strip()}", configmap=name)

    def near_service(self, name: str) -> str | None:
        """The name of an existing Service that this one may be a slip of."""
        return next(iter(difflib.get_close_matches(name, list(self.services), n=1, cutoff=_NEAR)), None)


@once
def net(s: Snapshot) -> Net:
    """The namespace's network, from objects, pods and workloads."""
    workloads = {workload.ref: workload for workload in _workloads(s)}
    slices = raw_objects(s, "EndpointSlice")
    services = {
        name: _service(s.namespace, name, raw, workloads, slices) for name, raw in raw_objects(s, "Service").items()
    }
    names = {str(name) for name in s["objects"]["namespace"] if name}
    names |= set(s["objects"].loc[s["objects"]["kind"] == "Namespace", "name"])
    return Net(
        namespace=s.namespace,
        namespaces=frozenset(names),
        services=services,
        workloads=workloads,
        configmaps={name: raw.get("data") or {} for name, raw in raw_objects(s, "ConfigMap").items()},
        addresses=dict(_ips(services, slices)),
    )


def in_ingress(s: Snapshot, service: Service) -> bool:
    """True when an Ingress of the namespace routes to the Service."""
    return any(f"'name': '{service.name}'" in str(raw.get("spec")) for raw in raw_objects(s, "Ingress").values())


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """True when all pairs of a selector are among the labels."""
    return all(labels.get(key) == value for key, value in selector.items())


def config_keys(spec: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """(ConfigMap, key) that a pod's spec reads; key None means all of it."""
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        for source in container.get("envFrom") or []:
            if source.get("configMapRef"):
                yield source["configMapRef"].get("name", ""), None
        for variable in container.get("env") or []:
            chosen = (variable.get("valueFrom") or {}).get("configMapKeyRef")
            if chosen:
                yield chosen.get("name", ""), chosen.get("key")
    for volume in spec.get("volumes") or []:
        sources = [volume, *((volume.get("projected") or {}).get("sources") or [])]
        for held in (source.get("configMap") for source in sources):
            if held and held.get("name") != "kube-root-ca.crt":
                yield from ((held.get("name", ""), key) for key in _item_keys(held))


def _item_keys(held: Mapping[str, Any]) -> list[str | None]:
    return [item.get("key") for item in held.get("items") or []] or [None]


def tasks(s: Snapshot) -> list[Workload]:
    """The Jobs of the namespace, also those that are done."""
    return [_defined(row, ()) for row in of_namespace(s, "workloads") if row["kind"] == "Job" and row["template"]]


def _defined(row: Row, pods: Sequence[Row]) -> Workload:
    template = row["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    spec = template.get("spec") or {}
    return Workload(ref=str(row["ref"]), labels=labels, spec=spec, replicas=row["replicas"], pods=tuple(pods))


def _workloads(s: Snapshot) -> Iterator[Workload]:
    pods: dict[str, list[Row]] = {}
    for pod in live_pods(s):
        pods.setdefault(str(pod["object"]), []).append(pod)
    seen = set()
    for row in of_namespace(s, "workloads"):
        if row["ref"] == row["object"] and row["template"] and row["kind"] not in ("Job", "CronJob"):
            seen.add(row["ref"])
            yield _defined(row, pods.get(str(row["ref"]), ()))
    for ref, group in pods.items():
        if ref not in seen:
            yield Workload(ref=ref, labels=group[0]["labels"] or {}, spec=group[0]["spec"] or {}, replicas=None,
                           pods=tuple(group))  # fmt: skip


def _service(
    namespace: str, name: str, raw: Mapping[str, Any], workloads: Mapping[str, Workload], slices: Mapping[str, Any]
) -> Service:
    spec = raw.get("spec") or {}
    selector = spec.get("selector") or {}
    matched = tuple(
        workload
        for workload in workloads.values()
        if selector and any(selects(selector, labels) for labels in _labels(workload))
    )
    own = [item for item in slices.values() if _service_of(item) == name]
    ready = [
        endpoint
        for item in own
        for endpoint in item.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    ]
    count = len(ready) if slices else sum(workload.ready for workload in matched)
    return Service(ref=object_ref("Service", namespace, name), name=name, spec=spec, workloads=matched, ready=count)


def _labels(workload: Workload) -> list[Mapping[str, str]]:
    """Labels of the pods that exist and of those to come: a label may be set on a pod only."""
    return [workload.labels, *(pod["labels"] or {} for pod in workload.pods)]


def _service_of(endpoint_slice: Mapping[str, Any]) -> str | None:
    labels = (endpoint_slice.get("metadata") or {}).get("labels") or {}
    name: str | None = labels.get("kubernetes.io/service-name")
    return name


def _ips(services: Mapping[str, Service], slices: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in slices.values():
        for endpoint in item.get("endpoints") or []:
            yield from ((ip, _service_of(item) or "") for ip in endpoint.get("addresses") or [])
    for service in services.values():
        yield from ((ip, service.name) for ip in service.spec.get("clusterIPs") or [] if ip != "None")


def _is_named(file: str, workload: Workload) -> bool:
    """True when a command of the workload names a file."""
    arguments = [str(x) for c in workload.containers() for x in [*(c.get("command") or []), *(c.get("args") or [])]]
    return any(re.search(rf"(?<![\w.-]){re.escape(file)}(?![\w.-])", argument) for argument in arguments)


def _literals(workload: Workload) -> Iterator[Reference]:
    for container in workload.containers():
        for variable in container.get("env") or []:
            if variable.get("value"):
                yield from _references(variable["name"], variable["value"], workload.ref)
        for argument in _arguments(container):
            yield from _references("", argument, workload.ref)


def _arguments(container: Mapping[str, Any]) -> list[str]:
    return [str(part) for part in [*(container.get("command") or []), *(container.get("args") or [])]]


def _references(key: str, value: str, where: str, *, configmap: str = "") -> Iterator[Reference]:
    """Hosts in one setting: in an address, or bare where the setting's name says that it is a host."""
    found = addresses(value)
    bare = value.strip().lower()
    last_word = key.lower().replace("-", "_").replace(".", "_").rsplit("_", 1)[-1]
    if not found and last_word.endswith(HOST_KEYS) and bare and all(c.isalnum() or c in ".-" for c in bare):
        found = (Address(host=bare),) if not bare.isdigit() else ()
    line = next((line.strip() for line in value.splitlines() if found and found[0].host in line.lower()), value.strip())
    text = f"{key}={line}" if key else line
    yield from (Reference(address=address, where=where, text=text, configmap=configmap) for address in found)


def calls_to(view: Net, failed: Sequence[Failure], service: Service) -> list[Failure]:
    """Failed calls that were for the Service: the lines name it, or name nothing and the caller's settings do."""
    callers = {one.ref for one in view.workloads.values() if view.names(one, service)}
    return [
        failure
        for failure in failed
        if (view.service(failure.address) is service if failure.address else failure.caller in callers)
    ]
