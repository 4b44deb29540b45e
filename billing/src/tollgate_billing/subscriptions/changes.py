"""What may happen to a subscription: begin, switch, other seats, newer prices, end, go on. Each in one transaction.

A preview runs the same code in a transaction that is rolled back, so that it shows what is then charged.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, update

from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.locks import BEGINNING, alone
from tollgate_billing.ledger.pins import PinRow, add_pins, end_pins, pins_of
from tollgate_billing.ledger.repricing import reprice_changed
from tollgate_billing.ledger.subscriptions import (
    CATALOG_ORIGIN,
    State,
    Subscription,
    change_subscription,
    find_subscription,
    insert_subscription,
    list_subscriptions,
    lock_subscription,
)
from tollgate_billing.ledger.tables import subscription_prices
from tollgate_billing.subscriptions.beginning import beginning, state_of
from tollgate_billing.subscriptions.pinning import (
    Offer,
    currency_of,
    first_pins,
    newer_pins,
    offer,
    until_the_end,
    versions_by_name,
)
from tollgate_core.catalog import Catalog, Price
from tollgate_core.catalog import Subscription as Declared
from tollgate_core.manifests.parse import nearest
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Calendar

API_ORIGIN = "api"


class ChangeRefusedError(Exception):
    """Says why, and what can be done."""


def begin(connection: Connection, catalog: Catalog, wanted: Declared, now_ms: int) -> Subscription:
    """A subscription that no manifest declares."""
    alone(connection, BEGINNING)
    if find_subscription(connection, wanted.name) is not None:
        raise ChangeRefusedError(f"there is a subscription {wanted.name} already")
    product = catalog.product(wanted.product)
    if product is None:
        known = [product.name for product in catalog.products]
        raise ChangeRefusedError(f"there is no product {wanted.product}{nearest(wanted.product, known)}")
    currency = currency_of(catalog, wanted.product, wanted.currency)
    offered = offer(catalog, wanted.product, currency, versions_by_name(connection))
    if wanted.currency and not offered.current:
        raise ChangeRefusedError(f"the product {wanted.product} has no price in {wanted.currency}")
    start = beginning(wanted, product, now_ms)
    values = start | {
        "product": wanted.product,
        "customer": wanted.customer,
        "customer_name": wanted.customer_name,
        "state": state_of(int(start["started_ms"] or 0), now_ms),
        "origin": API_ORIGIN,
        "follow_prices": wanted.follow_prices,
        "currency": currency,
        "overdraft": product.overdraft,
    }
    row = insert_subscription(connection, wanted.name, values)
    add_pins(connection, first_pins(row, offered, row.started_ms), now_ms)
    reprice_changed(connection, {row.name: row.started_ms}, now_ms)  # calls may have come before it was known
    return row


def switch(connection: Connection, catalog: Catalog, row: Subscription, product: str, now_ms: int) -> None:
    """Fees are prorated and credited, usage so far is billed at once; the anchor stays."""
    _refuse_declared(row, "its product is set in its manifest")
    _refuse_ended(row, now_ms)
    current = catalog.product(row.product)
    if product == row.product:
        raise ChangeRefusedError(f"it is on the product {product} already")
    if current is None or product not in current.switches:
        allowed = ", ".join(current.switches) if current and current.switches else "none"
        raise ChangeRefusedError(f"a switch from {row.product} to {product} is not allowed; allowed: {allowed}")
    offered = _offer(connection, catalog, row, product)
    if not offered.current:
        raise ChangeRefusedError(f"the product {product} has no price in {row.currency}")
    end_pins(connection, row.name, now_ms)
    target = next(p for p in catalog.products if p.name == product)
    change_subscription(connection, row, {"product": product, "overdraft": target.overdraft})
    add_pins(connection, until_the_end(row, first_pins(row, offered, now_ms)), now_ms)


def set_seats(connection: Connection, row: Subscription, price: str, seats: int, now_ms: int) -> None:
    """From now on; the fee of the running period is prorated."""
    _refuse_ended(row, now_ms)
    pins = [pin for pin in pins_of(connection, [row.name]) if pin.price == price and pin.since_ms != pin.until_ms]
    held = next((pin for pin in pins if pin.holds_at(now_ms)), None)
    if held is None:
        raise ChangeRefusedError(f"it has no price {price}")
    scheduled = [pin for pin in pins if pin.since_ms > now_ms]
    stored = stored_prices(connection)
    for terms in (stored[price, pin.version] for pin in (held, *scheduled)):
        if not terms.min_seats <= seats <= terms.max_seats:
            raise ChangeRefusedError(f"{price} allows {terms.min_seats} to {terms.max_seats} seats, not {seats}")
    if seats == held.seats:
        return
    end_pins(connection, row.name, now_ms, [price])
    changed = [replace(pin, seats=seats) for pin in (replace(held, since_ms=now_ms), *scheduled)]
    add_pins(connection, changed, now_ms)


def migrate(
    connection: Connection, catalog: Catalog, row: Subscription, now_ms: int, prices: Sequence[str] | None = None
) -> list[PinRow]:
    """The current versions of all its prices, or of those that are named, from now on. Answers what changed."""
    _refuse_ended(row, now_ms)
    offered = _offer(connection, catalog, row, row.product)
    unknown = sorted(set(prices or ()) - offered.current.keys())
    if unknown:
        raise ChangeRefusedError(f"the product {row.product} has no price {unknown[0]} in {row.currency}")
    newer = until_the_end(row, newer_pins(row, offered, pins_of(connection, [row.name]), now_ms, prices))
    for pin in newer:
        end_pins(connection, row.name, pin.since_ms, [pin.price])
    add_pins(connection, newer, now_ms)
    return newer


def cancel(connection: Connection, row: Subscription, now_ms: int, *, at_period_end: bool) -> int:
    """Answers when it ends: now, with what is left of prepaid fees credited, or at the end of its billing period."""
    _refuse_declared(row, "delete its manifest instead")
    _refuse_ended(row, now_ms)
    end = _period_end(connection, row, now_ms) if at_period_end else now_ms
    end_pins(connection, row.name, end)
    change_subscription(connection, row, {"ended_ms": end, "state": "cancelled" if end <= now_ms else row.state})
    return end


def turn(row: Subscription, now_ms: int) -> State | None:
    """The state into which time has brought a subscription; None where it stays as it is."""
    if row.ended_ms is not None and row.ended_ms <= now_ms and row.state != "cancelled":
        return "cancelled"
    return "active" if row.state == "pending" and row.started_ms <= now_ms else None


def turn_all(connection: Connection, now_ms: int) -> list[str]:
    """What has ended stops working, what has begun starts. Answers their names."""
    turned: list[str] = []
    for name in [row.name for row in list_subscriptions(connection) if turn(row, now_ms)]:
        row = lock_subscription(connection, name)  # it may have been reactivated meanwhile
        state = turn(row, now_ms) if row else None
        if row and state:
            change_subscription(connection, row, {"state": state})
            turned.append(name)
    return turned


def reactivate(connection: Connection, catalog: Catalog, row: Subscription, now_ms: int) -> None:
    """As if it had not been cancelled, or, where it has ended, on the product's current prices from now on."""
    _refuse_declared(row, "apply its manifest again instead")
    if row.ended_ms is None:
        raise ChangeRefusedError("it is not cancelled")
    if row.ended_ms > now_ms:
        p = subscription_prices.c
        # Not one that was to begin then: a cancellation drops it.
        mine = (p.subscription == row.name, p.until_ms == row.ended_ms, p.since_ms < row.ended_ms)
        connection.execute(update(subscription_prices).where(*mine).values(until_ms=None))
    else:
        add_pins(connection, first_pins(row, _offer(connection, catalog, row, row.product), now_ms), now_ms)
    change_subscription(connection, row, {"ended_ms": None, "state": "active"})


def _offer(connection: Connection, catalog: Catalog, row: Subscription, product: str) -> Offer:
    return offer(catalog, product, row.currency, versions_by_name(connection))


def _period_end(connection: Connection, row: Subscription, now_ms: int) -> int:
    """Of its fees, which are paid until then; without a fee, of its usage."""
    prices, calendar = stored_prices(connection), Calendar(row.anchor_ms, row.time_zone)
    held = [prices[p.price, p.version] for p in pins_of(connection, [row.name]) if p.holds_at(now_ms)]
    recurring = [price for price in held if not price.one_off]
    fees = [price for price in recurring if not price.metric]
    return max((_end(calendar, price, now_ms) for price in fees or recurring), default=now_ms)


def _end(calendar: Calendar, price: Price, now_ms: int) -> int:
    return calendar.at(Recurrence(price.interval, price.interval_count), now_ms).end_ms


def _refuse_declared(row: Subscription, instead: str) -> None:
    if row.origin == CATALOG_ORIGIN:
        raise ChangeRefusedError(f"a manifest declares it: {instead}")


def _refuse_ended(row: Subscription, now_ms: int) -> None:
    if row.ended_ms is not None and row.ended_ms <= now_ms:
        raise ChangeRefusedError("it has ended; reactivate it first")
