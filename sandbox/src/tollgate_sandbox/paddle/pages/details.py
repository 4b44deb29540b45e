"""The dashboard's pages of one transaction, one subscription and one customer."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.paddle.credits import balances
from tollgate_sandbox.paddle.ids import ADJUSTMENT, CUSTOMER, PAYMENT_METHOD, SUBSCRIPTION, TRANSACTION
from tollgate_sandbox.paddle.money import written
from tollgate_sandbox.paddle.pages.common import card_of, lines_table, total, when
from tollgate_sandbox.paddle.pages.dashboard import (
    adjustment_table,
    customer_link,
    framed,
    subscription_table,
    transaction_table,
)
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.html import Child, Html, button, facts, field, link, status, table, tag
from tollgate_sandbox.payments.pages import not_found, to


async def transaction_page(world: World, request: Request) -> Response:
    """A transaction and what a person can do to it."""
    one = world.store.of_kind(TRANSACTION, f"{request.path_params['id']}")
    if one is None:
        return not_found("transaction")
    shown: list[tuple[str, Child]] = [
        ("Id", one["id"]),
        ("Status", status(one["status"])),
        ("Customer", customer_link(world, one["customer_id"])),
        ("Subscription", to("subscriptions", one["subscription_id"])),
        ("Origin", one["origin"].replace("_", " ")),
        ("Created", when(one["created_at"])),
        ("Billed", when(one["billed_at"])),
        *((name.capitalize(), total(one, name)) for name in ("subtotal", "tax", "total", "credit", "balance")),
        ("Invoice", link(one["invoice_number"], f"/invoices/{one['id']}.pdf") if one["invoice_number"] else "–"),
        ("Checkout", link("open", one["checkout"]["url"]) if one["checkout"] else "–"),
    ]
    payments = [
        [card_of(pay), written(pay["amount"], one["currency_code"]), status(pay["status"]), pay["error_code"] or ""]
        for pay in one["payments"]
    ]
    adjustments = world.store.all(ADJUSTMENT, lambda each: bool(each["transaction_id"] == one["id"]))
    return framed(
        world,
        f"Transaction {one['invoice_number'] or one['id']}",
        tag("section", facts(shown)),
        _transaction_actions(one),
        tag("h2", "Lines"),
        lines_table(one),
        tag("h2", "Payments"),
        table(["Card", "Amount", "Status", "Error"], payments, "No attempts."),
        tag("h2", "Adjustments"),
        adjustment_table(adjustments),
        tag("h2", "Custom data"),
        _custom_data(one),
    )


def _transaction_actions(one: Json) -> Html:
    action = f"/dashboard/transactions/{one['id']}"
    done, owed = one["status"] in {"paid", "completed"}, one["status"] in {"billed", "past_due"}
    left = str(int(one["details"]["adjusted_totals"]["total"]))
    refund = tag(
        "form",
        field("Amount in minor units", "amount", left, inputmode="numeric"),
        tag("button", "Refund"),
        method="post",
        action=f"{action}/refund",
        class_="row",
    )
    number = tag(
        "form",
        field("Purchase order number", "number", as_object(one["billing_details"]).get("purchase_order_number") or ""),
        tag("button", "Save"),
        method="post",
        action=f"{action}/edit",
        class_="row",
    )
    return tag(
        "section",
        refund if done and left != "0" else None,
        button("Charge back", f"{action}/chargeback", kind="danger") if done and left != "0" else None,
        button("Paid by transfer", f"{action}/paid") if one["status"] == "billed" else None,
        button("Charge the card again", f"{action}/retry") if owed and one["subscription_id"] else None,
        None if done or one["status"] == "canceled" else button("Cancel", f"{action}/cancel", kind="danger"),
        number if one["status"] in {"draft", "ready"} else None,
    )


async def subscription_page(world: World, request: Request) -> Response:
    """A subscription and what a person can do to it."""
    one = world.store.of_kind(SUBSCRIPTION, f"{request.path_params['id']}")
    if one is None:
        return not_found("subscription")
    method: Json | None = world.hidden(one)["method"]
    span = one["current_billing_period"] or {"starts_at": None, "ends_at": None}
    change = one["scheduled_change"]
    shown: list[tuple[str, Child]] = [
        ("Id", one["id"]),
        ("Status", status(one["status"])),
        ("Customer", customer_link(world, one["customer_id"])),
        ("Period", f"{when(span['starts_at'])} to {when(span['ends_at'])}"),
        ("Next billed", when(one["next_billed_at"])),
        ("Will", f"{change['action']} on {when(change['effective_at'])}" if change else "–"),
        ("Card", card_of(method) if method else "none"),
        ("Waiting charges", len(world.hidden(one)["pending"])),
    ]
    items = [
        [
            item["price"]["description"],
            item["quantity"],
            written(item["price"]["unit_price"]["amount"], one["currency_code"]),
        ]
        for item in one["items"]
    ]
    own = world.store.all(TRANSACTION, lambda each: bool(each["subscription_id"] == one["id"]))
    action = f"/dashboard/subscriptions/{one['id']}"
    buttons = [
        button("Pause now", f"{action}/pause") if one["status"] in {"active", "trialing", "past_due"} else None,
        button("Resume", f"{action}/resume") if one["status"] == "paused" else None,
        None if one["status"] == "canceled" else button("Cancel now", f"{action}/cancel", kind="danger"),
    ]
    return framed(
        world,
        f"Subscription {one['id']}",
        tag("section", facts(shown)),
        tag("section", *buttons),
        tag("h2", "Items"),
        table(["Item", "Quantity", "Price"], items),
        tag("h2", "Transactions"),
        transaction_table(world, own[::-1]),
        tag("h2", "Custom data"),
        _custom_data(one),
    )


async def customer_page(world: World, request: Request) -> Response:
    """A customer with cards, subscriptions and transactions."""
    one = world.store.of_kind(CUSTOMER, f"{request.path_params['id']}")
    if one is None:
        return not_found("customer")
    methods, subscriptions, transactions = (
        [each for each in world.store.all(kind) if each["customer_id"] == one["id"]]
        for kind in (PAYMENT_METHOD, SUBSCRIPTION, TRANSACTION)
    )
    cards: list[list[Child]] = [
        [
            each["id"],
            card_of(each),
            each["origin"].replace("_", " "),
            button("Delete", f"/dashboard/methods/{each['id']}/delete", kind="danger"),
        ]
        for each in methods
    ]
    credit = [written(each["balance"]["available"], each["currency_code"]) for each in balances(world, one)]
    shown: list[tuple[str, Child]] = [
        ("Id", one["id"]),
        ("Email", one["email"]),
        ("Created", when(one["created_at"])),
        ("Credit", ", ".join(credit) or "0"),
    ]
    return framed(
        world,
        one["name"] or one["email"],
        tag("section", facts(shown)),
        tag("h2", "Cards"),
        table(["Card", "Number", "Saved", ""], cards, "No card saved."),
        tag("h2", "Subscriptions"),
        subscription_table(world, subscriptions[::-1]),
        tag("h2", "Transactions"),
        transaction_table(world, transactions[::-1]),
        tag("h2", "Custom data"),
        _custom_data(one),
    )


def _custom_data(one: Json) -> Html:
    data = as_object(one["custom_data"])
    return table(["Key", "Value"], [[key, str(value)] for key, value in data.items()], "None.")
