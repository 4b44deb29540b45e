"""Putting together what the running invoice needs: a subscription, its periods, prices and totals."""

from dataclasses import dataclass

from sqlalchemy import Connection

from tollgate_billing.clock import to_datetime, to_milliseconds
from tollgate_billing.ledger.catalogs import PriceKey, stored_prices
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.totals import UsageTotal, usage_totals
from tollgate_billing.rating import Invoice, LinePeriod, Metered, running_invoice
from tollgate_core.catalog import Catalog, Price
from tollgate_core.periods import Recurrence, period_at
from tollgate_core.quantity import from_micros

_MONTHLY = Recurrence("month")


@dataclass(frozen=True)
class RunningInvoice:
    """An invoice as of a moment; ``period`` spans the periods of its lines."""

    subscription: Subscription
    as_of_ms: int
    period: LinePeriod
    invoice: Invoice


def current_invoice(
    connection: Connection, catalog: Catalog, subscription: Subscription, now_ms: int
) -> RunningInvoice:
    """Each price has its own period, anchored to the subscription; usage belongs to the period of its event's time.
    Usage without a known price is shown for the month. A subscription that has not begun owes no fee."""
    prices = stored_prices(connection)
    fees = [
        (price, line_period(subscription, recurrence_of(price), now_ms))
        for price in catalog.prices
        if price.product == subscription.product and not price.metric and subscription.anchor_ms <= now_ms
    ]
    metered: list[Metered] = []
    recurrences = {recurrence_of(price) for price in prices.values()} | {_MONTHLY}
    for recurrence in sorted(recurrences, key=lambda r: (r.interval, r.count)):
        period = line_period(subscription, recurrence, now_ms)
        for total in usage_totals(connection, subscription.name, period.start_ms, period.end_ms):
            metered += _metered(total, prices, recurrence, period)
    invoice = running_invoice(fees, metered)
    periods = [line.period for line in invoice.lines] or [line_period(subscription, _MONTHLY, now_ms)]
    span = LinePeriod(min(p.start_ms for p in periods), max(p.end_ms for p in periods))
    return RunningInvoice(subscription, now_ms, span, invoice)


def recurrence_of(price: Price) -> Recurrence:
    """The price's billing period."""
    return Recurrence(price.interval, price.interval_count)


def line_period(subscription: Subscription, recurrence: Recurrence, now_ms: int) -> LinePeriod:
    """The subscription's period that holds a moment."""
    period = period_at(to_datetime(subscription.anchor_ms), recurrence, to_datetime(now_ms))
    return LinePeriod(to_milliseconds(period.start), to_milliseconds(period.end))


def _metered(
    total: UsageTotal, prices: dict[PriceKey, Price], recurrence: Recurrence, period: LinePeriod
) -> list[Metered]:
    """A metric with several prices is rated with each; here only with those that are billed in this recurrence."""
    found: list[Metered] = []
    for name, version in total.prices or (("", ""),):
        price = prices.get((name, version))
        if (recurrence_of(price) if price else _MONTHLY) != recurrence:
            continue
        found.append(
            Metered(
                metric=total.metric,
                period=period,
                first_ms=total.first_ms,
                quantities={quality: from_micros(share.micros) for quality, share in total.shares.items()},
                events={quality: share.events for quality, share in total.shares.items()},
                price=price,
                name=name,
                version=version,
            )
        )
    return found
