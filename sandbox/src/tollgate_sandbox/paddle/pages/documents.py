"""Invoices and credit notes as files."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.ids import ADJUSTMENT, CUSTOMER, TRANSACTION
from tollgate_sandbox.paddle.money import written
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.pages import not_found
from tollgate_sandbox.payments.pdf import text_pdf


async def invoice_pdf(world: World, request: Request) -> Response:
    """An invoice."""
    transaction = world.store.of_kind(TRANSACTION, f"{request.path_params['id']}")
    if transaction is None or transaction["invoice_number"] is None:
        return not_found("invoice")
    currency: str = transaction["currency_code"]
    lines = zip(transaction["details"]["line_items"], transaction["items"], strict=True)
    totals = transaction["details"]["totals"]
    text = [
        f"Invoice {transaction['invoice_number']}",
        _to(world, transaction),
        *(
            f"{item['price']['description']}   {item['quantity']}   {written(line['totals']['subtotal'], currency)}"
            for line, item in lines
        ),
        *(f"{name}: {written(totals[name], currency)}" for name in ("subtotal", "tax", "total", "balance")),
    ]
    return Response(text_pdf(text), media_type="application/pdf")


async def credit_note_pdf(world: World, request: Request) -> Response:
    """A credit note."""
    adjustment = world.store.of_kind(ADJUSTMENT, f"{request.path_params['id']}")
    if adjustment is None:
        return not_found("credit note")
    transaction = world.get(TRANSACTION, adjustment["transaction_id"])
    totals, currency = adjustment["totals"], adjustment["currency_code"]
    text = [
        f"Credit note for invoice {transaction['invoice_number']}",
        _to(world, transaction),
        adjustment["reason"],
        *(f"{name}: {written(totals[name], currency)}" for name in ("subtotal", "tax", "total")),
    ]
    return Response(text_pdf(text), media_type="application/pdf")


def _to(world: World, transaction: Json) -> str:
    customer = world.store.of_kind(CUSTOMER, transaction["customer_id"]) or {"name": None, "email": ""}
    return f"{customer['name'] or ''} {customer['email']}"
