"""Rows of notifications. An id says what it is about, so that the same thing is told once, whoever sees it first."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import orjson
from sqlalchemy import Connection, func, insert, select

from tollgate_billing.ledger.locks import NOTIFYING, alone
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.tables import notifications
from tollgate_core.pricing.document import Json

Kind = Literal[
    "credit.low",
    "credit.exhausted",
    "credit.restored",
    "limit.reached",
    "top_up.created",
    "top_up.paid",
    "top_up.failed",
    "top_up.reversed",
    "top_up.withheld",
    "payment.surplus",
    "access.grace",
    "access.throttled",
    "access.suspended",
    "access.cancelled",
    "access.restored",
]


@dataclass(frozen=True)
class Notification:
    """``body`` is JSON; ``sequence`` is greater than that of whatever was committed before."""

    id: str
    kind: str
    subscription: str
    customer: str
    at_ms: int
    body: str
    sequence: int


def notify(connection: Connection, row: Subscription, kind: Kind, about: str, at_ms: int, body: Json) -> bool:
    """False where it was told already. ``about`` tells it from others of its kind and subscription. The caller has
    locked the subscription."""
    n = notifications.c
    key = "nt_" + hashlib.sha256(f"{row.name}\n{kind}\n{about}".encode()).hexdigest()[:24]
    if connection.execute(select(n.id).where(n.id == key)).first() is not None:
        return False
    alone(connection, NOTIFYING)
    sequence = int(connection.execute(select(func.coalesce(func.max(n.sequence), 0))).scalar_one()) + 1
    told = Notification(key, kind, row.name, row.customer, at_ms, orjson.dumps(body).decode(), sequence)
    connection.execute(insert(notifications).values(vars(told)))
    return True


def list_notifications(
    connection: Connection, subscription: str | None = None, *, after: str = "", limit: int = 100
) -> list[Notification]:
    """In the order of commits; ``after`` is the id of the last one of the page before."""
    n = notifications.c
    query = select(notifications).order_by(n.sequence, n.id).limit(limit)
    if subscription is not None:
        query = query.where(n.subscription == subscription)
    reached = connection.execute(select(n.sequence).where(n.id == after)).scalar() if after else None
    if reached is not None:
        query = query.where((n.sequence > reached) | ((n.sequence == reached) & (n.id > after)))
    return [Notification(**row) for row in connection.execute(query).mappings()]
