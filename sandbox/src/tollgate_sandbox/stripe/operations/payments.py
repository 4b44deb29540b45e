"""What follows payments: charges, refunds, disputes and movements on the account's balance."""

from collections import defaultdict

import stripe.params as shapes

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.disputing import close_dispute
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.refunding import refund


def create_refund(call: Call) -> Json:
    """Give money back."""
    params = call.params
    charge = call.referenced("charge", "charge")
    intent = call.referenced("payment_intent", "payment_intent")
    if intent is not None:
        charge = call.store.find(intent["latest_charge"])
    if charge is None:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    return refund(call.world, charge, params.get("amount"), params.get("reason"), params.get("metadata"))


def update_refund(call: Call) -> Json:
    """Change its metadata."""
    made = call.named("refund")
    before = assign(made, call.params, ("metadata",))
    call.world.emit("refund.updated", made, before)
    return made


def update_charge(call: Call) -> Json:
    """Change what describes it."""
    charge = call.named("charge")
    before = assign(charge, call.params, ("description", "metadata", "receipt_email", "fraud_details"))
    call.world.emit("charge.updated", charge, before)
    return charge


#: Words in evidence on which a test bank decides at once, as Stripe documents.
_DECISIONS = {"winning_evidence": "won", "losing_evidence": "lost"}


def update_dispute(call: Call) -> Json:
    """Hand in evidence."""
    dispute = call.named("dispute")
    before = assign(dispute, call.params, ("metadata",))
    if call.params.get("evidence"):
        dispute["evidence"] |= call.params["evidence"]
        dispute["evidence_details"]["has_evidence"] = True
        if call.params.get("submit", True):
            dispute["evidence_details"]["submission_count"] += 1
            dispute["evidence_details"]["submission_method"] = "manual"
            dispute["status"] = "under_review"
    call.world.emit("charge.dispute.updated", dispute, before)
    evidence: Json = call.params.get("evidence") or {}
    decision = _DECISIONS.get(evidence.get("uncategorized_text", ""))
    if decision and dispute["status"] == "under_review":
        close_dispute(call.world, dispute, decision)
    return dispute


def close(call: Call) -> Json:
    """Accept it, which means to lose it."""
    dispute = call.named("dispute")
    close_dispute(call.world, dispute, "lost")
    return dispute


def balance(call: Call) -> Json:
    """All movements summed by currency; everything is available at once."""
    sums: dict[str, int] = defaultdict(int)
    for movement in call.store.all("balance_transaction"):
        sums[movement["currency"]] += movement["net"]
    rows = [{"amount": sums[c], "currency": c, "source_types": {"card": sums[c]}} for c in sorted(sums) or ["usd"]]
    return {
        "object": "balance",
        "available": rows,
        "livemode": False,
        "pending": [{**row, "amount": 0, "source_types": {"card": 0}} for row in rows],
    }


def account(call: Call) -> Json:
    """The simulated account."""
    return {
        "id": call.world.settings.account,
        "object": "account",
        "business_profile": {"name": "Simulated account", "url": call.world.base_url},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "DE",
        "created": 1_700_000_000,
        "default_currency": "eur",
        "details_submitted": True,
        "email": "owner@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Simulated account", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


OPERATIONS = (
    Operation(
        "GET",
        "/v1/charges",
        shapes.ChargeListParams,
        lambda call: call.listed("charge", "customer", "payment_intent"),
    ),
    Operation("GET", "/v1/charges/search", shapes.ChargeSearchParams, lambda call: call.searched("charge")),
    Operation("GET", "/v1/charges/{charge}", shapes.ChargeRetrieveParams, lambda call: call.named("charge")),
    Operation("POST", "/v1/charges/{charge}", shapes.ChargeUpdateParams, update_charge),
    Operation("POST", "/v1/refunds", shapes.RefundCreateParams, create_refund),
    Operation(
        "GET", "/v1/refunds", shapes.RefundListParams, lambda call: call.listed("refund", "charge", "payment_intent")
    ),
    Operation("GET", "/v1/refunds/{refund}", shapes.RefundRetrieveParams, lambda call: call.named("refund")),
    Operation("POST", "/v1/refunds/{refund}", shapes.RefundUpdateParams, update_refund),
    Operation(
        "GET", "/v1/disputes", shapes.DisputeListParams, lambda call: call.listed("dispute", "charge", "payment_intent")
    ),
    Operation("GET", "/v1/disputes/{dispute}", shapes.DisputeRetrieveParams, lambda call: call.named("dispute")),
    Operation("POST", "/v1/disputes/{dispute}", shapes.DisputeUpdateParams, update_dispute),
    Operation("POST", "/v1/disputes/{dispute}/close", shapes.DisputeCloseParams, close),
    Operation("GET", "/v1/balance", shapes.BalanceRetrieveParams, balance),
    Operation(
        "GET",
        "/v1/balance_transactions",
        shapes.BalanceTransactionListParams,
        lambda call: call.listed("balance_transaction", "source", "type", "currency"),
    ),
    Operation(
        "GET",
        "/v1/balance_transactions/{movement}",
        shapes.BalanceTransactionRetrieveParams,
        lambda call: call.named("balance_transaction"),
    ),
    Operation("GET", "/v1/account", shapes.AccountRetrieveCurrentParams, account),
)
