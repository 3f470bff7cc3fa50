"""kubectl against one named context, never whichever happens to be current."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from srelab_lib.errors import SourceError
from srelab_lib.lab.process import run, silent
from srelab_lib.lab.step import Progress
from srelab_lib.settings import LAB_CONTEXT

REQUEST_SECONDS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Kubectl:
    """kubectl with its context; each call is bounded."""

    context: str = LAB_CONTEXT

    def __call__(
        self,
        *arguments: str,
        timeout_seconds: float = 60,
        stdin: str = "",
        progress: Progress = silent,
        hint: str = "",
    ) -> str:
        """Runs `kubectl --context ...` and returns its stdout.

        Raises:
            CommandError: kubectl ended with an error.
            DeadlineError: it ran too long.
        """
        return run(
            "kubectl",
            "--context",
            self.context,
            *arguments,
            timeout_seconds=timeout_seconds,
            stdin=stdin,
            progress=progress,
            hint=hint,
        )

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get ... -o json`, parsed; empty where `--ignore-not-found` was given and there is none.

        Raises:
            CommandError: not found, forbidden, no cluster.
            SourceError: the answer is no JSON.
        """
        text = self("get", *arguments, "-o", "json", f"--request-timeout={REQUEST_SECONDS}s")
        if not text.strip() and "--ignore-not-found" in arguments:
            return {}
        try:
            answer: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise SourceError(f"kubectl get {' '.join(arguments)} gave no JSON", source=self.context) from error
        return answer

    def secret(self, name: str, namespace: str) -> dict[str, str]:
        """A Secret's values by key, decoded: for use in memory, never for an output.

        Raises:
            CommandError: there is none.
            SourceError: it holds what is no text.
        """
        data = self.get("secret", name, "--namespace", namespace).get("data") or {}
        try:
            return {key: base64.b64decode(value).decode() for key, value in data.items()}
        except ValueError as error:
            raise SourceError(f"Secret {name} holds what is no text", source=namespace) from error

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects of a list; empty where nothing matches."""
        found: list[dict[str, Any]] = self.get(*arguments).get("items", [])
        return found

    def apply(self, manifest: str, *, server_side: bool = False, timeout_seconds: float = 60) -> str:
        """Applies YAML or JSON text."""
        flags = ("--server-side", "--force-conflicts") if server_side else ()
        return self("apply", "-f", "-", *flags, stdin=manifest, timeout_seconds=timeout_seconds)
