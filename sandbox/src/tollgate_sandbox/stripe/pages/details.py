"""The dashboard's pages of one invoice and one customer."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.html import Child, Html, button, facts, field, joined, link, status, table, tag
from tollgate_sandbox.payments.pages import not_found, to, when
from tollgate_sandbox.stripe.invoicing import intent_of
from tollgate_sandbox.stripe.pages.common import lines_table, money
from tollgate_sandbox.stripe.pages.dashboard import charge_table, framed, invoice_table
from tollgate_sandbox.stripe.world import World


async def invoice_page(world: World, request: Request) -> Response:
    """An invoice and what a person can do to it."""
    invoice = world.store.find(f"{request.path_params['id']}")
    if invoice is None or invoice["object"] != "invoice":
        return not_found("invoice")
    intent = intent_of(world, invoice)
    charges = world.store.all("charge", lambda one: intent is not None and one["payment_intent"] == intent["id"])
    hosted = invoice["hosted_invoice_url"]
    shown: list[tuple[str, Child]] = [
        ("Id", invoice["id"]),
        ("Status", status(invoice["status"])),
        ("Customer", to("customers", invoice["customer"], invoice["customer_name"])),
        ("Created", when(invoice["created"])),
        ("Subtotal", money(invoice, "subtotal")),
        ("Total", money(invoice, "total")),
        ("Due", money(invoice, "amount_due")),
        ("Paid", money(invoice, "amount_paid")),
        ("Attempts", invoice["attempt_count"]),
        ("Next attempt", when(invoice["next_payment_attempt"])),
        ("Memo", invoice["description"]),
        ("Customer's page", link("open", hosted) if hosted else "–"),
    ]
    return framed(
        world,
        f"Invoice {invoice['number'] or invoice['id']}",
        tag("section", facts(shown)),
        _invoice_actions(invoice),
        tag("h2", "Lines"),
        lines_table(world.store.of_invoice("line_item", invoice["id"])),
        tag("h2", "Payments"),
        charge_table(charges),
        tag("h2", "Metadata"),
        _metadata(invoice),
    )


def _invoice_actions(invoice: Json) -> Html:
    action = f"/dashboard/invoices/{invoice['id']}"
    memo = tag(
        "form",
        field("Memo", "memo", invoice["description"] or ""),
        tag("button", "Save"),
        method="post",
        action=f"{action}/memo",
        class_="row",
    )
    owed = invoice["status"] in {"open", "uncollectible"}
    return tag(
        "section",
        button("Finalize", f"{action}/finalize") if invoice["status"] == "draft" else None,
        button("Charge the card on file", f"{action}/charge") if owed else None,
        button("Paid out of band", f"{action}/paid") if owed else None,
        button("Mark uncollectible", f"{action}/uncollectible") if invoice["status"] == "open" else None,
        button("Void", f"{action}/void", kind="danger") if owed else None,
        memo,
    )


async def customer_page(world: World, request: Request) -> Response:
    """A customer with cards and invoices."""
    customer = world.store.find(f"{request.path_params['id']}")
    if customer is None or customer["object"] != "customer":
        return not_found("customer")
    methods, invoices = (_of(world, kind, customer["id"]) for kind in ("payment_method", "invoice"))
    default = customer["invoice_settings"]["default_payment_method"]
    cards = [
        [one["id"], f"{one['card']['brand']} …{one['card']['last4']}", "default" if one["id"] == default else ""]
        for one in methods
    ]
    balances = customer["invoice_credit_balance"]
    shown: list[tuple[str, Child]] = [
        ("Id", customer["id"]),
        ("Email", customer["email"]),
        ("Country", (customer["address"] or {"country": None})["country"]),
        ("Created", when(customer["created"])),
        ("Balance", ", ".join(f"{amount} {currency}" for currency, amount in balances.items()) or "0"),
    ]
    return framed(
        world,
        customer["name"] or customer["email"] or customer["id"],
        tag("section", facts(shown)),
        tag("section", button("Delete the customer", f"/dashboard/customers/{customer['id']}/delete", kind="danger")),
        tag("h2", "Cards"),
        table(["Card", "Number", ""], cards, "No card saved."),
        tag("h2", "Invoices"),
        invoice_table(invoices[::-1]),
        tag("h2", "Metadata"),
        _metadata(customer),
    )


def _of(world: World, kind: str, customer: str) -> list[Json]:
    return world.store.all(kind, lambda one: bool(one["customer"] == customer))


def _metadata(thing: Json) -> Html:
    return joined([table(["Key", "Value"], list(thing["metadata"].items()), "None.")])
