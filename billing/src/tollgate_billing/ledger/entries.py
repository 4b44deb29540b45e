"""From a usage event to what the ledger records of it. Pure."""

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tollgate_billing.clock import parse_rfc3339
from tollgate_billing.ledger.commodity import commodity, metered_account, usage_account
from tollgate_core.catalog import Price
from tollgate_core.errors import EventError
from tollgate_core.events import UsageEvent
from tollgate_core.quantity import to_micros

_PLAIN_NUMBER = re.compile(r"\d{1,30}(\.\d{1,400})?")
_LONGEST_NAME = 400
_LONGEST_KEY = 40


class Line(NamedTuple):
    """One side of a metric's double entry. ``subscription`` is set on usage lines only."""

    account: str
    commodity: str
    amount_micros: int
    subscription: str | None


class Counted(NamedTuple):
    """Units of a metric that a call used."""

    metric: str
    micros: int


class Entry(NamedTuple):
    """A usage event as the ledger records it. ``payload_hash`` covers what counts and nothing else."""

    id: str
    subscription: str
    customer: str
    product: str
    endpoint: str
    at_ms: int
    outcome: str
    quality: str
    witness: str
    unmetered: int
    body: str
    payload_hash: str
    api_key: str
    event: UsageEvent
    counted: tuple[Counted, ...]


def entry_of(encoded: bytes) -> Entry:
    """Raises EventError with the reason for which the event cannot be posted."""
    try:
        event = UsageEvent.decode(encoded)
        return _entry(event)
    except EventError:
        raise
    except (ValueError, ArithmeticError) as error:
        raise EventError(str(error)[:500]) from error


def _entry(event: UsageEvent) -> Entry:
    data = event.data
    if len(data.api_key) > _LONGEST_KEY or "\0" in data.api_key:
        raise EventError(f"apiKey must have at most {_LONGEST_KEY} characters")
    for field, name in (("id", event.id), ("subject", event.subject), ("endpoint", data.endpoint)):
        if not 0 < len(name) <= _LONGEST_NAME or "\0" in name:
            raise EventError(f"{field} must have 1 to {_LONGEST_NAME} characters")
    return Entry(
        id=event.id,
        subscription=event.subject,
        customer=data.customer,
        product=data.product,
        endpoint=data.endpoint,
        at_ms=_moment(event.time),
        outcome=data.outcome,
        quality=data.quality,
        witness=data.witness,
        unmetered=len(data.unmetered),
        body=event.encode().decode(),
        payload_hash=payload_hash(event),
        api_key=data.api_key,
        event=event,
        counted=tuple(_counted(metric, text) for metric, text in data.quantities.items()),
    )


def payload_hash(event: UsageEvent) -> str:
    """Of what counts: whose usage, the quantities, the raw usage. Two witnesses of one request agree in these and
    may differ in when they saw its end, and in what they call it."""
    counted = (event.subject, event.data.quantities, event.data.usage)
    return hashlib.sha256(msgspec.json.encode(counted, order="sorted")).hexdigest()[:32]


def _moment(text: str) -> int:
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise EventError(f"time: {error}") from error


def _counted(metric: str, text: str) -> Counted:
    if not 0 < len(metric) <= _LONGEST_NAME or "@" in metric:
        raise EventError("a metric's name is empty, too long or holds an @")
    if _PLAIN_NUMBER.fullmatch(text) is None:
        raise EventError(f"quantity of {metric}: {text[:40]!r} is not a plain number")
    return Counted(metric, to_micros(Decimal(text)))


def lines_of(entry: Entry, price_of: Callable[[Counted], Price | None]) -> tuple[Line, ...]:
    """Both sides of every metric, in units of the metric at the price version that charges them."""
    return tuple(line for counted in entry.counted for line in _sides(entry, counted, price_of(counted)))


def _sides(entry: Entry, counted: Counted, price: Price | None) -> tuple[Line, Line]:
    unit = commodity(counted.metric, price.name if price else "", price.version if price else "")
    return (
        Line(usage_account(entry.subscription, counted.metric), unit, counted.micros, entry.subscription),
        Line(metered_account(entry.endpoint), unit, -counted.micros, None),
    )
