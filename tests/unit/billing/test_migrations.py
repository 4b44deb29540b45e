"""Migrations of what is in the ledger already, on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.migrate import migrate


def test_notifications_that_were_there_are_numbered_by_their_time(bare_database: Database) -> None:
    """Several of one moment by their ids."""
    migrate(bare_database, "0006")
    rows = [{"id": f"{number * 7919 % 5003:04x}", "at_ms": number * 31 % 997} for number in range(5000)]
    with bare_database.write() as connection:
        columns = "(id, kind, subscription, customer, at_ms, body)"
        connection.execute(text(f"INSERT INTO notifications {columns} VALUES (:id, 'k', 's', 'c', :at_ms, '')"), rows)
    migrate(bare_database)
    with bare_database.read() as connection:
        numbered = connection.execute(text("SELECT id FROM notifications ORDER BY sequence")).scalars().all()
        numbers = connection.execute(text("SELECT sequence FROM notifications ORDER BY sequence")).scalars().all()
    assert numbered == [row["id"] for row in sorted(rows, key=lambda row: (row["at_ms"], row["id"]))]
    assert numbers == list(range(1, 5001))
    with pytest.raises(DBAPIError, match="append-only"), bare_database.write() as connection:
        connection.execute(text("UPDATE notifications SET sequence = 0"))
