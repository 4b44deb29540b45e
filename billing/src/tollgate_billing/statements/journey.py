"""The other way round: from an event to the prices that were tried for it and the lines that bill it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from tollgate_billing.ledger.catalogs import stored_catalog, stored_prices
from tollgate_billing.ledger.events import UnknownEventError, events_by_id
from tollgate_billing.ledger.evidence import Moved, moves_of
from tollgate_billing.ledger.pins import pins_of
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.ledger.tables import statement_lines, statements
from tollgate_billing.statements.evidence import rules_of
from tollgate_core.catalog import Price
from tollgate_core.events import UsageEvent
from tollgate_core.pricing.selection import Tried, event_variables, in_order, tried
from tollgate_core.quantity import format_decimal, from_micros

Json = dict[str, Any]


@dataclass(frozen=True)
class Billing:
    """Where units of an event are billed; ``line`` counts from 1 and is 0 while no statement holds them."""

    statement: str
    line: int
    micros: int


@dataclass(frozen=True)
class Journey:
    """Of one event: its row with corrections, and what became of each metric."""

    row: Json
    standing: Json
    metrics: tuple[Json, ...]


def journey_of(connection: Connection, event_id: str) -> Journey:
    """Raises UnknownEventError."""
    row = events_by_id(connection, [event_id]).get(event_id)
    if row is None:
        raise UnknownEventError(f"no event {event_id} is recorded")
    encoded = (row["corrections"][-1] if row["corrections"] else row)["body"]
    event = UsageEvent.decode(encoded.encode())
    moves: defaultdict[str, list[Moved]] = defaultdict(list)
    for move in moves_of(connection, event_id, event.subject):
        moves[move.metric].append(move)
    catalog = stored_catalog(connection, event.data.catalog)
    choices = _choices(connection, event, row["at_ms"])
    metrics = tuple(
        {
            "metric": metric,
            "quantity": text,
            "rules": rules_of(catalog, metric, event.data.endpoint),
            "charged_by": _standing(moves[metric]),
            "tried": [_tried(trial) for trial in choices.get(metric, ())],
            "billed": [_billed(found) for found in _billings(connection, row, moves[metric])],
        }
        for metric, text in event.data.quantities.items()
    )
    return Journey(row, msgspec.json.decode(encoded), metrics)


def _choices(connection: Connection, event: UsageEvent, at_ms: int) -> dict[str, list[Tried]]:
    """By the prices that the subscription pins for that time now."""
    subscription = find_subscription(connection, event.subject)
    if subscription is None:
        return {}
    prices = stored_prices(connection)
    held = [prices[pin.price, pin.version] for pin in pins_of(connection, [event.subject]) if pin.holds_at(at_ms)]
    variables = event_variables(event, subscription.time_zone)
    return {
        metric: list(tried(in_order(price for price in held if price.metric == metric), variables, Decimal(text)))
        for metric, text in event.data.quantities.items()
    }


def _tried(trial: Tried) -> Json:
    price: Price = trial.price
    return {
        "price": price.name,
        "version": price.version,
        "priority": price.priority,
        "when": price.when or None,
        "holds": trial.holds,
        "reason": trial.reason or None,
    }


def _standing(moves: Sequence[Moved]) -> Json | None:
    """The price version at which the latest revision was posted."""
    last = max((move.revision for move in moves), default=0)
    for move in reversed(moves):
        if move.revision == last and move.price and move.micros >= 0:
            return {"price": move.price, "version": move.version}
    return None


def _billings(connection: Connection, row: Json, moves: Sequence[Moved]) -> Iterator[Billing]:
    """Each posting is on the first statement of its price version and period whose cut came after it."""
    by_price: defaultdict[tuple[str, str], list[Moved]] = defaultdict(list)
    for move in moves:
        if move.price:
            by_price[move.price, move.version].append(move)
    for (price, version), mine in by_price.items():
        after_ms = -1
        for statement, line, cut_ms in _lines(connection, row, price, version):
            here = [move.micros for move in mine if after_ms < move.recorded_ms <= cut_ms]
            if here:
                yield Billing(statement, line + 1, sum(here))
            after_ms = cut_ms
        waiting = sum(move.micros for move in mine if move.recorded_ms > after_ms)
        if waiting:
            yield Billing("", 0, waiting)


def _lines(connection: Connection, row: Json, price: str, version: str) -> list[tuple[str, int, int]]:
    """(statement, line, cut) of all that cover the event's time, in order."""
    li, s = statement_lines.c, statements.c
    query = (
        select(li.statement, li.line, s.cut_ms)
        .join(statements, s.id == li.statement)
        .where(li.subscription == row["subscription"], li.price == price, li.version == version)
        .where(li.start_ms <= row["at_ms"], li.end_ms > row["at_ms"], s.customer == row["customer"])
        .order_by(s.sequence)
    )
    return [(found[0], found[1], found[2]) for found in connection.execute(query)]


def _billed(found: Billing) -> Json:
    return {
        "statement": found.statement or None,
        "line": found.line or None,
        "quantity": format_decimal(from_micros(found.micros)),
    }
