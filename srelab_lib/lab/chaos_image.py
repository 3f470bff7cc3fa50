"""A break that git does not see: other contents under the same image tag, loaded onto the nodes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from srelab_lib.lab.applications import applications
from srelab_lib.lab.chaos_commit import APPLICATION, diff_of
from srelab_lib.lab.image_list import BUILDS, FINGERPRINT, built
from srelab_lib.lab.images import local_id, side_load, side_loaded
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.pods import up_to_date
from srelab_lib.lab.process import run
from srelab_lib.lab.step import PROJECT, Observation, Phase, Progress, Step
from srelab_lib.lab.ticking import ticking
from srelab_lib.settings import LAB_CONTEXT

IMAGE = "broken-app:v2"
MARK = "chaos"
"""Instead of the digest of the sources, so that the proper image is built again whatever happens."""
COMMAND = 'CMD ["python", "app.py"]'
BUILD_SECONDS = 300
[_BUILD] = [build for build in BUILDS if build.image == IMAGE]


class ImageBreak:
    """The Dockerfile's CMD is changed in a copy of app/, the image built again, loaded, and the app restarted.

    Attributes:
        commit: empty: there is none.
        diff: of the Dockerfile.
        synced_seconds: 0: nothing is synced.
    """

    def __init__(self, *, context: str = LAB_CONTEXT) -> None:
        self.commit = ""
        self.diff = ""
        self.subject = ""
        self.synced_seconds = 0.0
        self._before = self._now = self._revision = ""
        self._kubectl = Kubectl(context=context)

    def inject(self, phase: Phase) -> None:
        """Builds, loads, restarts; and shows that Argo CD sees no difference."""
        self._before, self._now = local_id(IMAGE), ""
        self._revision = self._state()
        phase.ensure(self._rebuilt())
        phase.verify(self._unseen())

    def undo(self, phase: Phase) -> None:
        """The image from app/ as it is, on each node, and in each pod."""
        for step in proper_image(self._kubectl):
            phase.ensure(step)

    def put_back(self, progress: Progress) -> None:
        """The same in a hurry: no waiting for pods."""
        for step in proper_image(self._kubectl):
            if not step.observe().holds and step.apply:
                step.apply(progress)

    def _rebuilt(self) -> Step:
        def observe() -> Observation:
            ids = f"{_short(self._before)} before, {_short(self._now)} now"
            return Observation(holds=bool(self._now), text=ids if self._now else "not built")

        def apply(progress: Progress) -> None:
            self._build(progress)
            with ticking(progress, f"loading {IMAGE} onto each node"):
                side_load([IMAGE], progress)
            progress("       kubectl rollout restart deployment broken-app")
            self._kubectl("rollout", "restart", "deployment/broken-app", "--namespace", "default")
            self._now = local_id(IMAGE)

        return Step(
            title=f"{IMAGE} has other contents",
            expected="another id under the same name",
            reason="A tag is a name. Whoever builds it again changes what runs, and no manifest says so.",
            hint=f"docker image inspect {IMAGE}",
            observe=observe,
            apply=apply,
        )

    def _build(self, progress: Progress) -> None:
        with tempfile.TemporaryDirectory(prefix="srelab-app-") as folder:
            copy = Path(folder) / "app"
            shutil.copytree(PROJECT / _BUILD.context, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            dockerfile = copy / "Dockerfile"
            before = dockerfile.read_text(encoding="utf-8")
            after = "\n".join(COMMAND if line.startswith("CMD ") else line for line in before.splitlines()) + "\n"
            dockerfile.write_text(after, encoding="utf-8")
            self.diff = diff_of(before, after, _BUILD.dockerfile)
            progress(f"       docker build -t {IMAGE} app/, from a copy with {COMMAND}")
            command = ("docker", "build", "--tag", IMAGE, "--label", f"{FINGERPRINT}={MARK}", str(copy))
            with ticking(progress, f"building {IMAGE}"):
                run(*command, timeout_seconds=BUILD_SECONDS)

    def _unseen(self) -> Step:
        def observe() -> Observation:
            state = self._state()
            return Observation(holds=state == self._revision, text=f"{state}, as before")

        return Step(
            title="git and Argo CD see nothing",
            expected="Synced, at the revision of before",
            reason="They compare manifests. The restart sets an annotation that git does not mention, so it stays.",
            hint=f"kubectl --context {self._kubectl.context} -n argocd get application {APPLICATION}",
            observe=observe,
            timeout_seconds=30.0,
        )

    def _state(self) -> str:
        [item] = applications(APPLICATION, context=self._kubectl.context)
        sync = item["status"]["sync"]
        return f"{sync['status']} at {sync.get('revision', '')[:8]}"


def proper_image(kubectl: Kubectl) -> list[Step]:
    """The steps: built from app/ as it is, on every node, and no pod runs another."""
    return [built(_BUILD), side_loaded([IMAGE]), up_to_date(kubectl, ["default"])]


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]
