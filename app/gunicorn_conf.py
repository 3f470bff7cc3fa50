"""How gunicorn runs the app: two workers with threads, metrics summed over both."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from app import PORT, haunt, read_config
from faults import haunt_worker
from telemetry import MULTIPROC_DIR, forget_earlier_processes, log_config

bind = f"0.0.0.0:{os.environ.get('PORT', PORT)}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 8
# Longer than callers keep an idle connection: the side that closes first should be the one that knows it.
keepalive = 75
# A heartbeat file on a disk that stalls would get healthy workers killed.
worker_tmp_dir = "/dev/shm"  # noqa: S108
control_socket_disable = True
logconfig_dict = log_config()


def on_starting(server: Any) -> None:
    """Before anything else."""
    forget_earlier_processes()


def when_ready(server: Any) -> None:
    """In the main process, before the first worker: a wrong environment ends the program here, once."""
    haunt(read_config(os.environ))


def post_worker_init(worker: Any) -> None:
    """In each worker, after the app was made."""
    haunt_worker(read_config(os.environ).faults, workers)


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's counters go on counting, its gauges do not."""
    if MULTIPROC_DIR in os.environ:
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
