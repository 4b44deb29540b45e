"""Closing on both databases: what is due becomes a statement once, and what comes later is a difference."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from tests.unit.billing.builders import (
    SUBSCRIPTION,
    apply_catalog,
    make_catalog,
    make_event,
    make_fee,
    make_price,
    record,
)
from tollgate_billing.clock import Clock
from tollgate_billing.health import Health
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.pins import add_pins, end_pins
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.ledger.tables import money_postings
from tollgate_billing.ledger.verification import verify
from tollgate_billing.statements.charges import Charge, add_charge
from tollgate_billing.statements.closing import Closer
from tollgate_billing.statements.drafting import draft_now, terms_now
from tollgate_billing.statements.margins import margins
from tollgate_billing.statements.store import StoredStatement, broken_chain, list_statements
from tollgate_billing.subscriptions.pinning import first_pins, offer
from tollgate_core.catalog import Catalog, Price, PriceTier, Product, Subscription

DAY = 86_400_000


def at(text_: str) -> int:
    """Milliseconds of a moment in UTC."""
    return int(datetime.fromisoformat(text_).replace(tzinfo=UTC).timestamp() * 1000)


START = at("2026-01-31")
MONTHS = [at(f"2026-{month}") for month in ("02-28", "03-31", "04-30", "05-31")]


def catalog_of(*prices: Price, started: str = "2026-01-31T00:00:00Z", **product: Any) -> Catalog:
    subscription = Subscription(name=SUBSCRIPTION, product="pro", customer="acme", starts_at=started)
    products = (Product(name="pro", version="1", endpoints=(), **product),)
    return make_catalog(prices=prices, subscriptions=(subscription,), products=products)


def closer(database: Database, catalog: Catalog, clock: Clock) -> Closer:
    return Closer(database, lambda: catalog, clock, 0, Health())


def close_until(database: Database, catalog: Catalog, now_ms: int) -> list[StoredStatement]:
    assert closer(database, catalog, lambda: now_ms).tick() == set()
    return statements(database)


def statements(database: Database) -> list[StoredStatement]:
    with database.read() as connection:
        found = list_statements(connection, SUBSCRIPTION)
        assert broken_chain(found) == []
        assert verify(connection) == []
        sums: dict[tuple[str, str], int] = {}
        for row in connection.execute(select(money_postings)).mappings():
            key = (row["transaction"], row["currency"])
            sums[key] = sums.get(key, 0) + row["minor"]
    assert not any(sums.values())
    return found


def lines(statement: StoredStatement) -> list[tuple[str, str, str]]:
    """(name, start of the period, amount)"""
    body = json.loads(statement.body)
    return [(line["price"], line["period"]["start"][:10], line["amount"]) for line in body["lines"]]


def use(
    database: Database, name: str, moment: int, quantity: str, recorded_ms: int | None = None, **fields: Any
) -> None:
    event = make_event(name, quantity, at_ms=moment, quantities={"tokens": quantity}, **fields)
    record(database, event, now_ms=moment if recorded_ms is None else recorded_ms)


def test_fees_in_advance_and_usage_in_arrears(database: Database) -> None:
    catalog = catalog_of(make_fee(), make_price())
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "3500000")
    opening, first = close_until(database, catalog, MONTHS[0])
    assert lines(opening) == [("fee", "2026-01-31", "49.00")]
    assert lines(first) == [("fee", "2026-02-28", "49.00"), ("token-price", "2026-01-31", "7.50")]
    assert (first.total_minor, first.closed_ms, first.sequence) == (5650, MONTHS[0], 2)


def test_a_second_run_and_a_second_worker_change_nothing(database: Database) -> None:
    catalog = catalog_of(make_fee(), make_price())
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "3500000")
    workers = [closer(database, catalog, lambda: MONTHS[2]) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda worker: worker.tick(), workers)) == [set(), set()]
    found = statements(database)
    assert [statement.sequence for statement in found] == [1, 2, 3, 4]
    assert close_until(database, catalog, MONTHS[2]) == found


def test_late_usage_is_an_adjustment_at_the_terms_of_its_own_period(database: Database) -> None:
    tiers = (PriceTier(up_to="100", amount="1"), PriceTier(amount="0.5"))
    price = make_price(model="graduated", amount="0", per="1", included="0", tiers=tiers)
    catalog = catalog_of(price)
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "90")
    close_until(database, catalog, MONTHS[0])
    use(database, "late", MONTHS[0] - 1, "30", recorded_ms=MONTHS[0] + DAY)
    use(database, "next", MONTHS[0], "7")
    first, second = close_until(database, catalog, MONTHS[1])
    assert lines(first) == [("token-price", "2026-01-31", "90.00")]
    assert lines(second) == [("token-price", "2026-01-31", "20.00"), ("token-price", "2026-02-28", "7.00")]
    assert [line["adjustment"] for line in json.loads(second.body)["lines"]] == [True, False]
    assert close_until(database, catalog, MONTHS[2]) == [first, second]


def test_a_correction_after_the_close_gives_money_back(database: Database) -> None:
    catalog = catalog_of(make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "50", quality="estimated", witness="hold", outcome="unaccounted")
    close_until(database, catalog, MONTHS[0])
    use(database, "a", START + DAY, "20", recorded_ms=MONTHS[0] + DAY)
    _, second = close_until(database, catalog, MONTHS[1])
    assert lines(second) == [("token-price", "2026-01-31", "-30.00")]
    assert (second.total_minor, second.due_minor) == (-3000, 0)
    use(database, "b", MONTHS[1] + DAY, "45")
    third = close_until(database, catalog, MONTHS[2])[-1]
    assert (third.total_minor, third.brought_minor, third.due_minor) == (4500, -3000, 1500)


def test_roundings_are_carried_from_statement_to_statement(database: Database) -> None:
    catalog = catalog_of(make_price(per="3", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    for number, start in enumerate([START, *MONTHS[:2]]):
        use(database, f"e{number}", start + DAY, "1")
    found = close_until(database, catalog, MONTHS[2])
    assert [statement.total_minor for statement in found] == [33, 34, 33]


def switch(database: Database, catalog: Catalog, product: str, now_ms: int) -> Catalog:
    (declared,) = catalog.subscriptions
    moved = Subscription(name=declared.name, product=product, customer="acme", starts_at=declared.starts_at)
    changed = make_catalog(prices=catalog.prices, products=catalog.products, subscriptions=(moved,))
    apply_catalog(database, changed, now_ms)
    return changed


def test_a_switch_prorates_fees_and_bills_usage_at_once(database: Database) -> None:
    """The reference's example: from 100 to 300 with 5 of 31 days left."""
    start, end = at("2026-03-01"), at("2026-04-01")
    team = Product(name="team", version="1", endpoints=())
    prices = (
        make_fee(amount="100"),
        make_price(per="1", included="0", amount="1"),
        make_fee(name="team-fee", product="team", amount="300"),
        make_price(name="team-tokens", product="team", per="1", included="0", amount="0.5"),
    )
    before = catalog_of(*prices, started="2026-03-01T00:00:00Z")
    before = make_catalog(prices=prices, products=(*before.products, team), subscriptions=before.subscriptions)
    apply_catalog(database, before, start)
    use(database, "a", start + DAY, "10")
    close_until(database, before, start)
    moment = end - 5 * DAY
    after = switch(database, before, "team", moment)
    use(database, "b", moment, "4")
    _, switched, period = close_until(database, after, end)
    assert sorted(lines(switched)) == [
        ("fee", "2026-03-01", "-16.13"),
        ("team-fee", "2026-03-01", "48.39"),
        ("token-price", "2026-03-01", "10.00"),
    ]
    assert switched.total_minor == 3226 + 1000
    assert lines(period) == [("team-fee", "2026-04-01", "300.00"), ("team-tokens", "2026-03-01", "2.00")]


