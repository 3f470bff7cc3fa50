"""Which contexts a kubeconfig has. Its credentials are read by the `kubernetes` package, when a client is made."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import yaml

from srelab_lib.errors import SettingsError


def default_kubeconfig() -> str:
    """What kubectl reads: the files of KUBECONFIG, else ~/.kube/config."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def contexts(*, kubeconfig: str | None = None) -> tuple[tuple[str, ...], str]:
    """Names of the contexts and the current one; none and "" without a kubeconfig.

    Raises:
        SettingsError: a kubeconfig that cannot be read.
    """
    names: list[str] = []
    current = ""
    for part in (kubeconfig or default_kubeconfig()).split(os.pathsep):
        file = Path(part).expanduser()
        if not part or not file.is_file():
            continue
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            names += [item["name"] for item in content.get("contexts") or []]
            current = current or content.get("current-context") or ""
        except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            hint = "kubectl config view shows what is wrong with it"
            raise SettingsError(f"{file.name} is no kubeconfig", source="kubeconfig", hint=hint) from error
    return tuple(dict.fromkeys(names)), current


def unknown_context(name: str, known: tuple[str, ...]) -> SettingsError:
    """The error for a context that is not there; its hint names near ones."""
    near = difflib.get_close_matches(name, known, n=3) or list(known[:8])
    hint = f"the kubeconfig has {', '.join(near)}" if near else "there is no kubeconfig: see KUBECONFIG"
    message = f"there is no context {name!r}" if name else "the kubeconfig names no current context"
    return SettingsError(message, source="kubeconfig", hint=hint)
