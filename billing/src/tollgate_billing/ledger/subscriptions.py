"""Subscriptions: who uses which product since when, and whether they may."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from tollgate_billing.ledger.tables import subscriptions

State = Literal["pending", "active", "suspended", "cancelled"]
Value = str | int | bool | None
#: Who brought a subscription: only those that the catalog declared are cancelled when it no longer does.
CATALOG_ORIGIN = "catalog"


@dataclass(frozen=True)
class Subscription:
    """``revision`` grows whenever anything changes that the gate or the ingest must know, keys and pinned prices
    included. ``started_ms`` is the start of a trial, ``anchor_ms`` that of the first period. Everything due up to
    ``closed_ms`` is on a statement, by what was recorded before ``cut_ms``. ``overdraft`` is empty where the
    subscription is not prepaid."""

    name: str
    product: str
    customer: str
    customer_name: str
    anchor_ms: int
    state: str
    revision: int
    origin: str
    time_zone: str
    currency: str
    created_ms: int
    started_ms: int
    ended_ms: int | None
    follow_prices: bool
    overdraft: str
    closed_ms: int
    cut_ms: int


def list_subscriptions(connection: Connection) -> list[Subscription]:
    """All, by name."""
    rows = connection.execute(select(subscriptions).order_by(subscriptions.c.name))
    return [Subscription(**row) for row in rows.mappings()]


def find_subscription(connection: Connection, name: str) -> Subscription | None:
    """One, or None."""
    row = connection.execute(select(subscriptions).where(subscriptions.c.name == name)).mappings().first()
    return None if row is None else Subscription(**row)


def existing_subscription(connection: Connection, name: str) -> Subscription:
    """One that is there for certain."""
    row = find_subscription(connection, name)
    assert row is not None  # noqa: S101
    return row


def lock_subscription(connection: Connection, name: str) -> Subscription | None:
    """Its row, which nobody else changes before this transaction ends."""
    query = select(subscriptions).where(subscriptions.c.name == name).with_for_update()
    row = connection.execute(query).mappings().first()
    return None if row is None else Subscription(**row)


def lock_subscriptions(connection: Connection) -> list[Subscription]:
    """All, by name, and so in the order in which everybody locks them."""
    rows = connection.execute(select(subscriptions).order_by(subscriptions.c.name).with_for_update())
    return [Subscription(**row) for row in rows.mappings()]


def revisions(connection: Connection) -> dict[str, int]:
    """The revision of each subscription: cheap enough to be asked often."""
    rows = connection.execute(select(subscriptions.c.name, subscriptions.c.revision))
    return {row[0]: row[1] for row in rows}


def bump_revision(connection: Connection, name: str) -> None:
    """Something that belongs to the subscription changed."""
    s = subscriptions.c
    connection.execute(update(subscriptions).where(s.name == name).values(revision=s.revision + 1))


def insert_subscription(connection: Connection, name: str, values: Mapping[str, Value]) -> Subscription:
    """A new row."""
    connection.execute(insert(subscriptions).values(name=name, revision=1, **values))
    return existing_subscription(connection, name)


def change_subscription(connection: Connection, row: Subscription, values: Mapping[str, Value]) -> bool:
    """False where the row says so already."""
    if all(getattr(row, field) == value for field, value in values.items()):
        return False
    query = update(subscriptions).where(subscriptions.c.name == row.name)
    connection.execute(query.values(**values, revision=subscriptions.c.revision + 1))
    return True
