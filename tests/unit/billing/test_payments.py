"""Payments of statements are recorded once, post to the ledger, and never exceed what is due."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_fee
from tests.unit.billing.test_statements import MONTHS, START, catalog_of, close_until
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import existing_subscription
from tollgate_billing.ledger.tables import money_postings
from tollgate_billing.payments.debts import debt_of_statement
from tollgate_billing.payments.received import MANUAL, Payment, PaymentRefusedError, payments_of, record_payment
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.wallets.standing import owed


def closed(database: Database) -> StoredStatement:
    """One with 49.00 due."""
    catalog = catalog_of(make_fee(in_arrears=True))
    apply_catalog(database, catalog, START)
    (statement,) = close_until(database, catalog, MONTHS[0])
    assert statement.due_minor == 4900
    return statement


def pay(database: Database, statement: StoredStatement, name: str, minor: int, **fields: Any) -> bool:
    values: dict[str, Any] = {
        "id": name,
        "subject": statement.id,
        "subscription": statement.subscription,
        "customer": statement.customer,
        "provider": MANUAL,
        "reference": "",
        "minor": minor,
        "currency": statement.currency,
        "at_ms": MONTHS[0] + 1,
        "recorded_ms": MONTHS[0] + 1,
    }
    with database.write() as connection:
        return record_payment(connection, debt_of_statement(statement), Payment(**{**values, **fields}))


def accounts(database: Database) -> dict[str, int]:
    sums: Counter[str] = Counter()
    with database.read() as connection:
        for row in connection.execute(select(money_postings)).mappings():
            sums[row["account"]] += row["minor"]
    return {name: minor for name, minor in sums.items() if minor}


def test_a_payment_takes_from_what_is_owed_once(database: Database) -> None:
    statement = closed(database)
    assert [pay(database, statement, "p1", 1900) for _ in range(2)] == [True, False]
    assert pay(database, statement, "p2", 1000)
    found = accounts(database)
    assert (found[f"receivable:{SUBSCRIPTION}"], found["cash:manual"]) == (2000, 2900)
    with database.read() as connection:
        assert owed(connection, existing_subscription(connection, SUBSCRIPTION)) == 2000
        assert [(one.id, one.minor) for one in payments_of(connection, statement.id)] == [("p1", 1900), ("p2", 1000)]


def test_what_goes_back_is_owed_again(database: Database) -> None:
    statement = closed(database)
    pay(database, statement, "p1", 4900)
    assert f"receivable:{SUBSCRIPTION}" not in accounts(database)
    pay(database, statement, "returned", -4900)
    assert accounts(database)[f"receivable:{SUBSCRIPTION}"] == 4900
    pay(database, statement, "again", 4900)
    assert accounts(database)["cash:manual"] == 4900


@pytest.mark.parametrize(
    ("name", "minor", "fields", "expected"),
    [
        ("p2", 4001, {}, "40.00 USD is left to be paid"),
        ("p2", -901, {}, "only 9.00 USD was paid"),
        ("p1", 901, {}, "the payment p1 is there already"),
        ("p1", 900, {"provider": "stripe"}, "the payment p1 is there already"),
    ],
)
def test_a_payment_that_cannot_be_is_refused(
    database: Database, name: str, minor: int, fields: dict[str, Any], expected: str
) -> None:
    statement = closed(database)
    pay(database, statement, "p1", 900)
    with pytest.raises(PaymentRefusedError, match=expected):
        pay(database, statement, name, minor, **fields)
    assert accounts(database)["cash:manual"] == 900


@pytest.mark.parametrize("minor", [0, 1])
def test_nothing_is_paid_for_a_statement_that_is_paid(database: Database, minor: int) -> None:
    statement = closed(database)
    pay(database, statement, "p1", 4900)
    with pytest.raises(PaymentRefusedError, match="nothing is left to be paid"):
        pay(database, statement, "p2", minor)
