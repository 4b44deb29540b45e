"""Reading recorded events, page by page, in the order in which they were recorded."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, tuple_

from tollgate_billing.ledger.tables import event_corrections, usage_events


class UnknownEventError(LookupError):
    """A page was asked for relative to an event that is not recorded."""


def list_events(
    connection: Connection,
    *,
    subscription: str | None = None,
    after: str | None = None,
    oldest_first: bool = False,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """A page, newest first unless asked otherwise; ``after`` is the id of the last event of the page before. Each row
    has its ``corrections``. Raises UnknownEventError."""
    e = usage_events.c
    query = select(usage_events).limit(limit)
    if subscription is not None:
        query = query.where(e.subscription == subscription)
    position = tuple_(e.recorded_ms, e.id)
    if after is not None:
        reached = tuple_(*_position(connection, after))
        query = query.where(position > reached if oldest_first else position < reached)
    ordering = (e.recorded_ms, e.id) if oldest_first else (e.recorded_ms.desc(), e.id.desc())
    rows = [dict(row) for row in connection.execute(query.order_by(*ordering)).mappings()]
    corrections = list_corrections(connection, [row["id"] for row in rows])
    for row in rows:
        row["corrections"] = corrections.get(row["id"], [])
    return rows


def events_by_id(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those that are recorded, each with its ``corrections``."""
    found = connection.execute(select(usage_events).where(usage_events.c.id.in_(ids))).mappings()
    corrections = list_corrections(connection, ids)
    return {row["id"]: {**row, "corrections": corrections.get(row["id"], [])} for row in found}


def _position(connection: Connection, event_id: str) -> tuple[int, str]:
    e = usage_events.c
    row = connection.execute(select(e.recorded_ms, e.id).where(e.id == event_id)).first()
    if row is None:
        raise UnknownEventError(f"no event {event_id} is recorded")
    return row[0], row[1]


def list_corrections(connection: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The corrections of each event that has any, in order."""
    c = event_corrections.c
    found: dict[str, list[dict[str, Any]]] = {}
    query = select(event_corrections).where(c.event_id.in_(ids)).order_by(c.event_id, c.revision)
    for row in connection.execute(query).mappings():
        found.setdefault(row["event_id"], []).append(dict(row))
    return found


def recent_ids(connection: Connection, since_ms: int, limit: int) -> list[tuple[str, int]]:
    """(id, partition) of what was recorded lately, newest first."""
    e = usage_events.c
    query = select(e.id, e.partition).where(e.recorded_ms >= since_ms).order_by(e.recorded_ms.desc(), e.id.desc())
    return [(row[0], row[1]) for row in connection.execute(query.limit(limit))]


def recently_recorded(connection: Connection, since_ms: int) -> set[str]:
    """Subscriptions of which usage was recorded, or corrected, since then."""
    e, c = usage_events.c, event_corrections.c
    recorded = select(e.subscription).where(e.recorded_ms >= since_ms).distinct()
    corrected = select(e.subscription).join_from(event_corrections, usage_events, c.event_id == e.id)
    corrected = corrected.where(c.recorded_ms >= since_ms).distinct()
    return {*connection.execute(recorded).scalars(), *connection.execute(corrected).scalars()}
