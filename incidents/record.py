"""Makes the recorded incidents again, from nothing, on the lab's cluster.

    python incidents/record.py                          # every incident that needs no Argo CD, several at a time
    python incidents/record.py oom-memory-limit healthy

Each one gets a namespace of its own, deploys the app into it, lets it run, breaks it, waits until the damage shows, and
records what the servers say. The namespace is deleted after it, unless it is `default`, where the app is healed.

Incidents that are commits are made by name, one at a time, in the lab of 01 to 03: Argo CD rolls them out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from scenarios import SCENARIOS, Scenario

from srelab_lib.clients.kubernetes import KubernetesClient
from srelab_lib.clients.prometheus import PrometheusClient
from srelab_lib.errors import SrelabError
from srelab_lib.lab import chaos_scenarios
from srelab_lib.lab.applications import refresh
from srelab_lib.lab.chaos_commit import APPLICATION, PREFIX, revert_all
from srelab_lib.lab.git_clone import Clone, mirror
from srelab_lib.lab.yaml_edit import with_field
from srelab_lib.model import TimeWindow
from srelab_lib.settings import LAB_CONTEXT
from srelab_lib.sources.prometheus_service import find_prometheus
from srelab_lib.sources.recording import record

HERE = Path(__file__).resolve().parent
APP = HERE.parent / "k8s" / "manifests" / "broken-app"
ACCOUNT = HERE / "account.yaml"
SETTLE_SECONDS = 60
AT_ONCE = 7
REQUESTS_PER_SECOND = 3
"""Less than the lab's own load, since several apps share the machine."""


class Cluster:
    """kubectl in one namespace of the lab's cluster, or in none, and never in another cluster."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints.

        Raises:
            RuntimeError: it failed, with its words.
        """
        where = ["--namespace", self.namespace] if self.namespace else []
        command = ["kubectl", "--context", LAB_CONTEXT, *where, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def patch(self, target: str, patch: Mapping[str, Any]) -> None:
        """Strategic merge patch of `deployment/web`."""
        self.kubectl("patch", target, "--patch", yaml.safe_dump(patch))

    def patch_container(self, **fields: Any) -> None:
        """Changes fields of the app's container."""
        spec = {"template": {"spec": {"containers": [{"name": "broken-app", **fields}]}}}
        self.patch("deployment/broken-app", {"spec": spec})

    def switch(self, name: str, value: float, *, app: str = "broken-app") -> None:
        """Sets a fault switch in every pod of an app, through the API server."""
        for pod in self.kubectl("get", "pods", "-l", f"app.kubernetes.io/name={app}", "-o", "name").split():
            path = f"/api/v1/namespaces/{self.namespace}/{pod.replace('pod/', 'pods/')}:8080/proxy/faults/{name}"
            self.kubectl("create", "--raw", path, "-f", "-", stdin=str(value))


@contextmanager
def namespace_for(scenario: Scenario) -> Iterator[Cluster]:
    """A namespace with the healthy app in it; gone afterwards, or healed where it is `default`.

    For a commit it is the app as Argo CD has deployed it, and the commit is reverted.
    """
    if scenario.commit:
        try:
            yield Cluster("default")
        finally:
            with Clone() as clone:
                revert_all(clone, print)
            refresh(APPLICATION)
        return
    cluster = Cluster(scenario.namespace or f"shop-{scenario.name}")
    own = cluster.namespace != "default"
    if own:
        cluster.kubectl("delete", "namespace", cluster.namespace, "--ignore-not-found")
        cluster.kubectl("create", "namespace", cluster.namespace)
    try:
        cluster.kubectl("apply", "-f", "-", stdin=manifests(cluster))
        yield cluster
    finally:
        if own:
            cluster.kubectl("delete", "namespace", cluster.namespace, "--wait=false")
        else:
            cluster.kubectl("replace", "-k", str(APP), "--force")


def manifests(cluster: Cluster) -> str:
    """The app's manifests with a smaller load."""
    objects = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(APP))))
    containers = [c for o in objects if o["kind"] == "Deployment" for c in o["spec"]["template"]["spec"]["containers"]]
    for variable in (v for c in containers for v in c.get("env", ()) if v["name"] == "LOAD_REQUESTS_PER_SECOND"):
        variable["value"] = str(REQUESTS_PER_SECOND)
    return yaml.safe_dump_all(objects)


