"""Products and prices, those of the catalog and those made for a single transaction, and items that name them."""

from copy import deepcopy
from typing import cast

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.ids import PRICE, PRODUCT
from tollgate_sandbox.paddle.world import World

_QUANTITY: Json = {"minimum": 1, "maximum": 100}
_LARGEST = 999_999_999_999


def new_product(world: World, fields: Json, type_: str = "standard") -> Json:
    """A product."""
    frame: Json = {"description": None, "image_url": None, "custom_data": None, "type": type_}
    return world.made(PRODUCT, {**frame, **_given(fields), "status": "active", "import_meta": None})


def new_price(world: World, product: Json, fields: Json, type_: str = "standard") -> Json:
    """A price of a product."""
    frame: Json = {
        "type": type_,
        "name": None,
        "billing_cycle": None,
        "trial_period": None,
        "tax_mode": "account_setting",
        "unit_price_overrides": [],
        "quantity": dict(_QUANTITY),
        "custom_data": None,
    }
    given = _given(fields)
    given.pop("product", None)
    check_amount(given["unit_price"])
    if given.get("trial_period") and not given.get("billing_cycle"):
        raise refused("price_trial_period_requires_billing_cycle", "A trial period needs a billing cycle.")
    return world.made(PRICE, {**frame, **given, "product_id": product["id"], "status": "active", "import_meta": None})


def check_amount(unit_price: Json) -> None:
    """Raise PaddleError where no price can be that high."""
    if int(unit_price["amount"]) > _LARGEST:
        raise bad_request(("unit_price.amount", "is too high"))


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None or name in {"custom_data"}}


def resolve(world: World, items: list[Json]) -> list[Json]:
    """Items of a request with their prices, each as it is now; raises PaddleError."""
    if not items:
        raise bad_request(("items", "must have at least one item"))
    return [_item(world, item, f"items.{at}") for at, item in enumerate(items)]


def _item(world: World, item: Json, path: str) -> Json:
    price = _price(world, item, path)
    quantity: int = item.get("quantity", 1)
    bounds = price["quantity"]
    if not bounds["minimum"] <= quantity <= bounds["maximum"]:
        raise refused(
            "transaction_item_quantity_out_of_range",
            f"The quantity of price {price['id']} must be between {bounds['minimum']} and {bounds['maximum']}.",
        )
    return {"price_id": price["id"], "price": deepcopy(price), "quantity": quantity, "proration": None}


def _price(world: World, item: Json, path: str) -> Json:
    if "price_id" in item:
        found = world.store.of_kind(PRICE, item["price_id"])
        if found is None:
            raise bad_request((f"{path}.price_id", f"{item['price_id']} does not exist"))
        if found["status"] != "active":
            raise refused("transaction_price_not_active", f"price {found['id']} is archived")
        return found
    price = cast(Json, item["price"])
    if "product" in price:
        product: Json | None = new_product(world, price["product"], "custom")
    else:
        product = world.store.of_kind(PRODUCT, price["product_id"])
    if product is None:
        raise bad_request((f"{path}.price.product_id", f"{price['product_id']} does not exist"))
    if product["status"] != "active":
        raise refused("transaction_product_not_active", f"product {product['id']} is archived")
    return new_price(world, product, price, "custom")


def currency_of(items: list[Json], wanted: str | None) -> str:
    """The one currency of all items; the simulator converts none."""
    currencies = {item["price"]["unit_price"]["currency_code"] for item in items}
    if len(currencies) != 1 or (wanted and wanted not in currencies):
        there = ", ".join(sorted(currencies))
        raise bad_request(("currency_code", f"prices are in {there}; nothing is converted here"))
    return str(currencies.pop())


def cycle_of(items: list[Json]) -> Json | None:
    """The one billing cycle of the items that recur."""
    cycles: list[Json] = [item["price"]["billing_cycle"] for item in items if item["price"]["billing_cycle"]]
    if any(cycle != cycles[0] for cycle in cycles):
        raise refused("transaction_price_different_billing_cycle", "prices have different billing cycles")
    return cycles[0] if cycles else None
