"""The kernel's inotify limits, and who holds how much of them now. Nothing is changed here.

An *instance* is what `inotify_init1` opens, a *watch* is one file or folder that it watches. Both are counted per user,
over the whole machine: the root of every container without a user namespace of its own is one and the same user, see
inotify(7) and kernel/ucount.c.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from srelab_lib.errors import SourceError
from srelab_lib.lab.images import QUICK_SECONDS
from srelab_lib.lab.process import CommandError, run

PROC = Path("/proc")
SYSCTLS = Path("/proc/sys/fs/inotify")
INSTANCES, WATCHES = "max_user_instances", "max_user_watches"
WANTED = {WATCHES: 524_288, INSTANCES: 512}
"""What the lab asks for: kind's own advice (kind.sigs.k8s.io, Known issues, "too many open files")."""
ELSEWHERE = "the limits are those of Docker's virtual machine; without a running node container nothing tells them"

_OPEN = "anon_inode:inotify"
_CONTAINER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The two limits of one user, and where they were read."""

    max_user_instances: int
    max_user_watches: int
    where: str

    def value(self, name: str) -> int:
        """One of them by its name."""
        return self.max_user_instances if name == INSTANCES else self.max_user_watches


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """A process with inotify instances of its own.

    Attributes:
        user: number of its effective user, to whom the kernel charges what it opens.
        container: id of the container it runs in, outermost first; empty on the host.
    """

    pid: int
    command: str
    user: int
    container: str
    instances: int
    watches: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What is held now.

    Attributes:
        holders: most instances first.
        processes: how many processes were looked at.
        unreadable: how many did not let themselves be looked at: those of other users, without root.
    """

    holders: tuple[Holder, ...]
    processes: int
    unreadable: int

    def of_user(self, user: int) -> tuple[int, int]:
        """Instances and watches of a user."""
        mine = [holder for holder in self.holders if holder.user == user]
        return sum(holder.instances for holder in mine), sum(holder.watches for holder in mine)


def limits(node: str = "", folder: Path = SYSCTLS) -> Limits:
    """The limits of this machine; where it has no /proc (macOS), those that the node container `node` sees.

    Raises:
        SourceError: neither can be read.
        CommandError: docker could not ask the node.
    """
    if folder.is_dir():
        found = {name: _number((folder / name).read_text(), str(folder)) for name in WANTED}
        return Limits(**found, where="this machine")
    if not node:
        raise SourceError("this machine has no /proc/sys/fs/inotify", hint=ELSEWHERE)
    return limits_in(node)


def limits_in(container: str) -> Limits:
    """The limits as a container sees them: these sysctls know no namespaces, so they are its host's.

    Raises:
        CommandError: no docker, no such container, or it does not run.
    """
    paths = [f"/proc/sys/fs/inotify/{name}" for name in WANTED]
    lines = run("docker", "exec", container, "cat", *paths, timeout_seconds=QUICK_SECONDS).split()
    if len(lines) != len(WANTED):
        raise SourceError("did not tell its limits", source=container, hint=ELSEWHERE)
    return Limits(**dict(zip(WANTED, (_number(line, container) for line in lines), strict=True)), where=container)


def usage(proc: Path = PROC) -> Usage:
    """Who holds instances and watches, from /proc/PID/fd and fdinfo; a process that ends meanwhile is left out.

    A descriptor that a child has inherited is one instance for the kernel; it has the parent's number and watches, and
    is counted with the parent.

    Raises:
        SourceError: there is no /proc.
    """
    if not (proc / "self").exists():
        raise SourceError("this machine has no /proc", hint="the nodes run in Docker's virtual machine: look there")
    pids = [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]
    opened: dict[int, dict[str, str]] = {}
    unreadable = 0
    for pid in pids:
        try:
            opened[pid] = dict(_instances(proc / str(pid)))
        except PermissionError:
            unreadable += 1
        except OSError:
            continue  # it has ended
    found = [holder for pid, own in opened.items() if own for holder in _holder(proc / str(pid), own, opened)]
    found.sort(key=lambda holder: (-holder.instances, -holder.watches, holder.pid))
    return Usage(holders=tuple(found), processes=len(pids), unreadable=unreadable)