def test_a_cancelled_subscription_gets_its_last_statement_and_no_more(database: Database) -> None:
    catalog = catalog_of(
        make_fee(amount="31"), make_price(per="1", included="0", amount="1"), started="2026-03-01T00:00:00Z"
    )
    start = at("2026-03-01")
    apply_catalog(database, catalog, start)
    close_until(database, catalog, start)
    use(database, "a", start + DAY, "2")
    gone = make_catalog(prices=catalog.prices, subscriptions=())
    apply_catalog(database, gone, start + 10 * DAY)
    assert record(database, make_event("late", at_ms=start + 11 * DAY), now_ms=start + 11 * DAY).judgements == [
        "refused"
    ]
    _, last = close_until(database, gone, start + 100 * DAY)
    assert sorted(lines(last)) == [("fee", "2026-03-01", "-21.00"), ("token-price", "2026-03-01", "2.00")]
    assert (last.closed_ms, last.due_minor) == (start + 10 * DAY, 0)


def test_an_edited_price_waits_for_a_migration_and_shares_the_allowance_then(database: Database) -> None:
    first = make_price(per="1", included="100", amount="1")
    catalog = catalog_of(first)
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "80")
    second = make_price(version="v2", per="1", included="150", amount="2")
    edited = catalog_of(second)
    assert apply_catalog(database, edited, START + DAY) == {}
    with database.write() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        end_pins(connection, SUBSCRIPTION, START + 2 * DAY)
        add_pins(connection, first_pins(row, offer(edited, "pro", "USD", {}), START + 2 * DAY), START + 2 * DAY)
    use(database, "b", START + 3 * DAY, "100")
    (statement,) = close_until(database, edited, MONTHS[0])
    by_version = {line["version"]: (line["quantity"], line["amount"]) for line in json.loads(statement.body)["lines"]}
    assert by_version == {"v1": ("80", "0.00"), "v2": ("100", "60.00")}