def push(scenario: chaos_scenarios.Scenario) -> None:
    """Commits the one edit of a scenario of 07_chaos to what Argo CD deploys from."""
    edit = scenario.edit
    if edit is None:
        raise RuntimeError(f"{scenario.name} is no commit")
    path = f"{chaos_scenarios.FOLDER}/{edit.file}"
    with Clone() as clone:
        text = with_field(clone.read(path), edit.kind, edit.name, edit.path, edit.value)
        clone.commit(PREFIX + scenario.subject, {path: text})
        clone.push()
    refresh(APPLICATION)


def make(scenario: Scenario) -> str:
    """Makes one incident and records it; returns a line on it."""
    started = time.monotonic()
    with namespace_for(scenario) as cluster:
        scenario.prepare(cluster)
        cluster.kubectl("rollout", "status", "deployment", "--timeout=240s")
        time.sleep(SETTLE_SECONDS + scenario.baseline_seconds)
        if scenario.commit:
            push(chaos_scenarios.BY_NAME[scenario.commit])
        scenario.inject(cluster)
        time.sleep(scenario.damage_seconds)
        end = datetime.now(UTC).replace(microsecond=0)
        length = timedelta(seconds=scenario.baseline_seconds + scenario.damage_seconds)
        folder = save(scenario, cluster.namespace, TimeWindow(start=end - length, end=end))
    size = sum(path.stat().st_size for path in folder.iterdir()) // 1024
    return f"{scenario.name}: {size} KiB in {time.monotonic() - started:.0f} s"


def save(scenario: Scenario, namespace: str, window: TimeWindow) -> Path:
    """Records one namespace over the window."""
    folder = HERE / scenario.name
    with ExitStack() as stack:
        kubernetes = stack.enter_context(reader(scenario, namespace))
        record(
            kubernetes=kubernetes,
            prometheus=metrics_of(kubernetes),
            namespaces=[namespace],
            window=window,
            folder=folder,
            recorded_at=window.end,
            how=scenario.how,
            truth=json.loads(json.dumps(scenario.truth).replace("{ns}", namespace)),
            repository=stack.enter_context(mirror()) if scenario.commit else None,
        )
    return folder


def metrics_of(kubernetes: KubernetesClient) -> PrometheusClient:
    """The lab's Prometheus: an incident without its metrics is not worth keeping."""
    found = find_prometheus(kubernetes)
    if found.client is None:
        raise RuntimeError("; ".join(item.reason for item in found.missing))
    return found.client


@contextmanager
def reader(scenario: Scenario, namespace: str) -> Iterator[KubernetesClient]:
    """The account that records: the lab's administrator, or one that may read only what `account.yaml` allows."""
    if not scenario.restricted:
        kubernetes = KubernetesClient.from_context(LAB_CONTEXT)
    else:
        Cluster("").kubectl(
            "apply", "-f", "-", stdin=ACCOUNT.read_text(encoding="utf-8").replace("NAMESPACE", namespace)
        )
        account = f"system:serviceaccount:{namespace}:recorder"
        proxy = ["kubectl", "--context", LAB_CONTEXT, "--as", account, "proxy", "--port", "0"]
        process = subprocess.Popen(proxy, stdout=subprocess.PIPE, text=True)  # noqa: S603
        # Its first line: Starting to serve on 127.0.0.1:38291
        kubernetes = KubernetesClient.from_url(f"http://{process.stdout.readline().split()[-1]}")  # type: ignore[union-attr]
    try:
        yield kubernetes
    finally:
        kubernetes.close()
        if scenario.restricted:
            process.terminate()
            process.wait()


def main(arguments: Sequence[str]) -> int:
    """Makes the incidents that are named, or all that need no Argo CD; 1 when one of them failed."""
    parser = argparse.ArgumentParser(description="Makes the recorded incidents again on the lab's cluster.")
    parser.add_argument("names", nargs="*", metavar="INCIDENT", help="default: all that need no Argo CD")
    names = parser.parse_args(arguments).names or [item.name for item in SCENARIOS if not item.commit]
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if unknown := set(names) - known.keys():
        parser.error(f"no incident {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    failed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in [pool.submit(make, known[name]) for name in names]:
            try:
                print(future.result(), flush=True)
            except (RuntimeError, SrelabError) as error:
                failed = 1
                print(f"failed: {error}", file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
