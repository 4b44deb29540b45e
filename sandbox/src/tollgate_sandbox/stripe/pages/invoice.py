"""The hosted invoice page and its PDF."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.html import facts, link, status, tag
from tollgate_sandbox.payments.pages import away, form_of, narrow, not_found, problem, when
from tollgate_sandbox.payments.pdf import text_pdf
from tollgate_sandbox.stripe.collecting import collect
from tollgate_sandbox.stripe.currencies import written
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.invoicing import intent_of
from tollgate_sandbox.stripe.pages.common import card_form, entered_card, lines_table, money
from tollgate_sandbox.stripe.world import World


async def hosted_invoice(world: World, request: Request) -> Response:
    """Show it, or take a card for it."""
    invoice = _finalized(world, request)
    if invoice is None:
        return not_found("invoice")
    if request.method == "GET":
        return _show(world, invoice)
    if invoice["status"] not in {"open", "uncollectible"}:
        return away(f"/i/{invoice['id']}")
    form = await form_of(request)
    try:
        error = collect(world, invoice, entered_card(world, form))
    except StripeError as refused:
        error = refused
    world.changed()
    intent = intent_of(world, invoice)
    if intent is not None and intent["status"] == "requires_action":
        return away(f"/authenticate/{intent['id']}")
    return _show(world, invoice, error, form) if error else away(f"/i/{invoice['id']}")


async def pdf(world: World, request: Request) -> Response:
    """The same as a document."""
    invoice = _finalized(world, request)
    if invoice is None:
        return not_found("invoice")
    lines = world.store.of_invoice("line_item", invoice["id"])
    text = [
        f"Invoice {invoice['number']}",
        f"{invoice['customer_name'] or ''} {invoice['customer_email'] or ''}",
        *(f"{line['description'] or ''}   {line['quantity_decimal']}   {money(line, 'amount')}" for line in lines),
        *(f"{name}: {value}" for name, value in _sums(invoice)),
    ]
    return Response(text_pdf(text), media_type="application/pdf")


def _finalized(world: World, request: Request) -> Json | None:
    invoice = world.store.find(f"{request.path_params['invoice']}")
    return invoice if invoice and invoice["object"] == "invoice" and invoice["status"] != "draft" else None


def _sums(invoice: Json) -> list[tuple[str, str]]:
    tax = sum(tax["amount"] for tax in invoice["total_taxes"])
    return [
        ("Subtotal", money(invoice, "subtotal")),
        ("Tax", written(tax, invoice["currency"])),
        ("Total", money(invoice, "total")),
        ("Amount due", money(invoice, "amount_due")),
        ("Amount paid", money(invoice, "amount_paid")),
        ("Amount remaining", money(invoice, "amount_remaining")),
    ]


def _show(
    world: World, invoice: Json, error: StripeError | None = None, form: dict[str, str] | None = None
) -> Response:
    intent = intent_of(world, invoice)
    waits = intent is not None and intent["status"] == "requires_action"
    payable = invoice["status"] in {"open", "uncollectible"}
    url = f"/i/{invoice['id']}"
    pays = tag("section", problem(error), card_form(url, f"Pay {money(invoice, 'amount_remaining')}", given=form))
    return narrow(
        f"Invoice {invoice['number']}",
        tag("h1", f"Invoice {invoice['number']}"),
        tag("p", money(invoice, "amount_due"), class_="total"),
        tag("p", status(invoice["status"]), f" {when(invoice['due_date'])}" if invoice["due_date"] else None),
        tag("p", invoice["description"]) if invoice["description"] else None,
        tag("section", lines_table(world.store.of_invoice("line_item", invoice["id"]))),
        tag("section", facts(_sums(invoice))),
        tag("p", link("Authenticate the payment", f"/authenticate/{intent['id']}")) if intent and waits else None,
        pays if payable and not waits else None,
        tag("p", link("Download the PDF", f"{url}/pdf")),
        status=402 if error else 200,
    )
