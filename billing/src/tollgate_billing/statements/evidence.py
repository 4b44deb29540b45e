"""From a line of a closed statement to the events behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from tollgate_billing.ledger.catalogs import stored_catalog, stored_price
from tollgate_billing.ledger.events import events_by_id
from tollgate_billing.ledger.evidence import Part, Window, parts_of, sum_of
from tollgate_billing.ledger.tables import statement_lines, statements
from tollgate_billing.statements.store import StoredStatement
from tollgate_core.catalog import Aggregation, Catalog, Price
from tollgate_core.pricing.formula import number
from tollgate_core.quantity import MICROS

Json = dict[str, Any]


@dataclass(frozen=True)
class EventPart:
    """An event as it stood at the statement's cut, and what it brought to the line. ``late``: recorded after an
    earlier statement of its period; ``corrected``: it was recorded differently before."""

    part: Part
    body: Json
    recorded_ms: int
    late: bool
    corrected: bool
    rules: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Evidence:
    """``window`` is None for what is no usage; sums are only there with the first page."""

    line: Json
    price: Price | None
    aggregation: Aggregation
    window: Window | None
    parts: tuple[EventPart, ...] = ()
    sums: Json | None = None


def evidence_of(
    connection: Connection, statement: StoredStatement, line: int, after: str, limit: int
) -> Evidence | None:
    """``line`` counts from 1; None where the statement has no such line."""
    lines: list[Json] = msgspec.json.decode(statement.body)["lines"]
    if not 1 <= line <= len(lines):
        return None
    document = lines[line - 1]
    price = stored_price(connection, document["price"], document["version"])
    aggregation: Aggregation = price.aggregation if price else "sum"
    window = _window(connection, statement, line - 1, document)
    if window is None:
        return Evidence(document, price, aggregation, None)
    found = parts_of(connection, window, after, limit)
    return Evidence(
        line=document,
        price=price,
        aggregation=aggregation,
        window=window,
        parts=tuple(_event_parts(connection, statement, window, found)),
        sums=None if after else _sums(connection, statement, line - 1, window, aggregation),
    )


def _window(connection: Connection, statement: StoredStatement, line: int, document: Json) -> Window | None:
    """An earlier statement that holds the same price version and period billed what was recorded before its cut."""
    if document["kind"] != "usage":
        return None
    li, s = statement_lines.c, statements.c
    mine = (li.statement == statement.id, li.line == line)
    start_ms, end_ms = connection.execute(select(li.start_ms, li.end_ms).where(*mine)).one()
    earlier = (
        select(func.max(s.cut_ms))
        .join(statement_lines, li.statement == s.id)
        .where(li.subscription == statement.subscription, s.customer == statement.customer)
        .where(li.price == document["price"], li.version == document["version"], li.start_ms == start_ms)
        .where(s.sequence < statement.sequence)
    )
    return Window(
        subscription=statement.subscription,
        metric=document["metric"],
        price=document["price"],
        version=document["version"],
        start_ms=start_ms,
        end_ms=end_ms,
        cut_ms=statement.cut_ms,
        after_ms=connection.execute(earlier).scalar(),
    )


def _sums(
    connection: Connection, statement: StoredStatement, line: int, window: Window, aggregation: Aggregation
) -> Json:
    li = statement_lines.c
    billed = connection.execute(select(li.quantity).where(li.statement == statement.id, li.line == line)).scalar_one()
    events, micros = sum_of(connection, window)
    added = Fraction(micros, MICROS)
    adds_up = aggregation in {"sum", "count"}
    matches = added == Fraction(billed) if adds_up else None
    note = (
        "" if matches else _DIFFERS if adds_up else f"the metric is aggregated by {aggregation}: events do not add up"
    )
    return {
        "events": events,
        "quantity": number(added),
        "line_quantity": number(Fraction(billed)),
        "matches": matches,
        "note": note,
    }


_DIFFERS = (
    "the events do not add up to the line: some were recorded at the moment of the cut by another process; the next "
    "statement of the subscription holds the difference"
)


def _event_parts(
    connection: Connection, statement: StoredStatement, window: Window, found: Sequence[Part]
) -> list[EventPart]:
    rows = events_by_id(connection, [part.event_id for part in found])
    closed_before_ms = _first_close(connection, statement, window)
    catalogs: dict[str, Catalog | None] = {}
    parts: list[EventPart] = []
    for part in found:
        row = rows[part.event_id]
        standing = [c for c in row["corrections"] if c["recorded_ms"] <= window.cut_ms]
        body: Json = msgspec.json.decode((standing[-1] if standing else row)["body"])
        hashed = body["data"]["catalog"]
        if hashed not in catalogs:
            catalogs[hashed] = stored_catalog(connection, hashed)
        late = closed_before_ms is not None and row["recorded_ms"] > closed_before_ms
        rules = rules_of(catalogs[hashed], window.metric, body["data"]["endpoint"])
        parts.append(EventPart(part, body, row["recorded_ms"], late, bool(standing), rules))
    return parts


def rules_of(catalog: Catalog | None, metric: str, endpoint: str) -> list[Mapping[str, str]]:
    """How a metric counted a call, by the catalog of that time; nothing where that is not known any more."""
    usages = next((m.usage for m in catalog.metrics if m.name == metric), ()) if catalog else ()
    return [{"quantity": usage.quantity, "when": usage.when} for usage in usages if endpoint in usage.endpoints]


def _first_close(connection: Connection, statement: StoredStatement, window: Window) -> int | None:
    """The cut of the first earlier statement that was closed when the period was over."""
    s = statements.c
    query = select(func.min(s.cut_ms)).where(s.subscription == statement.subscription)
    query = query.where(s.sequence < statement.sequence, s.closed_ms >= window.end_ms)
    return connection.execute(query).scalar()
