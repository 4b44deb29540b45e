"""Stored things as JSON: ``view_<thing>``. Quantities and amounts are texts, times RFC 3339."""

from typing import Any

import msgspec
import orjson

from tollgate_billing.ledger.api_keys import StoredKey
from tollgate_billing.ledger.letters import StoredLetter
from tollgate_billing.ledger.pins import PinRow
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.totals import EventCount, Share
from tollgate_billing.notifications.store import Notification
from tollgate_billing.payments.receivables import Receivable
from tollgate_billing.payments.received import Payment
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.wallets.topping_up import TopUp
from tollgate_core.catalog import Price
from tollgate_core.events import rfc3339
from tollgate_core.money import Money
from tollgate_core.pricing import Span
from tollgate_core.pricing.document import money_document
from tollgate_core.quantity import format_decimal, from_micros
from tollgate_core.redis_contract import key_fingerprint

Json = dict[str, Any]


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds)


def quantity_text(micros: int) -> str:
    """Micros as plain digits."""
    return format_decimal(from_micros(micros))


def view_subscription(row: Subscription) -> Json:
    """A subscription."""
    return {
        "name": row.name,
        "product": row.product,
        "customer": row.customer,
        "customer_name": row.customer_name,
        "state": row.state,
        "anchor": rfc3339(row.anchor_ms),
        "started_at": rfc3339(row.started_ms),
        "ended_at": _moment(row.ended_ms),
        "time_zone": row.time_zone,
        "currency": row.currency,
        "closed_until": rfc3339(row.closed_ms),
        "origin": row.origin,
        "revision": row.revision,
    }


def view_pin(pin: PinRow, price: Price) -> Json:
    """A price version in the time in which a subscription has it, with its terms."""
    return {
        "price": pin.price,
        "version": pin.version,
        "since": rfc3339(pin.since_ms),
        "until": _moment(pin.until_ms),
        "seats": pin.seats,
        "terms": msgspec.to_builtins(price),
    }


def view_key(key: StoredKey, now_ms: int) -> Json:
    """A key without its secret and without its hash; ``fingerprint`` is what usage events call it."""
    return {
        "id": key.id,
        "fingerprint": key_fingerprint(key.hash),
        "label": key.label,
        "last4": key.last4,
        "created_at": rfc3339(key.created_ms),
        "expires_at": _moment(key.expires_ms),
        "revoked_at": _moment(key.revoked_ms),
        "valid": key.is_valid(now_ms),
    }


def view_event(row: Json) -> Json:
    """The event as it stands, as CloudEvents JSON with two extensions: when it was recorded, and what stood before it
    was corrected (the first first)."""
    versions = [row, *row["corrections"]]
    earlier = [orjson.loads(version["body"]) for version in versions[:-1]]
    standing: Json = orjson.loads(versions[-1]["body"])
    return {**standing, "recordedat": rfc3339(versions[-1]["recorded_ms"]), "superseded": earlier}


def view_letter(letter: StoredLetter) -> Json:
    """A dead letter; bytes that are no text are shown as far as they are."""
    return {
        "id": letter.id,
        "event_id": letter.event_id,
        "partition": letter.partition,
        "reason": letter.reason,
        "recorded_at": rfc3339(letter.recorded_ms),
        "replayed_at": _moment(letter.replayed_ms),
        "event": letter.body.decode(errors="replace"),
    }


def view_statement(statement: StoredStatement, paid_minor: int) -> Json:
    """A closed statement: its document, what was paid for it, and the hashes that chain it to the one before."""
    document: Json = orjson.loads(statement.body)
    left = statement.due_minor - paid_minor
    return {
        **document,
        "payment_status": "paid" if not left else "partially_paid" if paid_minor else "open",
        "paid": money_document(Money(paid_minor, statement.currency)),
        "remaining": money_document(Money(left, statement.currency)),
        "hash": statement.hash,
        "previous_hash": statement.previous_hash,
    }


def view_invoice(receivable: Receivable | None) -> Json | None:
    """As the provider said last, which calls it ``reference``; ``url`` is where the customer can pay it himself. None
    where no provider collects."""
    names = ("provider", "status", "reference", "number", "url")
    return None if receivable is None else {name: getattr(receivable, name) for name in names}


def view_payment(payment: Payment) -> Json:
    """Negative where money went back."""
    return {
        "id": payment.id,
        "subject": payment.subject,
        "kind": payment.kind,
        "provider": payment.provider,
        "reference": payment.reference,
        "amount": Money(payment.minor, payment.currency).amount,
        "currency": payment.currency,
        "paid_at": rfc3339(payment.at_ms),
        "recorded_at": rfc3339(payment.recorded_ms),
    }


def view_period(period: Span) -> Json:
    """Half-open."""
    return {"start": rfc3339(period.start_ms), "end": rfc3339(period.end_ms)}


def view_shares(shares: dict[str, Share]) -> Json:
    """By quality."""
    return {
        quality: {"events": share.events, "quantity": quantity_text(share.micros)}
        for quality, share in sorted(shares.items())
    }


def view_event_count(count: EventCount) -> Json:
    """How many events ended so."""
    return {
        "subscription": count.subscription,
        "outcome": count.outcome,
        "quality": count.quality,
        "events": count.events,
        "unmetered": count.unmetered,
    }


def view_top_up(top_up: TopUp) -> Json:
    """Money that is to be paid in, or was."""
    return {
        "id": top_up.id,
        "subscription": top_up.subscription,
        "amount": Money(top_up.minor, top_up.currency).amount,
        "currency": top_up.currency,
        "reason": top_up.reason,
        "state": top_up.state,
        "note": top_up.note,
        "created_at": rfc3339(top_up.created_ms),
        "settled_at": _moment(top_up.settled_ms),
    }


def view_notification(notification: Notification) -> Json:
    """``data`` depends on the kind."""
    return {
        "id": notification.id,
        "kind": notification.kind,
        "subscription": notification.subscription,
        "customer": notification.customer,
        "at": rfc3339(notification.at_ms),
        "data": orjson.loads(notification.body),
    }
