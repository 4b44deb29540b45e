"""The seller's dashboard: everything at a glance."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.ids import ADJUSTMENT, CUSTOMER, SETTING, SUBSCRIPTION, TRANSACTION
from tollgate_sandbox.paddle.money import written
from tollgate_sandbox.paddle.pages.common import total, when
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments import dashboard as common
from tollgate_sandbox.payments.dashboard import SHOWN, clock_buttons, faults_section, webhooks_section
from tollgate_sandbox.payments.html import Child, Html, button, joined, status, table, tag
from tollgate_sandbox.payments.pages import to

_SECTIONS = ("customers", "subscriptions", "transactions", "adjustments", "webhooks", "faults")


def framed(world: World, title: str, *body: Child, error: str | None = None) -> Response:
    """A page of the dashboard."""
    return common.framed(world, _SECTIONS, title, *body, error=error)


async def dashboard(world: World, _request: Request) -> Response:
    """The overview."""
    sections = (_customers, _subscriptions, _transactions, _adjustments, _webhooks, faults_section)
    parts: list[Child] = []
    for name, shown in zip(_SECTIONS, sections, strict=True):
        parts += [tag("h2", name.capitalize(), id=name), shown(world)]
    return framed(world, "Dashboard", clock_buttons(), *parts)


def _newest(world: World, kind: str) -> list[Json]:
    return world.store.all(kind)[: -SHOWN - 1 : -1]


def customer_link(world: World, id_: str | None) -> Child:
    """A customer by name."""
    customer = world.store.of_kind(CUSTOMER, id_)
    return to("customers", id_, customer["name"] or customer["email"]) if customer else "–"


def _customers(world: World) -> Html:
    rows = [
        [customer_link(world, one["id"]), one["email"], when(one["created_at"]), status(one["status"])]
        for one in _newest(world, CUSTOMER)
    ]
    return table(["Customer", "Email", "Since", "Status"], rows)


def _subscriptions(world: World) -> Html:
    return subscription_table(world, _newest(world, SUBSCRIPTION))


def subscription_table(world: World, subscriptions: list[Json]) -> Html:
    """Subscriptions with when they are billed next."""
    rows = [
        [
            to("subscriptions", one["id"]),
            customer_link(world, one["customer_id"]),
            when(one["next_billed_at"]),
            (one["scheduled_change"] or {"action": ""})["action"],
            status(one["status"]),
        ]
        for one in subscriptions
    ]
    return table(["Subscription", "Customer", "Next billed", "Will", "Status"], rows)


def _transactions(world: World) -> Html:
    return transaction_table(world, _newest(world, TRANSACTION))


def transaction_table(world: World, transactions: list[Json]) -> Html:
    """Transactions with their sums."""
    rows = [
        [
            to("transactions", one["id"], one["invoice_number"] or one["id"]),
            customer_link(world, one["customer_id"]),
            one["origin"].replace("_", " "),
            total(one),
            total(one, "balance"),
            status(one["status"]),
        ]
        for one in transactions
    ]
    return table(["Transaction", "Customer", "Origin", "Total", "Owed", "Status"], rows)


def _adjustments(world: World) -> Html:
    return adjustment_table(_newest(world, ADJUSTMENT))


def adjustment_table(adjustments: list[Json]) -> Html:
    """Adjustments with what can be done to them."""
    rows: list[list[Child]] = [
        [
            one["id"],
            to("transactions", one["transaction_id"]),
            one["action"].replace("_", " "),
            one["reason"],
            written(one["totals"]["total"], one["currency_code"]),
            status(one["status"]),
            _adjustment_buttons(one),
        ]
        for one in adjustments
    ]
    return table(["Adjustment", "Transaction", "Action", "Reason", "Amount", "Status", ""], rows)


def _adjustment_buttons(adjustment: Json) -> Child:
    action = f"/dashboard/adjustments/{adjustment['id']}"
    if adjustment["status"] == "pending_approval":
        return joined([button("Approve", f"{action}/approve"), button("Reject", f"{action}/reject", kind="danger")])
    if adjustment["action"] == "chargeback" and adjustment["status"] == "approved":
        return button("Reverse", f"{action}/reverse")
    return ""


def _webhooks(world: World) -> Html:
    rows: list[list[Child]] = [
        [
            one["id"],
            one["destination"],
            len(one["subscribed_events"]),
            status("active" if one["active"] else "inactive"),
            button("Rotate the secret", f"/dashboard/settings/{one['id']}/rotate"),
        ]
        for one in world.store.all(SETTING)
    ]
    listed = table(["Destination", "URL", "Event types", "Status", ""], rows, "No destinations.")
    return joined([listed, webhooks_section(world)])
