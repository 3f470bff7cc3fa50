"""Terraform for one lab: init, plan, apply, destroy and output, with lines while it works and a time limit.

python-terraform words the commands. Its own `cmd()` runs them with neither lines nor limit, and its `apply`, `plan` and
`destroy` use flags that Terraform has changed since, so the commands are run here.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as Wording

from srelab_lib.errors import DeadlineError, SourceError
from srelab_lib.lab.image_list import NODE_IMAGE
from srelab_lib.lab.process import CommandError, run, silent
from srelab_lib.lab.step import Progress, StepError
from srelab_lib.lab.terraform_state import FOLDER, STATE, cluster_in, state_file, workspace
from srelab_lib.settings import LAB_CLUSTER

INIT_SECONDS = 60.0
PLAN_SECONDS = 120.0
APPLY_SECONDS = 900.0
"""A cluster takes half a minute; pulling the node image over a slow line, where there is a line, takes the rest."""
DESTROY_SECONDS = 300.0
INTERRUPT_SECONDS = 90.0
"""Ctrl-C, or no time left: Terraform and kind get this to delete what is half-built and to write the state."""
LOCK_SECONDS = 120
"""How long another Terraform on the same state is waited for."""
QUIET = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
NO_NETWORK = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9")
"""Port 9 takes no connection: whatever asks a registry fails at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a plan would do to one thing.

    Attributes:
        address: as Terraform calls it, `terraform_data.cluster`.
        action: create, update, replace or delete.
        because: what differs, in words.
    """

    address: str
    action: str
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Terraform:
    """The Terraform files in `folder`, for the lab called `cluster`, on the state that belongs to it.

    Attributes:
        cluster: the lab's name.
        node_image: image of the nodes.
        folder: where main.tf is.
    """

    cluster: str = LAB_CLUSTER
    node_image: str = NODE_IMAGE
    folder: Path = FOLDER

    @property
    def state(self) -> Path:
        """The state file, there or not."""
        return state_file(self.cluster, self.folder)

    def init(self, progress: Progress = silent) -> str:
        """`terraform init`, where no network can be reached: no provider is downloaded. Its last words are returned.

        Raises:
            StepError: it failed, with Terraform's own message.
        """
        said = self._run("init", progress, timeout_seconds=INIT_SECONDS, environment=NO_NETWORK)
        return [line for line in said.splitlines() if line.strip()][-1]

    def plan(self, lost: Collection[str] = (), progress: Progress = silent) -> list[Change]:
        """What an apply would change; empty when nothing. It changes nothing itself.

        Args:
            lost: nodes that do not run, as Docker says: a plan cannot see that everywhere, see main.tf.
            progress: is told Terraform's lines.

        Raises:
            StepError: it failed, or the state is another lab's.
        """
        with tempfile.TemporaryDirectory(prefix="srelab-plan-") as folder:
            file = Path(folder) / "plan"
            flags = self._flags(lost) | {"detailed_exitcode": IsFlagged, "out": str(file)}
            self._run("plan", progress, timeout_seconds=PLAN_SECONDS, accepted=(0, 2), **flags)
            return _changes(self._json("show", "-json", str(file)).get("resource_changes", ()))

    def apply(self, lost: Collection[str] = (), progress: Progress = silent) -> tuple[int, int, int]:
        """`terraform apply -auto-approve`; how many resources were added, changed and destroyed.

        Raises:
            StepError: it failed, or the state is another lab's. What was half-built is gone, or is deleted by the next.
        """
        flags = self._flags(lost) | {"auto_approve": IsFlagged}
        said = self._run("apply", progress, timeout_seconds=APPLY_SECONDS, **flags)
        match = re.search(r"Resources: (\d+) added, (\d+) changed, (\d+) destroyed", said)
        if match is None:
            raise StepError("terraform apply did not say what it has done", source="terraform", hint="terraform show")
        added, changed, destroyed = map(int, match.groups())
        return added, changed, destroyed

    def destroy(self, progress: Progress = silent) -> int:
        """`terraform destroy -auto-approve`; how many resources were destroyed.

        Raises:
            StepError: it failed, or the state is another lab's.
        """
        flags = self._flags() | {"auto_approve": IsFlagged}
        said = self._run("destroy", progress, timeout_seconds=DESTROY_SECONDS, **flags)
        match = re.search(r"Resources: (\d+) destroyed", said)
        return int(match[1]) if match else 0

    def outputs(self) -> dict[str, Any]:
        """Name -> value; empty before the first apply."""
        return {name: item["value"] for name, item in self._json("output", "-json").items()}

    def _flags(self, lost: Collection[str] = ()) -> dict[str, Any]:
        """What a command that reads the state needs; only the lab's own state is touched.

        Raises:
            StepError: the state is another lab's.
        """
        owner = cluster_in(self.state)
        if owner not in {"", self.cluster}:
            raise StepError(
                f"the state in terraform/{STATE} is that of cluster {owner}, and an apply would replace {owner}",
                source="terraform",
                hint=f"go on with cluster_name = {owner!r}, or remove that lab first: 99_cleanup.ipynb with that name",
            )
        variables = [f"cluster_name={self.cluster}", f"node_image={self.node_image}"]
        if lost:
            variables.append(f"lost={json.dumps(sorted(lost))}")
        return {"var": variables, "lock_timeout": f"{LOCK_SECONDS}s", "input": False}

    def _json(self, command: str, *arguments: str) -> dict[str, Any]:
        said = self._command("terraform", command, *arguments, timeout_seconds=PLAN_SECONDS)
        try:
            answer: dict[str, Any] = json.loads(said)
        except ValueError as error:
            raise SourceError(f"terraform {command} gave no JSON", source=str(self.folder)) from error
        return answer

    def _run(
        self,
        name: str,
        progress: Progress,
        *,
        timeout_seconds: float,
        accepted: tuple[int, ...] = (0,),
        environment: dict[str, str] | None = None,
        **flags: Any,
    ) -> str:
        # A state is named here that is not there: the wrapper would read the real one, and fail on a damaged one.
        wording = Wording(working_dir=str(self.folder), state=f"{STATE}.not-read-by-python")
        command = wording.generate_cmd_string(name, no_color=IsFlagged, **flags)
        limits = {"timeout_seconds": timeout_seconds, "accepted": accepted, "interrupt_seconds": INTERRUPT_SECONDS}
        return self._command(*command, progress=progress, environment=environment or {}, **limits)

    def _command(self, *command: str, environment: dict[str, str] | None = None, **limits: Any) -> str:
        own = QUIET | {"TF_WORKSPACE": workspace(self.cluster, self.folder)} | (environment or {})
        try:
            return run(*command, folder=self.folder, environment=own, **limits)
        except (CommandError, DeadlineError) as error:
            said = _message(error.output) if isinstance(error, CommandError) else error.message
            hint = f"cd terraform; terraform {command[1]}    (run the notebook again: it goes on from here)"
            raise StepError(f"terraform {command[1]}: {said}", source="terraform", hint=error.hint or hint) from error


def _changes(items: Collection[dict[str, Any]]) -> list[Change]:
    """From a plan's `resource_changes`; what stays as it is is left out."""
    words = {("create",): "create", ("update",): "update", ("delete",): "delete"}
    found = []
    for item in items:
        actions = tuple(item["change"]["actions"])
        if actions in {("no-op",), ("read",)}:
            continue
        action = words.get(actions, "replace")
        found.append(Change(address=item["address"], action=action, because=_because(action, item["change"])))
    return found


def _because(action: str, change: dict[str, Any]) -> str:
    if action in {"create", "delete"}:
        return "it is not in the state" if action == "create" else "it is not wanted any more"
    before, after = change.get("before") or {}, change.get("after") or {}
    field = "triggers_replace" if action == "replace" else "input"
    old, new = before.get(field) or {}, after.get(field) or {}
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{old} -> {new}"
    parts = [
        # lab.sh counts creations: "2: sre-lab-worker is not running".
        re.sub(r"^\d+: ", "", str(new[key])) if key == "creation" else f"{key}: {old.get(key)} -> {new[key]}"
        for key in sorted(new)
        if old.get(key) != new[key]
    ]
    return "; ".join(parts) or "what it is built on is replaced"


def _message(output: str) -> str:
    """Terraform's message without the frame that it draws around it."""
    text = "\n".join(re.sub(r"^[╷│╵]\s?", "", line).rstrip() for line in output.splitlines())
    found = text[text.index("Error: ") :] if "Error: " in text else text
    return re.sub(r"\n{2,}", "\n", found).strip()
