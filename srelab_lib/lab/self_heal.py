"""Self-heal of Argo CD: an edit by hand and how long it lasts; paused for a while, and never left so."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from srelab_lib.errors import DeadlineError
from srelab_lib.lab.applications import KIND, REFRESH, applications, heals, is_busy
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

    A commit that is pushed meanwhile is rolled out when the block ends.
    """
    try:
        pause_self_heal(application, context=context)
        yield
    finally:
        resume_self_heal(application, context=context)


def self_healing(*, context: str = LAB_CONTEXT) -> Step:
    """The step: no Application's self-heal is paused, as a run that was killed in the middle would leave it."""

    def paused() -> list[str]:
        return [item["metadata"]["name"] for item in applications(context=context) if not heals(item)]

    def observe() -> Observation:
        names = paused()
        return Observation(holds=not names, text=f"paused: {', '.join(names)}" if names else "every Application heals")

    def apply(_: Progress) -> None:
        for name in paused():
            resume_self_heal(name, context=context)

    return Step(
        title="self-heal is on",
        expected="no Application is paused",
        reason="While it is paused, an edit by hand stays, and git is not the truth.",
        hint=f"kubectl --context {context} -n {NAMESPACE} get applications -o yaml: spec.syncPolicy.automated.enabled",
        observe=observe,
        apply=apply,
    )


def pause_self_heal(application: str, *, context: str = LAB_CONTEXT) -> None:
    """Argo CD leaves the Application alone from here on; `self_healing` is the step that finds what was left so.

    With `selfHeal: false` it would still sync once to a commit that is new to it, an edit by hand away with it. That
    `enabled` is not in git, so the parent, `root`, does not undo it. A sync that runs has ended when this returns.

    Raises:
        DeadlineError: one still runs.
    """
    _set_enabled(application, enabled=False, context=context)
    clock = time.monotonic()
    while is_busy(applications(application, context=context)[0]):
        if time.monotonic() - clock > HEAL_SECONDS:
            raise DeadlineError(f"Argo CD is still at it after {HEAL_SECONDS:.0f} s", source=application)
        time.sleep(POLL_SECONDS)


def resume_self_heal(application: str, *, context: str = LAB_CONTEXT) -> None:
    """As git has it: Argo CD compares at once, and undoes what was edited."""
    _set_enabled(application, enabled=None, context=context)


def _set_enabled(application: str, *, enabled: bool | None, context: str) -> None:
    # Asked to look again in the same request: when it has, it has seen the switch.
    patch = {
        "metadata": {"annotations": {REFRESH: "normal"}},
        "spec": {"syncPolicy": {"automated": {"enabled": enabled}}},
    }
    arguments = ("patch", KIND, application, "--namespace", NAMESPACE, "--type=merge", f"--patch={json.dumps(patch)}")
    Kubectl(context=context)(*arguments)