def test_a_subscription_that_follows_prices_takes_an_edit_at_once(database: Database) -> None:
    def follow(price: Price) -> Catalog:
        declared = Subscription(name=SUBSCRIPTION, product="pro", customer="acme", follow_prices=True)
        return make_catalog(prices=(price,), subscriptions=(declared,))

    apply_catalog(database, follow(make_price(per="1", included="0", amount="1")), START)
    use(database, "a", START + DAY, "1")
    edited = follow(make_price(version="v2", per="1", included="0", amount="2"))
    assert apply_catalog(database, edited, START + 2 * DAY) == {SUBSCRIPTION: START + 2 * DAY}
    use(database, "b", START + 2 * DAY, "1")
    (statement,) = close_until(database, edited, MONTHS[0])
    assert [line["amount"] for line in json.loads(statement.body)["lines"]] == ["1.00", "2.00"]


def test_prices_that_are_applied_after_their_subscription_count_from_its_start(database: Database) -> None:
    apply_catalog(database, catalog_of(started=""), START)
    use(database, "a", START + 1, "5")
    priced = catalog_of(make_price(per="1", included="0", amount="1"), make_fee(), started="")
    assert apply_catalog(database, priced, START + 2000) == {SUBSCRIPTION: START}
    with database.read() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        draft = draft_now(connection, terms_now(connection, priced), row, START + 3000)
    assert not draft.held
    assert ("token-price", 500) in [(line.due.price.name, line.minor) for line in draft.lines]


def test_a_trial_is_free_and_its_end_is_the_anchor(database: Database) -> None:
    catalog = catalog_of(
        make_fee(), make_price(per="1", included="0", amount="1"), started="2026-03-01T00:00:00Z", trial_days=14
    )
    start = at("2026-03-01")
    apply_catalog(database, catalog, start)
    use(database, "free", start + 13 * DAY, "500")
    use(database, "paid", start + 14 * DAY, "3")
    trial, month = close_until(database, catalog, at("2026-04-15"))
    assert lines(trial) == [("fee", "2026-03-15", "49.00"), ("token-price", "2026-02-15", "0.00")]
    assert lines(month) == [("fee", "2026-04-15", "49.00"), ("token-price", "2026-03-15", "3.00")]


