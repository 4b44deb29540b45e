"""Sums over the ledger: exact, whatever the size."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from tollgate_billing.ledger.commodity import metric_of_account, price_of
from tollgate_billing.ledger.tables import UNPRICED, event_corrections, postings, usage_events

_HALF = 10**9


@dataclass
class Share:
    """Part of a total, of one quality."""

    events: int = 0
    micros: int = 0


@dataclass
class UsageTotal:
    """A subscription's units of one metric that one price version charges; no name where none does."""

    subscription: str
    metric: str
    price: str
    version: str
    first_ms: int
    shares: dict[str, Share] = field(default_factory=dict[str, Share])

    @property
    def micros(self) -> int:
        """All qualities together."""
        return sum(share.micros for share in self.shares.values())

    @property
    def events(self) -> int:
        """How many events."""
        return sum(share.events for share in self.shares.values())


@dataclass(frozen=True)
class EventCount:
    """How many events of a subscription ended so; ``unmetered`` counts metrics whose quantity was not computable."""

    subscription: str
    outcome: str
    quality: str
    events: int
    unmetered: int


def _sum_columns(amount: ColumnElement[int]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Two halves of a sum: SQL integers hold each amount, but not every sum of them. (Division truncates in both.)"""
    return func.sum(amount // _HALF), func.sum(amount % _HALF)


def usage_totals(
    connection: Connection,
    subscription: str | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    *,
    unpriced: bool = False,
) -> list[UsageTotal]:
    """Totals of the half-open time, by subscription, metric and price version; first used first. ``unpriced``: only
    of what no price charges."""
    p = postings.c
    high, low = _sum_columns(p.amount_micros)
    query = select(
        p.subscription, p.account, p.commodity, p.quality, high, low, func.sum(p.weight), func.min(p.at_ms)
    ).group_by(p.subscription, p.account, p.commodity, p.quality)
    query = query.where(p.subscription.is_not(None) if subscription is None else p.subscription == subscription)
    if start_ms is not None:
        query = query.where(p.at_ms >= start_ms)
    if end_ms is not None:
        query = query.where(p.at_ms < end_ms)
    if unpriced:
        query = query.where(UNPRICED)
    totals: dict[tuple[str, str, str], UsageTotal] = {}
    for name, account, commodity, quality, above, below, weight, first in connection.execute(query):
        key = (name, account, commodity)
        if key not in totals:
            totals[key] = UsageTotal(name, metric_of_account(account, name), *price_of(commodity), first)
        total = totals[key]
        total.first_ms = min(total.first_ms, first)
        share = Share(int(weight), int(above) * _HALF + int(below))
        if share.events or share.micros:
            total.shares[quality] = share
    found = [total for total in totals.values() if total.shares]
    return sorted(
        found, key=lambda total: (total.subscription, total.metric, total.first_ms, total.price, total.version)
    )


def metric_sums(connection: Connection, subscription: str, start_ms: int, end_ms: int) -> dict[str, int]:
    """Micros of each metric of a subscription."""
    sums: dict[str, int] = {}
    for total in usage_totals(connection, subscription, start_ms, end_ms):
        sums[total.metric] = sums.get(total.metric, 0) + total.micros
    return sums


def event_counts(connection: Connection) -> list[EventCount]:
    """Events by outcome and quality, each as it stands after its corrections."""
    e, c = usage_events.c, event_corrections.c
    last = select(c.event_id, func.max(c.revision).label("revision")).group_by(c.event_id).subquery()
    join = usage_events.outerjoin(last, last.c.event_id == e.id).outerjoin(
        event_corrections, (c.event_id == last.c.event_id) & (c.revision == last.c.revision)
    )
    outcome, quality = func.coalesce(c.outcome, e.outcome), func.coalesce(c.quality, e.quality)
    unmetered = func.sum(func.coalesce(c.unmetered, e.unmetered))
    query = select(e.subscription, outcome, quality, func.count(), unmetered).select_from(join)
    grouped = query.group_by(e.subscription, outcome, quality).order_by(e.subscription, outcome, quality)
    return [EventCount(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in connection.execute(grouped)]


def shares_by_quality(totals: Sequence[UsageTotal]) -> dict[str, Share]:
    """The shares of several totals, added up."""
    added: dict[str, Share] = {}
    for total in totals:
        for quality, share in total.shares.items():
            to = added.setdefault(quality, Share())
            to.events += share.events
            to.micros += share.micros
    return added
