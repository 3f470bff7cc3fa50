"""The one thing in a cluster that this library writes: the ConfigMap in which the analysis leaves its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client as kube_client
from kubernetes import config as kube_config
from kubernetes.client.exceptions import ApiException

from srelab_lib.clients.http_errors import api_error
from srelab_lib.clients.transport import readable
from srelab_lib.errors import ApiError, UnreachableError
from srelab_lib.redact import redact_text

WRITTEN_BY = "srelab/written-by"
"""The annotation that names the pod whose report it is."""

MAX_BYTES = 1000 * 1024
"""The API server takes no ConfigMap above 1 MiB, keys and metadata included."""

_CONNECT_SECONDS, _READ_SECONDS = 5.0, 20.0
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class ReportConfigMap:
    """A ConfigMap that exists already; it can be filled and nothing else can be done here.

    Args:
        api: a client of the cluster.
        namespace: where it lies.
        name: its name.
        writer: the pod that writes.
    """

    def __init__(self, api: kube_client.ApiClient, *, namespace: str, name: str, writer: str) -> None:
        self._api = kube_client.CoreV1Api(api)
        self._namespace, self._name, self._writer = namespace, name, writer

    @classmethod
    def in_cluster(cls, name: str, *, writer: str) -> ReportConfigMap:
        """The one of this name in this pod's namespace, written as its ServiceAccount.

        Raises:
            UnreachableError: not in a pod, or a pod without a token.
        """
        configuration = kube_client.Configuration()
        try:
            kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            namespace = _NAMESPACE.read_text(encoding="utf-8").strip()
        except (kube_config.ConfigException, OSError) as error:
            raise UnreachableError(
                f"no credentials of a pod: {error}", source="in-cluster", hint="is automountServiceAccountToken false?"
            ) from error
        return cls(kube_client.ApiClient(configuration), namespace=namespace, name=name, writer=writer)

    def write(self, files: Mapping[str, str]) -> None:
        """Puts each text under its name; a key of an earlier report that is written again is replaced.

        Raises:
            ApiError: refused; 404 when the ConfigMap is not there.
            UnreachableError: no answer.
        """
        source = f"ConfigMap {self._namespace}/{self._name}"
        body = {"metadata": {"annotations": {WRITTEN_BY: self._writer}}, "data": dict(files)}
        try:
            answer: Any = self._api.patch_namespaced_config_map(
                name=self._name,
                namespace=self._namespace,
                body=body,
                _content_type="application/merge-patch+json",
                _preload_content=False,
                _request_timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            )
        except ApiException as error:
            raise _refused(error.status, str(error.reason), str(error.body).encode(), source) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            message = f"the report could not be written: {redact_text(str(error))[:200]}"
            raise UnreachableError(message, source=source, hint="try again") from error
        # Answers that are not parsed are not judged by the package either.
        if answer.status >= 300:
            raise _refused(answer.status, answer.reason or "", answer.data, source)


def _refused(status: int | None, reason: str, body: bytes, source: str) -> ApiError:
    error = api_error(status or 0, reason, readable(body), source)
    if status in {403, 404}:
        error.hint = "kubectl apply -f k8s/agent-job.yaml makes it, and the right to write it"
    return error
