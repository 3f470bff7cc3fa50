"""The inotify limits: counted as the kernel does, reached on purpose, named from a log line, raised when asked."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from srelab_lib.errors import SettingsError, SourceError
from srelab_lib.lab import complaints, exhaustion, inotify
from srelab_lib.lab.exhaustion import DESCRIPTORS, INSTANCES, WATCHES, Trial
from srelab_lib.lab.inotify import Holder, Limits, Usage
from srelab_lib.lab.process import silent
from srelab_lib.lab.step import PROJECT, Phase, StepError
from srelab_lib.lab.tuning import Tuning, TuningSettings, lasting

LINUX = pytest.mark.skipif(not inotify.SYSCTLS.is_dir(), reason="no inotify: not Linux")
FSNOTIFY = "failed to create fsnotify watcher: too many open files"


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        (FSNOTIFY, INSTANCES),
        ('E0131 server.go:310 "Failed to run" err="inotify_init: too many open files"', INSTANCES),
        ("systemd[1]: Failed to allocate directory watch: Too many open files", INSTANCES),
        ("Error: EMFILE: too many open files, watch '/app'", INSTANCES),
        ("inotify_add_watch /sys/fs/cgroup/pod1: no space left on device", WATCHES),
        ("ENOSPC: System limit for number of file watchers reached, watch '/app'", WATCHES),
        ("accept tcp [::]:8080: accept4: too many open files", DESCRIPTORS),
        ("OSError: [Errno 24] Too many open files: '/tmp/x'", DESCRIPTORS),
        ("write /data/x: no space left on device", None),
        ("watching for changes", None),
        ("pods is forbidden: cannot watch resource", None),
        ("", None),
    ],
)
def test_a_log_line_names_its_limit(line: str, limit: str | None) -> None:
    meaning = exhaustion.named(line)
    assert (meaning.limit if meaning else None) == limit


def by_limit() -> dict[str, Trial]:
    return {trial.limit: trial for trial in exhaustion.trials()}


def test_too_many_open_files_is_reproduced_and_named_and_its_mend_is_the_step(tmp_path: Path) -> None:
    """The row of the troubleshooting table: the kernel's own message, the limit, and the step that raises it."""
    trial = by_limit()[INSTANCES]
    if not trial.tried:
        pytest.skip(trial.message)
    assert (trial.error, trial.succeeded) == ("EMFILE", trial.allowed)
    assert trial.open_files < 20, "the process's own descriptors are far from their limit"
    meaning = exhaustion.named(f"failed to create fsnotify watcher: {trial.message}")
    assert meaning is not None
    assert meaning.limit == INSTANCES
    assert meaning.mend in tuning(tmp_path).raised(inotify.INSTANCES).hint


def test_each_limit_fails_with_its_own_error_and_nothing_of_it_stays() -> None:
    before = inotify.limits() if inotify.SYSCTLS.is_dir() else None
    trials = by_limit()
    assert list(trials) == [INSTANCES, WATCHES, DESCRIPTORS]
    assert trials[DESCRIPTORS].error == "EMFILE"
    assert trials[DESCRIPTORS].open_files == trials[DESCRIPTORS].allowed
    if trials[WATCHES].tried:
        assert (trials[WATCHES].error, trials[WATCHES].succeeded) == ("ENOSPC", trials[WATCHES].allowed)
    assert exhaustion.reproduced(list(trials.values())).observe().holds
    assert before is None or inotify.limits() == before


