"""What comes after its moment was closed is billed all the same, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, insert, select

from tests.unit.billing.builders import (
    SUBSCRIPTION,
    apply_catalog,
    declared,
    make_event,
    make_fee,
    make_price,
    messages,
)
from tests.unit.billing.test_statements import DAY, MONTHS, START, catalog_of, close_until, closer, lines, use
from tollgate_billing.ingest.batch import decode
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.late import LISTED, earliest_change
from tollgate_billing.ledger.pins import pins_of
from tollgate_billing.ledger.pricebook import PriceBook
from tollgate_billing.ledger.subscriptions import change_subscription, existing_subscription
from tollgate_billing.ledger.tables import late_usage, milestones
from tollgate_billing.ledger.writer import post
from tollgate_billing.subscriptions import changes

PRICE = make_price(per="1", included="0", amount="1")
LATE = MONTHS[0] + 40 * DAY


def end(database: Database, moment_ms: int) -> None:
    with database.write() as connection:
        row = existing_subscription(connection, SUBSCRIPTION)
        change_subscription(connection, row, {"origin": changes.API_ORIGIN})
        row = existing_subscription(connection, SUBSCRIPTION)
        changes.cancel(connection, row, moment_ms, at_period_end=False)


def test_late_usage_of_an_ended_subscription_is_billed_once_more(database: Database) -> None:
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "1")
    end(database, START + 5 * DAY)
    (last,) = close_until(database, catalog, MONTHS[0])
    running = closer(database, catalog, lambda: LATE)
    assert running.tick() == set()
    use(database, "late", START + 2 * DAY, "7", recorded_ms=LATE + 1)
    _, more = close_until(database, catalog, LATE + 120_000)
    assert (lines(last)[0][2], lines(more)[0][2]) == ("1.00", "7.00")
    assert close_until(database, catalog, LATE + 10 * DAY) == [last, more]


def test_a_correction_after_the_end_is_credited(database: Database) -> None:
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "50", quality="estimated", witness="hold")
    end(database, START + 5 * DAY)
    close_until(database, catalog, MONTHS[0])
    use(database, "a", START + DAY, "20", recorded_ms=LATE)
    _, credit = close_until(database, catalog, LATE + 1)
    assert (lines(credit)[0][2], credit.due_minor) == ("-30.00", 0)


def test_a_running_closer_finds_what_came_late(database: Database) -> None:
    catalog, now = catalog_of(PRICE), LATE
    apply_catalog(database, catalog, START)
    end(database, START + 5 * DAY)
    running = closer(database, catalog, lambda: now)
    assert running.tick() == set()
    use(database, "late", START + 2 * DAY, "7", recorded_ms=now + 10)
    now += 61_000
    assert running.tick() == set()
    assert [statement.total_minor for statement in close_until(database, catalog, now)] == [700]


def test_a_setup_fee_that_appears_after_the_beginning_was_closed_is_billed(database: Database) -> None:
    empty = catalog_of(started="")
    apply_catalog(database, empty, START)
    close_until(database, empty, START + 5000)
    catalog = catalog_of(make_fee(name="setup", one_off=True), started="")
    apply_catalog(database, catalog, START + 60_000)
    (statement,) = close_until(database, catalog, START + 61_000)
    assert lines(statement) == [("setup", "2026-01-31", "49.00")]


def test_a_price_that_appears_charges_what_a_subscription_of_the_api_has_used(database: Database) -> None:
    catalog = catalog_of(make_fee())
    apply_catalog(database, catalog, START)
    with database.write() as connection:
        change_subscription(connection, existing_subscription(connection, SUBSCRIPTION), {"origin": changes.API_ORIGIN})
    use(database, "held", START + DAY, "3")
    priced = replace(catalog, prices=(make_fee(), PRICE), subscriptions=())
    apply_catalog(database, priced, START + 2 * DAY)
    _, month = close_until(database, priced, MONTHS[0])
    assert ("token-price", "2026-01-31", "3.00") in lines(month)


def test_other_seats_keep_a_scheduled_migration(database: Database) -> None:
    fee = make_fee(min_seats=1, max_seats=9)
    catalog = catalog_of(fee)
    apply_catalog(database, catalog, START)
    dearer = catalog_of(replace(fee, version="v2", amount="60", effective_from="2026-03-31T00:00:00Z"))
    apply_catalog(database, dearer, START + DAY)
    with database.write() as connection:
        changes.migrate(connection, dearer, existing_subscription(connection, SUBSCRIPTION), START + DAY)
    with database.write() as connection:
        changes.set_seats(connection, existing_subscription(connection, SUBSCRIPTION), "fee", 3, START + 2 * DAY)
        held = [(pin.version, pin.seats, pin.since_ms, pin.until_ms) for pin in pins_of(connection, [SUBSCRIPTION])]
    assert held == [
        ("v1", 1, START, START + 2 * DAY),
        ("v1", 3, START + 2 * DAY, MONTHS[1]),
        ("v2", 3, MONTHS[1], None),
    ]


def test_one_subscription_that_cannot_be_declared_stops_no_other(database: Database) -> None:
    good = catalog_of(PRICE).subscriptions[0]
    bad = replace(good, name="beyond", starts_at="9999-12-31T23:59:59Z")
    catalog = replace(catalog_of(PRICE, trial_days=30), subscriptions=(bad, good))
    outcome = declared(database, catalog, START)
    assert list(outcome.failed) == ["beyond"]
    assert list(outcome.changed) == [SUBSCRIPTION]
    use(database, "a", START + DAY, "1")
    repaired = replace(catalog, subscriptions=(replace(bad, starts_at=good.starts_at), good))
    assert list(declared(database, repaired, START + DAY).changed) == ["beyond"]


def test_usage_that_is_recorded_while_its_subscription_begins_is_priced(database: Database) -> None:
    catalog = catalog_of(PRICE)
    with ThreadPoolExecutor(1) as pool, database.write() as connection:
        decoded = decode(messages(make_event("a", "5", at_ms=START + DAY)))
        post(connection, decoded.deliveries, (), START + DAY, PriceBook())
        beginning = pool.submit(apply_catalog, database, catalog, START + DAY)
        with pytest.raises(TimeoutError):
            beginning.result(timeout=0.5)
        connection.commit()
        beginning.result(timeout=20)
    assert [lines(statement)[0][2] for statement in close_until(database, catalog, MONTHS[0])] == ["5.00"]


@pytest.mark.parametrize(("gone_ms", "billed"), [(MONTHS[0] + DAY, "7.00"), (MONTHS[0] - DAY, None)])
def test_late_usage_that_a_replica_of_the_version_before_recorded_is_billed(
    database: Database, gone_ms: int, billed: str | None
) -> None:
    """Such a replica does not list it; after it was gone nobody looks for what is not listed."""
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "1")
    close_until(database, catalog, MONTHS[0])
    use(database, "late", START + 2 * DAY, "7", recorded_ms=MONTHS[0] + 1)
    with database.write() as connection:
        connection.execute(delete(late_usage))
        connection.execute(insert(milestones).values(name=LISTED, at_ms=gone_ms))
    more = close_until(database, catalog, MONTHS[1])[1:]
    assert [lines(statement)[0][2] for statement in more] == ([billed] if billed else [])


def test_only_what_came_late_is_listed(database: Database) -> None:
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    use(database, "in time", START + DAY, "1", quality="estimated", witness="hold")
    close_until(database, catalog, MONTHS[0])
    use(database, "late", START + 2 * DAY, "7", recorded_ms=MONTHS[0] + 1)
    use(database, "in time", START + DAY, "2", recorded_ms=MONTHS[0] + 2)
    use(database, "next month", MONTHS[0] + DAY, "3", recorded_ms=MONTHS[0] + 3)
    with database.read() as connection:
        listed = [(row.event_id, row.revision, row.at_ms) for row in connection.execute(select(late_usage))]
        row = existing_subscription(connection, SUBSCRIPTION)
        assert earliest_change(connection, row) == START + DAY
    assert sorted(listed) == [("in time", 1, START + DAY), ("late", 0, START + 2 * DAY)]
    close_until(database, catalog, MONTHS[1])
    with database.read() as connection:
        closed = existing_subscription(connection, SUBSCRIPTION)
        assert earliest_change(connection, closed) == closed.closed_ms
