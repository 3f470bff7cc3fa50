"""The lab's target: a small shop and the inventory that it depends on, one image in two roles.

Environment:
    ROLE: `shop` or `inventory`.
    DEPENDENCY_URL: where the shop finds the inventory; the shop does not start without it.
    DEPENDENCY_TIMEOUT_SECONDS, DEPENDENCY_RETRIES: how long and how often the shop asks.
    DEPENDENCY_TOKEN: bearer token that the shop sends and the inventory wants; empty is none.
    RATE_LIMIT_PER_SECOND: of the inventory, for each worker; 0 is none.
    STATE_DIR: a writable folder.
    PORT, WEB_CONCURRENCY, PROMETHEUS_MULTIPROC_DIR: as gunicorn and prometheus_client know them.
    FAULT_*: see faults.py.
"""

from __future__ import annotations

import logging.config
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from dependency import Dependency
from faults import SWITCHES, Faults, haunt_main_process, haunt_worker
from inventory import RateLimit, add_inventory
from orders import Orders, haunt_database
from shop import add_shop
from telemetry import Metrics, forget_earlier_processes, log_config, observe

PORT = 8080
ORDERS = "orders.db"


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The environment, read strictly: what is missing or wrong stops the program before it serves anything."""

    role: str
    dependency_url: str
    dependency_timeout_seconds: float
    dependency_retries: int
    dependency_token: str
    rate_limit_per_second: float
    state_dir: Path
    faults: Faults


def read_config(environment: Mapping[str, str]) -> Config:
    """What the environment says.

    Raises:
        KeyError: the shop was given no DEPENDENCY_URL.
        ValueError: a number is none.
    """
    role = environment.get("ROLE", "shop")
    state_dir = Path(environment.get("STATE_DIR", "/tmp/shop"))  # noqa: S108  in a pod a volume of its own
    return Config(
        role=role,
        dependency_url=environment["DEPENDENCY_URL"] if role == "shop" else "",
        dependency_timeout_seconds=float(environment.get("DEPENDENCY_TIMEOUT_SECONDS", "2")),
        dependency_retries=int(environment.get("DEPENDENCY_RETRIES", "0")),
        dependency_token=environment.get("DEPENDENCY_TOKEN", ""),
        rate_limit_per_second=float(environment.get("RATE_LIMIT_PER_SECOND", "0")),
        state_dir=state_dir,
        faults=Faults(environment, state_dir / "faults.json"),
    )


def create_app(config: Config | None = None) -> Flask:
    """The app in the role that the configuration names; without one, the process's environment is read."""
    config = config or read_config(os.environ)
    app = Flask("shop")
    metrics = Metrics()
    observe(app, metrics)
    _add_operations(app, metrics, config.faults)
    if config.role == "inventory":
        limit = RateLimit(config.rate_limit_per_second)
        add_inventory(app, token=config.dependency_token, limit=limit, faults=config.faults)
        return app
    inventory = Dependency(
        "inventory",
        config.dependency_url,
        token=config.dependency_token,
        timeout_seconds=config.dependency_timeout_seconds,
        retries=config.dependency_retries,
        metrics=metrics,
        faults=config.faults,
    )
    add_shop(app, inventory, Orders(config.state_dir / ORDERS, metrics, config.faults), config.faults)
    return app


def _add_operations(app: Flask, metrics: Metrics, faults: Faults) -> None:
    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return {"status": "ok"}

    @app.get("/metrics")
    def exposition() -> ResponseReturnValue:
        return Response(metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/faults")
    def switches() -> ResponseReturnValue:
        return dict(faults.values())

    @app.route("/faults/<name>", methods=["POST", "DELETE"])
    def switch(name: str) -> ResponseReturnValue:
        if name not in SWITCHES:
            return {"error": f"no switch {name!r}", "switches": SWITCHES}, 404
        try:
            # The service proxy of the API server sends no content type: the body is JSON all the same.
            faults.set(name, request.get_json(force=True) if request.method == "POST" else 0)
        except ValueError as error:
            return {"error": str(error)}, 400
        return dict(faults.values())


def haunt(config: Config) -> None:
    """Starts the switches that are no part of a request, in the main process."""
    haunt_main_process(config.faults)
    if config.role == "shop":
        haunt_database(config.state_dir / ORDERS, config.faults)


def main() -> None:
    """Flask's development server: what nobody should start in production, and one of the lab's faults."""
    config = read_config(os.environ)
    forget_earlier_processes()
    logging.config.dictConfig(log_config())
    app = create_app(config)
    haunt(config)
    haunt_worker(config.faults, workers=1)
    app.run(host="0.0.0.0", port=int(os.environ.get("PORT", PORT)))


if __name__ == "__main__":
    main()
