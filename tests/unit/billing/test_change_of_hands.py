"""A name that another customer takes over, and a subscription that changes its product: nobody pays for what another
customer used, or for what was free, and nobody gets another one's money."""

import pytest
from msgspec.structs import replace

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_event, make_fee, make_price, record
from tests.unit.billing.test_statements import DAY, MONTHS, START, catalog_of, close_until, lines, use
from tests.unit.billing.test_topping_up import BOUNDS, WANTED, top_up
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.pins import pins_of
from tollgate_billing.ledger.subscriptions import change_subscription, existing_subscription
from tollgate_billing.subscriptions import changes
from tollgate_billing.wallets.grants import grants_of
from tollgate_billing.wallets.top_ups import (
    TopUpRefusedError,
    add_top_up,
    ask_for_automatic,
    automatic_of,
    find_top_up,
    settle_top_up,
)
from tollgate_core.catalog import Catalog, Product
from tollgate_core.catalog import Subscription as Declared

PRICE = make_price(per="1", included="0", amount="1")


def of(customer: str, catalog: Catalog, product: str = "pro") -> Catalog:
    return replace(catalog, subscriptions=(Declared(name=SUBSCRIPTION, product=product, customer=customer),))


def test_money_of_a_customer_who_left_goes_to_nobody_else(database: Database) -> None:
    catalog = catalog_of(PRICE, overdraft="0", top_ups=BOUNDS)
    apply_catalog(database, catalog, START)
    with database.write() as connection:
        add_top_up(connection, top_up("late", state="pending"))
        ask_for_automatic(connection, SUBSCRIPTION, WANTED)
    apply_catalog(database, replace(catalog, subscriptions=()), START + DAY)
    apply_catalog(database, of("globex", catalog), START + 2 * DAY)
    with database.write() as connection:
        row, found = existing_subscription(connection, SUBSCRIPTION), find_top_up(connection, "late")
        assert found
        assert found.state == "cancelled"
        with pytest.raises(TopUpRefusedError, match="customer acme, who has left"):
            settle_top_up(connection, row, found, "paid", "", START + 3 * DAY)
        assert grants_of(connection, SUBSCRIPTION) == []
        assert automatic_of(connection, SUBSCRIPTION) is None


def test_a_price_that_appears_charges_the_new_customer_and_not_what_was_free(database: Database) -> None:
    team = Product(name="team", version="1", endpoints=(), unpriced="free")
    catalog = replace(catalog_of(PRICE), products=(*catalog_of(PRICE).products, team))
    apply_catalog(database, catalog, START)
    with database.write() as connection:
        row = existing_subscription(connection, SUBSCRIPTION)
        change_subscription(connection, row, {"created_ms": START - 2 * DAY})  # long ago: nothing settles any more
    apply_catalog(database, replace(catalog, prices=(PRICE, make_fee(product="team"))), START)
    moved = of("acme", replace(catalog, prices=(PRICE, make_fee(product="team"))), "team")
    use(database, "free", START + DAY, "10")
    record(database, make_event("image", at_ms=START + DAY, quantities={"images": "10"}), now_ms=START + DAY)
    apply_catalog(database, moved, START + 2 * DAY)
    images = make_price(name="images", product="team", metric="images", per="1", included="0", amount="3")
    again = make_price(name="team-tokens", product="team", per="1", included="0", amount="2")
    priced = replace(moved, prices=(*moved.prices, images, again))
    apply_catalog(database, priced, START + 3 * DAY)
    use(database, "paid", START + 4 * DAY, "1")
    with database.read() as connection:
        held = {pin.price: pin.since_ms for pin in pins_of(connection, [SUBSCRIPTION]) if pin.until_ms is None}
    assert held == {"fee": START + 2 * DAY, "images": START + 2 * DAY, "team-tokens": START + 2 * DAY}
    found = [line for statement in close_until(database, priced, MONTHS[0]) for line in lines(statement)]
    assert [(name, amount) for name, _, amount in found if name in {"images", "team-tokens"} and amount != "0.00"] == [
        ("team-tokens", "2.00")
    ]


def test_usage_of_a_stranger_is_not_charged_to_who_gets_the_name(database: Database) -> None:
    record(database, make_event("of-stranger", "10", at_ms=START + DAY, customer="stranger"), now_ms=START + DAY)
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START + 2 * DAY)
    assert close_until(database, catalog, MONTHS[0]) == []


def test_a_cancellation_drops_what_was_to_begin_at_its_end_for_good(database: Database) -> None:
    fee = make_fee()
    catalog = catalog_of(fee)
    apply_catalog(database, catalog, START)
    dearer = catalog_of(replace(fee, version="v2", amount="59", effective_from="2026-02-28T00:00:00Z"))
    apply_catalog(database, dearer, START + DAY)
    for days, change in (
        (2, lambda c, row, now: changes.migrate(c, dearer, row, now)),
        (3, lambda c, row, now: changes.cancel(c, row, now, at_period_end=True)),
        (4, lambda c, row, now: changes.reactivate(c, dearer, row, now)),
    ):
        with database.write() as connection:
            row = existing_subscription(connection, SUBSCRIPTION)
            change_subscription(connection, row, {"origin": changes.API_ORIGIN})
            change(connection, existing_subscription(connection, SUBSCRIPTION), START + days * DAY)
    found = close_until(database, dearer, MONTHS[0])
    assert [statement.total_minor for statement in found] == [4900, 4900]


def test_a_grant_by_hand_never_stands_in_for_a_top_up(database: Database) -> None:
    catalog = catalog_of(PRICE, overdraft="0", top_ups=BOUNDS)
    apply_catalog(database, catalog, START)
    with database.write() as connection:
        row = existing_subscription(connection, SUBSCRIPTION)
        made = add_top_up(connection, top_up("pi-1", state="pending"))
        assert settle_top_up(connection, row, made, "paid", "", START)
        assert [grant.id for grant in grants_of(connection, SUBSCRIPTION)] == ["top-up.pi-1"]