def test_one_time_charges_and_credits_are_billed_once(database: Database) -> None:
    catalog = catalog_of(make_fee())
    apply_catalog(database, catalog, START)
    charges = [("setup-help", 12_500, "Help with the migration"), ("sorry", -2_000, "For the outage")]
    for _ in range(2):
        for name, minor, comment in charges:
            with database.write() as connection:
                add_charge(connection, Charge(name, SUBSCRIPTION, START + DAY, minor, "USD", comment, START + DAY))
    with database.write() as connection, pytest.raises(ValueError, match="is there already"):
        add_charge(connection, Charge("sorry", SUBSCRIPTION, START, -9, "USD", "x", START))
    _, charged, month = close_until(database, catalog, MONTHS[0])
    assert [(line["display_name"], line["amount"]) for line in json.loads(charged.body)["lines"]] == [
        ("Help with the migration", "125.00"),
        ("For the outage", "-20.00"),
    ]
    assert month.total_minor == 4900


@pytest.mark.parametrize(
    ("aggregation", "amount"),
    [("max", "9.00"), ("last", "4.00"), ("unique", "3.00"), ("sum", "22.00"), ("count", "4.00")],
)
def test_metrics_that_do_not_add_up(database: Database, aggregation: Any, amount: str) -> None:
    price = make_price(per="1", included="0", amount="1", aggregation=aggregation)
    declared = Subscription(name=SUBSCRIPTION, product="pro", customer="acme", starts_at="2026-01-31T00:00:00Z")
    catalog = make_catalog(prices=(price,), subscriptions=(declared,))
    apply_catalog(database, catalog, START)
    for number, quantity in enumerate(["9", "9", "4"]):
        use(database, f"e{number}", START + (5 - number) * DAY, quantity)
    use(database, "e9", START + 9 * DAY, "100", quality="estimated", witness="hold")
    use(database, "e9", START + 9 * DAY, "0" if aggregation == "sum" else "4")
    use(database, "edge", MONTHS[0], "1000")
    if aggregation == "unique":
        use(database, "other", START + DAY, "2")
    (statement,) = close_until(database, catalog, MONTHS[0])
    assert lines(statement)[0][2] == amount


def test_pinned_prices_add_up_as_before_though_their_metric_changed_or_went(database: Database) -> None:
    catalog = catalog_of(make_price(per="1", included="0", amount="1", aggregation="max"))
    apply_catalog(database, catalog, START)
    for number, quantity in enumerate(["9", "9", "4"]):
        use(database, f"e{number}", START + number * DAY, quantity)
    apply_catalog(database, replace(catalog, metrics=()), START + 5 * DAY)
    (statement,) = close_until(database, replace(catalog, metrics=()), MONTHS[0])
    assert lines(statement)[0][2] == "9.00"


def test_daily_allowances_on_a_monthly_bill(database: Database) -> None:
    price = make_price(per="1", included="10", amount="1", aggregation_interval="day")
    catalog = catalog_of(price)
    apply_catalog(database, catalog, START)
    for day, quantity in ((0, "12"), (1, "3"), (2, "15")):
        use(database, f"d{day}", START + day * DAY + 5, quantity)
    (statement,) = close_until(database, catalog, MONTHS[0])
    (line,) = json.loads(statement.body)["lines"]
    assert (line["amount"], line["quantity"], len(line["shares"])) == ("7.00", "30", 28)


