"""Subscriptions: who uses which product since when, and whether they may."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from tollgate_billing.clock import parse_rfc3339
from tollgate_billing.ledger.tables import api_keys, subscriptions
from tollgate_core.catalog import Subscription as Declared

State = Literal["active", "suspended", "cancelled"]
#: Who brought a subscription: only those that the catalog declared are cancelled when it no longer does.
CATALOG_ORIGIN = "catalog"


@dataclass(frozen=True)
class Subscription:
    """``revision`` grows whenever anything changes that the gate must know, keys included."""

    name: str
    product: str
    customer: str
    customer_name: str
    anchor_ms: int
    state: str
    revision: int
    origin: str


def list_subscriptions(connection: Connection) -> list[Subscription]:
    """All, by name."""
    rows = connection.execute(select(subscriptions).order_by(subscriptions.c.name))
    return [Subscription(**row) for row in rows.mappings()]


def find_subscription(connection: Connection, name: str) -> Subscription | None:
    """One, or None."""
    row = connection.execute(select(subscriptions).where(subscriptions.c.name == name)).mappings().first()
    return None if row is None else Subscription(**row)


def revisions(connection: Connection) -> dict[str, int]:
    """The revision of each subscription: cheap enough to be asked often."""
    rows = connection.execute(select(subscriptions.c.name, subscriptions.c.revision))
    return {row[0]: row[1] for row in rows}


def bump_revision(connection: Connection, name: str) -> None:
    """Something that belongs to the subscription changed."""
    s = subscriptions.c
    connection.execute(update(subscriptions).where(s.name == name).values(revision=s.revision + 1))


def declare(connection: Connection, declared: Iterable[Declared], now_ms: int) -> list[str]:
    """Make the rows say what the catalog says. Answers the names that changed."""
    rows = {row.name: row for row in list_subscriptions(connection)}
    wanted = {subscription.name: subscription for subscription in declared}
    changed = [name for name, s in wanted.items() if _declare_one(connection, s, rows.get(name), now_ms)]
    for row in rows.values():
        if row.origin == CATALOG_ORIGIN and row.name not in wanted and row.state != "cancelled":
            _change(connection, row, {"state": "cancelled"})
            changed.append(row.name)
    return changed


def _declare_one(connection: Connection, declared: Declared, row: Subscription | None, now_ms: int) -> bool:
    """Without a declared start the anchor is when the subscription was first seen, for good.

    One that was deleted and made again for another customer is a new one under an old name: the earlier customer's keys
    end, and its periods begin now, so that nobody pays for what somebody else used.
    """
    taken_over = row is not None and row.customer != declared.customer
    if taken_over:
        k = api_keys.c
        mine = (k.subscription == declared.name, k.revoked_ms.is_(None))
        connection.execute(update(api_keys).where(*mine).values(revoked_ms=now_ms))
    anchor = row.anchor_ms if row and not taken_over else now_ms
    if declared.starts_at:
        anchor = parse_rfc3339(declared.starts_at)
    values: dict[str, str | int] = {
        "product": declared.product,
        "customer": declared.customer,
        "customer_name": declared.customer_name,
        "anchor_ms": anchor,
        "state": "suspended" if declared.suspended else "active",
        "origin": CATALOG_ORIGIN,
    }
    if row is None:
        connection.execute(insert(subscriptions).values(name=declared.name, revision=1, **values))
        return True
    return _change(connection, row, values)


def _change(connection: Connection, row: Subscription, values: Mapping[str, str | int]) -> bool:
    if all(getattr(row, field) == value for field, value in values.items()):
        return False
    query = update(subscriptions).where(subscriptions.c.name == row.name)
    connection.execute(query.values(**values, revision=subscriptions.c.revision + 1))
    return True