@LINUX
def test_without_user_namespaces_the_descriptors_are_tried_and_the_rest_is_told(tmp_path: Path) -> None:
    """A namespace is refused here for real: a process with two threads may not enter one."""
    program = (
        "import runpy, sys, threading; threading.Thread(target=threading.Event().wait, daemon=True).start();"
        f"sys.argv = ['child', {str(tmp_path)!r}]; runpy.run_path({str(exhaustion.CHILD)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    trials = [Trial(**item) for item in json.loads(done.stdout)]
    assert [trial.tried for trial in trials] == [False, False, True]
    seen = exhaustion.reproduced(trials).observe()
    assert seen.holds
    assert "not tried, no user namespace" in seen.text
    assert list(exhaustion.table(trials)["went well"])[:2] == ["not tried", "not tried"]


def test_an_error_of_another_kind_is_not_taken_for_the_limit() -> None:
    trial = Trial(
        limit=INSTANCES, call="inotify_init1", allowed=4, succeeded=0, error="EPERM", message="", open_files=3
    )
    assert not exhaustion.reproduced([trial]).observe().holds
    assert not exhaustion.reproduced([]).observe().holds


# What is held now.


@LINUX
def test_instances_and_watches_of_a_process_are_counted_and_an_inherited_one_once(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    opened = [libc.inotify_init1(0) for _ in range(2)]
    assert min(opened) >= 0, errno.errorcode[ctypes.get_errno()]
    for folder in (tmp_path, tmp_path.parent):
        assert libc.inotify_add_watch(opened[0], bytes(folder), 0x2) > 0
    child = subprocess.Popen(["sleep", "30"], pass_fds=opened)
    try:
        seen = inotify.usage()
        mine = [holder for holder in seen.holders if holder.pid in {os.getpid(), child.pid}]
        assert [(holder.pid, holder.instances, holder.watches) for holder in mine] == [(os.getpid(), 2, 2)]
        assert mine[0].user == os.geteuid()
        assert seen.of_user(os.geteuid())[0] >= 2
    finally:
        child.kill()
        child.wait()
        for number in opened:
            os.close(number)


def holder(command: str, user: int, container: str, instances: int, watches: int) -> Holder:
    return Holder(pid=1, command=command, user=user, container=container, instances=instances, watches=watches)


def test_tables_sum_by_user_by_place_and_by_program() -> None:
    node = "ab" * 32
    seen = Usage(
        holders=(
            holder("kubelet", 0, node, 7, 200),
            holder("kube-proxy", 0, node, 1, 1),
            holder("kube-proxy", 0, node, 1, 1),
            holder("code", 1000, "", 3, 9000),
        ),
        processes=9,
        unreadable=0,
    )
    limits = Limits(max_user_instances=128, max_user_watches=10_000, where="this machine")
    users = inotify.user_table(seen, limits)
    assert users[["user", "instances", "watches", "watches_ratio"]].to_numpy().tolist() == [
        [0, 9, 202, 0.0202],
        [1000, 3, 9000, 0.9],
    ]
    places = inotify.place_table(seen, {node: "lab-worker"})
    assert places.to_numpy().tolist() == [["lab-worker", 9, 202, 3], ["the host", 3, 9000, 1]]
    programs = inotify.process_table(seen, {})
    assert programs.iloc[-1].to_list() == [2, 2, 2, "kube-proxy", node[:12]]
    empty = inotify.process_table(Usage(holders=(), processes=0, unreadable=0), {})
    assert empty.empty
    assert inotify.place_table(Usage(holders=(), processes=0, unreadable=0), {}).empty


def test_without_proc_it_is_said_where_the_limits_are(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no /proc/sys/fs/inotify") as caught:
        inotify.limits(folder=tmp_path / "none")
    assert "virtual machine" in caught.value.hint
    with pytest.raises(SourceError, match="no /proc"):
        inotify.usage(tmp_path)


# Raising.


def tuning(folder: Path, instances: int = 128, watches: int = 600_000) -> Tuning:
    """Files as the kernel shows them, in a folder: a test shall not change this machine."""
    (folder / inotify.INSTANCES).write_text(f"{instances}\n")
    (folder / inotify.WATCHES).write_text(f"{watches}\n")
    return Tuning(settings=TuningSettings(cluster="srelab-test-none"), folder=folder)


def value(folder: Path, name: str) -> int:
    return int((folder / name).read_text())


def test_a_limit_is_raised_noted_and_put_back_and_never_lowered(tmp_path: Path) -> None:
    tuned, phase = tuning(tmp_path), Phase("05_tuning", tmp_path / "run", progress=silent)
    result = phase.ensure(tuned.raised(inotify.INSTANCES))
    assert (result.status, value(tmp_path, inotify.INSTANCES)) == ("done", 512)
    assert "was 128; back: sudo sysctl fs.inotify.max_user_instances=128" in result.observed.replace("docker exec", "")
    assert "was 128" in (tmp_path / "run" / "summary.json").read_text()
    assert phase.ensure(tuned.raised(inotify.INSTANCES)).status == "already"
    assert phase.ensure(tuned.raised(inotify.WATCHES)).status == "already"
    assert value(tmp_path, inotify.WATCHES) == 600_000
    apply = tuned.raised(inotify.WATCHES).apply
    assert apply is not None
    apply(silent)
    assert value(tmp_path, inotify.WATCHES) == 600_000, "also when it is told to"
    assert phase.reset(tuned.raised(inotify.INSTANCES)).ok
    assert value(tmp_path, inotify.INSTANCES) == 128


def test_looking_changes_nothing(tmp_path: Path) -> None:
    result = Phase("05_tuning", tmp_path / "run", progress=silent).check(tuning(tmp_path).raised(inotify.INSTANCES))
    assert (result.status, value(tmp_path, inotify.INSTANCES)) == ("warning", 128)
    assert "sysctl" in result.hint


def test_who_may_not_write_is_told_the_command(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    (tmp_path / inotify.INSTANCES).unlink()
    (tmp_path / inotify.INSTANCES).mkdir()
    with pytest.raises(StepError, match="was not changed") as caught:
        tuned._write(inotify.INSTANCES, 512)
    assert "fs.inotify.max_user_instances=512" in caught.value.hint


def test_the_lasting_file_holds_both_and_is_only_shown() -> None:
    words = lasting()
    assert "fs.inotify.max_user_watches = 524288\\nfs.inotify.max_user_instances = 512" in words
    assert "/etc/sysctl.d/99-srelab.conf" in words


@pytest.mark.parametrize("parameters", [{"apply_sysctl": "yes"}, {"cluster": "A b"}, {"cluster": "--help"}])
def test_parameters_are_checked(parameters: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        TuningSettings(**parameters)  # type: ignore[arg-type]


# The notebook, and a cluster.


def run_notebook(folder: Path, path: str) -> str:
    command = [sys.executable, "-m", "papermill", "05_tuning.ipynb", str(folder / "out.ipynb"), "-p", "output_dir"]
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(folder / "none")}
    subprocess.run(
        [*command, str(folder / "run")], cwd=PROJECT / "notebooks", env=environment, check=True, timeout=120,
        capture_output=True,
    )  # fmt: skip
    return (folder / "out.ipynb").read_text(encoding="utf-8")


def test_the_notebook_runs_where_there_is_no_engine_and_changes_nothing(tmp_path: Path) -> None:
    before = inotify.limits() if inotify.SYSCTLS.is_dir() else None
    run_notebook(tmp_path, path=str(tmp_path))
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == "ok"
    by_title = {step["title"]: step for step in summary["steps"]}
    assert by_title["the errors are reproduced in a scratch process"]["status"] == "holds"
    silent_ones = by_title["no node and no restarted container complains of a limit"]
    assert (silent_ones["status"], "kind is not on the PATH" in silent_ones["observed"]) == ("warning", True)
    assert before is None or inotify.limits() == before


@pytest.mark.cluster
@LINUX
def test_nodes_see_the_hosts_limits_and_share_roots_budget() -> None:
    tuned = Tuning(settings=TuningSettings())
    table = tuned.seen_by_nodes()
    assert len(table) >= 4
    assert table[list(inotify.WANTED)].drop_duplicates().shape[0] == 1
    names = inotify.containers()
    places = inotify.place_table(inotify.usage(), names).set_index("runs in")["instances"]
    assert all(places[node] >= 5 for node in tuned.nodes())


@pytest.mark.cluster
def test_the_cluster_is_asked_who_complains() -> None:
    found = complaints.complaints()
    assert list(found) == complaints.COLUMNS
    with pytest.raises(SourceError, match="no kind cluster"):
        complaints.complaints("srelab-test-none")