def test_a_statement_that_is_changed_shows(database: Database) -> None:
    catalog = catalog_of(make_fee())
    apply_catalog(database, catalog, START)
    found = close_until(database, catalog, MONTHS[1])
    forged = [found[0], StoredStatement(**{**vars(found[1]), "body": found[1].body.replace("49.00", "4.90")}), found[2]]
    assert broken_chain(forged) == [found[1].id]
    assert broken_chain([found[0], found[2]]) == [found[2].id]
    for table in ("statements", "statement_lines", "money_postings"):
        with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
            connection.execute(text(f"DELETE FROM {table}"))


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("point", ["before-close", "in-close", "before-commit-close", "after-commit-close"])
def test_killed_at_any_point_it_goes_on_where_it_was(database: Database, point: str) -> None:
    catalog = catalog_of(make_fee(), make_price())
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "3500000")

    def dies(after: int) -> Callable[[str], None]:
        seen = iter(range(100))

        def checkpoint(name: str) -> None:
            if name == point and next(seen) == after:
                raise _KilledError

        return checkpoint

    for after in (0, 1, 0, 1):
        worker = Closer(database, lambda: catalog, lambda: MONTHS[2], 0, Health(), dies(after))
        try:
            worker.tick()
        except _KilledError:
            continue
    found = close_until(database, catalog, MONTHS[2])
    assert [statement.total_minor for statement in found] == [4900, 5650, 4900, 4900]


def test_margins_beside_what_was_charged(database: Database) -> None:
    cheap = make_price(name="mini", when='model == "mini"', per="1", included="10", amount="2", cost="0.5")
    dear = make_price(per="1", included="0", amount="1", cost="3")
    catalog = catalog_of(make_fee(), dear, cheap)
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "30", served_model="mini")
    use(database, "b", START + DAY, "5", served_model="large")
    close_until(database, catalog, MONTHS[0])
    with database.read() as connection:
        (product,) = margins(connection, ("product",), 0, MONTHS[1])
        by_price = {m.key: m for m in margins(connection, ("customer", "price"), 0, MONTHS[1])}
    assert (str(product.charged), str(product.costs), str(product.margin)) == ("143.00 USD", "30.00 USD", "113.00 USD")
    assert str(by_price["acme", "mini"].margin) == "25.00 USD"
    assert str(by_price["acme", "token-price"].margin) == "-10.00 USD"


def test_one_that_cannot_be_closed_stops_no_other(database: Database) -> None:
    """An amount that no ledger row holds."""
    catalog = catalog_of(make_price(per="0.000001", included="0", amount="1000000000"))
    other = Subscription(name="other", product="pro", customer="other", starts_at="2026-01-31T00:00:00Z")
    both = make_catalog(prices=catalog.prices, products=catalog.products, subscriptions=(*catalog.subscriptions, other))
    apply_catalog(database, both, START)
    use(database, "huge", START + DAY, "9000000000000")
    event = make_event(
        "fine", at_ms=START + DAY, subscription="other", customer="other", quantities={"tokens": "0.000001"}
    )
    record(database, event, now_ms=START + DAY)
    worker = closer(database, both, lambda: MONTHS[0])
    assert worker.tick() == worker.tick() == {SUBSCRIPTION}
    with database.read() as connection:
        assert [statement.subscription for statement in list_statements(connection)] == ["other"]


def test_before_its_start_a_subscription_is_pending(database: Database) -> None:
    def state() -> str:
        with database.read() as connection:
            row = find_subscription(connection, SUBSCRIPTION)
            assert row
            return row.state

    catalog = catalog_of(make_fee())
    apply_catalog(database, catalog, START - DAY)
    assert state() == "pending"
    assert close_until(database, catalog, START - 1) == []
    assert state() == "pending"
    (opening,) = close_until(database, catalog, START)
    assert (state(), opening.total_minor) == ("active", 4900)


def test_what_is_changed_in_the_moment_of_its_closing_is_credited(database: Database) -> None:
    catalog = catalog_of(make_fee(amount="31"), started="2026-03-01T00:00:00Z")
    start = at("2026-03-01")
    apply_catalog(database, catalog, start)
    assert [s.total_minor for s in close_until(database, catalog, start)] == [3100]
    gone = make_catalog(prices=catalog.prices, subscriptions=())
    apply_catalog(database, gone, start)
    _, last = close_until(database, gone, start + DAY)
    assert last.total_minor == -3100  # but for a millisecond


