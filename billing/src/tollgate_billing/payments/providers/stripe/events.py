"""Events of Stripe: signed, unordered, repeated; they only say where to look."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import stripe

from tollgate_billing.payments.port import NotAuthenticError, ProviderEvent
from tollgate_core.payment_keys import Mode

#: As old as a delivery may be: the SDK's own default.
_TOLERANCE_MS = 300_000
_HEADER = "stripe-signature"
TYPES = (
    "invoice.finalized",
    "invoice.finalization_failed",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.overdue",
    "invoice.updated",
    "invoice.deleted",
    "charge.refunded",
    "charge.refund.updated",
    "refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "credit_note.created",
    "credit_note.voided",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.updated",
)


def authentic_event(
    body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now_ms: int, mode: Mode
) -> ProviderEvent:
    """Raises NotAuthenticError unless one of the secrets signed the body, not long ago by our clock, and it is of the
    mode that the account is used in."""
    header = next((value for name, value in headers.items() if name.lower() == _HEADER), "")
    if abs(now_ms - _signed_ms(header)) > _TOLERANCE_MS:
        raise NotAuthenticError("the signature is older than five minutes, or of no time at all")
    if not any(_signed_with(body, header, secret) for secret in secrets):
        raise NotAuthenticError("none of the webhook's secrets has signed it")
    try:
        document = orjson.loads(body)
        event = event_of(document)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotAuthenticError(f"it is no event of Stripe ({type(error).__name__})") from None
    if document.get("livemode") is (mode == "test"):
        raise NotAuthenticError(f"it is not of {mode} mode, and the API key is")
    return event


def event_of(document: Mapping[str, Any]) -> ProviderEvent:
    """Of an event's JSON. Raises KeyError, TypeError or ValueError for what is none."""
    found: Mapping[str, Any] = document["data"]["object"]
    kind = found.get("object")
    invoice = found["id"] if kind == "invoice" else found.get("invoice") or ""
    return ProviderEvent(
        id=str(document["id"]),
        kind=str(document["type"]),
        at_ms=int(document["created"]) * 1000,
        invoice=invoice if isinstance(invoice, str) else "",
        payment=_text(found.get("payment_intent")),
        checkout=_text(found["id"]) if kind == "checkout.session" else "",
        customer=_text(found["id"]) if kind == "customer" and _is_about_cards(document) else "",
    )


def _is_about_cards(document: Mapping[str, Any]) -> bool:
    """What else changes of a customer is nothing to us."""
    return "invoice_settings" in (document["data"].get("previous_attributes") or {})


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _signed_ms(header: str) -> int:
    """When, by the header; 0 where it does not say."""
    text = next((part[2:] for part in header.split(",") if part.startswith("t=")), "")
    return int(text) * 1000 if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _signed_with(body: bytes, header: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret)  # pyright: ignore[reportUnknownMemberType]
    except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError):
        return False
    return True
