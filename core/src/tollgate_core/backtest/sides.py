"""Who is subscribed to what: as manifests say it, or as a ledger pinned it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from tollgate_core.catalog import Catalog, Price, Product
from tollgate_core.catalog import Subscription as Declared
from tollgate_core.pricing import Calendar, Pin


@dataclass(frozen=True)
class Subscriber:
    """``pins`` hold its recurring prices; one that always held begins at 0. Where no start is known, periods are
    calendar months."""

    name: str
    customer: str
    product: str
    calendar: Calendar
    pins: tuple[Pin, ...]
    started_ms: int = 0
    ended_ms: int | None = None


@dataclass(frozen=True)
class Known:
    """What a ledger knows of a subscription, beside its pins."""

    name: str
    customer: str
    product: str
    currency: str
    calendar: Calendar
    started_ms: int
    ended_ms: int | None = None
    pins: tuple[Pin, ...] = ()


class Side:
    """Subscribers under the prices of manifests. ``known`` ones keep their periods, product and seats."""

    def __init__(self, catalog: Catalog, known: Mapping[str, Known] | None = None) -> None:
        self.metrics = frozenset(metric.name for metric in catalog.metrics)
        self._products = {product.name: product for product in catalog.products}
        self._prices: dict[str, list[Price]] = {}
        for price in catalog.prices:
            self._prices.setdefault(price.product, []).append(price)
        self._declared = {subscription.name: subscription for subscription in catalog.subscriptions}
        self._known = known or {}

    def names(self) -> set[str]:
        """Who pays fees though there may be no usage."""
        return {*self._declared, *self._known}

    def subscriber(self, name: str, customer: str, product: str) -> Subscriber | None:
        """None where its product is not in the manifests. Who is not known by name is on the product of the event."""
        known, declared = self._known.get(name), self._declared.get(name)
        wanted = declared.product if declared else known.product if known else product
        found = self._products.get(wanted)
        if found is None:
            return None
        if known is not None:
            pins = self._pins(wanted, known.currency, {pin.price.name: pin.seats for pin in known.pins})
            return Subscriber(name, known.customer, wanted, known.calendar, pins, known.started_ms, known.ended_ms)
        pins = self._pins(wanted, declared.currency if declared else "", {})
        started_ms, calendar = _beginning(found, declared)
        return Subscriber(name, declared.customer if declared else customer, wanted, calendar, pins, started_ms)

    def _pins(self, product: str, currency: str, seats: Mapping[str, int]) -> tuple[Pin, ...]:
        prices = self._prices.get(product, [])
        offered = sorted({price.currency for price in prices})
        chosen = currency if currency in offered else (offered[0] if offered else "")
        return tuple(
            Pin(price, 0, None, seats.get(price.name, price.seats))
            for price in prices
            if price.currency == chosen and not price.one_off
        )


@dataclass(frozen=True)
class Recorded:
    """Subscribers as a ledger has them: every price version in the time in which it was pinned."""

    known: Mapping[str, Known]
    metrics: frozenset[str] = frozenset()

    def names(self) -> set[str]:
        """All of them."""
        return set(self.known)

    def subscriber(self, name: str, customer: str, product: str) -> Subscriber | None:
        """None where the ledger has none of that name."""
        del customer, product
        k = self.known.get(name)
        if k is None:
            return None
        pins = tuple(pin for pin in k.pins if not pin.price.one_off)
        return Subscriber(k.name, k.customer, k.product, k.calendar, pins, k.started_ms, k.ended_ms)


AnySide = Side | Recorded


def price_of(terms: Mapping[str, object]) -> Price:
    """A price version as billing's API shows it."""
    return msgspec.convert(terms, Price)


def _beginning(product: Product, declared: Declared | None) -> tuple[int, Calendar]:
    """(start, calendar), as billing begins a subscription."""
    zone = (declared.time_zone if declared else "") or product.time_zone or "UTC"
    if declared is None or not declared.starts_at:
        return 0, Calendar(_milliseconds(datetime(2000, 1, 1, tzinfo=ZoneInfo(zone))), zone)
    start = datetime.fromisoformat(declared.starts_at).astimezone(ZoneInfo(zone))
    return _milliseconds(start), Calendar(_milliseconds(start + timedelta(days=product.trial_days)), zone)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
