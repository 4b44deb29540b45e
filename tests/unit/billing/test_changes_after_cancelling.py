"""A subscription that is to end, and is changed before, on both databases."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from tests.unit.billing.books import Books
from tests.unit.billing.lives import DAY, NAME, START
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.pins import PinRow, pins_of
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.subscriptions import changes
from tollgate_core.catalog import Catalog

Change = Callable[[Connection, Catalog, Subscription, int], object]


def _seats(connection: Connection, _: Catalog, row: Subscription, now_ms: int) -> None:
    changes.set_seats(connection, row, "basic-fee", 3, now_ms)


def _switch(connection: Connection, catalog: Catalog, row: Subscription, now_ms: int) -> None:
    changes.switch(connection, catalog, row, "team", now_ms)


def _cancel(connection: Connection, _: Catalog, row: Subscription, now_ms: int) -> None:
    changes.cancel(connection, row, now_ms, at_period_end=True)


def _held(database: Database) -> list[PinRow]:
    with database.read() as connection:
        return [pin for pin in pins_of(connection, [NAME]) if pin.since_ms != pin.until_ms]


@pytest.mark.parametrize("change", [_seats, _switch, changes.migrate])
def test_what_changes_after_a_cancellation_ends_with_the_subscription(database: Database, change: Change) -> None:
    books = Books(database, "USD", "UTC", 0, 0)
    books.begin("basic")
    books.change(_cancel)
    end = books.row().ended_ms
    books.edit("basic-fee", 2)
    books.wait(DAY, then_close=True)
    books.change(change)
    assert end is not None
    assert {pin.until_ms for pin in _held(database)} == {START + DAY, end}
    books.wait(DAY, then_close=False)
    books.change(changes.reactivate)
    assert {pin.until_ms for pin in _held(database)} == {START + DAY, None}
