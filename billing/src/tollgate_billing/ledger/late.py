"""Usage whose time had been closed already when it was recorded, or corrected: the next statement bills it.

Whoever writes such usage lists it in ``late_usage``, with the closing it came after. He holds the subscription's row
for the time of his transaction and a closing waits for it, so that nothing is missed and no clocks are compared.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select, union

from tollgate_billing.ledger.entries import Entry
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.tables import event_corrections, late_usage, milestones, subscriptions, usage_events

#: When the last replica that did not list late usage was gone.
LISTED = "late usage is listed"
#: Such replicas may not have committed in the order of their clocks: what is this old is looked at again.
_MARGIN_MS = 600_000


def late_row(entry: Entry, revision: int, at_ms: int, closed_ms: int) -> dict[str, Any]:
    """Of ``late_usage``."""
    return {
        "event_id": entry.id,
        "revision": revision,
        "subscription": entry.subscription,
        "closed_ms": closed_ms,
        "at_ms": at_ms,
    }


def earliest_change(connection: Connection, row: Subscription) -> int:
    """The time of the earliest usage that was recorded, or corrected, since the last closing; no later than that."""
    lu = late_usage.c
    query = select(func.min(lu.at_ms)).where(lu.subscription == row.name, lu.closed_ms >= row.closed_ms)
    found = [connection.execute(query).scalar(), *_unlisted(connection, row)]
    return min([row.closed_ms, *(int(moment) for moment in found if moment is not None)])


def _unlisted(connection: Connection, row: Subscription) -> list[int | None]:
    """What replicas of the version before recorded."""
    until = connection.execute(select(milestones.c.at_ms).where(milestones.c.name == LISTED)).scalar() or 0
    since = row.cut_ms - _MARGIN_MS
    if since >= until:
        return []
    e, c = usage_events.c, event_corrections.c
    recorded = select(func.min(e.at_ms)).where(e.subscription == row.name, e.recorded_ms.between(since, until))
    corrected = (
        select(func.min(e.at_ms))
        .join_from(event_corrections, usage_events, c.event_id == e.id)
        .where(_of(row.name), c.recorded_ms.between(since, until))
    )
    return [connection.execute(query).scalar() for query in (recorded, corrected)]


def last_record(connection: Connection, subscription: str) -> int | None:
    """When usage of a subscription was recorded, or corrected, for the last time."""
    e, c = usage_events.c, event_corrections.c
    recorded = select(func.max(e.recorded_ms)).where(e.subscription == subscription)
    corrected = select(func.max(c.recorded_ms)).join_from(event_corrections, usage_events, c.event_id == e.id)
    corrected = corrected.where(_of(subscription))
    found = [connection.execute(query).scalar() for query in (recorded, corrected)]
    return max((int(moment) for moment in found if moment is not None), default=None)


def late_names(connection: Connection, since_ms: int) -> set[str]:
    """Subscriptions that have ended and were closed, of which something was recorded since then."""
    s, e, c = subscriptions.c, usage_events.c, event_corrections.c
    ended = select(s.name).where(s.ended_ms <= s.closed_ms)
    recorded = select(e.subscription).where(e.recorded_ms >= since_ms, e.subscription.in_(ended))
    corrected = select(e.subscription).join_from(event_corrections, usage_events, c.event_id == e.id)
    corrected = corrected.where(c.recorded_ms >= since_ms, e.subscription.in_(ended))
    return set(connection.execute(union(recorded, corrected)).scalars())


def _of(subscription: str) -> ColumnElement[bool]:
    """Corrections of a subscription's events. While replicas of the version before still write, some do not name it."""
    c = event_corrections.c
    return and_(c.subscription.in_([subscription, ""]), usage_events.c.subscription == subscription)
