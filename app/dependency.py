"""Calls to another service: a bounded pool, bounded waits, and a named outcome for each attempt."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

from faults import Faults
from telemetry import Metrics

POOL_SIZE = 4
POOL_TIMEOUT_SECONDS = 1.0


class DependencyError(Exception):
    """The dependency gave no usable answer; `status` is what our own caller gets."""

    def __init__(self, message: str, *, outcome: str, status: int) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.status = status


class Dependency:
    """A service that is called with JSON and answers JSON.

    Args:
        name: the value of the metrics' `dependency` label.
        timeout_seconds: the longest wait for one answer.
        retries: further attempts after one that failed.
    """

    def __init__(
        self, name: str, url: str, *, token: str, timeout_seconds: float, retries: int, metrics: Metrics, faults: Faults
    ) -> None:
        self._name, self._token, self._retries, self._metrics, self._faults = name, token, retries, metrics, faults
        timeout = urllib3.Timeout(connect=1.0, read=timeout_seconds)
        self._connections = urllib3.connection_from_url(url, maxsize=POOL_SIZE, timeout=timeout, retries=False)
        self._free = BoundedSemaphore(POOL_SIZE)
        self._leaked: list[None] = []  # its pop() is atomic, which a counter's decrement is not
        metrics.pool_max.labels(name).set(POOL_SIZE)

    def call(self, method: str, path: str, request_id: str, body: object = None) -> Any:
        """The decoded answer.

        Raises:
            DependencyError: no attempt succeeded.
        """
        for attempts_left in range(self._retries, -1, -1):
            begun = time.perf_counter()
            outcome = "200"
            try:
                return self._attempt(method, path, request_id, body)
            except DependencyError as error:
                outcome = error.outcome
                if not attempts_left:
                    raise
                self._metrics.dependency_retries.labels(self._name).inc()
            finally:
                seconds = time.perf_counter() - begun
                self._metrics.dependency_seconds.labels(self._name, outcome).observe(seconds)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, method: str, path: str, request_id: str, body: object) -> Any:
        headers = {"X-Request-ID": request_id, "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with self._connection():
            time.sleep(self._faults.value("slow_dependency_seconds"))
            try:
                response = self._connections.urlopen(method, path, body=json.dumps(body), headers=headers)
            except HTTPError as error:
                raise _explained(self._name, error) from error
        if response.status != 200:
            message = f"{self._name} answered {method} {path} with {response.status} {response.reason}"
            raise DependencyError(message, outcome=str(response.status), status=502)
        return response.json()

    @contextmanager
    def _connection(self) -> Iterator[None]:
        """One of the pool's connections; with `deadlock_pool` on it is not given back, until the switch is off."""
        leak = self._faults.value("deadlock_pool") > 0
        with suppress(IndexError):  # another thread may have given back the last one
            while not leak:
                self._leaked.pop()
                self._release()
        if not self._free.acquire(timeout=POOL_TIMEOUT_SECONDS):
            message = (
                f"connection pool of {self._name} exhausted: all {POOL_SIZE} connections in use, "
                f"gave up after {POOL_TIMEOUT_SECONDS} s"
            )
            raise DependencyError(message, outcome="pool_exhausted", status=503)
        self._metrics.pool_in_use.labels(self._name).inc()
        try:
            yield
        finally:
            if leak:
                self._leaked.append(None)
            else:
                self._release()

    def _release(self) -> None:
        self._metrics.pool_in_use.labels(self._name).dec()
        self._free.release()


def _explained(name: str, error: HTTPError) -> DependencyError:
    # A refused connection is a kind of time-out to urllib3, and is none to whoever reads the log.
    if isinstance(error, TimeoutError) and not isinstance(error, NewConnectionError):
        return DependencyError(f"{name} did not answer in time: {error}", outcome="timeout", status=504)
    return DependencyError(f"{name} cannot be reached: {error}", outcome="unreachable", status=502)
