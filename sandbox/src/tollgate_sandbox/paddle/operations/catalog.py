"""Products and prices."""

from paddle_billing.Resources.Prices.Operations import CreatePrice, ListPrices, UpdatePrice
from paddle_billing.Resources.Prices.Operations.List.Includes import Includes as PriceIncludes
from paddle_billing.Resources.Products.Operations import CreateProduct, ListProducts, UpdateProduct
from paddle_billing.Resources.Products.Operations.List.Includes import Includes as ProductIncludes

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.calls import Answer, Call, Operation, assign
from tollgate_sandbox.paddle.catalog import check_amount, new_price, new_product
from tollgate_sandbox.paddle.errors import bad_request
from tollgate_sandbox.paddle.ids import PRICE, PRODUCT
from tollgate_sandbox.paddle.listing import Filter

_PRODUCT_FIELDS = ("name", "description", "type", "tax_category", "image_url", "custom_data", "status")
_PRICE_FIELDS = (
    "description", "name", "type", "billing_cycle", "trial_period", "tax_mode", "unit_price", "unit_price_overrides",
    "quantity", "status", "custom_data",
)  # fmt: skip
_RECURS: dict[str, Filter] = {
    "recurring": lambda price, wanted: (price["billing_cycle"] is not None) == (wanted[0] == "true")
}


def _of_catalog(call: Call, kind: str) -> list[Json]:
    """What was made for one transaction, or archived, is listed only when asked for."""
    return call.store.all(
        kind,
        lambda one: (
            ("type" in call.query or one["type"] == "standard")
            and ("status" in call.query or one["status"] == "active")
        ),
    )


def _with_prices(call: Call, product: Json) -> Json:
    if "prices" not in call.include:
        return product
    prices = call.store.all(PRICE, lambda one: one["product_id"] == product["id"] and one["type"] == "standard")
    return {**product, "prices": prices}


def _create_product(call: Call) -> Answer:
    made = new_product(call.world, {name: call.params[name] for name in _PRODUCT_FIELDS if name in call.params})
    call.world.emit("product.created", made)
    return Answer(made, 201)


def _update_product(call: Call) -> Json:
    product = call.named(PRODUCT)
    assign(product, call.params, _PRODUCT_FIELDS)
    call.world.touched(product, "product.updated")
    return product


def _with_product(call: Call, price: Json) -> Json:
    if "product" not in call.include:
        return price
    return {**price, "product": call.store.of_kind(PRODUCT, price["product_id"])}


def _create_price(call: Call) -> Answer:
    product = call.referenced(PRODUCT, "product_id")
    if product is None:
        raise bad_request(("product_id", "is required"))
    fields = {name: call.params[name] for name in _PRICE_FIELDS if name in call.params}
    made = new_price(call.world, product, fields)
    call.world.emit("price.created", made)
    return Answer(made, 201)


def _update_price(call: Call) -> Json:
    price = call.named(PRICE)
    if "unit_price" in call.params:
        check_amount(call.params["unit_price"])
    assign(price, call.params, _PRICE_FIELDS)
    call.world.touched(price, "price.updated")
    return price


OPERATIONS = (
    Operation(
        "GET",
        "/products",
        lambda call: call.listed(_of_catalog(call, PRODUCT), lambda one: _with_prices(call, one)),
        query=ListProducts,
    ),
    Operation("POST", "/products", _create_product, CreateProduct),
    Operation("GET", "/products/{id}", lambda call: _with_prices(call, call.named(PRODUCT)), include=ProductIncludes),
    Operation("PATCH", "/products/{id}", _update_product, UpdateProduct),
    Operation(
        "GET",
        "/prices",
        lambda call: call.listed(_of_catalog(call, PRICE), lambda one: _with_product(call, one), _RECURS),
        query=ListPrices,
    ),
    Operation("POST", "/prices", _create_price, CreatePrice),
    Operation("GET", "/prices/{id}", lambda call: _with_product(call, call.named(PRICE)), include=PriceIncludes),
    Operation("PATCH", "/prices/{id}", _update_price, UpdatePrice),
)
