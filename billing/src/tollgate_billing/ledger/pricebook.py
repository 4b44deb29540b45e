"""Which price version charges a usage event: the ones that its subscription pinned at the event's own time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import Connection, select

from tollgate_billing.ledger.catalogs import PriceKey, stored_prices
from tollgate_billing.ledger.entries import Counted, Entry
from tollgate_billing.ledger.pins import PinRow, pins_of
from tollgate_billing.ledger.tables import subscriptions
from tollgate_core.catalog import Price
from tollgate_core.pricing.selection import choose, event_variables, in_order
from tollgate_core.quantity import from_micros

#: A clock of another machine may be this far ahead.
_FUTURE_MS = 5 * 60_000


class _Pinned(NamedTuple):
    pin: PinRow
    price: Price


@dataclass(frozen=True)
class Page:
    """One subscription's pinned prices by metric, ``in_order``. Usage before ``closed_ms`` comes late."""

    revision: int
    customer: str
    zone: str
    ended_ms: int | None
    closed_ms: int
    by_metric: Mapping[str, tuple[_Pinned, ...]]

    def price_of(self, entry: Entry) -> Callable[[Counted], Price | None]:
        """For the metrics of one event. Its variables are worked out once, and only if a condition asks."""
        variables: dict[str, object] = {}

        def chosen(counted: Counted) -> Price | None:
            prices = [
                pinned.price for pinned in self.by_metric.get(counted.metric, ()) if pinned.pin.holds_at(entry.at_ms)
            ]
            if any(price.when for price in prices) and not variables:
                variables.update(event_variables(entry.event, self.zone))
            return choose(prices, variables, from_micros(counted.micros))

        return chosen

    def refusal(self, entry: Entry, now_ms: int) -> str:
        """Why the event cannot be billed to this subscription; empty where it can."""
        if entry.customer != self.customer:
            return f"it belongs to the customer {entry.customer}, and its subscription now to another one"
        if self.ended_ms is not None and entry.at_ms >= self.ended_ms:
            return "its time is after the subscription ended"
        return "its time is in the future" if entry.at_ms > now_ms + _FUTURE_MS else ""


class PriceBook:
    """Remembers pages; a page is read anew when its subscription's revision has grown. A page holds for the whole
    transaction: whoever changes pins waits for it, so that he finds every event that was priced by the old ones."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._prices: dict[PriceKey, Price] = {}

    def pages(self, connection: Connection, names: Iterable[str]) -> dict[str, Page]:
        """Of the subscriptions that exist."""
        wanted = sorted(set(names))
        s = subscriptions.c
        columns = (s.name, s.revision, s.customer, s.time_zone, s.ended_ms, s.closed_ms)
        query = select(*columns).where(s.name.in_(wanted)).order_by(s.name).with_for_update(read=True)
        rows = {row[0]: row[1:] for row in connection.execute(query)}
        stale = [n for n, row in rows.items() if n not in self._pages or self._pages[n].revision != row[0]]
        pinned = self._pinned(connection, stale) if stale else {}
        for name in stale:
            self._pages[name] = Page(*rows[name], by_metric=pinned.get(name, {}))
        return {name: replace(self._pages[name], closed_ms=row[-1]) for name, row in rows.items()}

    def _pinned(self, connection: Connection, names: list[str]) -> dict[str, dict[str, tuple[_Pinned, ...]]]:
        found: defaultdict[str, defaultdict[str, list[_Pinned]]] = defaultdict(lambda: defaultdict(list))
        for pin in pins_of(connection, names):
            key = (pin.price, pin.version)
            if key not in self._prices:
                self._prices = stored_prices(connection)
            price = self._prices[key]
            if price.metric:
                found[pin.subscription][price.metric].append(_Pinned(pin, price))
        return {
            name: {metric: _ordered(pinned) for metric, pinned in by_metric.items()}
            for name, by_metric in found.items()
        }


def _ordered(pinned: list[_Pinned]) -> tuple[_Pinned, ...]:
    ranks = {price: rank for rank, price in enumerate(in_order(p.price for p in pinned))}
    return tuple(sorted(pinned, key=lambda p: ranks[p.price]))
