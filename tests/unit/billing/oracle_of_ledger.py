"""The oracle's scenario of a subscription in a ledger: its prices, pins and what was recorded of its usage."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from tests.unit.billing.oracle import scenario as o
from tollgate_billing.ledger.pins import PinRow
from tollgate_core.catalog import Price
from tollgate_core.pricing import terms_of


def terms_for(price: Price) -> o.Terms:
    """What the oracle must know of a version."""
    terms = terms_of(price)
    return o.Terms(
        price=price.name,
        version=price.version,
        model=price.model,
        billing=o.Recurrence(terms.billing.interval, terms.billing.count),
        aggregation_period=o.Recurrence(terms.aggregation.interval, terms.aggregation.count),
        metric=price.metric,
        aggregation=price.aggregation,
        amount=terms.amount,
        per=terms.per,
        included=terms.included,
        tiers=tuple(o.Tier(tier.up_to, tier.amount, tier.flat_amount) for tier in terms.tiers),
        trial_units=terms.trial_units,
        in_advance=not price.in_arrears,
        one_off=price.one_off,
    )


def pins_for(rows: Iterable[PinRow]) -> tuple[o.Pin, ...]:
    """Without those that never held."""
    return tuple(
        o.Pin(row.price, row.version, row.since_ms, row.until_ms, row.seats)
        for row in rows
        if row.since_ms != row.until_ms
    )


def events_for(used: Mapping[str, tuple[int, Mapping[str, str]]], prices: Iterable[Price]) -> tuple[o.Event, ...]:
    """``used``: time and quantities of each event. The metric of an event is charged by whatever price is pinned."""
    metrics = {(price.name, price.metric) for price in prices if price.metric}
    return tuple(
        o.Event(event_id, time, price, Fraction(quantities[metric]))
        for event_id, (time, quantities) in sorted(used.items())
        for price, metric in sorted(metrics)
        if metric in quantities
    )
