"""The postings behind a line of a statement. What an event counts towards a price version changes with its revisions,
and each revision was recorded at a moment: so every cut of every statement can be seen again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, tuple_

from tollgate_billing.ledger.commodity import commodity, metric_of_account, price_of, usage_account
from tollgate_billing.ledger.tables import event_corrections, postings, usage_events

_HALF = 10**9


@dataclass(frozen=True)
class Window:
    """Units of a metric that a price version charges: of calls in ``[start_ms, end_ms)``, recorded after ``after_ms``
    and up to ``cut_ms``. The former is None for the first statement of a period."""

    subscription: str
    metric: str
    price: str
    version: str
    start_ms: int
    end_ms: int
    cut_ms: int
    after_ms: int | None = None


class Part(NamedTuple):
    """What one event brought to a window."""

    event_id: str
    at_ms: int
    micros: int


class Moved(NamedTuple):
    """One side of one revision of an event: units of a metric at a price version (empty where none charges)."""

    metric: str
    price: str
    version: str
    micros: int
    revision: int
    recorded_ms: int


_p, _e, _c = postings.c, usage_events.c, event_corrections.c
_recorded: ColumnElement[int] = func.coalesce(_c.recorded_ms, _e.recorded_ms)
_with_moments = postings.join(usage_events, _e.id == _p.event_id).outerjoin(
    event_corrections, (_c.event_id == _p.event_id) & (_c.revision == _p.revision)
)


def parts_of(connection: Connection, window: Window, after: str = "", limit: int = 100) -> list[Part]:
    """By time and id; ``after`` is the event that the page before ended with. An event whose units moved in and out
    again is among them, with 0."""
    query = select(_p.event_id, _p.at_ms, func.sum(_p.amount_micros)).select_from(_with_moments)
    query = query.where(*_inside(window)).group_by(_p.at_ms, _p.event_id)
    query = query.order_by(_p.at_ms, _p.event_id).limit(limit)
    if after:
        at_ms = connection.execute(select(_e.at_ms).where(_e.id == after)).scalar()
        if at_ms is not None:
            query = query.where(_p.at_ms >= at_ms, tuple_(_p.at_ms, _p.event_id) > tuple_(at_ms, after))
    return [Part(row[0], row[1], int(row[2])) for row in connection.execute(query)]


def sum_of(connection: Connection, window: Window) -> tuple[int, int]:
    """(events, micros) of the whole window."""
    amount = _p.amount_micros
    columns = (func.count(_p.event_id.distinct()), func.sum(amount // _HALF), func.sum(amount % _HALF))
    query = select(*columns).select_from(_with_moments).where(*_inside(window))
    events, high, low = connection.execute(query).one()
    return int(events), int(high or 0) * _HALF + int(low or 0)


def _inside(window: Window) -> list[ColumnElement[bool]]:
    found = [
        _p.subscription == window.subscription,
        _p.at_ms >= window.start_ms,
        _p.at_ms < window.end_ms,
        _p.account == usage_account(window.subscription, window.metric),
        _p.commodity == commodity(window.metric, window.price, window.version),
        _recorded <= window.cut_ms,
    ]
    return found if window.after_ms is None else [*found, _recorded > window.after_ms]


def moves_of(connection: Connection, event_id: str, subscription: str) -> Iterator[Moved]:
    """Everything that was ever posted for an event, in order."""
    columns = (_p.account, _p.commodity, _p.amount_micros, _p.revision, _recorded)
    query = select(*columns).select_from(_with_moments).where(_p.event_id == event_id, _p.subscription.is_not(None))
    for account, unit, micros, revision, recorded_ms in connection.execute(query.order_by(_p.revision, _p.line)):
        name, version = price_of(unit)
        yield Moved(metric_of_account(account, subscription), name, version, int(micros), revision, recorded_ms)
