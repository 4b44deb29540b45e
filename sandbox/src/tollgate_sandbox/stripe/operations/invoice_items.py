"""Invoice items."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.currencies import known
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.invoicing import recompute
from tollgate_sandbox.stripe.lines import check_room, new_item, put_on


def create(call: Call) -> Json:
    """An item on a draft, or pending for the customer's next invoice."""
    params = call.params
    invoice = call.referenced("invoice", "invoice")
    customer_id = params.get("customer") or as_object(invoice).get("customer")
    if not customer_id:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = call.store.get("customer", customer_id, "customer")
    if invoice is not None:
        if invoice["customer"] != customer["id"]:
            raise invalid("The invoice belongs to another customer.", param="invoice")
        check_room(call.world, invoice)
    currency = _currency(params, invoice, customer)
    item = new_item(call.world, customer, currency, params)
    if invoice is not None:
        put_on(call.world, item, invoice)
        recompute(call.world, invoice)
    call.world.emit("invoiceitem.created", item)
    return item


def _currency(params: Json, invoice: Json | None, customer: Json) -> str:
    given = params.get("currency") or as_object(params.get("price_data")).get("currency")
    currency = known(given or (invoice or customer)["currency"] or "usd")
    if invoice is not None and currency != invoice["currency"]:
        raise invalid(
            f"The currency of the invoice item ({currency}) must match that of the invoice ({invoice['currency']}).",
            param="currency",
        )
    return currency


def update(call: Call) -> Json:
    """Change an item that is pending or on a draft."""
    item = call.named("invoiceitem")
    invoice = _draft_of(call, item)
    if "amount" in call.params:
        item |= {"amount": call.params["amount"], "net_amount": call.params["amount"]}
    assign(item, call.params, ("description", "metadata", "period"))
    if invoice is not None:
        line = _line(call, item)
        line |= {name: item[name] for name in ("amount", "description", "metadata", "period")} | {
            "subtotal": item["amount"]
        }
        recompute(call.world, invoice)
    return item


def delete(call: Call) -> Json:
    """Take an item off a draft, or forget a pending one."""
    item = call.named("invoiceitem")
    invoice = _draft_of(call, item)
    if invoice is not None:
        call.store.remove(_line(call, item))
    call.world.emit("invoiceitem.deleted", item)
    call.store.remove(item)
    if invoice is not None:
        recompute(call.world, invoice)
    return call.store.deleted[item["id"]]


def _draft_of(call: Call, item: Json) -> Json | None:
    invoice = call.store.find(item["invoice"])
    if invoice is not None and invoice["status"] != "draft":
        message = "This invoice item is on a finalized invoice and can no longer be changed."
        raise invalid(message, code="invoice_not_editable")
    return invoice


def _line(call: Call, item: Json) -> Json:
    lines = call.store.of_invoice("line_item", item["invoice"])
    return next(line for line in lines if line["parent"]["invoice_item_details"]["invoice_item"] == item["id"])


def list_(call: Call) -> Json:
    """Items of a customer or an invoice."""
    pending = call.params.get("pending")
    return call.listed(
        "invoiceitem", "customer", "invoice", where=lambda item: pending is None or (item["invoice"] is None) == pending
    )


OPERATIONS = (
    Operation("POST", "/v1/invoiceitems", shapes.InvoiceItemCreateParams, create),
    Operation("GET", "/v1/invoiceitems", shapes.InvoiceItemListParams, list_),
    Operation(
        "GET", "/v1/invoiceitems/{item}", shapes.InvoiceItemRetrieveParams, lambda call: call.named("invoiceitem")
    ),
    Operation("POST", "/v1/invoiceitems/{item}", shapes.InvoiceItemUpdateParams, update),
    Operation("DELETE", "/v1/invoiceitems/{item}", shapes.InvoiceItemDeleteParams, delete),
)
