"""Locks that are no row's, held until the transaction ends. On SQLite a writing transaction is alone anyway."""

from sqlalchemy import Connection, text

MIGRATING = 7466_0101
#: Whoever makes subscriptions holds it alone, whoever records usage shares it: either the subscription is found, or its
#: maker finds the usage.
BEGINNING = 7466_0103
#: Notifications are numbered in the order in which they are committed: a reader who goes on after one misses none.
NOTIFYING = 7466_0104
#: One replica after the other writes down what payment providers list.
FOLLOWING = 7466_0105


def alone(connection: Connection, lock: int) -> None:
    """Wait until nobody holds it."""
    _take(connection, "pg_advisory_xact_lock", lock)


def together(connection: Connection, lock: int) -> None:
    """Wait until nobody holds it alone."""
    _take(connection, "pg_advisory_xact_lock_shared", lock)


def _take(connection: Connection, function: str, lock: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT {function}(:lock)"), {"lock": lock})
