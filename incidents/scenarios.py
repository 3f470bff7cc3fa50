"""The incidents: what is done to a healthy app, and what the truth of it is.

`{ns}` in a truth stands for the namespace that the incident was made in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

BASELINE_SECONDS = 180
DAMAGE_SECONDS = 120


class Lab(Protocol):
    """What a scenario may do: kubectl in its namespace, and the app's fault switches."""

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints."""

    def patch(self, target: str, patch: Mapping[str, Any]) -> None:
        """Strategic merge patch of `deployment/web`."""

    def patch_container(self, **fields: Any) -> None:
        """Changes fields of the app's container."""

    def switch(self, name: str, value: float, *, app: str = "broken-app") -> None:
        """Sets a fault switch in every pod of an app."""


def nothing(_: Lab) -> None:
    """Does nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One incident.

    Attributes:
        how: how it was made, for the recording.
        truth: as tests and other programs read it.
        inject: breaks the app after the baseline.
        prepare: changes the app before its baseline.
        commit: of 07_chaos the scenario that is pushed to git for Argo CD to roll out, instead of `inject`; the commits
            are recorded too.
        restricted: it is recorded by an account that may read neither pods, logs nor events.
    """

    name: str
    how: str
    truth: Mapping[str, Any]
    inject: Callable[[Lab], None] = nothing
    prepare: Callable[[Lab], None] = nothing
    baseline_seconds: int = BASELINE_SECONDS
    damage_seconds: int = DAMAGE_SECONDS
    namespace: str = ""
    commit: str = ""
    restricted: bool = False


APP = "Deployment/{ns}/broken-app"


def fault(
    fault_id: str,
    root_cause: str,
    *must_cite: Sequence[str],
    target: str = APP,
    change: str | None = None,
    effects: Sequence[str] = (),
) -> dict[str, Any]:
    """A truth with one fault."""
    entry = {"fault": fault_id, "object": target, "root_cause": root_cause, "must_cite": must_cite, "change": change}
    return {"outcome": "fault", "faults": [entry], "effects": effects}


def outcome(name: str) -> dict[str, Any]:
    """A truth without a fault."""
    return {"outcome": name, "faults": [], "effects": []}


_NOISE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: cache-warmer, labels: {app: cache-warmer}}
spec:
  replicas: 1
  selector: {matchLabels: {app: cache-warmer}}
  template:
    metadata: {labels: {app: cache-warmer}}
    spec:
      containers:
        - name: warmer
          image: busybox:1.35
          command: [sh, -c]
          args:
            - |
              n=0
              while true; do
                n=$((n + 1))
                echo "level=error msg=\\"cache miss for product $n, retrying\\""
                echo "level=warn msg=\\"slow response from shard $((n % 7)): 312 ms\\""
                echo "level=info msg=\\"retry for product $n succeeded, 0 errors\\""
                sleep 2
              done
          resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {cpu: 100m, memory: 32Mi}}
