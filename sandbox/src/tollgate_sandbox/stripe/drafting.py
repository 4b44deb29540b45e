"""A new invoice before anything is on it."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.world import World


def blank(world: World, customer: Json, currency: str, reason: str, subscription: Json | None = None) -> Json:
    """An empty draft."""
    now = world.now()
    parent: Json | None = None
    if subscription is not None:
        details: Json = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
        parent = {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
    zeros = (
        "amount_due", "amount_overpaid", "amount_paid", "amount_remaining", "amount_shipping", "attempt_count",
        "post_payment_credit_notes_amount", "pre_payment_credit_notes_amount", "starting_balance", "subtotal", "total",
    )  # fmt: skip
    fields: Json = {
        **dict.fromkeys(zeros, 0),
        "account_country": "DE",
        "account_name": "Simulated account",
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": {"type": "self"},
            "provider": None,
            "status": None,
        },
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "currency": currency,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "parent": parent,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": now,
        "period_start": now,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }
    return world.new("invoice", "in", fields, hidden={})
