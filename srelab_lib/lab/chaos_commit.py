"""A break as a commit that Argo CD rolls out, and the way back: `git revert`, also of what an earlier run left."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable

from srelab_lib.lab.applications import refresh, synced_to
from srelab_lib.lab.chaos_scenarios import FOLDER, Edit, Scenario
from srelab_lib.lab.git_clone import REPOSITORY, Clone
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.step import Observation, Phase, Progress, Step
from srelab_lib.lab.yaml_edit import field_of, with_field
from srelab_lib.settings import LAB_CONTEXT

APPLICATION = "broken-app"
PREFIX = "chaos: "
"""How the subject of a break begins: by it a later run knows what is to be reverted."""
SEARCHED = 100
"""Commits that are looked through for a break."""
_REVERTED = re.compile(r"^This reverts commit ([0-9a-f]{40})", re.MULTILINE)


class CommitBreak:
    """One scenario as a commit.

    Attributes:
        commit: the pushed commit, in full; empty before.
        diff: what it changes, as `git diff` shows it.
        synced_seconds: from the push to "Synced" at that commit.
    """

    def __init__(self, scenario: Scenario, edit: Edit, *, context: str = LAB_CONTEXT) -> None:
        self.commit = ""
        self.diff = ""
        self.synced_seconds = 0.0
        self.subject = PREFIX + scenario.subject
        self._edit = edit
        self._before = ""
        self._acts = False
        self._kubectl = Kubectl(context=context)

    def inject(self, phase: Phase) -> None:
        """Commits, pushes, and waits until Argo CD has rolled it out."""
        if not self._acts:
            self.commit, self._before = "", self._live()
        clock = time.monotonic()
        phase.ensure(self._pushed())
        phase.ensure(synced_to(APPLICATION, self.commit, context=self._kubectl.context))
        self.synced_seconds = round(time.monotonic() - clock, 1)
        phase.verify(self._in_cluster("the commit acts in the cluster", lambda text: text != self._before))

    def undo(self, phase: Phase) -> None:
        """`git revert`, rolled out, and the field is as it was."""
        phase.ensure(nothing_in_force(context=self._kubectl.context))
        self._acts = False
        with Clone(context=self._kubectl.context) as clone:
            reverting = clone.head
        phase.ensure(synced_to(APPLICATION, reverting, context=self._kubectl.context))
        phase.verify(self._in_cluster("the revert acts in the cluster", lambda text: text == self._before))

    def put_back(self, progress: Progress) -> None:
        """The way back in a hurry: reverts what was pushed, and waits for nothing."""
        with Clone(context=self._kubectl.context) as clone:
            revert_all(clone, progress)
        self._acts = False
        refresh(APPLICATION, context=self._kubectl.context)

    def _pushed(self) -> Step:
        def observe() -> Observation:
            return Observation(holds=bool(self.commit), text=f"{self.commit[:8]} {self.subject}".strip())

        def apply(progress: Progress) -> None:
            path = f"{FOLDER}/{self._edit.file}"
            with Clone(context=self._kubectl.context) as clone:
                text = clone.read(path)
                edited = with_field(text, self._edit.kind, self._edit.name, self._edit.path, self._edit.value)
                self.diff = diff_of(text, edited, path)
                commit = clone.commit(self.subject, {path: edited})
                progress(f"       git push: {commit[:8]} {self.subject}")
                clone.push()
                self.commit, self._acts = commit, True

        return Step(
            title="the break is a commit in git",
            expected="a commit that the server took",
            reason="What Argo CD deploys is changed in git or not at all.",
            hint=f"kubectl --context {self._kubectl.context} -n argocd logs deployment/git-server",
            observe=observe,
            apply=apply,
        )

    def _in_cluster(self, title: str, holds: Callable[[str], bool]) -> Step:
        def observe() -> Observation:
            text = self._live()
            return Observation(
                holds=holds(text), text=f"{self._edit.path[-1]}: {text}, before the break {self._before}"
            )

        return Step(
            title=title,
            expected="the field as git has it",
            reason="Argo CD says Synced of what it has applied; this looks at the object itself.",
            hint=f"kubectl --context {self._kubectl.context} get {self._edit.kind} {self._edit.name} -o yaml",
            observe=observe,
            timeout_seconds=20.0,
        )

    def _live(self) -> str:
        found = self._kubectl.get(self._edit.kind, self._edit.name, "--namespace", "default")
        value = field_of(found, self._edit.path)
        return "not there" if value is None else str(value)


def diff_of(old: str, new: str, path: str) -> str:
    """A unified diff with two lines around each change."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{path}", f"b/{path}", n=2, lineterm="")
    return "\n".join(lines)


def in_force(clone: Clone) -> list[str]:
    """Breaks that no later commit reverts, newest first. Seeding writes all files anew: none is older than that."""
    listed = clone.git("log", f"-n{SEARCHED}", "--format=%H%x00%s%x00%b%x01")
    reverted: set[str] = set()
    found: list[str] = []
    for entry in listed.split("\x01"):
        sha, subject, body = (*entry.strip().split("\x00"), "", "")[:3]
        if sha not in reverted:
            reverted |= set(_REVERTED.findall(body))
        if subject.startswith("seed"):
            break
        if subject.startswith(PREFIX) and sha not in reverted:
            found.append(sha)
    return found


def revert_all(clone: Clone, progress: Progress) -> list[str]:
    """Reverts every break that is in force; returns the commits that do it, pushed."""
    done = []
    for sha in in_force(clone):
        progress(f"       git revert {sha[:8]} {clone.git('log', '-n1', '--format=%s', sha).strip()}")
        done.append(clone.revert(sha))
    return done


def nothing_in_force(*, context: str = LAB_CONTEXT) -> Step:
    """The step: no break is left in git, be it of this run or of an earlier one that was cut short."""

    def observe() -> Observation:
        with Clone(context=context) as clone:
            found = in_force(clone)
            [(newest, subject)] = clone.log(1)
        text = f"in force: {', '.join(sha[:8] for sha in found)}" if found else f"newest is {newest[:8]} {subject}"
        return Observation(holds=not found, text=text)

    def apply(progress: Progress) -> None:
        with Clone(context=context) as clone:
            revert_all(clone, progress)
        refresh(APPLICATION, context=context)

    return Step(
        title="git holds no break",
        expected=f"each commit {PREFIX.strip()!r} is reverted",
        reason="What git says is what runs; a run that was stopped in the middle can leave its break there.",
        hint=f"clone {REPOSITORY} and read `git log`",
        observe=observe,
        apply=apply,
    )
