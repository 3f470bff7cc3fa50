"""What the app tells about itself: metrics for Prometheus, and one JSON object a log line."""

from __future__ import annotations

import json
import logging
import os
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import flask
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"
NEW_FILE_TRIES, NEW_FILE_SECONDS = 5, 0.05
"""How often, and how far apart, a scrape looks again at a worker's file that is still empty."""
UNSEEN = ("/healthz", "/metrics", "/faults")
"""Asked by the platform, not by users: counting these would dilute every error ratio."""


class Metrics:
    """The app's metric families; each app has a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("http_requests", "Requests answered.", ["method", "path", "status"], registry=registry)
        self.request_seconds = Histogram(
            "http_request_duration_seconds", "Time to answer a request.", ["method", "path"], registry=registry
        )
        self.in_flight = Gauge(
            "http_requests_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )
        self.dependency_seconds = Histogram(
            "dependency_request_duration_seconds",
            "Time that one attempt to call a dependency took.",
            ["dependency", "outcome"],
            registry=registry,
        )
        self.dependency_retries = Counter(
            "dependency_retries", "Attempts after the first.", ["dependency"], registry=registry
        )
        self.pool_in_use = Gauge(
            "dependency_pool_connections_in_use",
            "Connections taken from the pool.",
            ["dependency"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.pool_max = Gauge(
            "dependency_pool_connections_max",
            "Connections that the pool can give.",
            ["dependency"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.query_seconds = Histogram("db_query_duration_seconds", "Time of a query.", ["query"], registry=registry)

    def render(self) -> bytes:
        """The exposition text; with several workers the sum over all of them, whichever one answers."""
        if MULTIPROC_DIR not in os.environ:
            return generate_latest(self.registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        for _ in range(NEW_FILE_TRIES):
            try:
                return generate_latest(everyone)
            except struct.error:  # a worker has just made its file, and not yet written to it
                time.sleep(NEW_FILE_SECONDS)
        return generate_latest(everyone)


def forget_earlier_processes() -> None:
    """Empties the directory that workers share: it outlives a container's restart, and counters must begin at 0."""
    if MULTIPROC_DIR in os.environ:
        folder = Path(os.environ[MULTIPROC_DIR])
        folder.mkdir(parents=True, exist_ok=True)
        for values in folder.glob("*.db"):
            values.unlink()


class JsonFormatter(logging.Formatter):
    """One JSON object a line. The message of an exception ends with what was raised, so that it can be searched."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if flask.has_request_context():
            line["request_id"] = flask.g.get("request_id")
        if record.exc_info and record.exc_info[0]:
            line["message"] = f"{line['message']}: {record.exc_info[0].__name__}: {record.exc_info[1]}"
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_config() -> dict[str, object]:
    """For `logging.config.dictConfig`; werkzeug is left alone: the development server must look like itself."""
    logger = {"handlers": ["stdout"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": sys.stdout, "formatter": "json"}},
        "root": {"handlers": [], "level": "WARNING"},
        # The app logs its requests itself, with their ids.
        "loggers": {"shop": logger, "gunicorn.error": logger, "gunicorn.access": {**logger, "level": "ERROR"}},
    }


def observe(app: flask.Flask, metrics: Metrics) -> None:
    """Counts, times and logs each request of a user."""

    @app.before_request
    def begin() -> None:
        flask.g.seen = not flask.request.path.startswith(UNSEEN)
        flask.g.request_id = _request_id(flask.request.headers.get("X-Request-ID", ""))
        flask.g.begun = time.perf_counter()
        if flask.g.seen:
            metrics.in_flight.inc()

    @app.after_request
    def count(response: flask.Response) -> flask.Response:
        response.headers["X-Request-ID"] = flask.g.request_id
        if flask.g.seen:
            seconds = time.perf_counter() - flask.g.begun
            method, status = flask.request.method, response.status_code
            # The rule and not the path itself: a label must not have a value for each product.
            path = flask.request.url_rule.rule if flask.request.url_rule else "unknown"
            metrics.requests.labels(method, path, str(status)).inc()
            metrics.request_seconds.labels(method, path).observe(seconds)
            level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
            fields = {"method": method, "path": path, "status": status, "duration_seconds": round(seconds, 4)}
            app.logger.log(level, "%s %s %s", method, path, status, extra={"fields": fields})
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        if flask.g.get("seen"):
            metrics.in_flight.dec()


def _request_id(given: str) -> str:
    return given if given.isalnum() and len(given) <= 64 else os.urandom(8).hex()
