"""Which price versions a subscription is to have: ``docs/pricing.md``, "Versions and pins"."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tollgate_billing.clock import parse_rfc3339
from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.pins import PinRow
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_core.catalog import Catalog, Price

#: Manifests are applied one by one: prices that appear this soon after their subscription belong to its beginning.
SETTLING_MS = 15 * 60_000


@dataclass(frozen=True)
class Offer:
    """The prices of a product in one currency: ``current`` by name, and every stored version as it appeared."""

    current: Mapping[str, Price]
    versions: Mapping[str, Sequence[Price]]

    def effective(self, name: str, moment_ms: int) -> Price:
        """What a subscription gets that begins then; one that is not effective yet only if there is no other."""
        current = self.current[name]
        if effective_ms(current) <= moment_ms:
            return current
        earlier = [v for v in self.versions.get(name, ()) if v != current and effective_ms(v) <= moment_ms]
        return earlier[-1] if earlier else current


def effective_ms(price: Price) -> int:
    """0 where the version does not say."""
    return parse_rfc3339(price.effective_from) if price.effective_from else 0


def offer(catalog: Catalog, product: str, currency: str, versions: Mapping[str, Sequence[Price]]) -> Offer:
    """What a subscription of the product can pin."""
    current = {p.name: p for p in catalog.prices if p.product == product and p.currency == currency}
    return Offer(current, versions)


def currency_of(catalog: Catalog, product: str, declared: str) -> str:
    """The declared one, else the product's first; empty while the product has no price."""
    offered = sorted({price.currency for price in catalog.prices if price.product == product})
    return declared or (offered[0] if offered else "")


def first_pins(subscription: Subscription, offered: Offer, since_ms: int) -> list[PinRow]:
    """All prices, for a subscription that begins or has just changed its product."""
    return [_pin(subscription, offered.effective(name, since_ms), since_ms) for name in sorted(offered.current)]


def missing_pins(
    subscription: Subscription, offered: Offer, pins: Sequence[PinRow], prices: Mapping[str, Price], now_ms: int
) -> list[PinRow]:
    """Prices that appeared after the subscription: those that belong to its beginning, and those of metrics that no
    price of its charges yet. ``prices`` are the pinned ones by name. All else waits for a migration. They begin with
    the subscription, or where it changed its product, then: what was used before was priced by the other one."""
    held = {pin.price for pin in pins if pin.until_ms is None or pin.until_ms > now_ms}
    priced = {prices[name].metric for name in held if name in prices}
    others = [pin for pin in pins if pin.price in prices and prices[pin.price].product != subscription.product]
    since_ms = max([subscription.started_ms, *(pin.until_ms for pin in others if pin.until_ms is not None)])
    settling = now_ms - subscription.created_ms < SETTLING_MS
    found: list[PinRow] = []
    for name in sorted(offered.current.keys() - held):
        version = offered.effective(name, now_ms)
        if settling or (version.metric and version.metric not in priced):
            found.append(_pin(subscription, version, since_ms))
    return found


def newer_pins(
    subscription: Subscription, offered: Offer, pins: Iterable[PinRow], now_ms: int, names: Sequence[str] | None = None
) -> list[PinRow]:
    """The current version of each price that holds in an older one, and prices that the subscription has not."""
    held = {pin.price: pin for pin in pins if pin.holds_at(now_ms)}
    found: list[PinRow] = []
    for name, price in sorted(offered.current.items()):
        if names is not None and name not in names:
            continue
        pin = held.get(name)
        if pin is None or pin.version != price.version:
            seats = pin.seats if pin else price.seats
            found.append(_pin(subscription, price, max(now_ms, effective_ms(price)), seats))
    return found


def until_the_end(subscription: Subscription, pins: Sequence[PinRow]) -> list[PinRow]:
    """One that is cancelled already ends when it was to end, whatever is changed before."""
    end = subscription.ended_ms
    return [replace(pin, until_ms=end) for pin in pins if end is None or pin.since_ms < end]


def versions_by_name(connection: Connection) -> dict[str, list[Price]]:
    """Every stored version of every price, as it appeared."""
    found: defaultdict[str, list[Price]] = defaultdict(list)
    for (name, _), price in stored_prices(connection).items():
        found[name].append(price)
    return found


def _pin(subscription: Subscription, price: Price, since_ms: int, seats: int | None = None) -> PinRow:
    return PinRow(
        subscription=subscription.name,
        price=price.name,
        since_ms=max(since_ms, effective_ms(price)),
        version=price.version,
        seats=price.seats if seats is None else seats,
    )
