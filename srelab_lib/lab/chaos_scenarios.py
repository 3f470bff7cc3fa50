"""What can be broken in the lab's app by one edit in git, and what the analysis has to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from srelab_lib.lab.yaml_edit import in_one_line

FOLDER = "k8s/manifests/broken-app"
"""What Argo CD's Application broken-app deploys."""
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", "broken-app")
APP = "Deployment/default/broken-app"
INVENTORY = "Deployment/default/inventory"


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One field of one object in a file below FOLDER; see `yaml_edit.with_field`.

    Attributes:
        value: None removes the field.
    """

    path: tuple[str, ...]
    value: Any
    file: str = "broken-app.yaml"
    kind: str = "Deployment"
    name: str = "broken-app"

    def __str__(self) -> str:
        """The field without what all fields have in common."""
        parts = [part for part in self.path if part not in {"spec", "template", "containers", "broken-app"}]
        value = self.value["value"] if isinstance(self.value, dict) and "value" in self.value else self.value
        shown = "removed" if value is None else in_one_line(value)
        return f"{self.kind} {self.name}: {'.'.join(parts)} → {shown}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A way to break the app.

    Attributes:
        name: how the parameter `scenarios` calls it.
        fault: what the analysis has to find, an id of the catalogue.
        subject: of the commit.
        edit: what the commit changes; None for the image that is built again under its tag.
        sign: a pattern on what the cluster shows once the damage is done; see `chaos_signs.signs`.
        object: what the analysis has to name.
        change: a pattern on the change that the analysis has to name.
        cites: a pattern on the evidence that it has to cite.
        lasting_seconds: how long the damage goes on before the analysis, for metrics and back-off to show it.
    """

    name: str
    fault: str
    subject: str
    sign: str
    change: str
    cites: str = ""
    edit: Edit | None = None
    object: str = APP
    lasting_seconds: int = 30


def _field(*path: str, value: Any) -> Edit:
    return Edit(path=(*CONTAINER, *path), value=value)


