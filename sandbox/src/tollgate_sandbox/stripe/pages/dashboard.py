"""The seller's dashboard: everything at a glance."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments import dashboard as common
from tollgate_sandbox.payments.dashboard import SHOWN, clock_buttons, faults_section, webhooks_section
from tollgate_sandbox.payments.html import Child, Html, button, field, joined, status, table, tag
from tollgate_sandbox.payments.pages import to, when
from tollgate_sandbox.stripe.pages.common import money
from tollgate_sandbox.stripe.world import World

_SECTIONS = ("customers", "invoices", "payments", "disputes", "webhooks", "faults")


def framed(world: World, title: str, *body: Child, error: Exception | None = None) -> Response:
    """A page of the dashboard."""
    return common.framed(world, _SECTIONS, title, *body, error=error)


async def dashboard(world: World, _request: Request) -> Response:
    """The overview."""
    parts: list[Child] = []
    for name, shown in zip(
        _SECTIONS, (_customers, _invoices, _payments, _disputes, webhooks_section, faults_section), strict=True
    ):
        parts += [tag("h2", name.capitalize(), id=name), shown(world)]
    return framed(world, "Dashboard", clock_buttons(), *parts)


def _newest(world: World, kind: str) -> list[Json]:
    return world.store.all(kind)[: -SHOWN - 1 : -1]


def _customers(world: World) -> Html:
    rows = [
        [to("customers", one["id"], one["name"]), one["email"], when(one["created"])]
        for one in _newest(world, "customer")
    ]
    return table(["Customer", "Email", "Since"], rows)


def _invoices(world: World) -> Html:
    return invoice_table(_newest(world, "invoice"))


def invoice_table(invoices: list[Json]) -> Html:
    """Invoices with their sums."""
    rows = [
        [
            to("invoices", one["id"], one["number"]),
            to("customers", one["customer"], one["customer_name"]),
            money(one, "total"),
            money(one, "amount_remaining"),
            status(one["status"]),
        ]
        for one in invoices
    ]
    return table(["Invoice", "Customer", "Total", "Remaining", "Status"], rows)


def _payments(world: World) -> Html:
    return charge_table(_newest(world, "charge"))


def charge_table(charges: list[Json]) -> Html:
    """Charges with what can be done to them."""
    return table(["Charge", "Amount", "Refunded", "Status", ""], [_charge_row(one) for one in charges])


def _charge_row(charge: Json) -> list[Child]:
    left = charge["amount"] - charge["amount_refunded"]
    action = f"/dashboard/charges/{charge['id']}"
    able = charge["status"] == "succeeded" and left and not charge["disputed"]
    refund = tag(
        "form",
        field("Amount in minor units", "amount", str(left), inputmode="numeric"),
        tag("button", "Refund"),
        method="post",
        action=f"{action}/refund",
        class_="row",
    )
    actions = joined([refund, button("Open a dispute", f"{action}/dispute", kind="danger")]) if able else ""
    return [charge["id"], money(charge, "amount"), money(charge, "amount_refunded"), status(charge["status"]), actions]


def _disputes(world: World) -> Html:
    rows: list[list[Child]] = []
    for one in _newest(world, "dispute"):
        action = f"/dashboard/disputes/{one['id']}"
        open_ = one["status"] in {"needs_response", "under_review"}
        both = joined([button("Win", f"{action}/win"), button("Lose", f"{action}/lose", kind="danger")])
        rows.append([one["id"], one["reason"], money(one, "amount"), status(one["status"]), both if open_ else ""])
    return table(["Dispute", "Reason", "Amount", "Status", ""], rows)
