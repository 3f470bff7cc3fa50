"""The inventory: what the shop depends on."""

from __future__ import annotations

import hmac
import time
from random import SystemRandom
from threading import Lock

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue

from faults import Faults

PRODUCTS = {"coffee": 9.5, "grinder": 89.0, "kettle": 45.0, "mug": 12.0}
_random = SystemRandom()


class RateLimit:
    """So many requests a second, in this worker; 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._per_second, self._tokens, self._seen, self._lock = per_second, per_second, time.monotonic(), Lock()

    def allows(self) -> bool:
        """Takes a token from the bucket if there is one."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._tokens + (now - self._seen) * self._per_second, max(self._per_second, 1.0))
            self._seen = now
            if self._per_second and self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def add_inventory(app: Flask, *, token: str, limit: RateLimit, faults: Faults) -> None:
    """The inventory's routes; a token that is not empty has to come with each request."""

    @app.before_request
    def admit() -> ResponseReturnValue | None:
        if not request.path.startswith("/stock"):
            return None
        if token and not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {token}"):
            current_app.logger.warning("request refused: the bearer token is not the one this service was started with")
            return {"error": "unauthorized"}, 401
        if not limit.allows():
            current_app.logger.warning("request refused: rate limit exceeded")
            return {"error": "too many requests"}, 429
        time.sleep(_random.uniform(0.002, 0.015) + faults.value("slow_dependency_seconds"))
        return None

    @app.get("/stock")
    def stock() -> ResponseReturnValue:
        return [{"product": product, "price": price, "stock": 100} for product, price in PRODUCTS.items()]

    @app.post("/stock/<product>")
    def take(product: str) -> ResponseReturnValue:
        if product not in PRODUCTS:
            return {"error": "unknown product"}, 404
        return {"product": product, "taken": request.get_json()["take"]}