def _switch(name: str, value: str, *, deployment: str = "broken-app") -> Edit:
    """An environment variable of its own."""
    path = (*POD, "containers", deployment, "env", name)
    return Edit(path=path, value={"name": name, "value": value}, file=f"{deployment}.yaml", name=deployment)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="B",
        fault="oom_killed",
        subject="save memory in the shop",
        edit=_field("resources", "limits", "memory", value="10Mi"),
        sign="OOMKilled",
        change=r"256Mi\b.*\b10Mi",
        cites="OOMKilled|OOM-killed",
    ),
    Scenario(
        name="A",
        fault="dev_server_in_production",
        subject="start the shop as on my machine",
        edit=_field("command", value=["python", "app.py"]),
        sign="This is a development server",
        change=r"python.*app\.py",
        cites="This is a development server",
        lasting_seconds=15,
    ),
    Scenario(
        name="A-image",
        fault="dev_server_in_production",
        subject="",
        sign="This is a development server",
        change=r"rebuilt under the same tag",
        cites="This is a development server",
        lasting_seconds=15,
    ),
    Scenario(
        name="image_not_found",
        fault="image_not_found",
        subject="release v9 of the shop",
        edit=_field("image", value="broken-app:v9-typo"),
        sign="ErrImagePull|ImagePullBackOff",
        change="v9-typo",
        cites="ErrImagePull|ImagePullBackOff",
    ),
    Scenario(
        name="crash_bad_command",
        fault="crash_bad_command",
        subject="start the shop with more workers",
        edit=_field("command", value=["gunicron", "--workers=4", "app:create_app()"]),
        sign="gunicron|StartError|RunContainerError",
        change="gunicron",
        cites="gunicron",
    ),
    Scenario(
        name="crash_missing_env",
        fault="crash_missing_env",
        subject="remove a setting that looks unused",
        edit=_field("env", "DEPENDENCY_URL", value=None),
        sign="CrashLoopBackOff|restarts [1-9]",
        change="DEPENDENCY_URL",
        cites="DEPENDENCY_URL",
    ),
    Scenario(
        name="crash_app_exit",
        fault="crash_app_exit",
        subject="renew the lease of partition 0",
        edit=_switch("FAULT_EXIT_AFTER_SECONDS", "8"),
        sign="CrashLoopBackOff|restarts [1-9]",
        change="FAULT_EXIT_AFTER_SECONDS",
        cites="lost the lease",
    ),
    Scenario(
        name="readiness_probe_misconfigured",
        fault="readiness_probe_misconfigured",
        subject="probe the new port",
        edit=_field("readinessProbe", "httpGet", "port", value=9999),
        sign="Readiness probe failed",
        change="9999",
        cites="9999",
    ),
    Scenario(
        name="service_selector_mismatch",
        fault="service_selector_mismatch",
        subject="prepare the labels of v2",
        edit=Edit(kind="Service", path=("spec", "selector", "app.kubernetes.io/name"), value="broken-app-v2"),
        sign="Service broken-app has no endpoint",
        object="Service/default/broken-app",
        change="broken-app-v2",
        cites="broken-app-v2",
    ),
    Scenario(
        name="configmap_missing",
        fault="configmap_missing",
        subject="read the shop's settings from their new place",
        edit=_field("env", "DEPENDENCY_URL", "valueFrom", "configMapKeyRef", "name", value="broken-app-settings"),
        sign="CreateContainerConfigError",
        change="broken-app-settings",
        cites="broken-app-settings",
    ),
    Scenario(
        name="configmap_key_missing",
        fault="configmap_key_missing",
        subject="rename a setting",
        edit=_field("env", "DEPENDENCY_URL", "valueFrom", "configMapKeyRef", "key", value="INVENTORY_URL"),
        sign="CreateContainerConfigError",
        change="INVENTORY_URL",
        cites="INVENTORY_URL",
    ),
    Scenario(
        name="secret_missing",
        fault="secret_missing",
        subject="give the shop its token",
        edit=_field("envFrom", value=[{"secretRef": {"name": "shop-token"}}]),
        sign="CreateContainerConfigError",
        change="shop-token",
        cites="shop-token",
    ),
    Scenario(
        name="node_selector_unmatched",
        fault="node_selector_unmatched",
        subject="run the shop on fast disks",
        edit=Edit(path=(*POD, "nodeSelector"), value={"disk": "fast"}),
        sign="node selector|node affinity/selector",
        change="disk",
        cites="disk",
    ),
    Scenario(
        name="insufficient_extended_resource",
        fault="insufficient_extended_resource",
        subject="give the shop a GPU",
        edit=_field("resources", "limits", "example.com/gpu", value="1"),
        sign=r"Insufficient example\.com/gpu",
        change=r"example\.com/gpu",
        cites=r"example\.com/gpu",
    ),
    Scenario(
        name="service_account_missing",
        fault="service_account_missing",
        subject="run the shop under an account of its own",
        edit=Edit(path=(*POD, "serviceAccountName"), value="shop"),
        sign=r'serviceaccount "shop" not found',
        change="shop",
        cites="shop",
    ),
    Scenario(
        name="init_container_failed",
        fault="init_container_failed",
        subject="migrate the database before the start",
        edit=Edit(
            path=(*POD, "initContainers"),
            value=[{"name": "migrate", "image": "broken-app:v2", "command": ["python", "migrate.py"]}],
        ),
        sign="ended Error with exit code 2",
        change="migrate",
        cites="migrate",
    ),
    Scenario(
        name="scaled_to_zero",
        fault="scaled_to_zero",
        subject="the inventory is not needed at night",
        edit=Edit(file="inventory.yaml", name="inventory", path=("spec", "replicas"), value=0),
        sign="Deployment inventory asks for 0 replicas",
        object=INVENTORY,
        change="replicas",
        cites="replicas",
        lasting_seconds=45,
    ),
    Scenario(
        name="exception_storm",
        fault="exception_storm",
        subject="new rules for discounts",
        edit=_switch("FAULT_ERROR_RATE", "0.5"),
        sign="DiscountError",
        change="FAULT_ERROR_RATE",
        cites="error_ratio|Traceback|DiscountError",
        lasting_seconds=60,
    ),
    Scenario(
        name="memory_leak",
        fault="memory_leak",
        subject="keep more in memory",
        edit=_switch("FAULT_MEMORY_LEAK_MIB_PER_SECOND", "1"),
        sign="OOMKilled",
        change="FAULT_MEMORY_LEAK_MIB_PER_SECOND",
        cites="working.set",
    ),
    Scenario(
        name="slow_dependency",
        fault="slow_dependency",
        subject="check the stock twice",
        edit=_switch("FAULT_SLOW_DEPENDENCY_SECONDS", "1.5", deployment="inventory"),
        sign="inventory-.*: Ready",
        object=INVENTORY,
        change="FAULT_SLOW_DEPENDENCY_SECONDS",
        cites="latency|timed out",
        lasting_seconds=60,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
