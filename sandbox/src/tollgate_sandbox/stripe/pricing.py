"""Products and prices, also those made inline."""

from decimal import Decimal
from typing import Any

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.calls import assign, decimal_text
from tollgate_sandbox.stripe.currencies import known
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.world import World


def new_product(world: World, params: Json) -> Json:
    """A product."""
    fields: Json = {
        "active": params.get("active", True),
        "images": [],
        "marketing_features": [],
        "name": params["name"],
        "type": "service",
        "updated": world.now(),
    }
    product = world.new("product", "prod", fields)
    assign(
        product, params, ("description", "metadata", "tax_code", "unit_label", "url", "statement_descriptor", "images")
    )
    world.emit("product.created", product)
    return product


def new_price(world: World, params: Json) -> Json:
    """A price per unit; raises StripeError for models the simulator has not."""
    currency = known(params["currency"])
    if params.get("billing_scheme", "per_unit") != "per_unit" or "tiers" in params:
        raise invalid("The simulator knows only prices per unit.", param="billing_scheme")
    unit = params.get("unit_amount_decimal", params.get("unit_amount"))
    if unit is None:
        raise invalid("Missing required param: unit_amount.", code="parameter_missing", param="unit_amount")
    if "product" in params:
        product = world.store.get("product", params["product"], "product")
    elif "product_data" in params:
        product = new_product(world, params["product_data"])
    else:
        raise invalid("Missing required param: product.", code="parameter_missing", param="product")
    exact = Decimal(unit)
    fields: Json = {
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "currency": currency,
        "product": product["id"],
        "recurring": _recurring(params.get("recurring")),
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "type": "recurring" if params.get("recurring") else "one_time",
        "unit_amount": int(exact) if exact == int(exact) else None,
        "unit_amount_decimal": decimal_text(exact),
    }
    price = world.new("price", "price", fields)
    assign(price, params, ("lookup_key", "metadata", "nickname"))
    world.emit("price.created", price)
    return price


def _recurring(given: Any) -> Json | None:
    if not given:
        return None
    frame: Json = {"interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"}
    return {**frame, **given}
