"""A short name for what a migration does, so that it can be done only if it is still what a preview showed. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from tollgate_billing.ledger.pins import PinRow
from tollgate_billing.ledger.subscriptions import Subscription

_DIGITS = 12


def migration_fingerprint(
    row: Subscription, migrated: Iterable[PinRow], held: Mapping[str, PinRow], now_ms: int
) -> str:
    """Of who moves from which versions to which, with which seats, and when if that is not at once. Not of usage and
    totals: they change with every call. A version stands for its terms."""
    steps = [_step(pin, held.get(pin.price), now_ms) for pin in migrated]
    content = json.dumps([row.name, row.product, row.currency, sorted(steps)], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGITS]


def _step(pin: PinRow, before: PinRow | None, now_ms: int) -> tuple[str, str, str, int, int]:
    scheduled_ms = pin.since_ms if pin.since_ms > now_ms else 0
    return pin.price, before.version if before else "", pin.version, pin.seats, scheduled_ms
