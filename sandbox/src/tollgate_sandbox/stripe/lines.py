"""Invoice items and the lines they become."""

from decimal import Decimal

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import decimal_text, merged
from tollgate_sandbox.stripe.currencies import check_amount, known, rounded
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.world import World

MOST_ITEMS = 250


def new_item(world: World, customer: Json, currency: str, params: Json) -> Json:
    """An invoice item that is on no invoice yet; raises StripeError where its amount is unclear."""
    unit, price, product = _price(world, params, currency)
    quantity = _quantity(params)
    if params.get("amount") is not None:
        if unit is not None:
            raise invalid("You may only specify one of these parameters: amount, unit_amount_decimal.", param="amount")
        check_amount(params["amount"], currency)
        amount: int = params["amount"]
        unit = Decimal(amount) / quantity if quantity else Decimal(amount)
    elif unit is not None:
        amount = rounded(unit * quantity, currency)
    else:
        raise invalid(
            "One of amount, unit_amount_decimal, price_data or pricing is needed.",
            code="parameter_missing",
            param="amount",
        )
    now = world.now()
    period = params.get("period") or {"start": now, "end": now}
    if period["end"] < period["start"]:
        raise invalid("The period's end must not be before its start.", param="period[end]")
    details = {"price": price, "product": product} if price else None
    fields: Json = {
        "amount": amount,
        "currency": currency,
        "customer": customer["id"],
        "date": now,
        "description": params.get("description") or _name(world, product),
        "discountable": params.get("discountable", amount >= 0),
        "discounts": [],
        "invoice": None,
        "metadata": merged({}, params.get("metadata") or ""),
        "net_amount": amount,
        "period": {"start": period["start"], "end": period["end"]},
        "pricing": {
            "price_details": details,
            "type": "price_details",
            "unit_amount_decimal": decimal_text(round(unit, 12)),
        },
        "proration": False,
        "quantity": int(quantity),
        "quantity_decimal": decimal_text(quantity),
        "tax_rates": [],
    }
    return world.new("invoiceitem", "ii", fields, hidden={"tax_behavior": params.get("tax_behavior") or "exclusive"})


def put_on(world: World, item: Json, invoice: Json) -> Json:
    """Make a line of an item."""
    world.store.place(item, invoice["id"])
    line: Json = {
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": item["discountable"],
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": dict(item["metadata"]),
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": dict(item["period"]),
        "pretax_credit_amounts": [],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subscription": None,
        "subtotal": item["amount"],
        "taxes": [],
    }
    made = world.new("line_item", "il", line)
    del made["created"]
    return made


def check_room(world: World, invoice: Json, more: int = 1) -> None:
    """Raise StripeError unless the invoice can take more items."""
    if invoice["status"] != "draft":
        message = "You can only add invoice items to draft invoices. This invoice is already finalized."
        raise invalid(message, code="invoice_not_editable", param="invoice")
    if len(world.store.of_invoice("invoiceitem", invoice["id"])) + more > MOST_ITEMS:
        raise invalid(f"An invoice can have at most {MOST_ITEMS} items.", param="invoice")


def _quantity(params: Json) -> Decimal:
    given = params.get("quantity_decimal")
    if given is not None and params.get("quantity") is not None:
        raise invalid("You may only specify one of these parameters: quantity, quantity_decimal.", param="quantity")
    quantity = Decimal(given if given is not None else params.get("quantity", 1))
    if quantity < 0:
        raise invalid("Invalid non-negative integer", code="parameter_invalid_integer", param="quantity")
    return quantity


def _price(world: World, params: Json, currency: str) -> tuple[Decimal | None, str | None, str | None]:
    """The unit amount, and the price and product it comes from."""
    given = as_object(params.get("price_data"))
    if given:
        if known(given["currency"], "price_data[currency]") != currency:
            raise invalid("The price's currency must be that of the invoice.", param="price_data[currency]")
        product = (
            world.store.get("product", given["product"], "price_data[product]")["id"] if "product" in given else None
        )
        return _amount(given), None, product
    if as_object(params.get("pricing")).get("price"):
        price = world.store.get("price", params["pricing"]["price"], "pricing[price]")
        if price["currency"] != currency:
            raise invalid(
                f"The price's currency is {price['currency']}, the invoice's {currency}.", param="pricing[price]"
            )
        return Decimal(price["unit_amount_decimal"]), price["id"], price["product"]
    return params.get("unit_amount_decimal"), None, None


def _amount(price: Json) -> Decimal:
    unit = price.get("unit_amount_decimal", price.get("unit_amount"))
    if unit is None:
        raise invalid(
            "Missing required param: price_data[unit_amount].",
            code="parameter_missing",
            param="price_data[unit_amount]",
        )
    return Decimal(unit)


def _name(world: World, product: str | None) -> str | None:
    found = world.store.find(product)
    return found["name"] if found else None
