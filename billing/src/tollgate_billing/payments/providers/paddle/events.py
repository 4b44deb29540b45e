"""Notifications of Paddle: signed, unordered, repeated; they only say where to look."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from paddle_billing.Notifications.PaddleSignature import PaddleSignature
from paddle_billing.Notifications.Secret import Secret

from tollgate_billing.clock import parse_rfc3339
from tollgate_billing.payments.port import NotAuthenticError, ProviderEvent
from tollgate_billing.payments.providers.paddle.objects import CHECKOUT, SUBJECT, data_of

#: The SDK allows five seconds, and none at all where TEST_MODE is set: this is judged here, by our clock.
_TOLERANCE_MS = 300_000
_HEADER = "paddle-signature"


def authentic_event(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now_ms: int) -> ProviderEvent:
    """Raises NotAuthenticError unless one of the secrets signed the body, not long ago by our clock."""
    header = next((value for name, value in headers.items() if name.lower() == _HEADER), "")
    try:
        signed_ms = PaddleSignature.parse(header)[0] * 1000
        if abs(now_ms - signed_ms) > _TOLERANCE_MS:
            raise NotAuthenticError("the signature is older than five minutes, or of no time at all")
        PaddleSignature().verify(  # type: ignore[no-untyped-call]
            header, body.decode(), [Secret(secret) for secret in secrets]
        )
    except (ValueError, TypeError, ConnectionRefusedError):
        raise NotAuthenticError("none of the webhook's secrets has signed it") from None
    try:
        return event_of(orjson.loads(body))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotAuthenticError(f"it is no event of Paddle ({type(error).__name__})") from None


def event_of(document: Mapping[str, Any]) -> ProviderEvent:
    """Of an event's JSON. Raises AttributeError, KeyError, TypeError or ValueError for what is none."""
    kind, data = str(document["event_type"]), document["data"]
    transaction = data["id"] if kind.startswith("transaction.") else data.get("transaction_id") or ""
    is_checkout = (
        kind.startswith("transaction.") and CHECKOUT in data_of(data.get("custom_data")) and not _is_charge(data)
    )
    name = transaction if isinstance(transaction, str) else ""
    return ProviderEvent(
        id=str(document["event_id"]),
        kind=kind,
        at_ms=parse_rfc3339(str(document["occurred_at"])),
        invoice="" if is_checkout else name,
        checkout=name if is_checkout else "",
    )


def _is_charge(data: Mapping[str, Any]) -> bool:
    """Paddle copies a checkout's labels to the subscription, and from there to whatever is charged on it."""
    return any(SUBJECT in data_of(item["price"].get("custom_data")) for item in data.get("items") or ())
