"""Limits that subscriptions have for themselves, beside their product's."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from tollgate_billing.ledger.subscriptions import Subscription, bump_revision
from tollgate_billing.ledger.tables import subscription_limits
from tollgate_core.catalog import MetricLimit, effective_limit, scope_of
from tollgate_core.quantity import to_decimal

#: So many subscriptions are asked for by name.
_FEW = 20


class OwnLimit(NamedTuple):
    """``units`` is a decimal text, as it was asked for: bounds may change after it."""

    metric: str
    scope: str
    units: str
    set_ms: int


def own_limits(connection: Connection, rows: Sequence[Subscription]) -> dict[str, list[OwnLimit]]:
    """By subscription; those that an earlier customer of the name set are left out."""
    t = subscription_limits.c
    customers = {row.name: row.customer for row in rows}
    query = select(t.subscription, t.customer, t.metric, t.scope, t.units, t.set_ms)
    query = query.order_by(t.subscription, t.metric, t.scope)
    if len(customers) <= _FEW:
        query = query.where(t.subscription.in_(customers))
    found: defaultdict[str, list[OwnLimit]] = defaultdict(list)
    for name, customer, *rest in connection.execute(query):
        if customers.get(name) == customer:
            found[name].append(OwnLimit(*rest))
    return found


def own_limit(own: Sequence[OwnLimit], limit: MetricLimit) -> OwnLimit | None:
    """The one that takes a product's limit's place."""
    return next((o for o in own if (o.metric, o.scope) == (limit.metric, scope_of(limit))), None)


def applying_limit(own: Sequence[OwnLimit], limit: MetricLimit) -> Decimal:
    """Units that a subscription with these own limits may use."""
    asked = own_limit(own, limit)
    return to_decimal(effective_limit(limit, float(asked.units) if asked else None))


def put_own_limit(connection: Connection, row: Subscription, limit: MetricLimit, units: str, now_ms: int) -> None:
    """Set it; the same again changes nothing."""
    present = own_limit(own_limits(connection, [row])[row.name], limit)
    if present is not None and present.units == units:
        return
    _delete(connection, row, limit)
    values = {"customer": row.customer, "units": units, "set_ms": now_ms}
    key = {"subscription": row.name, "metric": limit.metric, "scope": scope_of(limit)}
    connection.execute(insert(subscription_limits).values(**key, **values))
    bump_revision(connection, row.name)


def drop_own_limit(connection: Connection, row: Subscription, limit: MetricLimit) -> None:
    """The product's applies again. Where there is none, nothing changes."""
    if _delete(connection, row, limit):
        bump_revision(connection, row.name)


def _delete(connection: Connection, row: Subscription, limit: MetricLimit) -> bool:
    t = subscription_limits.c
    mine = (t.subscription == row.name, t.metric == limit.metric, t.scope == scope_of(limit))
    return connection.execute(delete(subscription_limits).where(*mine)).rowcount > 0