"""


def _noisy(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", stdin=_NOISE)


def _probe_port(lab: Lab) -> None:
    lab.patch_container(readinessProbe={"httpGet": {"path": "/healthz", "port": 9999}})


def _memory_limit(lab: Lab) -> None:
    lab.patch_container(resources={"limits": {"memory": "10Mi"}, "requests": {"memory": "10Mi"}})


def _wrong_selector(lab: Lab) -> None:
    selector = '{"spec": {"selector": {"app.kubernetes.io/name": "broken-app-v2"}}}'
    lab.kubectl("patch", "service/broken-app", "--type=merge", "--patch", selector)


def _scale_to_zero(lab: Lab) -> None:
    lab.kubectl("scale", "deployment/inventory", "--replicas=0")


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="oom-memory-limit",
        namespace="default",
        how="The memory limit of the app's container is lowered to 10Mi by a patch of the Deployment.",
        truth=fault(
            "oom_killed",
            "the memory limit was lowered to 10Mi, less than the program needs to start",
            ["OOMKilled", "OOM-killed"],
            ["10Mi"],
            change="memory limit lowered to 10Mi",
            effects=["exception_storm", "rollout_stuck"],
        ),
        inject=_memory_limit,
    ),
    Scenario(
        name="healthy",
        how="The app runs under load and nothing is done to it.",
        truth=outcome("no_fault"),
    ),
    Scenario(
        name="dev-server",
        how="The container's command is overridden with `python app.py`.",
        truth=fault(
            "dev_server_in_production",
            "Flask's development server was started instead of gunicorn",
            ["development server"],
            change="command set to python app.py",
        ),
        inject=lambda lab: lab.patch_container(command=["python", "app.py"]),
    ),
    Scenario(
        name="memory-leak",
        how="The app's switch memory_leak_mib_per_second is set to 1.5 by HTTP; no object of the cluster changes.",
        truth=fault(
            "memory_leak",
            "the program takes memory and never gives it back until its limit is reached",
            ["memory_working_set", "working set"],
            ["OOMKilled", "256Mi", "256 MiB"],
            effects=["oom_killed", "exception_storm"],
        ),
        inject=lambda lab: lab.switch("memory_leak_mib_per_second", 1.5),
        damage_seconds=150,
    ),
    Scenario(
        name="image-not-found",
        how="The image is set to a tag that does not exist.",
        truth=fault(
            "image_not_found",
            "the image tag v9-typo does not exist",
            ["ErrImagePull", "ImagePullBackOff"],
            ["v9-typo"],
            change="image set to broken-app:v9-typo",
            effects=["rollout_stuck"],
        ),
        inject=lambda lab: lab.patch_container(image="broken-app:v9-typo"),
    ),
    Scenario(
        name="crash-missing-env",
        how="The environment variable DEPENDENCY_URL, without which the app does not start, is removed.",
        truth=fault(
            "crash_missing_env",
            "DEPENDENCY_URL was removed and the program needs it to start",
            ["DEPENDENCY_URL"],
            change="DEPENDENCY_URL removed",
            effects=["crash_app_exit", "rollout_stuck"],
        ),
        inject=lambda lab: lab.patch_container(env=[{"name": "DEPENDENCY_URL", "$patch": "delete"}]),
    ),
    Scenario(
        name="readiness-wrong-port",
        how="The readiness probe is pointed at port 9999, where nothing listens.",
        truth=fault(
            "readiness_probe_misconfigured",
            "the readiness probe asks port 9999, where nothing listens",
            ["9999"],
            change="readiness probe changed to port 9999",
            effects=["rollout_stuck"],
        ),
        inject=_probe_port,
    ),
    Scenario(
        name="service-selector",
        how="The Service's selector is changed to a label that no pod has.",
        truth=fault(
            "service_selector_mismatch",
            "the Service selects a label that no pod has",
            ["broken-app-v2"],
            target="Service/{ns}/broken-app",
            change="selector changed",
        ),
        inject=_wrong_selector,
    ),
    Scenario(
        name="noisy-but-harmless",
        how="A second workload logs errors and warnings at a steady rate, as it always has; all requests succeed.",
        truth=outcome("no_fault"),
        prepare=_noisy,
    ),
    Scenario(
        name="pods-unreadable",
        how="The app's error switch is set to 0.6 while the recording account may read neither pods, logs nor events.",
        truth=outcome("inconclusive"),
        inject=lambda lab: lab.switch("error_rate", 0.6),
        restricted=True,
    ),
    Scenario(
        name="error-storm",
        how="The app's switch error_rate is set to 0.5 by HTTP; no object of the cluster changes.",
        truth=fault(
            "exception_storm",
            "half of the requests end in an exception",
            ["error_ratio", "Traceback", "Error"],
        ),
        inject=lambda lab: lab.switch("error_rate", 0.5),
    ),
    Scenario(
        name="slow-dependency",
        how="The inventory answers 1.5 s later, by its switch; no object of the cluster changes.",
        truth=fault(
            "slow_dependency",
            "the inventory that the app calls answers slowly",
            ["dependency_latency", "latency", "timed out"],
            target="Deployment/{ns}/inventory",
        ),
        inject=lambda lab: lab.switch("slow_dependency_seconds", 1.5, app="inventory"),
    ),
    Scenario(
        name="dependency-scaled-to-zero",
        how="The inventory that the app calls is scaled to zero.",
        truth=fault(
            "scaled_to_zero",
            "inventory was scaled to zero and the app's calls to it fail",
            ["replicas"],
            target="Deployment/{ns}/inventory",
            change="inventory scaled to 0",
            effects=["dependency_down", "exception_storm"],
        ),
        inject=_scale_to_zero,
    ),
    Scenario(
        name="secret-missing",
        namespace="default",
        how="A commit gives the app the variables of a Secret that nobody has made; Argo CD rolls it out.",
        truth=fault(
            "secret_missing",
            "the container takes variables from Secret shop-token, which does not exist",
            ["shop-token"],
            change="envFrom shop-token by a commit",
            effects=["rollout_stuck", "bad_deploy"],
        ),
        commit="secret_missing",
    ),
)
