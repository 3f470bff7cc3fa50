"""The kinds that a snapshot and a recording read: where they are served, and what cannot be judged without them.

Secrets are not among them and never are: a missing one shows in events and waiting messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NODE_EVENTS_NAMESPACE = "default"
"""Events about what has no namespace lie here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One list of one kind.

    Attributes:
        kind: as objects spell it.
        path: of the list, with `{namespace}` where it is namespaced.
        matters: what cannot be judged without it.
        deciding: true when a whole kind of fault cannot be ruled out without it.
        params: selectors.
        home: the namespace to read where all of them are refused.
        of: kinds without whose objects there are none of this one, and none are asked for.
    """

    kind: str
    path: str
    matters: str
    deciding: bool = False
    params: Mapping[str, str] = field(default_factory=dict)
    home: str = ""
    of: frozenset[str] = frozenset()

    @property
    def namespaced(self) -> bool:
        """Whether the list is one namespace's."""
        return "{namespace}" in self.path

    @property
    def plural(self) -> str:
        """As kubectl spells it: `pods`."""
        return self.path.rpartition("/")[2]

    @property
    def source(self) -> str:
        """What a gap is called: `events`, `events of nodes`."""
        return f"{self.plural} of nodes" if self.params else self.plural

    def path_in(self, namespace: str) -> str:
        """The list's path for one namespace; the same for all of them when the kind has none."""
        return self.path.replace("{namespace}", namespace)


def _in(group: str, plural: str, kind: str, matters: str, *, deciding: bool = False) -> Resource:
    base = "/api/v1" if group == "v1" else f"/apis/{group}"
    return Resource(kind=kind, path=f"{base}/namespaces/{{namespace}}/{plural}", matters=matters, deciding=deciding)


def _cluster(group: str, plural: str, kind: str, matters: str) -> Resource:
    base = "/api/v1" if group == "v1" else f"/apis/{group}"
    return Resource(kind=kind, path=f"{base}/{plural}", matters=matters)


RESOURCES: tuple[Resource, ...] = (
    _in("v1", "pods", "Pod", "whether containers run, wait or were killed", deciding=True),
    _in("v1", "events", "Event", "failed scheduling, pulls, probes, mounts and quota", deciding=True),
    _in("apps/v1", "deployments", "Deployment", "what should run, and rollouts", deciding=True),
    _in("apps/v1", "replicasets", "ReplicaSet", "revisions: what a rollout changed, and refused pods", deciding=True),
    _in("apps/v1", "statefulsets", "StatefulSet", "what should run, and rollouts", deciding=True),
    _in("apps/v1", "daemonsets", "DaemonSet", "what should run, and rollouts", deciding=True),
    Resource(
        kind="ControllerRevision",
        path="/apis/apps/v1/namespaces/{namespace}/controllerrevisions",
        matters="what a rollout of a StatefulSet or DaemonSet changed",
        of=frozenset({"StatefulSet", "DaemonSet"}),
    ),
    _in("batch/v1", "jobs", "Job", "failed Jobs", deciding=True),
    _in("batch/v1", "cronjobs", "CronJob", "failed or suspended CronJobs", deciding=True),
    _in("v1", "services", "Service", "selectors and ports that match nothing", deciding=True),
    _in("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", "which Services have no ready pod", deciding=True),
    _in("networking.k8s.io/v1", "ingresses", "Ingress", "Ingresses whose class or backend is missing"),
    _in("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", "traffic that a policy blocks", deciding=True),
    _in("v1", "persistentvolumeclaims", "PersistentVolumeClaim", "volume claims that are not bound", deciding=True),
    _in("v1", "resourcequotas", "ResourceQuota", "quotas that are used up"),
    _in("v1", "limitranges", "LimitRange", "limits that a pod breaks"),
    _in("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscalers at their end"),
    _in("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", "budgets that block a drain"),
    _in("v1", "serviceaccounts", "ServiceAccount", "ServiceAccounts that are missing"),
    _in("rbac.authorization.k8s.io/v1", "roles", "Role", "what a ServiceAccount may do"),
    _in("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", "what a ServiceAccount may do"),
    _in("v1", "configmaps", "ConfigMap", "configuration that is missing, wrong or was edited", deciding=True),
    Resource(
        kind="Event",
        path=f"/api/v1/namespaces/{NODE_EVENTS_NAMESPACE}/events",
        matters="what happened to nodes",
        params={"fieldSelector": "involvedObject.kind=Node"},
    ),
    _cluster("v1", "nodes", "Node", "nodes that are not ready, full or cordoned"),
    _cluster("v1", "namespaces", "Namespace", "labels of namespaces: pod security, policies between namespaces"),
    _cluster("v1", "persistentvolumes", "PersistentVolume", "volumes that claims wait for"),
    _cluster("storage.k8s.io/v1", "storageclasses", "StorageClass", "storage classes that do not exist"),
    _cluster("networking.k8s.io/v1", "ingressclasses", "IngressClass", "Ingress classes that do not exist"),
    _cluster("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", "preemption by priority"),
    _cluster(
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        "admission webhooks that do not answer",
    ),
    _cluster(
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        "admission webhooks that do not answer",
    ),
    _cluster("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", "what a ServiceAccount may do"),
    _cluster(
        "rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", "what a ServiceAccount may do"
    ),
    Resource(
        kind="Application",
        path="/apis/argoproj.io/v1alpha1/applications",
        matters="commits that Argo CD rolled out",
        home="argocd",
    ),
)
"""Every list of a snapshot, the most telling first. Argo CD's Applications are read in all namespaces: one that deploys
to this namespace usually lies in `argocd`."""
