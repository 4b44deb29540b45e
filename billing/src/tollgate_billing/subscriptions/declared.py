"""Making the rows say what the catalog says: subscriptions, and the prices that they pin."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, update

from tollgate_billing.ledger.pins import PinRow, add_pins, end_pins, pins_of
from tollgate_billing.ledger.subscriptions import (
    CATALOG_ORIGIN,
    Subscription,
    change_subscription,
    find_subscription,
    insert_subscription,
    list_subscriptions,
)
from tollgate_billing.ledger.tables import api_keys
from tollgate_billing.subscriptions.beginning import after_closing, beginning, state_of
from tollgate_billing.subscriptions.pinning import (
    Offer,
    currency_of,
    first_pins,
    missing_pins,
    newer_pins,
    offer,
    versions_by_name,
)
from tollgate_core.catalog import Catalog, Price, Product
from tollgate_core.catalog import Subscription as Declared

Settle = Callable[[Connection, Subscription, int], None]
Versions = Mapping[str, Sequence[Price]]


def declare(
    connection: Connection, catalog: Catalog, now_ms: int, settle: Settle | None = None
) -> dict[str, int | None]:
    """Answers the names that changed, and since when each has prices that it had not. ``settle`` closes the books of a
    customer whose subscription's name goes to another one; the catalog's price versions are stored already."""
    rows = {row.name: row for row in list_subscriptions(connection)}
    products = {product.name: product for product in catalog.products}
    wanted = {subscription.name: subscription for subscription in catalog.subscriptions}
    versions = versions_by_name(connection)
    pins: defaultdict[str, list[PinRow]] = defaultdict(list)
    for pin in pins_of(connection):
        pins[pin.subscription].append(pin)
    changed: dict[str, int | None] = {}
    for name, declared in wanted.items():
        known = rows.get(name)
        after = now_ms if known is None else after_closing(known, now_ms)
        change = _Declaration(connection, catalog, products.get(declared.product), versions, now_ms, after, settle)
        if change.apply(declared, rows.get(name), pins[name]):
            changed[name] = min((pin.since_ms for pin in change.pinned), default=None)
    for row in rows.values():
        if row.origin == CATALOG_ORIGIN and row.name not in wanted and row.state != "cancelled":
            ended_ms = after_closing(row, now_ms)
            end_pins(connection, row.name, ended_ms)
            change_subscription(connection, row, {"state": "cancelled", "ended_ms": ended_ms})
            changed[row.name] = None
    return changed


class _Declaration:
    """One subscription in one transaction."""

    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        product: Product | None,
        versions: Versions,
        clock_ms: int,
        now_ms: int,
        settle: Settle | None,
    ) -> None:
        """``now_ms`` is when changes of prices take effect: after what is on statements already."""
        self._connection = connection
        self._catalog = catalog
        self._product = product
        self._versions = versions
        self._clock_ms = clock_ms
        self._now_ms = now_ms
        self._settle = settle
        self.pinned: list[PinRow] = []

    def apply(self, declared: Declared, row: Subscription | None, pins: list[PinRow]) -> bool:
        """One that was deleted and made again for another customer is a new one under an old name: the earlier
        customer's books are closed, its keys end, and its periods begin now, so that nobody pays for what somebody else
        used."""
        if row is not None and row.customer != declared.customer:
            self._take_over(row)
            row, pins, declared = None, [], msgspec.structs.replace(declared, starts_at="")
        changed, current = self._row(declared, row)
        offered = self._offer(current)
        if row is None or row.product != current.product or row.ended_ms is not None:
            if row is not None:
                end_pins(self._connection, current.name, self._now_ms)
            self._pin(first_pins(current, offered, current.started_ms if row is None else self._now_ms))
            return True
        self._pin(missing_pins(current, offered, pins, self._priced(pins), self._now_ms))
        if current.follow_prices:
            newer = newer_pins(current, offered, [*pins, *self.pinned], self._now_ms)
            for pin in newer:
                end_pins(self._connection, current.name, pin.since_ms, [pin.price])
            self._pin(newer)
        return changed or bool(self.pinned)

    def _pin(self, pins: list[PinRow]) -> None:
        add_pins(self._connection, pins)
        self.pinned += pins

    def _take_over(self, row: Subscription) -> None:
        end_pins(self._connection, row.name, self._clock_ms)
        if self._settle and row.closed_ms < self._clock_ms:  # not one that had not begun
            self._settle(self._connection, row, self._clock_ms)
        k = api_keys.c
        mine = (k.subscription == row.name, k.revoked_ms.is_(None))
        self._connection.execute(update(api_keys).where(*mine).values(revoked_ms=self._now_ms))

    def _row(self, declared: Declared, row: Subscription | None) -> tuple[bool, Subscription]:
        known = find_subscription(self._connection, declared.name)
        values: dict[str, str | int | bool | None] = {
            "product": declared.product,
            "customer": declared.customer,
            "customer_name": declared.customer_name,
            "origin": CATALOG_ORIGIN,
            "follow_prices": declared.follow_prices,
            "ended_ms": None,
            "overdraft": self._product.overdraft if self._product else "",
        }
        if row is None:
            values |= beginning(declared, self._product, self._clock_ms)
        started_ms = int(values.get("started_ms") or (row.started_ms if row else 0))
        values["state"] = state_of(started_ms, self._clock_ms, suspended=declared.suspended)
        if not (row and row.currency):
            values["currency"] = currency_of(self._catalog, declared.product, declared.currency)
        if known is None:
            return True, insert_subscription(self._connection, declared.name, values)
        changed = change_subscription(self._connection, known, values)
        current = find_subscription(self._connection, declared.name)
        assert current is not None  # noqa: S101
        return changed, current

    def _offer(self, row: Subscription) -> Offer:
        return offer(self._catalog, row.product, row.currency, self._versions)

    def _priced(self, pins: Sequence[PinRow]) -> dict[str, Price]:
        found: dict[str, Price] = {}
        for pin in pins:
            for price in self._versions.get(pin.price, ()):
                if price.version == pin.version:
                    found[pin.price] = price
        return found
