"""Users of the shop: a steady rate of requests, and one log line every half minute.

Environment: TARGET_URL, LOAD_REQUESTS_PER_SECOND, LOAD_CHECKOUT_BODY (JSON), STATE_DIR (the file `alive` is touched).
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import urlsplit

MIX = ("GET /api/products", "GET /api/orders", "GET /", "GET /api/products", "POST /api/checkout")
USERS = 4
SUMMARY_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0


class Tally:
    """What happened since the last summary."""

    def __init__(self) -> None:
        self._lock, self._statuses, self._seconds = Lock(), Counter[str](), list[float]()

    def add(self, status: str, seconds: float) -> None:
        """Counts one request."""
        with self._lock:
            self._statuses[status] += 1
            self._seconds.append(seconds)

    def summary(self) -> dict[str, object]:
        """The counts by status and the latencies, and begins anew."""
        with self._lock:
            statuses, seconds = dict(sorted(self._statuses.items())), sorted(self._seconds)
            self._statuses.clear()
            self._seconds.clear()
        failed = sum(count for status, count in statuses.items() if status >= "5")
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "warning" if failed else "info",
            "message": f"{len(seconds)} requests, {failed} failed",
            "statuses": statuses,
            "p50_seconds": round(seconds[len(seconds) // 2], 3) if seconds else None,
            "p95_seconds": round(seconds[len(seconds) * 95 // 100], 3) if seconds else None,
        }


def ask(url: str, request: str, body: str) -> str:
    """The answer's status, or the name of the error that there was instead."""
    address = urlsplit(url)
    method, path = request.split()
    # A new connection each time: one that is kept would stay with one pod of the Service.
    connection = HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, body if method == "POST" else None, headers)
        response = connection.getresponse()
        response.read()
        return str(response.status)
    except (OSError, HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def use(environment: Mapping[str, str], tally: Tally, seconds_between: float) -> None:
    """One user, for ever: a slow shop is asked less often, as by people."""
    body = environment.get("LOAD_CHECKOUT_BODY", '{"product": "mug", "quantity": 1}')
    due = time.monotonic()
    for request in cycle(MIX):
        begun = time.monotonic()
        tally.add(ask(environment["TARGET_URL"], request, body), time.monotonic() - begun)
        due = max(due + seconds_between, time.monotonic())
        time.sleep(due - time.monotonic() if due > time.monotonic() else 0)


def main() -> None:
    """Runs until it is stopped."""
    rate = float(os.environ.get("LOAD_REQUESTS_PER_SECOND", "8"))
    alive = Path(os.environ.get("STATE_DIR", "/tmp")) / "alive"  # noqa: S108
    tally = Tally()
    for number in range(USERS):
        time.sleep(number / rate)
        Thread(target=use, args=(os.environ, tally, USERS / rate), daemon=True).start()
    while True:
        alive.touch()
        time.sleep(SUMMARY_SECONDS)
        print(json.dumps(tally.summary()), flush=True)


if __name__ == "__main__":
    main()
