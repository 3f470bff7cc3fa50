"""Self-heal of Argo CD: an edit by hand and how long it lasts; paused for a while, and never left so."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from srelab_lib.errors import DeadlineError
from srelab_lib.lab.applications import KIND, applications, heals, refresh
from srelab_lib.lab.git_clone import NAMESPACE
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.step import Observation, Progress, Step
from srelab_lib.settings import LAB_CONTEXT

HEAL_SECONDS = 60.0
POLL_SECONDS = 0.1


class SelfHeal:
    """An edit by hand against git: `replicas` of a Deployment, and how long it stays.

    Attributes:
        seconds: from the edit to its end; None before it was measured.
    """

    def __init__(
        self, deployment: str = "broken-app", namespace: str = "default", *, context: str = LAB_CONTEXT
    ) -> None:
        self.deployment = deployment
        self.namespace = namespace
        self.seconds: float | None = None
        self._kubectl = Kubectl(context=context)
        self._text = ""

    def reverted(self) -> Step:
        """The step: one replica more, by `kubectl scale`, and Argo CD takes it away again."""

        def observe() -> Observation:
            if self.seconds is None:
                return Observation(holds=False, text=self._text or "not tried yet")
            return Observation(holds=True, text=self._text)

        return Step(
            title="an edit by hand is reverted",
            expected=f"as git says again within {HEAL_SECONDS:.0f} s",
            reason="What is not in git does not last: the cluster cannot drift from what was reviewed.",
            hint=f"kubectl --context {self._kubectl.context} -n {NAMESPACE} get applications: is self-heal paused?",
            observe=observe,
            apply=self._edit,
        )

    def replicas(self) -> int:
        """What the Deployment asks for now."""
        workload = self._kubectl.get("deployment", self.deployment, "--namespace", self.namespace)
        return int(workload["spec"]["replicas"])

    def _edit(self, progress: Progress) -> None:
        before = self.replicas()
        arguments = ("scale", f"deployment/{self.deployment}", f"--replicas={before + 1}")
        progress(f"       kubectl {' '.join(arguments)}")
        clock = time.monotonic()
        self._kubectl(*arguments, "--namespace", self.namespace)
        while (now := self.replicas()) != before:
            if time.monotonic() - clock > HEAL_SECONDS:
                raise DeadlineError(f"{self.deployment} still asks for {now} replicas after {HEAL_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        self.seconds = round(time.monotonic() - clock, 1)
        self._text = f"{before} replicas, {before + 1} by hand, {before} again after {self.seconds} s"


@contextmanager
def self_heal_paused(application: str, *, context: str = LAB_CONTEXT) -> Iterator[None]:
    """Edits by hand to what this Application deploys stay until the block ends; then git is the truth again.

    The parent, `root`, leaves the switch alone: it ignores differences there. A commit that is pushed meanwhile is
    still rolled out, and then everything in the Application is as git says, the edit too.
    """
    set_self_heal(application, on=False, context=context)
    try:
        yield
    finally:
        set_self_heal(application, on=True, context=context)
        refresh(application, context=context)


def self_healing(*, context: str = LAB_CONTEXT) -> Step:
    """The step: no Application's self-heal is paused, as a run that was killed in the middle would leave it."""

    def paused() -> list[str]:
        return [item["metadata"]["name"] for item in applications(context=context) if not heals(item)]

    def observe() -> Observation:
        names = paused()
        return Observation(holds=not names, text=f"paused: {', '.join(names)}" if names else "every Application heals")

    def apply(_: Progress) -> None:
        for name in paused():
            set_self_heal(name, on=True, context=context)

    return Step(
        title="self-heal is on",
        expected="no Application is paused",
        reason="While it is paused, an edit by hand stays, and git is not the truth.",
        hint=f"kubectl --context {context} -n {NAMESPACE} get applications -o yaml: spec.syncPolicy.automated.selfHeal",
        observe=observe,
        apply=apply,
    )


def set_self_heal(application: str, *, on: bool, context: str) -> None:
    """Switches self-heal of one Application; `self_healing` is the step that finds what was left off."""
    patch = json.dumps({"spec": {"syncPolicy": {"automated": {"selfHeal": on}}}})
    arguments = ("patch", KIND, application, "--namespace", NAMESPACE, "--type=merge", f"--patch={patch}")
    Kubectl(context=context)(*arguments)
