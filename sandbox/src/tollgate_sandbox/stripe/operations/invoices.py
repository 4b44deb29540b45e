"""Invoices."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import Call, Operation, assign, merged
from tollgate_sandbox.stripe.collecting import collect, finalize_and_collect
from tollgate_sandbox.stripe.currencies import known
from tollgate_sandbox.stripe.drafting import blank
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.invoicing import mark_uncollectible, pay_out_of_band, recompute, void
from tollgate_sandbox.stripe.lines import MOST_ITEMS, check_room, new_item, put_on
from tollgate_sandbox.stripe.listing import page
from tollgate_sandbox.stripe.payment_methods import attach, resolve
from tollgate_sandbox.stripe.rendering import render

_TEXTS = ("description", "footer", "metadata", "statement_descriptor", "custom_fields", "rendering")
_DRAFT_ONLY = ("collection_method", "due_date", "effective_at", "number", "automatically_finalizes_at")
_ALWAYS = {"auto_advance", "default_payment_method", "description", "expand", "footer", "metadata", "payment_settings"}
"""What a finalised invoice still lets change."""


def create(call: Call) -> Json:
    """A draft, with the customer's pending items if asked for."""
    params = call.params
    customer = call.store.get("customer", params["customer"], "customer")
    subscription = call.referenced("subscription", "subscription")
    currency = known(params.get("currency") or (subscription or customer)["currency"] or "usd")
    method = params.get("collection_method", "charge_automatically")
    _check_terms(params, method)
    metadata = merged({}, params.get("metadata") or "")
    invoice = blank(call.world, customer, currency, "subscription_update" if subscription else "manual", subscription)
    invoice |= {"collection_method": method, "metadata": metadata}
    _change(call, invoice)
    if params.get("pending_invoice_items_behavior") == "include":
        _take_pending(call, invoice)
    recompute(call.world, invoice)
    call.world.emit("invoice.created", invoice)
    return invoice


def _check_terms(params: Json, method: str) -> None:
    terms = "days_until_due" in params or "due_date" in params
    if method == "charge_automatically" and terms:
        message = "You can only specify days_until_due or due_date if collection_method is send_invoice."
        raise invalid(message, param="days_until_due")
    if method == "send_invoice" and not terms:
        message = "If the collection method is send_invoice, days_until_due or due_date must be specified."
        raise invalid(message, code="parameter_missing", param="days_until_due")


def _take_pending(call: Call, invoice: Json) -> None:
    pending = call.store.all(
        "invoiceitem",
        lambda item: (
            (item["customer"], item["currency"], item["invoice"]) == (invoice["customer"], invoice["currency"], None)
        ),
    )
    for item in reversed(pending[-MOST_ITEMS:]):
        put_on(call.world, item, invoice)


def _change(call: Call, invoice: Json) -> Json:
    params = call.params
    before = assign(invoice, params, (*_TEXTS, *_DRAFT_ONLY, "auto_advance"))
    if params.get("default_payment_method"):
        method = call.store.get("payment_method", params["default_payment_method"], "default_payment_method")
        if method["customer"] != invoice["customer"]:
            raise invalid(
                "The payment method must be attached to the invoice's customer.", param="default_payment_method"
            )
        before |= assign(invoice, params, ("default_payment_method",))
    if "days_until_due" in params:
        call.store.hidden[invoice["id"]]["days_until_due"] = params["days_until_due"]
    if "automatic_tax" in params:
        invoice["automatic_tax"]["enabled"] = params["automatic_tax"]["enabled"]
        invoice["automatic_tax"]["status"] = None
    if invoice["auto_advance"] and invoice["status"] == "draft" and invoice["automatically_finalizes_at"] is None:
        invoice["automatically_finalizes_at"] = call.world.now() + 3600
    return before


def update(call: Call) -> Json:
    """Change a draft; of a finalised invoice only what moves no money."""
    invoice = call.named("invoice")
    fixed = sorted(set(call.params) - _ALWAYS)
    if invoice["status"] != "draft" and fixed:
        message = f"Finalized invoices can't be updated in this way: {fixed[0]} can only be changed on a draft."
        raise invalid(message, code="invoice_not_editable", param=fixed[0])
    before = _change(call, invoice)
    if invoice["status"] == "draft":
        recompute(call.world, invoice)
    call.world.emit("invoice.updated", invoice, before)
    return invoice


def delete(call: Call) -> Json:
    """Delete a draft, its items with it."""
    invoice = call.named("invoice")
    if invoice["status"] != "draft":
        raise invalid("You can only delete draft invoices.", code="invoice_not_editable")
    call.world.emit("invoice.deleted", invoice)
    for kind in ("line_item", "invoiceitem"):
        for thing in call.store.of_invoice(kind, invoice["id"]):
            call.store.remove(thing)
    call.store.remove(invoice)
    return call.store.deleted[invoice["id"]]


def finalize(call: Call) -> Json:
    """Make it binding."""
    invoice = call.named("invoice")
    if "auto_advance" in call.params:
        invoice["auto_advance"] = call.params["auto_advance"]
    finalize_and_collect(call.world, invoice)
    return invoice


