"""Adjustments: refunds and credits; chargebacks come from banks, so only a button makes them."""

from paddle_billing.Resources.Adjustments.Operations import CreateAdjustment, GetCreditNote, ListAdjustments

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.adjusting import adjust
from tollgate_sandbox.paddle.calls import Answer, Call, Operation
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.ids import ADJUSTMENT, TRANSACTION


def _create(call: Call) -> Answer:
    params = call.params
    if params["action"] not in {"refund", "credit"}:
        raise bad_request(("action", "must be refund or credit"))
    transaction = call.referenced(TRANSACTION, "transaction_id")
    if transaction is None:
        raise bad_request(("transaction_id", "is required"))
    full = params.get("type", "partial") == "full"
    items: list[Json] | None = params.get("items")
    if full and items:
        raise bad_request(("items", "must not be given for a full adjustment"))
    if not full and not items:
        raise bad_request(("items", "must have at least one item"))
    outside = params.get("tax_mode") == "external"
    made = adjust(
        call.world, transaction, params["action"], params["reason"], None if full else items, tax_outside=outside
    )
    return Answer(made, 201)


def _credit_note(call: Call) -> Json:
    adjustment = call.named(ADJUSTMENT)
    if adjustment["status"] != "approved":
        raise refused("adjustment_credit_note_not_found", "there is no credit note before it is approved", 404)
    return {"url": f"{call.world.base_url}/credit-notes/{adjustment['id']}.pdf"}


OPERATIONS = (
    Operation("GET", "/adjustments", lambda call: call.listed(call.store.all(ADJUSTMENT)), query=ListAdjustments),
    Operation("POST", "/adjustments", _create, CreateAdjustment),
    Operation("GET", "/adjustments/{id}/credit-note", _credit_note, query=GetCreditNote),
)
