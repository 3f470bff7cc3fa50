"""The commits of a recording: what git said of the revisions that Argo CD names, and a reader that says it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srelab_lib.redact import redact_text
from srelab_lib.sources.gitops import Reader, deployments, repository_reader
from srelab_lib.sources.incidents import Exchange, Incident


def git_exchanges(lists: Sequence[Exchange], repository: Path) -> list[Exchange]:
    """`git log -p` of every deployment in the recorded Applications, by repository, revisions and path.

    Raises:
        SourceError: see `repository_reader`.
    """
    applications: list[dict[str, Any]] = [
        item
        for listing in lists
        if listing.path.endswith("/applications") and listing.status == 200
        for item in listing.body["items"]
    ]
    read = repository_reader(repository)
    asked: dict[tuple[str, ...], Exchange] = {}

    def keep(url: str, revision: str, previous: str | None, path: str) -> str:
        params = {"revision": revision, "previous": previous or "", "path": path}
        text = read(url, revision, previous, path)
        asked[url, *params.values()] = Exchange(path=url, params=params, body=text)
        return text

    deployments(applications, keep)
    return list(asked.values())


def recorded_reader(incident: Incident) -> Reader:
    """What `repository_reader` is to a clone, redacted too; a revision that was not recorded is not known."""
    texts = {
        (item.path, item.params["revision"], item.params["previous"], item.params["path"]): str(item.body)
        for item in incident.exchanges("git")
    }

    def read(url: str, revision: str, previous: str | None, path: str) -> str:
        return redact_text(texts.get((url, revision, previous or "", path), ""))

    return read
