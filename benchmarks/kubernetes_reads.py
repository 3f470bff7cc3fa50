"""Lists of a Kubernetes namespace: our client against the official one's typed calls, from the same replay server.

Both read the same lists over HTTP. Ours gives JSON in which every secret is a placeholder; the official client gives
models, each field checked, with secrets as they are. One row has the peer redact as well: its models are made JSON
again and go through our redaction. Ours reads several lists at a time, so the peer is also measured when it does.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kubernetes import client

from benchmarks.recordings import INCIDENTS, served
from benchmarks.side_by_side import RUNS, SPEED_COLUMNS, Comparison, Work, side_by_side, table
from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.redact import redact_json
from srelab_lib.sources.incidents import load_incident
from srelab_lib.sources.objects import WORKERS

LARGEST = INCIDENTS / "secret-missing"
"""The recording with the most bytes of objects."""
ROUNDS = 2
READ_SECONDS = 60.0

Read = Callable[[], Any]
"""Reads one list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Speed by what was compared, peak memory in bytes, and the uids of the objects that each side has seen."""

    speed: dict[str, Comparison]
    ours_bytes: int
    peer_bytes: int
    ours_seen: frozenset[str]
    peer_seen: frozenset[str]


def measure(url: str, namespace: str, *, rounds: int = ROUNDS, runs: int = RUNS) -> Result:
    """Reads the lists of the namespace from the server at `url`, `rounds` times in every run."""
    api = client.ApiClient(client.Configuration(host=url))
    kubernetes = KubernetesClient.from_url(url)
    ours, peer = _raw(kubernetes, namespace), _typed(api, namespace)
    clean = [_redacted(api, read) for read in peer]
    pairs: dict[str, tuple[Work, Work]] = {
        "as each is used: 12 at a time, one after another": (_together(ours * rounds), _in_turn(peer * rounds)),
        "both one after another": (_in_turn(ours * rounds), _in_turn(peer * rounds)),
        "both 12 at a time": (_together(ours * rounds), _together(peer * rounds)),
        "both one after another, both redacted": (_in_turn(ours * rounds), _in_turn(clean * rounds)),
    }
    try:
        return Result(
            speed={what: side_by_side(*pair, runs=runs) for what, pair in pairs.items()},
            ours_bytes=_peak(_in_turn(ours)),
            peer_bytes=_peak(_in_turn(peer)),
            ours_seen=frozenset(item["metadata"]["uid"] for read in ours for item in read()),
            peer_seen=frozenset(item.metadata.uid for read in peer for item in read().items),
        )
    finally:
        kubernetes.close()
        api.rest_client.pool_manager.clear()


def _raw(kubernetes: KubernetesClient, namespace: str) -> list[Read]:
    core, apps, discovery = "/api/v1", "/apis/apps/v1", "/apis/discovery.k8s.io/v1"
    paths = [f"{core}/namespaces/{namespace}/{name}" for name in ("pods", "events", "services", "configmaps")]
    paths += [f"{apps}/namespaces/{namespace}/{name}" for name in ("deployments", "replicasets", "statefulsets")]
    paths += [f"{discovery}/namespaces/{namespace}/endpointslices", f"{core}/nodes"]
    return [lambda path=path: kubernetes.list(path, deadline=Deadline(READ_SECONDS)) for path in paths]  # type: ignore[misc]


def _typed(api: client.ApiClient, namespace: str) -> list[Read]:
    core, apps, discovery = client.CoreV1Api(api), client.AppsV1Api(api), client.DiscoveryV1Api(api)
    namespaced: list[Callable[[str], Any]] = [
        core.list_namespaced_pod,
        core.list_namespaced_event,
        core.list_namespaced_service,
        core.list_namespaced_config_map,
        apps.list_namespaced_deployment,
        apps.list_namespaced_replica_set,
        apps.list_namespaced_stateful_set,
        discovery.list_namespaced_endpoint_slice,
    ]
    return [*(lambda call=call: call(namespace) for call in namespaced), core.list_node]


def _redacted(api: client.ApiClient, read: Read) -> Read:
    return lambda: redact_json(api.sanitize_for_serialization(read()))  # type: ignore[no-untyped-call]


def _in_turn(reads: Sequence[Read]) -> Work:
    return lambda: [read() for read in reads]


def _together(reads: Sequence[Read]) -> Work:
    def work() -> object:
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(lambda read: read(), reads))

    return work


def _peak(work: Work) -> int:
    """The most bytes that were held at once, the lists themselves among them."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def report() -> str:
    """Everything measured, as text."""
    with served(LARGEST) as url:
        result = measure(url, load_incident(LARGEST).namespace)
    memory = (f"{result.ours_bytes / 2**20:.1f}", f"{result.peer_bytes / 2**20:.1f}")
    ratio = f"{result.peer_bytes / result.ours_bytes:.2f}"
    return "\n\n".join(
        (
            f"Kubernetes lists, {len(result.ours_seen)} objects of {LARGEST.name}, {ROUNDS} times a run:",
            table(("lists", *SPEED_COLUMNS), [(what, *pair.cells()) for what, pair in result.speed.items()]),
            table(("lists", "ours, MiB", "peer, MiB", "peer : ours"), [("peak memory, once", *memory, ratio)]),
        )
    )


if __name__ == "__main__":
    print(report())
