"""Revenue of two sides, and how they differ. Lines are a statement's: periods are cut where the time of the backtest
begins and ends, fees are prorated to it, and fees that are due once are left out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from tollgate_core.backtest.rating import Account, Rater
from tollgate_core.money import Money, to_money
from tollgate_core.pricing import Account as PricingAccount
from tollgate_core.pricing import History, Line, Pin, Span, assess, statement_lines
from tollgate_core.pricing.formula import number
from tollgate_core.quantity import MICROS

Json = dict[str, Any]
Key = tuple[str, ...]


@dataclass
class Margin:
    """Of lines whose prices declare a cost, in major units."""

    revenue: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)


@dataclass
class Revenue:
    """In minor units; the last part of each key is the currency."""

    by_subscription: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))
    by_customer: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))
    by_product: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))
    total: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))
    margins: defaultdict[str, Margin] = field(default_factory=lambda: defaultdict(Margin))


def revenue_of(rater: Rater, window: Span) -> Revenue:
    """Of everybody who is known or has usage."""
    found = Revenue()
    for name in sorted(rater.side.names()):
        rater.account(name, "", "")
    for _, account in sorted(rater.accounts.items(), key=lambda item: item[0]):
        if account is not None:
            for line in _lines(account, window):
                _add(found, account, line)
    return found


def _lines(account: Account, window: Span) -> Iterable[Line]:
    pins = tuple(_clipped(account, window))
    pricing = PricingAccount(account.subscriber.calendar, pins)
    return statement_lines(assess(pricing, account, window.end_ms), History())


def _clipped(account: Account, window: Span) -> Iterator[Pin]:
    subscriber = account.subscriber
    end = window.end_ms if subscriber.ended_ms is None else min(window.end_ms, subscriber.ended_ms)
    for pin in subscriber.pins:
        since = max(pin.since_ms, subscriber.started_ms, window.start_ms)
        until = end if pin.until_ms is None else min(end, pin.until_ms)
        if since < until:
            yield replace(pin, since_ms=since, until_ms=until)


def _add(found: Revenue, account: Account, line: Line) -> None:
    subscriber, price = account.subscriber, line.due.price
    found.by_subscription[subscriber.name, subscriber.customer, price.currency] += line.minor
    found.by_customer[subscriber.customer, price.currency] += line.minor
    found.by_product[price.product, price.currency] += line.minor
    found.total[(price.currency,)] += line.minor
    if price.cost:
        margin = found.margins[price.currency]
        margin.revenue += line.exact
        margin.cost += line.quantity * Fraction(price.cost) / Fraction(price.cost_per)


@dataclass(frozen=True)
class Side:
    """What one side came to."""

    revenue: Revenue
    leftovers: list[Json]


def side_of(rater: Rater, window: Span) -> Side:
    """To be called once all events were taken."""
    leftovers = [
        {"product": key[0], "metric": key[1] or None, "reason": key[2], "events": left.events}
        | {"quantity": number(Fraction(left.micros, MICROS))}
        for key, left in sorted(rater.leftovers.items())
    ]
    return Side(revenue_of(rater, window), leftovers)


def compared(after: Side, before: Side | None) -> Json:
    """Revenue before and after, biggest difference first; ``before`` is null where there is no baseline."""
    old = before.revenue if before else None
    new = after.revenue
    return {
        "totals": _rows(("currency",), new.total, old.total if old else None),
        "products": _rows(("product", "currency"), new.by_product, old.by_product if old else None),
        "customers": _rows(("customer", "currency"), new.by_customer, old.by_customer if old else None),
        "subscriptions": _rows(
            ("subscription", "customer", "currency"), new.by_subscription, old.by_subscription if old else None
        ),
        "margins": _margins(new, old),
        "leftovers": {"after": after.leftovers, "before": before.leftovers if before else None},
    }


def _rows(names: tuple[str, ...], after: Mapping[Key, int], before: Mapping[Key, int] | None) -> list[Json]:
    keys = sorted({*after, *(before or ())}, key=lambda key: (-abs(_change(key, after, before)), key))
    return [dict(zip(names, key, strict=True)) | _difference(key, after, before) for key in keys]


def _change(key: Key, after: Mapping[Key, int], before: Mapping[Key, int] | None) -> int:
    return after.get(key, 0) - (before.get(key, 0) if before is not None else 0)


def _difference(key: Key, after: Mapping[Key, int], before: Mapping[Key, int] | None) -> Json:
    new, currency = after.get(key, 0), key[-1]
    if before is None:
        return {"before": None, "after": Money(new, currency).amount, "change": None, "percent": None}
    old = before.get(key, 0)
    percent = number(round(Fraction(100 * (new - old), abs(old)), 2)) if old else None
    return {
        "before": Money(old, currency).amount,
        "after": Money(new, currency).amount,
        "change": Money(new - old, currency).amount,
        "percent": percent,
    }


def _margins(after: Revenue, before: Revenue | None) -> list[Json]:
    currencies = sorted({*after.margins, *(before.margins if before else ())})
    return [
        {
            "currency": currency,
            "before": _margin(before.margins.get(currency), currency) if before else None,
            "after": _margin(after.margins.get(currency), currency),
        }
        for currency in currencies
    ]


def _margin(margin: Margin | None, currency: str) -> Json | None:
    """Of prices that declare a cost; in major units."""
    if margin is None:
        return None
    left = margin.revenue - margin.cost
    percent = number(round(100 * left / margin.revenue, 2)) if margin.revenue else None
    amounts = {"revenue": margin.revenue, "cost": margin.cost, "margin": left}
    return {name: to_money(amount, currency).amount for name, amount in amounts.items()} | {"percent": percent}


def exceeded(rows: Iterable[Json], most_percent: Fraction) -> list[Json]:
    """Rows that change by more than so many percent; something instead of nothing always does."""
    return [row for row in rows if _exceeds(row, most_percent)]


def _exceeds(row: Json, most_percent: Fraction) -> bool:
    if row["before"] is None:
        return False
    if row["percent"] is None:
        return Fraction(row["change"]) != 0
    return abs(Fraction(row["percent"])) > most_percent