def test_a_version_with_another_period_leaves_the_old_one_s_usage_due_at_its_own_end(database: Database) -> None:
    monthly = make_price(per="1", included="0", amount="1")
    catalog = catalog_of(monthly)
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "5")
    edited = catalog_of(make_price(version="v2", per="1", included="0", amount="1", interval="year"))
    apply_catalog(database, edited, START + 2 * DAY)
    with database.write() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        end_pins(connection, SUBSCRIPTION, START + 2 * DAY)
        add_pins(connection, first_pins(row, offer(edited, "pro", "USD", {}), START + 2 * DAY), START + 2 * DAY)
    (month,) = close_until(database, edited, MONTHS[1])
    assert (month.closed_ms, lines(month)) == (MONTHS[0], [("token-price", "2026-01-31", "5.00")])


def test_a_pending_subscription_stays_so_whatever_the_catalog_brings(database: Database) -> None:
    catalog = catalog_of(make_fee())
    apply_catalog(database, catalog, START - 300 * DAY)
    for day in (200, 100):
        apply_catalog(database, catalog_of(make_fee(), make_price(name=f"p{day}")), START - day * DAY)
        with database.read() as connection:
            row = find_subscription(connection, SUBSCRIPTION)
            assert row
            assert (row.state, row.started_ms) == ("pending", START)


def test_a_price_that_is_followed_holds_until_the_next_one_is_effective(database: Database) -> None:
    def follow(*prices: Price) -> Catalog:
        declared = Subscription(name=SUBSCRIPTION, product="pro", customer="acme", follow_prices=True)
        return make_catalog(prices=prices, subscriptions=(declared,))

    apply_catalog(database, follow(make_price(per="1", included="0", amount="1")), START)
    later = make_price(version="v2", per="1", included="0", amount="2", effective_from="2026-02-20T00:00:00+00:00")
    edited = follow(later)
    for day in (1, 2):
        apply_catalog(database, edited, START + day * DAY)
    use(database, "before", START + 3 * DAY, "10")
    use(database, "after", at("2026-02-20"), "1")
    (month,) = close_until(database, edited, MONTHS[0])
    assert [(line["version"], line["amount"]) for line in json.loads(month.body)["lines"]] == [
        ("v1", "10.00"),
        ("v2", "2.00"),
    ]


def test_a_date_that_no_calendar_has_stops_only_its_own_subscription(database: Database) -> None:
    never = make_fee(name="never", product="other", effective_from="9999-12-31T00:00:00+00:00")
    products = (*catalog_of().products, Product(name="other", version="1", endpoints=()))
    stuck = Subscription(name="stuck", product="other", customer="x", starts_at="2026-01-31T00:00:00Z")
    catalog = make_catalog(
        prices=(make_fee(), never), products=products, subscriptions=(*catalog_of().subscriptions, stuck)
    )
    apply_catalog(database, catalog, START)
    assert closer(database, catalog, lambda: START).tick() == {"stuck"}
    assert [statement.total_minor for statement in statements(database)] == [4900]


def test_a_charge_after_the_end_is_billed_too(database: Database) -> None:
    catalog = catalog_of(make_fee(amount="31"), started="2026-03-01T00:00:00Z")
    start = at("2026-03-01")
    apply_catalog(database, catalog, start)
    gone = make_catalog(prices=catalog.prices, subscriptions=())
    worker = closer(database, gone, lambda: start + 60 * DAY)
    apply_catalog(database, gone, start + 10 * DAY)
    worker.tick()
    before = len(statements(database))
    with database.write() as connection:
        refund = Charge("sorry", SUBSCRIPTION, start + 50 * DAY, -500, "USD", "For the trouble", start + 50 * DAY)
        add_charge(connection, refund)
    worker.tick()
    assert [s.total_minor for s in statements(database)][before:] == [-500]
