"""Products and prices."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.pricing import new_price, new_product


def create_product(call: Call) -> Json:
    """A product, with its first price if given."""
    if call.store.find(call.params.get("id")):
        raise invalid("Product already exists.", code="resource_already_exists", param="id")
    product = new_product(call.world, call.params)
    if call.params.get("id"):
        call.store.remove(product)
        product["id"] = call.params["id"]
        call.store.add(product)
    if call.params.get("default_price_data"):
        price = new_price(call.world, {**call.params["default_price_data"], "product": product["id"]})
        product["default_price"] = price["id"]
    return product


def update_product(call: Call) -> Json:
    """Change it."""
    product = call.named("product")
    if call.params.get("default_price"):
        call.store.get("price", call.params["default_price"], "default_price")
    names = ("active", "default_price", "description", "metadata", "name", "tax_code", "unit_label", "url", "images")
    before = assign(product, call.params, names)
    product["updated"] = call.world.now()
    call.world.emit("product.updated", product, before)
    return product


def delete_product(call: Call) -> Json:
    """Delete one that has no prices."""
    product = call.named("product")
    if call.store.all("price", lambda price: price["product"] == product["id"]):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    call.world.emit("product.deleted", product)
    call.store.remove(product)
    return call.store.deleted[product["id"]]


def update_price(call: Call) -> Json:
    """Change what describes it; amounts never change."""
    price = call.named("price")
    before = assign(price, call.params, ("active", "lookup_key", "metadata", "nickname", "tax_behavior"))
    call.world.emit("price.updated", price, before)
    return price


def list_prices(call: Call) -> Json:
    """Prices by product, currency, type or lookup key."""
    keys = call.params.get("lookup_keys")
    return call.listed(
        "price",
        "active",
        "currency",
        "product",
        "type",
        where=lambda price: keys is None or price["lookup_key"] in keys,
    )


def list_products(call: Call) -> Json:
    """Products by id or activity."""
    ids = call.params.get("ids")
    return call.listed("product", "active", "url", where=lambda product: ids is None or product["id"] in ids)


OPERATIONS = (
    Operation("POST", "/v1/products", shapes.ProductCreateParams, create_product),
    Operation("GET", "/v1/products", shapes.ProductListParams, list_products),
    Operation("GET", "/v1/products/search", shapes.ProductSearchParams, lambda call: call.searched("product")),
    Operation("GET", "/v1/products/{product}", shapes.ProductRetrieveParams, lambda call: call.named("product")),
    Operation("POST", "/v1/products/{product}", shapes.ProductUpdateParams, update_product),
    Operation("DELETE", "/v1/products/{product}", shapes.ProductDeleteParams, delete_product),
    Operation("POST", "/v1/prices", shapes.PriceCreateParams, lambda call: new_price(call.world, call.params)),
    Operation("GET", "/v1/prices", shapes.PriceListParams, list_prices),
    Operation("GET", "/v1/prices/search", shapes.PriceSearchParams, lambda call: call.searched("price")),
    Operation("GET", "/v1/prices/{price}", shapes.PriceRetrieveParams, lambda call: call.named("price")),
    Operation("POST", "/v1/prices/{price}", shapes.PriceUpdateParams, update_price),
)
