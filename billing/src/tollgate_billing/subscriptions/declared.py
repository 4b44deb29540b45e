"""Making the rows say what the catalog says: subscriptions, and the prices that they pin.

Each subscription is a savepoint of its own: one that cannot be declared keeps what it has, and stops no other one.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog
from sqlalchemy import Connection, NestedTransaction, update

from tollgate_billing.ledger.database import DATABASE_AWAY
from tollgate_billing.ledger.locks import BEGINNING, alone
from tollgate_billing.ledger.pins import PinRow, add_pins, end_pins, pins_of
from tollgate_billing.ledger.repricing import reprice_changed
from tollgate_billing.ledger.subscriptions import (
    CATALOG_ORIGIN,
    Subscription,
    Value,
    change_subscription,
    existing_subscription,
    insert_subscription,
    lock_subscriptions,
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
    until_the_end,
    versions_by_name,
)
from tollgate_billing.wallets.top_ups import cancel_pending
from tollgate_core.catalog import Catalog, Price, Product
from tollgate_core.catalog import Subscription as Declared

_log = structlog.get_logger("catalog")
Settle = Callable[[Connection, Subscription, int], None]


@dataclass
class Outcome:
    """Names that changed, and since when each has prices that it had not; names that could not be declared, and why."""

    changed: dict[str, int | None] = field(default_factory=dict[str, int | None])
    failed: dict[str, str] = field(default_factory=dict[str, str])


def declare(connection: Connection, catalog: Catalog, now_ms: int, settle: Settle | None = None) -> Outcome:
    """In one transaction, in which nobody else changes a subscription; usage is priced anew where other prices hold for
    its time. ``settle`` closes the books of a customer whose subscription's name goes to another one. The catalog's
    price versions are stored already."""
    alone(connection, BEGINNING)
    rows = {row.name: row for row in lock_subscriptions(connection)}
    pins: defaultdict[str, list[PinRow]] = defaultdict(list)
    for pin in pins_of(connection):
        pins[pin.subscription].append(pin)
    wanted = {subscription.name: subscription for subscription in catalog.subscriptions}
    terms = _Terms(catalog, versions_by_name(connection), now_ms, settle)
    outcome = Outcome()
    for name in [*wanted, *(rows.keys() - wanted.keys())]:
        change = _Declaration(connection, terms, wanted.get(name), rows.get(name), pins[name])
        try:
            if change.apply():
                outcome.changed[name] = change.since_ms
        except DATABASE_AWAY:
            raise
        except Exception as error:
            change.undo()
            outcome.failed[name] = type(error).__name__
            _log.exception("cannot be declared", subscription=name)
    return outcome


class _Terms:
    """What is the same for every subscription."""

    def __init__(
        self, catalog: Catalog, versions: Mapping[str, Sequence[Price]], now_ms: int, settle: Settle | None
    ) -> None:
        self.catalog = catalog
        self.products = {product.name: product for product in catalog.products}
        self.versions = versions
        self.now_ms = now_ms
        self.settle = settle

    def offer(self, row: Subscription) -> Offer:
        return offer(self.catalog, row.product, row.currency, self.versions)

    def priced(self, pins: Sequence[PinRow]) -> dict[str, Price]:
        """The pinned prices by name."""
        versions = {(price.name, price.version): price for pin in pins for price in self.versions.get(pin.price, ())}
        keys = [(pin.price, pin.version) for pin in pins]
        return {name: versions[name, version] for name, version in keys if (name, version) in versions}


class _Declaration:
    """One subscription. ``declared`` is None where no manifest names it (any more)."""

    def __init__(
        self,
        connection: Connection,
        terms: _Terms,
        declared: Declared | None,
        row: Subscription | None,
        pins: Sequence[PinRow],
    ) -> None:
        self._connection = connection
        self._terms = terms
        self._declared = declared
        self._row = row
        self._pins = list(pins)
        self._savepoint: NestedTransaction | None = None
        #: Changes of prices take effect after what is on statements already.
        self._effective_ms = terms.now_ms if row is None else after_closing(row, terms.now_ms)
        self._pinned: list[PinRow] = []

    @property
    def since_ms(self) -> int | None:
        """Since when it has prices that it had not."""
        return min((pin.since_ms for pin in self._pinned), default=None)

    def apply(self) -> bool:
        """Whether anything changed."""
        if self._declared is not None:
            self._declare(self._declared)
        elif self._row is not None and self._row.origin != CATALOG_ORIGIN:
            self._follow(self._row)
        elif self._row is not None and self._row.state != "cancelled":
            self._end(self._row)
        if self._savepoint is None:
            return False
        if self._declared is not None or self._pinned:
            name = self._declared.name if self._declared else self._pinned[0].subscription
            reprice_changed(self._connection, {name: self.since_ms}, self._terms.now_ms)
        self._savepoint.commit()
        return True

    def undo(self) -> None:
        """As if it had never been tried."""
        if self._savepoint is not None:
            self._savepoint.rollback()

    def _writing(self) -> Connection:
        """Most subscriptions do not change: those cost no savepoint."""
        if self._savepoint is None:
            self._savepoint = self._connection.begin_nested()
        return self._connection

    def _declare(self, declared: Declared) -> None:
        """One that was deleted and made again for another customer is a new one under an old name: the earlier
        customer's books are closed, its keys end, and its periods begin now, so that nobody pays for what somebody else
        used."""
        row = self._row
        if row is not None and row.customer != declared.customer:
            self._take_over(row)
            row, declared = None, msgspec.structs.replace(declared, starts_at="")
        current = self._write_row(declared, row)
        offered = self._terms.offer(current)
        if row is None:
            self._pin(first_pins(current, offered, current.started_ms))
        elif row.product != current.product or row.ended_ms is not None:
            end_pins(self._writing(), current.name, self._effective_ms)
            self._pin(first_pins(current, offered, self._effective_ms))
        else:
            self._follow(current)

    def _follow(self, row: Subscription) -> None:
        """Prices that appeared after the subscription, and newer versions where it takes them at once."""
        if row.ended_ms is not None and row.ended_ms <= self._effective_ms:
            return
        terms, now_ms = self._terms, self._effective_ms
        offered = terms.offer(row)
        missing = missing_pins(row, offered, self._pins, terms.priced(self._pins), now_ms)
        self._pin(until_the_end(row, missing))
        if row.follow_prices:
            newer = until_the_end(row, newer_pins(row, offered, [*self._pins, *self._pinned], now_ms))
            for pin in newer:
                end_pins(self._writing(), row.name, pin.since_ms, [pin.price])
            self._pin(newer)

    def _pin(self, pins: list[PinRow]) -> None:
        if pins:
            add_pins(self._writing(), pins, self._effective_ms)
            self._pinned += pins

    def _end(self, row: Subscription) -> None:
        end_pins(self._writing(), row.name, self._effective_ms)
        change_subscription(self._connection, row, {"state": "cancelled", "ended_ms": self._effective_ms})

    def _take_over(self, row: Subscription) -> None:
        now_ms = self._terms.now_ms
        end_pins(self._writing(), row.name, now_ms)
        if self._terms.settle and row.closed_ms < now_ms:  # not one that had not begun
            self._terms.settle(self._connection, row, now_ms)
        k = api_keys.c
        mine = (k.subscription == row.name, k.revoked_ms.is_(None))
        self._connection.execute(update(api_keys).where(*mine).values(revoked_ms=now_ms))
        cancel_pending(self._connection, row.name, now_ms)
        self._effective_ms = now_ms
        self._pins = []

    def _write_row(self, declared: Declared, row: Subscription | None) -> Subscription:
        """``row`` is None for a new one, also where it takes the name of ``self._row``."""
        values = _values(declared, row, self._terms.products.get(declared.product), self._terms.now_ms)
        if not (row and row.currency):
            values["currency"] = currency_of(self._terms.catalog, declared.product, declared.currency)
        if self._row is None:
            return insert_subscription(self._writing(), declared.name, values)
        if row is not None and all(getattr(row, name) == value for name, value in values.items()):
            return row
        change_subscription(self._writing(), existing_subscription(self._connection, declared.name), values)
        return existing_subscription(self._connection, declared.name)


def _values(declared: Declared, row: Subscription | None, product: Product | None, now_ms: int) -> dict[str, Value]:
    values: dict[str, Value] = {
        "product": declared.product,
        "customer": declared.customer,
        "customer_name": declared.customer_name,
        "origin": CATALOG_ORIGIN,
        "follow_prices": declared.follow_prices,
        "ended_ms": None,
        "overdraft": product.overdraft if product else "",
    }
    if row is None:
        values |= beginning(declared, product, now_ms)
    started_ms = int(values.get("started_ms") or (row.started_ms if row else 0))
    values["state"] = state_of(started_ms, now_ms, suspended=declared.suspended)
    return values