def containers() -> dict[str, str]:
    """Container id -> name, as the engine tells; empty where there is no engine."""
    try:
        lines = run("docker", "ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}", timeout_seconds=QUICK_SECONDS)
    except CommandError:
        return {}
    return dict(line.split(" ", 1) for line in lines.splitlines() if " " in line)


def process_table(seen: Usage, names: dict[str, str]) -> pd.DataFrame:
    """One row for each kind of process: its command, where it runs, how many there are, and what they hold together.

    `names` is container id -> name, see `containers`.
    """
    columns = {"instances": "int64", "watches": "int64", "processes": "int64", "command": "str", "runs in": "str"}
    rows: Counter[tuple[str, str, str]] = Counter()
    for holder in seen.holders:
        place = names.get(holder.container, holder.container[:12]) or "the host"
        for what, number in (("instances", holder.instances), ("watches", holder.watches), ("processes", 1)):
            rows[place, holder.command, what] += number
    groups = sorted({(place, command) for place, command, _ in rows})
    table = pd.DataFrame(
        [
            {name: rows[place, command, name] for name in ("instances", "watches", "processes")}
            | {"command": command, "runs in": place}
            for place, command in groups
        ],
        columns=list(columns),
    ).astype(columns)
    return table.sort_values(["instances", "watches"], ascending=False, kind="stable").reset_index(drop=True)


def place_table(seen: Usage, names: dict[str, str]) -> pd.DataFrame:
    """The same by container: what each node takes of the budget that they share."""
    by_process = process_table(seen, names)
    table = by_process.groupby("runs in", as_index=False)[["instances", "watches", "processes"]].sum()
    return table.sort_values("instances", ascending=False, kind="stable").reset_index(drop=True)


def user_table(seen: Usage, held: Limits) -> pd.DataFrame:
    """One row for each user: what it holds of each limit, as the kernel counts; empty where nobody holds any."""
    rows = []
    for user in sorted({holder.user for holder in seen.holders}):
        instances, watches = seen.of_user(user)
        rows.append(
            {
                "user": user,
                "instances": instances,
                "max_instances": held.max_user_instances,
                "instances_ratio": round(instances / max(held.max_user_instances, 1), 3),
                "watches": watches,
                "max_watches": held.max_user_watches,
                "watches_ratio": round(watches / max(held.max_user_watches, 1), 4),
            }
        )
    return pd.DataFrame(
        rows,
        columns=["user", "instances", "max_instances", "instances_ratio", "watches", "max_watches", "watches_ratio"],
    )


def _instances(process: Path) -> Iterator[tuple[str, str]]:
    """Number of each inotify descriptor, and what the kernel says of it: a line for each watch."""
    for descriptor in (process / "fd").iterdir():
        try:
            if str(descriptor.readlink()) == _OPEN:
                yield descriptor.name, (process / "fdinfo" / descriptor.name).read_text()
        except FileNotFoundError:
            continue  # closed meanwhile


def _holder(process: Path, own: dict[str, str], opened: dict[int, dict[str, str]]) -> Iterator[Holder]:
    try:
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
        cgroup = (process / "cgroup").read_text()
    except OSError:
        return  # it has ended
    inherited = opened.get(int(status["PPid"]), {})
    mine = [text for number, text in own.items() if inherited.get(number) != text]
    if not mine:
        return
    container = _CONTAINER.search(cgroup)
    yield Holder(
        pid=int(process.name),
        command=status["Name"].strip(),
        user=int(status["Uid"].split()[1]),
        container=container[0] if container else "",
        instances=len(mine),
        watches=sum(text.count("inotify wd:") for text in mine),
    )


def _number(text: str, source: str) -> int:
    if not text.strip().isdigit():
        raise SourceError(f"gave {text.strip()[:40]!r} for a limit", source=source)
    return int(text)
