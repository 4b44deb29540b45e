"""What pricing must know of a subscription, read from the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from sqlalchemy import Connection

from tollgate_billing.ledger.catalogs import PriceKey
from tollgate_billing.ledger.pins import PinRow
from tollgate_billing.ledger.samples import standing_quantities
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.totals import Share, UsageTotal, shares_by_quality, usage_totals
from tollgate_core.catalog import Price
from tollgate_core.pricing import Account, Calendar, Pin, Span
from tollgate_core.quantity import MICROS


def account_of(row: Subscription, pins: Iterable[PinRow], prices: Mapping[PriceKey, Price]) -> Account:
    """The pricing view of a subscription, without what an earlier customer of its name had."""
    own = [pin for pin in pins if pin.until_ms is None or pin.until_ms > row.started_ms]
    return Account(
        calendar=Calendar(row.anchor_ms, row.time_zone),
        pins=tuple(Pin(prices[pin.price, pin.version], pin.since_ms, pin.until_ms, pin.seats) for pin in own),
    )


class LedgerUsage:
    """A ``UsageReader`` of one subscription. Totals of a time are asked for once, for all prices together."""

    def __init__(self, connection: Connection, subscription: str) -> None:
        self._connection = connection
        self._subscription = subscription
        self._totals: dict[Span, list[UsageTotal]] = {}

    def quantities(self, price: Price, spans: Sequence[Span]) -> Sequence[Fraction]:
        """See ``UsageReader``."""
        if price.aggregation == "count":
            return [Fraction(sum(total.events for total in self._of(price, span))) for span in spans]
        if price.aggregation == "sum":
            return [Fraction(sum(total.micros for total in self._of(price, span)), MICROS) for span in spans]
        return [self._of_samples(price, span) for span in spans]

    def qualities(self, price: Price, span: Span) -> dict[str, Share]:
        """How many events and units of each quality a price version charges."""
        return shares_by_quality(self._of(price, span))

    def _of(self, price: Price, span: Span) -> list[UsageTotal]:
        if span not in self._totals:
            empty = span.start_ms >= span.end_ms
            times = (span.start_ms, span.end_ms)
            self._totals[span] = [] if empty else usage_totals(self._connection, self._subscription, *times)
        key = (price.name, price.version)
        return [total for total in self._totals[span] if (total.price, total.version) == key]

    def _of_samples(self, price: Price, span: Span) -> Fraction:
        samples = standing_quantities(
            self._connection, self._subscription, price.metric, (price.name, price.version), span.start_ms, span.end_ms
        )
        match price.aggregation:
            case "max":
                micros = max(samples, default=0)
            case "last":
                micros = samples[-1] if samples else 0
            case _:
                return Fraction(len(set(samples)))
        return Fraction(micros, MICROS)
