"""Prepaid credit: what pays first, and that the wallet, its account and the statements agree."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_catalog, make_fee, make_price
from tests.unit.billing.test_statements import DAY, MONTHS, START, catalog_of, close_until, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.ledger.verification import verify
from tollgate_billing.statements.charges import Charge, add_charge
from tollgate_billing.statements.drafting import terms_now, unbilled_usage
from tollgate_billing.wallets.burning import Burn, Grant, balance, burns
from tollgate_billing.wallets.grants import add_grant, grants_of, void_grant
from tollgate_billing.wallets.standing import billed_usage
from tollgate_core.catalog import Subscription


def grant(name: str, minor: int = 1000, **fields: Any) -> Grant:
    values: dict[str, Any] = {
        "subscription": SUBSCRIPTION,
        "currency": "USD",
        "priority": 0,
        "granted_ms": START,
        "expires_ms": None,
        "source": "topUp",
        "comment": "",
        "remaining_minor": minor,
    }
    return Grant(id=name, minor=minor, **{**values, **fields})


def test_the_order_in_which_grants_burn() -> None:
    grants = [
        grant("e-last", priority=5, expires_ms=START + 1),
        grant("d-never", granted_ms=START - 5),
        grant("c-later", expires_ms=START + 9),
        grant("b-sooner-but-younger", expires_ms=START + 5, granted_ms=START),
        grant("a-sooner", expires_ms=START + 5, granted_ms=START - 1),
        grant("x-over", expires_ms=START - 1),
        grant("y-not-yet", granted_ms=START + 1),
        grant("z-empty", remaining_minor=0, priority=-1),
    ]
    assert burns(grants, 4500, START) == [
        Burn("a-sooner", 1000),
        Burn("b-sooner-but-younger", 1000),
        Burn("c-later", 1000),
        Burn("d-never", 1000),
        Burn("e-last", 500),
    ]
    assert burns(grants, 0, START) == burns(grants, -5, START) == []


@given(st.lists(st.integers(0, 1000), max_size=6), st.integers(-100, 5000))
def test_no_more_is_burned_than_there_is_or_is_owed(remaining: list[int], owed: int) -> None:
    grants = [grant(f"g{n}", 1000, remaining_minor=left) for n, left in enumerate(remaining)]
    burned = burns(grants, owed, START)
    assert sum(b.minor for b in burned) == min(max(0, owed), balance(grants, START))
    assert all(b.minor > 0 for b in burned)


def give(database: Database, *grants: Grant) -> None:
    with database.write() as connection:
        for one in grants:
            add_grant(connection, one)


def left(database: Database) -> dict[str, int]:
    with database.read() as connection:
        assert verify(connection) == []
        return {g.id: g.remaining_minor for g in grants_of(connection, SUBSCRIPTION)}


def test_a_wallet_pays_statements_until_it_is_empty(database: Database) -> None:
    catalog = catalog_of(make_fee(amount="20"), make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    give(database, grant("bought", 3000), grant("gift", 1500, priority=-1, source="promotion"))
    use(database, "a", START + DAY, "40")
    opening, month = close_until(database, catalog, MONTHS[0])
    assert (opening.applied_minor, opening.due_minor) == (2000, 0)
    assert (month.total_minor, month.applied_minor, month.due_minor) == (6000, 2500, 3500)
    assert left(database) == {"bought": 0, "gift": 0}
    assert json.loads(month.body)["paid_from_wallet"]["amount"] == "25.00"


def test_a_grant_pays_for_what_is_due_up_to_its_expiry_and_what_is_left_expires(database: Database) -> None:
    catalog = catalog_of(make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    give(database, grant("a", 3000, expires_ms=MONTHS[0]), grant("b", 500, expires_ms=MONTHS[0] - 1))
    use(database, "a", START + DAY, "10")
    (month,) = close_until(database, catalog, MONTHS[0] + DAY)
    assert month.applied_minor == 1000
    assert left(database) == {"a": 0, "b": 0}  # 20 and 5 expired
    assert close_until(database, catalog, MONTHS[0] + DAY) == [month]


def test_a_credit_is_carried_and_not_burned(database: Database) -> None:
    catalog = catalog_of(make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "50", quality="estimated", witness="hold", outcome="unaccounted")
    close_until(database, catalog, MONTHS[0])
    give(database, grant("a", 1000, granted_ms=MONTHS[0]))
    use(database, "a", START + DAY, "20", recorded_ms=MONTHS[0] + DAY)
    use(database, "b", MONTHS[1] + DAY, "35")
    _, credit, third = close_until(database, catalog, MONTHS[2])
    assert (credit.total_minor, credit.applied_minor, credit.due_minor) == (-3000, 0, 0)
    assert (third.total_minor, third.brought_minor, third.applied_minor, third.due_minor) == (3500, -3000, 500, 0)
    assert left(database) == {"a": 500}


def test_the_same_grant_again_is_one_and_what_is_left_can_be_taken_back(database: Database) -> None:
    give(database, grant("a"))
    give(database, grant("a"))
    with pytest.raises(ValueError, match="with another content"):
        give(database, grant("a", 5))
    with database.write() as connection:
        assert void_grant(connection, SUBSCRIPTION, "a", START) == 1000
        assert void_grant(connection, SUBSCRIPTION, "a", START) == 0
        assert void_grant(connection, "other", "a", START) is None
    assert left(database) == {"a": 0}


def test_usage_counts_against_the_credit_whenever_it_will_be_due(database: Database) -> None:
    """A daily fee closes the books every day; usage is due once a month."""
    daily = make_fee(name="daily", amount="1", interval="day", in_arrears=True)
    catalog = catalog_of(daily, make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "90")
    close_until(database, catalog, START + 2 * DAY)
    with database.read() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        assert unbilled_usage(connection, terms_now(connection, catalog), row, START + 2 * DAY) == 9000
    close_until(database, catalog, MONTHS[0])
    with database.read() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        assert unbilled_usage(connection, terms_now(connection, catalog), row, MONTHS[0]) == 0
        assert billed_usage(connection, row) == 9000


def test_another_customer_of_the_same_name_gets_neither_credit_nor_charges(database: Database) -> None:
    catalog = catalog_of(make_fee(amount="20"))
    apply_catalog(database, catalog, START)
    give(database, grant("alice", 100_000))
    with database.write() as connection:
        add_charge(connection, Charge("c", SUBSCRIPTION, START, 777, "USD", "for Alice", START))
    bob = Subscription(name=SUBSCRIPTION, product="pro", customer="bob")
    taken = make_catalog(prices=catalog.prices, products=catalog.products, subscriptions=(bob,))
    apply_catalog(database, taken, START + DAY)
    found = close_until(database, taken, START + DAY)
    (first,) = [statement for statement in found if statement.customer == "bob"]
    assert (first.total_minor, first.applied_minor, first.due_minor) == (2000, 0, 2000)
