"""Throw-away clones of the repository that Argo CD syncs from: commit, push, revert, mirror."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from srelab_lib.errors import SourceError
from srelab_lib.lab.kubectl import Kubectl
from srelab_lib.lab.port_forward import forwarded
from srelab_lib.lab.process import CommandError, run
from srelab_lib.settings import LAB_CONTEXT

NAMESPACE = "argocd"
SERVICE = "git-server"
PATH = "/git/lab.git"
REPOSITORY = f"http://{SERVICE}.{NAMESPACE}.svc{PATH}"
"""How Argo CD names it; a clone on this machine comes through a port-forward."""
BRANCH = "main"
SEEDED = "k8s"
"""The folder of the working copy that the repository holds."""
CREDENTIALS = "git-credentials"
GIT_SECONDS = 60

# No configuration of this machine or its user, no prompt, and always the same author.
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
    **{f"GIT_{role}_NAME": "srelab" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "srelab@localhost" for role in ("AUTHOR", "COMMITTER")},
}
# git asks for the password by running this; it reads it from its environment, so no file and no command line has it.
_HELPER = '!f() { echo "username=$SRELAB_GIT_USER"; echo "password=$SRELAB_GIT_PASSWORD"; }; f'


class Clone:
    """A context manager: a clone in a temporary folder, gone when the block ends.

    Each exchange with the server opens a port-forward of its own, so a restart of its pod in between does no harm.

        with Clone() as clone:
            sha = clone.commit("lower the limit", {"k8s/manifests/broken-app/broken-app.yaml": text})
            clone.push()

    Attributes:
        folder: where it lies.
    """

    def __init__(self, *, context: str = LAB_CONTEXT, may_be_empty: bool = False) -> None:
        self.context = context
        self._may_be_empty = may_be_empty
        self._temporary = tempfile.TemporaryDirectory(prefix="srelab-git-")
        self.folder = Path(self._temporary.name) / "lab"

    def __enter__(self) -> Clone:
        try:
            with reachable(self.context) as url:
                _git("clone", "--quiet", url, str(self.folder))
                if not (self.git("ls-remote", url, f"refs/heads/{BRANCH}").strip() or self._may_be_empty):
                    hint = "run 02_gitops.ipynb: it is seeded there"
                    raise SourceError("the repository has no commit yet", source=REPOSITORY, hint=hint)
        except BaseException:
            self._temporary.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.cleanup()

    @property
    def head(self) -> str:
        """The commit that is checked out, in full."""
        return self.git("rev-parse", "HEAD").strip()

    def read(self, path: str) -> str:
        """A file of the checked out commit.

        Raises:
            SourceError: there is none.
        """
        try:
            return (self.folder / path).read_text(encoding="utf-8")
        except OSError as error:
            raise SourceError(f"{path} is not in the repository", source=REPOSITORY) from error

    def commit(self, message: str, files: Mapping[str, str | None]) -> str:
        """Writes files, as text by path from the repository's root; None deletes one. Nothing is pushed.

        Returns:
            The commit, in full.

        Raises:
            SourceError: nothing would change.
        """
        for path, text in files.items():
            target = self.folder / path
            if text is None:
                target.unlink(missing_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
        return self.commit_folder(message, *files)

    def push(self) -> None:
        """Pushes what was committed, with the password from the cluster's Secret.

        Raises:
            CommandError: refused: somebody else has pushed since, or the password is wrong.
        """
        with reachable(self.context) as url:
            try:
                self.git("push", "--quiet", url, f"HEAD:{BRANCH}", environment=_credentials(self.context))
            except CommandError as error:
                error.hint = "somebody else has pushed meanwhile? Take a new clone and commit there"
                raise

    def revert(self, sha: str) -> str:
        """`git revert` of one commit, pushed. History is never rewritten; the server refuses that.

        Returns:
            The commit that undoes it, in full.

        Raises:
            CommandError: later commits changed the same lines, or the push was refused.
        """
        try:
            self.git("revert", "--no-edit", sha)
        except CommandError as error:
            error.hint = (
                f"later commits stand on it; `git revert` those first, or seed again: {SEEDED}/ is then as here"
            )
            raise
        self.push()
        return self.head

    def log(self, count: int = 10) -> list[tuple[str, str]]:
        """The newest commits: (sha, subject), newest first."""
        lines = self.git("log", f"-n{count}", "--format=%H %s").splitlines()
        return [(line[:40], line[41:]) for line in lines]

    def commit_folder(self, message: str, *paths: str) -> str:
        """Commits whatever is different below these paths of `folder`; see `commit`."""
        self.git("add", "--all", "--", *paths)
        if not self.git("status", "--porcelain").strip():
            raise SourceError(f"nothing to commit for {message!r}", source=REPOSITORY, hint="it is so already")
        self.git("commit", "--quiet", "--message", message)
        return self.head

    def git(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Git in the clone; returns what it writes."""
        return _git(*arguments, folder=self.folder, environment=environment)


@contextmanager
def mirror(*, context: str = LAB_CONTEXT) -> Iterator[Path]:
    """A bare copy with all history in a temporary folder, for whoever reads commits: nothing can be pushed from it."""
    with tempfile.TemporaryDirectory(prefix="srelab-mirror-") as folder:
        path = Path(folder) / "lab.git"
        with reachable(context) as url:
            _git("clone", "--quiet", "--mirror", url, str(path))
        yield path


@contextmanager
def reachable(context: str = LAB_CONTEXT) -> Iterator[str]:
    """The repository's URL on this machine, through a port-forward. Reading needs no password."""
    with forwarded(NAMESPACE, SERVICE, 80, context=context) as port:
        yield f"http://127.0.0.1:{port}{PATH}"


def _credentials(context: str) -> dict[str, str]:
    """User and password for a push: from the Secret into the environment of one git process, and nowhere else."""
    try:
        secret = Kubectl(context=context).secret(CREDENTIALS, NAMESPACE)
        user, password = secret["username"], secret["password"]
    except (KeyError, SourceError, CommandError) as error:
        raise SourceError(
            f"no password for pushes in Secret {CREDENTIALS}",
            source=NAMESPACE,
            hint="kubectl -n argocd delete job bootstrap --ignore-not-found; kubectl apply -f k8s/bootstrap.yaml",
        ) from error
    return {"SRELAB_GIT_USER": user, "SRELAB_GIT_PASSWORD": password}


def _git(*arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    # No proxy: the port-forward is on this machine. No other credential helper than ours.
    options = ("-c", "http.proxy=", "-c", "credential.helper=", "-c", f"credential.helper={_HELPER}")
    command = ("git", *options, *arguments)
    return run(
        *command, timeout_seconds=GIT_SECONDS, folder=folder, environment={**_ENVIRONMENT, **(environment or {})}
    )
