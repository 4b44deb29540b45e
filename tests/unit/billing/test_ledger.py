"""The ledger's invariants, on SQLite and PostgreSQL."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from tests.unit.billing.builders import (
    ANCHOR_MS,
    NOW_MS,
    SUBSCRIPTION,
    apply_catalog,
    make_catalog,
    make_event,
    make_price,
    record,
)
from tollgate_billing.ledger.api_keys import StoredKey, TooManyKeysError, add_key, list_keys, revoke_key
from tollgate_billing.ledger.catalogs import current_catalog, store_catalog, stored_prices
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.events import UnknownEventError, list_events
from tollgate_billing.ledger.letters import list_letters
from tollgate_billing.ledger.migrate import migrate
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.ledger.tables import event_corrections, metadata, postings, usage_events
from tollgate_billing.ledger.totals import event_counts, metric_sums, usage_totals
from tollgate_billing.ledger.verification import verify
from tollgate_billing.statements.drafting import Draft, draft_now, terms_now
from tollgate_billing.subscriptions.declared import declare
from tollgate_core.catalog import Catalog, Subscription


def sums(database: Database) -> dict[str, int]:
    with database.read() as connection:
        assert verify(connection) == []
        return metric_sums(connection, SUBSCRIPTION, 0, 10**15)


def test_the_migrations_make_the_declared_tables(database: Database) -> None:
    migrate(database)  # a second time changes nothing
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_an_event_is_recorded_once_however_often_it_comes(database: Database) -> None:
    posted = record(database, make_event("a", "5"), make_event("b", "6"), make_event("a", "5"))
    assert posted.judgements == ["new", "new", "duplicate"]
    again = record(database, make_event("a", "5", witness="access_log", outcome="client_aborted"))
    assert again.judgements == ["duplicate"]
    assert sums(database) == {"tokens": 11_000_000, "calls": 2_000_000}


def test_a_contradiction_goes_to_the_dead_letters(database: Database) -> None:
    record(database, make_event("a", "5"))
    posted = record(database, make_event("a", "7"))
    assert posted.judgements == ["conflict"]
    assert sums(database)["tokens"] == 5_000_000
    record(database, make_event("a", "7"))  # delivered again: still one letter
    with database.read() as connection:
        (letter,) = list_letters(connection)
    assert (letter.event_id, letter.reason) == ("a", "conflicts with the recorded event of this id")
    assert letter.body == make_event("a", "7").encode()


def test_a_guess_is_corrected_when_the_truth_arrives(database: Database) -> None:
    guess = make_event("a", "100", quality="estimated", witness="hold", outcome="unaccounted")
    partial = make_event("a", "40", quality="partial", witness="meter", outcome="client_aborted")
    exact = make_event("a", "42", quality="exact", witness="access_log")
    assert record(database, guess).judgements == ["new"]
    assert record(database, partial, partial, exact).judgements == ["correction", "duplicate", "correction"]
    assert sums(database) == {"tokens": 42_000_000, "calls": 1_000_000}
    assert record(database, guess, exact).judgements == ["duplicate", "duplicate"]
    with database.read() as connection:
        totals = {total.metric: total for total in usage_totals(connection, SUBSCRIPTION)}
        assert {quality: share.events for quality, share in totals["tokens"].shares.items()} == {"exact": 1}
        (count,) = event_counts(connection)
        assert (count.outcome, count.quality, count.events) == ("completed", "exact", 1)
        (row,) = list_events(connection)
        assert [c["revision"] for c in row["corrections"]] == [1, 2]


def test_a_correction_may_change_the_metrics(database: Database) -> None:
    record(database, make_event("a", quantities={"tokens": "9"}, quality="estimated", witness="hold"))
    record(database, make_event("a", quantities={"calls": "1"}))
    assert {metric: amount for metric, amount in sums(database).items() if amount} == {"calls": 1_000_000}
    record(database, make_event("b", quantities={}, quality="partial"))
    record(database, make_event("b", "3"))
    assert sums(database)["tokens"] == 3_000_000


def test_history_cannot_be_changed(database: Database) -> None:
    record(database, make_event("a", quality="partial"))
    record(database, make_event("a", "11"))
    with database.write() as connection:
        store_catalog(connection, "h", make_catalog().encode(), make_catalog(), NOW_MS)
    for table, column in (
        (usage_events, "customer"),
        (postings, "account"),
        (event_corrections, "body"),
        (metadata.tables["price_versions"], "spec"),
    ):
        for statement in (update(table).values({column: "x"}), delete(table)):
            with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
                connection.execute(statement)


def test_verify_finds_what_is_wrong(database: Database) -> None:
    record(database, make_event("a"))
    line = {
        "event_id": "ghost",
        "revision": 1,
        "line": 0,
        "account": "usage:other:tokens",
        "commodity": "metric:tokens",
        "amount_micros": 5,
        "weight": 2,
        "quality": "exact",
        "subscription": SUBSCRIPTION,
        "at_ms": 1,
    }
    with database.write() as connection:
        connection.execute(insert(postings).values(**line))
    with database.read() as connection:
        found = verify(connection)
    assert [sentence.partition(":")[0] for sentence in found] == [
        "lines do not sum to zero",
        "lines without an event or correction",
        "an account was taken other than once",
        "an account does not belong to its subscription",
        "sums by the hour are not those of the postings",
    ]


def test_sums_beyond_64_bits_are_exact(database: Database) -> None:
    largest = "8999999999999.999999"
    record(database, *(make_event(f"e{i}", largest) for i in range(5)))
    assert sums(database)["tokens"] == 5 * 8_999_999_999_999_999_999


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_order_of_any_deliveries(database: Database, data: st.DataObject) -> None:
    """Whatever is delivered in whatever batches, each id counts once and the ledger is sound."""
    prefix = uuid.uuid4().hex
    ids = st.integers(0, 5)
    delivery = st.tuples(ids, st.sampled_from(["exact", "partial", "estimated"]), st.sampled_from(["meter", "hold"]))
    before = sums(database).get("calls", 0)
    seen: set[int] = set()
    for batch in data.draw(st.lists(st.lists(delivery, max_size=6), max_size=5)):
        seen |= {number for number, _, _ in batch}
        record(database, *(make_event(f"{prefix}-{n}", str(n), quality=q, witness=w) for n, q, w in batch))
    assert sums(database).get("calls", 0) - before == len(seen) * 1_000_000


def test_two_writers_at_once(database: Database) -> None:
    events = [make_event(f"e{i}") for i in range(40)]

    def write(offset: int) -> None:
        for event in events[offset:] + events[:offset]:
            try:
                record(database, event)
            except DBAPIError:
                record(database, event)  # the other one was faster; now it is found

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, (0, 10, 20, 30)))
    assert sums(database) == {"tokens": 400_000_000, "calls": 40_000_000}


def test_pages_of_events(database: Database) -> None:
    for number in range(5):
        record(database, make_event(f"e{number}"), now_ms=NOW_MS + number // 2)
    record(database, make_event("x", subscription="other"), now_ms=NOW_MS + 9)
    with database.read() as connection:

        def page(**query: object) -> list[str]:
            return [row["id"] for row in list_events(connection, **query)]  # type: ignore[arg-type]

        assert page(limit=2) == ["x", "e4"]
        assert page(subscription=SUBSCRIPTION) == ["e4", "e3", "e2", "e1", "e0"]
        assert page(subscription=SUBSCRIPTION, limit=2, after="e3") == ["e2", "e1"]
        assert page(oldest_first=True, after="e3") == ["e4", "x"]
        with pytest.raises(UnknownEventError):
            page(after="nobody")


def test_prices_and_catalogs_are_kept(database: Database) -> None:
    first, second = make_catalog(), make_catalog(prices=(make_price(version="v2", amount="6"),))
    for at, (name, catalog) in enumerate((("one", first), ("two", second), ("one", first))):
        with database.write() as connection:
            store_catalog(connection, name, catalog.encode(), catalog, NOW_MS + at)
    with database.read() as connection:
        assert current_catalog(connection) == ("one", first)
        assert set(stored_prices(connection)) == {("fee", "v1"), ("token-price", "v1"), ("token-price", "v2")}


def test_declared_subscriptions(database: Database) -> None:
    def apply(*subscriptions: Subscription, now_ms: int = NOW_MS) -> list[str]:
        with database.write() as connection:
            return list(declare(connection, make_catalog(subscriptions=subscriptions, prices=()), now_ms).changed)

    def row() -> tuple[str, int, int]:
        with database.read() as connection:
            found = find_subscription(connection, "s")
            assert found
            return found.state, found.revision, found.anchor_ms

    plain = Subscription(name="s", product="pro", customer="c")
    assert apply(plain) == ["s"]
    assert row() == ("active", 1, NOW_MS)
    assert apply(plain, now_ms=NOW_MS + 5) == []
    assert row() == ("active", 1, NOW_MS)
    apply(Subscription(name="s", product="pro", customer="c", suspended=True))
    assert row() == ("suspended", 2, NOW_MS)
    apply()
    assert row() == ("cancelled", 3, NOW_MS)
    assert apply() == []
    apply(plain, now_ms=NOW_MS + 9)
    assert row() == ("active", 4, NOW_MS)  # it is the same one again, in its own periods
    apply(Subscription(name="s", product="pro", customer="another"), now_ms=NOW_MS + 10)
    assert row() == ("active", 5, NOW_MS + 10)


def make_key(number: int, **fields: object) -> StoredKey:
    values: dict[str, object] = {
        "id": f"k{number}",
        "hash": f"h{number}",
        "subscription": SUBSCRIPTION,
        "label": "",
        "last4": "abcd",
        "created_ms": NOW_MS,
        "expires_ms": None,
        "revoked_ms": None,
    }
    return StoredKey(**{**values, **fields})  # type: ignore[arg-type]


def test_no_more_keys_than_allowed_even_at_once(database: Database) -> None:
    apply_catalog(database, make_catalog(prices=()))
    with database.write() as connection:
        add_key(connection, make_key(100, expires_ms=NOW_MS), 3)  # expired: does not count

    def add(number: int) -> bool:
        try:
            with database.write() as connection:
                add_key(connection, make_key(number), 3)
        except TooManyKeysError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(8))) == 3
    with database.write() as connection:
        (first, *_) = [key for key in list_keys(connection, SUBSCRIPTION) if key.is_valid(NOW_MS)]
        assert revoke_key(connection, SUBSCRIPTION, first.id, NOW_MS)
        assert revoke_key(connection, SUBSCRIPTION, first.id, NOW_MS)
        assert not revoke_key(connection, "other", first.id, NOW_MS)
        add_key(connection, make_key(99), 3)
        found = find_subscription(connection, SUBSCRIPTION)
        assert found
        assert found.revision == 1 + 1 + 3 + 1 + 1


def test_usage_belongs_to_the_period_of_its_own_time(database: Database) -> None:
    march = ANCHOR_MS + 28 * 86_400_000  # 28 February: where the second period begins
    catalog = make_catalog(prices=(make_price(per="1", included="0", amount="1"),))
    apply_catalog(database, catalog)
    record(database, make_event("first", "1"), make_event("edge", "10", at_ms=march), now_ms=march)
    record(database, make_event("late", "100", at_ms=march - 1), now_ms=march + 1000)
    assert str(draft(database, catalog, march - 1).total) == "101.00 USD"
    whole = draft(database, catalog, march)
    assert [(line.due.span.start_ms, line.minor) for line in whole.lines] == [(ANCHOR_MS, 10_100), (march, 1_000)]


def draft(database: Database, catalog: Catalog, now_ms: int) -> Draft:
    with database.read() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        return draft_now(connection, terms_now(connection, catalog), row, now_ms)


def test_an_index_serves_the_running_invoice(database: Database) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL chooses by statistics")
    with database.read() as connection:
        query = select(postings.c.account).where(postings.c.subscription == "s", postings.c.at_ms >= 0)
        compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}")).all()
    assert "ix_postings_usage" in str(plan)
