"""Migrations of what is in the ledger already, on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

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


def test_of_two_customers_whom_a_provider_calls_alike_the_first_keeps_the_name(bare_database: Database) -> None:
    migrate(bare_database, "0011")
    rows = [
        ("stripe", "late", "cus_1", 2),
        ("stripe", "first", "cus_1", 1),
        ("stripe", "alone", "cus_2", 3),
        ("paddle", "other", "cus_1", 3),
        ("paddle", "b", "ctm_1", 5),
        ("paddle", "a", "ctm_1", 5),
    ]
    names = ("provider", "customer", "reference", "created_ms")
    with bare_database.write() as connection:
        query = text("INSERT INTO provider_customers VALUES (:provider, :customer, :reference, :created_ms)")
        connection.execute(query, [dict(zip(names, row, strict=True)) for row in rows])
    migrate(bare_database)
    with bare_database.read() as connection:
        kept = connection.execute(text("SELECT customer FROM provider_customers ORDER BY customer")).scalars().all()
    assert kept == ["a", "alone", "first", "other"]
    with pytest.raises(IntegrityError), bare_database.write() as connection:
        connection.execute(text("INSERT INTO provider_customers VALUES ('stripe', 'new', 'cus_2', 9)"))
