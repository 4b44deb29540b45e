"""Which price versions a subscription has: rows of ``subscription_prices``. What to pin is decided in
``tollgate_billing.subscriptions``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, insert, or_, select, update

from tollgate_billing.ledger.subscriptions import bump_revision
from tollgate_billing.ledger.tables import subscription_prices


@dataclass(frozen=True)
class PinRow:
    """Half-open: ``until_ms`` is None while it holds. ``recorded_ms``: when it was written down, which may be after it
    began."""

    subscription: str
    price: str
    since_ms: int
    version: str
    seats: int
    until_ms: int | None = None
    recorded_ms: int = 0

    def holds_at(self, moment_ms: int) -> bool:
        """Whether it holds then."""
        return self.since_ms <= moment_ms and (self.until_ms is None or moment_ms < self.until_ms)


def pins_of(connection: Connection, subscriptions: Sequence[str] | None = None) -> list[PinRow]:
    """In the order of time; of all subscriptions if none are named."""
    p = subscription_prices.c
    query = select(subscription_prices).order_by(p.subscription, p.since_ms, p.price)
    if subscriptions is not None:
        query = query.where(p.subscription.in_(subscriptions))
    return [PinRow(**row) for row in connection.execute(query).mappings()]


def add_pins(connection: Connection, pins: Iterable[PinRow], now_ms: int) -> None:
    """Two changes in one millisecond are one. What the gate and the ingest know of a subscription changes with its
    revision."""
    p, names = subscription_prices.c, set[str]()
    for pin in pins:
        same = (p.subscription == pin.subscription, p.price == pin.price, p.since_ms == pin.since_ms)
        values = {**vars(pin), "recorded_ms": now_ms}
        if not connection.execute(update(subscription_prices).where(*same).values(values)).rowcount:
            connection.execute(insert(subscription_prices).values(values))
        names.add(pin.subscription)
    for name in names:
        bump_revision(connection, name)


def end_pins(connection: Connection, subscription: str, until_ms: int, prices: Sequence[str] | None = None) -> None:
    """No pin holds from then on; one that would begin later never holds. Of all prices if none are named."""
    p = subscription_prices.c
    mine = [p.subscription == subscription, or_(p.until_ms.is_(None), p.until_ms > until_ms)]
    if prices is not None:
        mine.append(p.price.in_(prices))
    ended = connection.execute(
        update(subscription_prices).where(and_(*mine), p.since_ms < until_ms).values(until_ms=until_ms)
    )
    never = connection.execute(
        update(subscription_prices).where(and_(*mine), p.since_ms >= until_ms).values(until_ms=p.since_ms)
    )
    if ended.rowcount or never.rowcount:
        bump_revision(connection, subscription)