def pay(call: Call) -> Json:
    """Charge it now; a draft is finalised before."""
    invoice = call.named("invoice")
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid")
    method = resolve(call.world, call.params["payment_method"]) if call.params.get("payment_method") else None
    if method is not None and method["customer"] is None:
        attach(call.world, method, call.store.get("customer", invoice["customer"], "customer"))
    if invoice["status"] == "draft":
        invoice["auto_advance"] = False
        finalize_and_collect(call.world, invoice)
    if call.params.get("paid_out_of_band"):
        pay_out_of_band(call.world, invoice)
    elif invoice["status"] in {"open", "uncollectible"}:
        error = collect(call.world, invoice, method)
        if error is not None:
            error.more["invoice"] = render(call.store, invoice)
            raise error
    elif invoice["status"] != "paid":
        raise invalid(f"This invoice can no longer be paid: it is {invoice['status']}.")
    return invoice


def void_invoice(call: Call) -> Json:
    """Void it."""
    invoice = call.named("invoice")
    void(call.world, invoice)
    return invoice


def write_off(call: Call) -> Json:
    """Mark it uncollectible."""
    invoice = call.named("invoice")
    mark_uncollectible(call.world, invoice)
    return invoice


def send(call: Call) -> Json:
    """Mail it; the simulator's mail is the event."""
    invoice = call.named("invoice")
    if invoice["collection_method"] != "send_invoice":
        raise invalid("You can only manually send an invoice if its collection method is 'send_invoice'.")
    if invoice["status"] == "draft":
        finalize_and_collect(call.world, invoice)
    call.world.emit("invoice.sent", invoice)
    return invoice


def lines(call: Call) -> Json:
    """All lines, in pages."""
    invoice = call.named("invoice")
    things = call.store.of_invoice("line_item", invoice["id"])
    return page(things, call.params, call.path)


def add_lines(call: Call) -> Json:
    """Several lines at once, all or none."""
    invoice = call.named("invoice")
    given: list[Json] = call.params["lines"]
    check_room(call.world, invoice, len(given))
    customer = call.store.get("customer", invoice["customer"], "customer")
    made: list[Json] = []
    try:
        for line in given:
            if "invoice_item" in line:
                made.append(_pending(call, line["invoice_item"], invoice))
            else:
                made.append(new_item(call.world, customer, invoice["currency"], line))
    except Exception:
        for item in made:
            if item["date"] == call.world.now() and item["invoice"] is None:
                call.store.remove(item)
        raise
    for item in made:
        put_on(call.world, item, invoice)
    assign(
        invoice,
        {"metadata": call.params["invoice_metadata"]} if "invoice_metadata" in call.params else {},
        ("metadata",),
    )
    recompute(call.world, invoice)
    call.world.emit("invoice.updated", invoice)
    return invoice


def _pending(call: Call, id_: str, invoice: Json) -> Json:
    item = call.store.get("invoiceitem", id_, "lines[invoice_item]")
    if item["invoice"] is not None or item["customer"] != invoice["customer"]:
        raise invalid("This invoice item is not pending for the invoice's customer.", param="lines[invoice_item]")
    return item


def payments(call: Call) -> Json:
    """By what invoices were paid."""
    wanted = as_object(call.params.get("payment"))

    def fits(payment: Json) -> bool:
        return all(payment["payment"].get(name) == value for name, value in wanted.items())

    return call.listed("invoice_payment", "invoice", "status", where=fits)


_ONE = "/v1/invoices/{invoice}"
OPERATIONS = (
    Operation("POST", "/v1/invoices", shapes.InvoiceCreateParams, create),
    Operation(
        "GET",
        "/v1/invoices",
        shapes.InvoiceListParams,
        lambda call: call.listed("invoice", "customer", "status", "collection_method"),
    ),
    Operation("GET", "/v1/invoices/search", shapes.InvoiceSearchParams, lambda call: call.searched("invoice")),
    Operation("GET", _ONE, shapes.InvoiceRetrieveParams, lambda call: call.named("invoice")),
    Operation("POST", _ONE, shapes.InvoiceUpdateParams, update),
    Operation("DELETE", _ONE, shapes.InvoiceDeleteParams, delete),
    Operation("POST", f"{_ONE}/finalize", shapes.InvoiceFinalizeInvoiceParams, finalize),
    Operation("POST", f"{_ONE}/pay", shapes.InvoicePayParams, pay),
    Operation("POST", f"{_ONE}/void", shapes.InvoiceVoidInvoiceParams, void_invoice),
    Operation("POST", f"{_ONE}/mark_uncollectible", shapes.InvoiceMarkUncollectibleParams, write_off),
    Operation("POST", f"{_ONE}/send", shapes.InvoiceSendInvoiceParams, send),
    Operation("GET", f"{_ONE}/lines", shapes.InvoiceLineItemListParams, lines),
    Operation("POST", f"{_ONE}/add_lines", shapes.InvoiceAddLinesParams, add_lines),
    Operation("GET", "/v1/invoice_payments", shapes.InvoicePaymentListParams, payments),
    Operation(
        "GET",
        "/v1/invoice_payments/{payment}",
        shapes.InvoicePaymentRetrieveParams,
        lambda call: call.named("invoice_payment"),
    ),
)
