"""Sums over the ledger: exact, whatever the size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, column, func, select, text

from tollgate_billing.ledger.commodity import metric_of_account, price_of
from tollgate_billing.ledger.hours import HALF, HOUR_MS
from tollgate_billing.ledger.tables import event_corrections, postings, usage_events, usage_hours


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
    totals: dict[tuple[str, str, str], UsageTotal] = {}
    if subscription is not None and start_ms is not None and end_ms is not None and not unpriced:
        for row in connection.execute(_ONE_TIME, _parts(subscription, start_ms, end_ms)):
            _add(totals, subscription, *row)
        return _in_order(totals)
    for query in _queries(start_ms, end_ms):
        wanted = query if subscription is None else query.where(column("subscription") == subscription)
        if unpriced:
            wanted = wanted.where(column("commodity").not_like("%@%"))
        for row in connection.execute(wanted):
            _add(totals, *row)
    return _in_order(totals)


def _in_order(totals: dict[tuple[str, str, str], UsageTotal]) -> list[UsageTotal]:
    found = [total for total in totals.values() if total.shares]
    return sorted(found, key=lambda t: (t.subscription, t.metric, t.first_ms, t.price, t.version))


#: The same for one subscription and time, as text: a close asks for every day of a month, and building a query takes
#: longer than answering it.
_ONE_TIME = text(
    f"""
    SELECT account, commodity, quality, SUM(high), SUM(low), SUM(weight), MIN(first_ms) FROM usage_hours
    WHERE subscription = :subscription AND hour_ms >= :first AND hour_ms < :last GROUP BY account, commodity, quality
    UNION ALL
    SELECT account, commodity, quality, SUM(amount_micros / {HALF}), SUM(amount_micros % {HALF}), SUM(weight),
        MIN(at_ms) FROM postings
    WHERE subscription = :subscription AND at_ms >= :start AND at_ms < :first GROUP BY account, commodity, quality
    UNION ALL
    SELECT account, commodity, quality, SUM(amount_micros / {HALF}), SUM(amount_micros % {HALF}), SUM(weight),
        MIN(at_ms) FROM postings
    WHERE subscription = :subscription AND at_ms >= :last AND at_ms < :end GROUP BY account, commodity, quality
    """  # noqa: S608 (no value of others is in it)
)


def _parts(subscription: str, start_ms: int, end_ms: int) -> dict[str, Any]:
    """Whole hours between ``first`` and ``last``; a time without any lies between ``last`` and ``end``."""
    first, last = -(-start_ms // HOUR_MS) * HOUR_MS, end_ms // HOUR_MS * HOUR_MS
    if first >= last:
        first = last = start_ms
    return {"subscription": subscription, "start": start_ms, "first": first, "last": last, "end": end_ms}


def _queries(start_ms: int | None, end_ms: int | None) -> Iterator[Select[*tuple[Any, ...]]]:
    """Whole hours from their sums; what is left at both ends from the postings themselves."""
    first = None if start_ms is None else -(-start_ms // HOUR_MS) * HOUR_MS
    last = None if end_ms is None else end_ms // HOUR_MS * HOUR_MS
    if first is not None and last is not None and first >= last:
        yield _of_postings(start_ms, end_ms)
        return
    h = usage_hours.c
    key = (h.subscription, h.account, h.commodity, h.quality)
    whole = select(*key, func.sum(h.high), func.sum(h.low), func.sum(h.weight), func.min(h.first_ms)).group_by(*key)
    whole = whole if first is None else whole.where(h.hour_ms >= first)
    yield whole if last is None else whole.where(h.hour_ms < last)
    if start_ms != first:
        yield _of_postings(start_ms, first)
    if end_ms != last:
        yield _of_postings(last, end_ms)


def _of_postings(start_ms: int | None, end_ms: int | None) -> Select[*tuple[Any, ...]]:
    p = postings.c
    key = (p.subscription, p.account, p.commodity, p.quality)
    # Two halves of a sum: SQL integers hold each amount, but not every sum of them. (Division truncates in both.)
    halves = (func.sum(p.amount_micros // HALF), func.sum(p.amount_micros % HALF))
    query = select(*key, *halves, func.sum(p.weight), func.min(p.at_ms)).group_by(*key)
    query = query.where(p.subscription.is_not(None))
    query = query if start_ms is None else query.where(p.at_ms >= start_ms)
    return query if end_ms is None else query.where(p.at_ms < end_ms)


def _add(
    totals: dict[tuple[str, str, str], UsageTotal],
    name: str,
    account: str,
    commodity: str,
    quality: str,
    high: int,
    low: int,
    weight: int,
    first_ms: int,
) -> None:
    key = (name, account, commodity)
    if key not in totals:
        totals[key] = UsageTotal(name, metric_of_account(account, name), *price_of(commodity), first_ms)
    total = totals[key]
    total.first_ms = min(total.first_ms, first_ms)
    share = total.shares.setdefault(quality, Share())
    share.events += int(weight)
    share.micros += int(high) * HALF + int(low)
    if not share.events and not share.micros:
        del total.shares[quality]


def metric_sums(connection: Connection, subscription: str, start_ms: int, end_ms: int) -> dict[str, int]:
    """Micros of each metric of a subscription."""
    sums: dict[str, int] = {}
    for total in usage_totals(connection, subscription, start_ms, end_ms):
        sums[total.metric] = sums.get(total.metric, 0) + total.micros
    return sums


def key_sums(connection: Connection, subscription: str, start_ms: int, end_ms: int) -> dict[tuple[str, str], int]:
    """Micros by API key (its fingerprint) and metric. From the postings themselves: hours do not tell keys apart, so
    this takes the longer the more calls the time holds."""
    p, e = postings.c, usage_events.c
    halves = (func.sum(p.amount_micros // HALF), func.sum(p.amount_micros % HALF))
    query = select(e.api_key, p.account, *halves).join(usage_events, e.id == p.event_id).group_by(e.api_key, p.account)
    wanted = query.where(p.subscription == subscription, p.at_ms >= start_ms, p.at_ms < end_ms, e.api_key != "")
    return {
        (api_key, metric_of_account(account, subscription)): int(high) * HALF + int(low)
        for api_key, account, high, low in connection.execute(wanted)
    }


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
