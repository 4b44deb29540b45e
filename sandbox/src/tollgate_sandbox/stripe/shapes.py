"""New objects with every field of the SDK's class, so that what reads them finds nulls where Stripe sends nulls."""

import secrets
import string
from functools import lru_cache
from typing import Any, get_args

import stripe
from stripe import billing_portal, checkout

from tollgate_sandbox.jsons import Json

_LETTERS = string.ascii_letters + string.digits
_CLASSES: dict[str, type] = {
    "balance_transaction": stripe.BalanceTransaction,
    "billing_portal.session": billing_portal.Session,
    "charge": stripe.Charge,
    "checkout.session": checkout.Session,
    "credit_note": stripe.CreditNote,
    "customer": stripe.Customer,
    "customer_balance_transaction": stripe.CustomerBalanceTransaction,
    "dispute": stripe.Dispute,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "invoiceitem": stripe.InvoiceItem,
    "payment_intent": stripe.PaymentIntent,
    "price": stripe.Price,
    "product": stripe.Product,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "subscription": stripe.Subscription,
    "subscription_item": stripe.SubscriptionItem,
    "webhook_endpoint": stripe.WebhookEndpoint,
}
_LEFT_OUT = {
    "customer": {"deleted", "cash_balance", "sources", "subscriptions", "tax", "tax_ids"},
    "invoice": {"deleted", "payments", "confirmation_secret", "threshold_reason", "status_details"},
    "charge": {"refunds"},
    "checkout.session": {"line_items"},
    "dispute": {"payment_intent"},
}
"""Fields that come only when they are asked for, or say something by being there at all."""


def shaped(kind: str, id_: str, created: int, fields: Json) -> Json:
    """An object of that kind."""
    frame: Json = {"id": id_, "object": kind, **dict.fromkeys(_nullable(kind))}
    names = _names(kind)
    frame |= {name: value for name, value in (("created", created), ("livemode", False)) if name in names}
    if "metadata" in names:
        frame["metadata"] = {}
    return frame | fields


def new_id(prefix: str, length: int = 24) -> str:
    """An id as Stripe's look: a prefix and letters that say nothing."""
    return f"{prefix}_" + "".join(secrets.choice(_LETTERS) for _ in range(length))


@lru_cache
def _names(kind: str) -> frozenset[str]:
    shape = _CLASSES.get(kind)
    return frozenset(shape.__annotations__) if shape else frozenset({"created", "livemode", "metadata"})


@lru_cache
def _nullable(kind: str) -> tuple[str, ...]:
    shape = _CLASSES.get(kind)
    hints: dict[str, Any] = shape.__annotations__ if shape else {}
    left_out = _LEFT_OUT.get(kind, set()) | {"deleted"}
    return tuple(name for name, hint in hints.items() if type(None) in get_args(hint) and name not in left_out)
