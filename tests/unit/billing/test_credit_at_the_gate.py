"""What the gate is told of prepaid credit: it follows statements, debts, carried credit and time."""

from sqlalchemy import update

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_fee, make_price
from tests.unit.billing.test_statements import DAY, MONTHS, START, catalog_of, close_until, use
from tests.unit.billing.test_wallets import give, grant
from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import change_subscription, existing_subscription
from tollgate_billing.ledger.tables import subscription_prices
from tollgate_billing.statements.charges import Charge, add_charge
from tollgate_billing.subscriptions import changes
from tollgate_billing.wallets.standing import Standing, standing, turned

PRICE = make_price(per="1", included="0", amount="1")


def told(database: Database, now_ms: int) -> Standing:
    with database.read() as connection:
        row = existing_subscription(connection, SUBSCRIPTION)
        found = standing(connection, row, stored_prices(connection), now_ms)
    assert found
    return found


def test_a_debt_uses_the_overdraft_up(database: Database) -> None:
    catalog = catalog_of(PRICE, overdraft="10")
    apply_catalog(database, catalog, START)
    give(database, grant("g", 2000))
    assert told(database, START).limit == 30.0
    use(database, "a", START + DAY, "28")
    (statement,) = close_until(database, catalog, MONTHS[0])
    assert statement.due_minor == 800
    assert told(database, MONTHS[0]).limit == 30.0  # 28 are used: the overdraft is not there anew
    give(database, grant("h", 500))
    assert told(database, MONTHS[0]).limit == 35.0


def test_a_carried_credit_can_be_spent(database: Database) -> None:
    catalog = catalog_of(PRICE, overdraft="0")
    apply_catalog(database, catalog, START)
    with database.write() as connection:
        add_charge(connection, Charge("sorry", SUBSCRIPTION, START + DAY, -700, "USD", "For the outage", START + DAY))
    close_until(database, catalog, START + 2 * DAY)
    assert told(database, START + 2 * DAY).limit == 7.0
    use(database, "a", START + 3 * DAY, "5")
    close_until(database, catalog, MONTHS[0])
    assert told(database, MONTHS[0]).limit == 7.0


def test_rates_and_grants_change_with_time(database: Database) -> None:
    catalog = catalog_of(PRICE, overdraft="0")
    apply_catalog(database, catalog, START)
    give(database, grant("g", 2000, expires_ms=START + 5 * DAY))
    dearer = catalog_of(
        make_price(version="v2", per="1", included="0", amount="3", effective_from="2026-02-02T00:00:00Z"),
        overdraft="0",
    )
    apply_catalog(database, dearer, START + DAY // 2)
    with database.write() as connection:
        changes.migrate(connection, dearer, existing_subscription(connection, SUBSCRIPTION), START + DAY)
    moments = [START + days * DAY for days in (1, 2, 5, 6)]
    assert [told(database, moment + 1).rates[0].rate for moment in moments[:2]] == [1.0, 3.0]
    assert [told(database, moment + 1).limit for moment in moments[1:3]] == [20.0, 0.0]
    with database.read() as connection:
        found = [turned(connection, moment - 10, moment) for moment in moments]
    assert found == [set(), {SUBSCRIPTION}, {SUBSCRIPTION}, set()]


def test_only_prepaid_subscriptions_are_told_anew(database: Database) -> None:
    apply_catalog(database, catalog_of(make_fee()), START)
    with database.write() as connection:
        connection.execute(update(subscription_prices).values(until_ms=START + DAY))
        row = existing_subscription(connection, SUBSCRIPTION)
        assert turned(connection, START, START + DAY) == set()
        change_subscription(connection, row, {"overdraft": "0"})
        assert turned(connection, START, START + DAY) == {SUBSCRIPTION}
