"""Credit notes."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.crediting import credit
from tollgate_sandbox.stripe.listing import page


def create(call: Call) -> Json:
    """Issue one."""
    return credit(call.world, call.store.get("invoice", call.params["invoice"], "invoice"), call.params)


def update(call: Call) -> Json:
    """Change what describes it."""
    note = call.named("credit_note")
    before = assign(note, call.params, ("memo", "metadata"))
    call.world.emit("credit_note.updated", note, before)
    return note


def lines(call: Call) -> Json:
    """Its lines."""
    return page(call.named("credit_note")["lines"]["data"], call.params, call.path)


_ONE = "/v1/credit_notes/{note}"
OPERATIONS = (
    Operation("POST", "/v1/credit_notes", shapes.CreditNoteCreateParams, create),
    Operation(
        "GET",
        "/v1/credit_notes",
        shapes.CreditNoteListParams,
        lambda call: call.listed("credit_note", "customer", "invoice"),
    ),
    Operation("GET", _ONE, shapes.CreditNoteRetrieveParams, lambda call: call.named("credit_note")),
    Operation("POST", _ONE, shapes.CreditNoteUpdateParams, update),
    Operation("GET", f"{_ONE}/lines", shapes.CreditNoteLineItemListParams, lines),
)
