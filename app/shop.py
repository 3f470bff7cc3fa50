"""The shop: what users ask."""

from __future__ import annotations

import time
from random import SystemRandom

from flask import Blueprint, Flask, current_app, g, request
from flask.typing import ResponseReturnValue

from dependency import Dependency, DependencyError
from faults import Faults
from orders import Orders

_random = SystemRandom()


class DiscountError(Exception):
    """A price cannot be computed."""


def add_shop(app: Flask, inventory: Dependency, orders: Orders, faults: Faults) -> None:
    """The shop's routes; `inventory` knows what is in stock."""
    api = Blueprint("api", __name__, url_prefix="/api")

    @api.before_request
    def price() -> None:
        time.sleep(_random.uniform(0.001, 0.010))
        if _random.random() < faults.value("error_rate"):
            raise DiscountError("no discount rule for customer group 'standard'")

    @app.get("/")
    def welcome() -> ResponseReturnValue:
        return {"service": "shop", "links": ["/api/products", "/api/orders", "/api/checkout"]}

    @api.get("/products")
    def products() -> ResponseReturnValue:
        return {"products": inventory.call("GET", "/stock", g.request_id)}

    @api.get("/orders")
    def latest() -> ResponseReturnValue:
        return {"orders": orders.latest()}

    @api.post("/checkout")
    def checkout() -> ResponseReturnValue:
        order = request.get_json()
        quantity = int(order["quantity"])  # unchecked on purpose: bad input is one of the lab's faults
        inventory.call("POST", f"/stock/{order['product']}", g.request_id, {"take": quantity})
        return {"order": orders.add(order["product"], quantity)}, 201

    @app.errorhandler(DependencyError)
    def upstream(error: DependencyError) -> ResponseReturnValue:
        current_app.logger.error("%s", error)
        return {"error": "upstream"}, error.status

    app.register_blueprint(api)
