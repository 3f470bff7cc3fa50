"""The web pages of the lab: where they are, a supervised way to them, and proof that a login works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pandas as pd

from srelab_lib.errors import SourceError, UnreachableError
from srelab_lib.lab.gitops import admin_password
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.port_forward import LOCALHOST, Supervised
from srelab_lib.lab.step import Observation, Step
from srelab_lib.settings import LAB_CONTEXT

ANSWER_SECONDS = 10.0
REACHED_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """A web page in the cluster.

    Attributes:
        name: as a person says it.
        namespace: of its Service.
        service: the Service.
        port: the Service's port.
        preferred: the walkthrough's port on this machine.
        scheme: http or https; the certificate is one that it signed itself.
        ready: path that answers 200 without a login when it works.
        shown_by: the command that shows the password in a terminal; empty where nobody logs in.
    """

    name: str
    namespace: str
    service: str
    port: int
    preferred: int
    scheme: str = "http"
    ready: str = "/"
    shown_by: str = ""


ARGOCD = Console(
    name="Argo CD",
    namespace="argocd",
    service="argocd-server",
    port=443,
    preferred=8080,
    scheme="https",
    ready="/healthz",
    shown_by=('kubectl -n argocd get secret argocd-initial-admin-secret -o jsonpath="{.data.password}" | base64 -d'),
)
PROMETHEUS = Console(
    name="Prometheus", namespace="monitoring", service="prometheus", port=9090, preferred=9090, ready="/-/ready"
)
GRAFANA = Console(
    name="Grafana",
    namespace="monitoring",
    service="prometheus-grafana",
    port=80,
    preferred=3000,
    ready="/api/health",
    shown_by=('kubectl -n monitoring get secret prometheus-grafana -o jsonpath="{.data.admin-password}" | base64 -d'),
)
CONSOLES = (ARGOCD, PROMETHEUS, GRAFANA)


class Consoles:
    """Supervised port-forwards to the consoles that are opened; closed together.

    Args:
        context: the cluster's.
    """

    def __init__(self, *, context: str = LAB_CONTEXT) -> None:
        self.context = context
        self._forwards: dict[Console, Supervised] = {}

    def url(self, console: Console) -> str:
        """Where its page is on this machine. It has to be open."""
        return f"{console.scheme}://{LOCALHOST}:{self._forwards[console].local}"

    def opened(self, console: Console) -> Step:
        """The step: the console answers on the walkthrough's port, or on a free one where somebody has that."""

        def observe() -> Observation:
            if console not in self._forwards:
                return Observation(holds=False, text="not open")
            _get(self.url(console) + console.ready)
            forward = self._forwards[console]
            taken = "" if forward.local == console.preferred else f", because {console.preferred} is taken"
            return Observation(holds=True, text=f"{self.url(console)}{taken}")

        def apply(_: Callable[[str], None]) -> None:
            self.close(console)
            self._forwards[console] = Supervised(
                console.namespace, console.service, console.port, preferred=console.preferred, context=self.context
            )

        return Step(
            title=f"{console.name} is open",
            expected=f"{console.ready} answers 200",
            reason="Nothing of the lab listens on this machine's network: a port-forward on 127.0.0.1 is the way in.",
            hint=f"kubectl --context {self.context} -n {console.namespace} get pods,services",
            observe=observe,
            apply=apply,
            undo=lambda _: self.close(console),
            timeout_seconds=REACHED_SECONDS,
        )

    def logged_in(self, console: Console) -> Step:
        """The step: user admin can log in with the password from the cluster's Secret, which stays in memory."""

        def observe() -> Observation:
            user = _LOGINS[console](self.url(console), self.context)
            return Observation(holds=user == "admin", text=f"logged in as {user}" if user else "not logged in")

        return Step(
            title=f"a login at {console.name} works",
            expected="logged in as admin",
            reason="A password that is documented and does not work is worse than none.",
            hint=console.shown_by,
            observe=observe,
            timeout_seconds=REACHED_SECONDS,
        )

    def table(self) -> pd.DataFrame:
        """One row for each open console: URL, user, and the command that shows the password."""
        rows = [
            {
                "console": console.name,
                "url": self.url(console),
                "user": "admin" if console.shown_by else "",
                "the password is shown by": console.shown_by,
                "opened again": forward.reopened,
            }
            for console, forward in self._forwards.items()
        ]
        return pd.DataFrame(rows)

    def close(self, *consoles: Console) -> None:
        """Closes these port-forwards, or all."""
        for console in consoles or tuple(self._forwards):
            if console in self._forwards:
                self._forwards.pop(console).close()


def _argocd_user(url: str, context: str) -> str:
    with _client() as client:
        login = {"username": "admin", "password": admin_password(context=context)}
        token = _json(client.post(f"{url}/api/v1/session", json=login)).get("token", "")
        answer = client.get(f"{url}/api/v1/session/userinfo", headers={"Authorization": f"Bearer {token}"})
        return str(_json(answer).get("username", ""))


def _grafana_user(url: str, context: str) -> str:
    secret = Kubectl(context=context).secret(GRAFANA.service, GRAFANA.namespace)
    login = (secret["admin-user"], secret["admin-password"])
    with _client() as client:
        return str(_json(client.get(f"{url}/api/user", auth=login)).get("login", ""))


_LOGINS: dict[Console, Callable[[str, str], str]] = {ARGOCD: _argocd_user, GRAFANA: _grafana_user}


def _client() -> httpx.Client:
    # The port-forward ends on this machine, and no authority has signed what the servers signed themselves.
    return httpx.Client(verify=False, timeout=ANSWER_SECONDS, trust_env=False)  # noqa: S501


def _get(url: str) -> None:
    try:
        with _client() as client:
            client.get(url).raise_for_status()
    except httpx.HTTPError as error:
        raise UnreachableError(f"no answer yet: {type(error).__name__}", source=url) from error


def _json(answer: httpx.Response) -> dict[str, object]:
    """The answer's body; the error names the status and never the request, which holds the password."""
    try:
        answer.raise_for_status()
        body: dict[str, object] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise SourceError(f"the login was answered with {answer.status_code}", source=answer.url.path) from error
    return body
