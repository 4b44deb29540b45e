"""Limits of subscriptions' own, and usage by API key, in SQL: on SQLite and PostgreSQL."""

import pytest

from tests.unit.billing.builders import ANCHOR_MS, NOW_MS, SUBSCRIPTION, declared, make_catalog, make_event, record
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.limits import drop_own_limit, own_limits, put_own_limit
from tollgate_billing.ledger.subscriptions import existing_subscription, list_subscriptions
from tollgate_billing.ledger.totals import key_sums
from tollgate_core import catalog as c

SHARED = c.MetricLimit(metric="tokens", limit=10, interval="month", least=1, most=20)
BY_KEY = c.MetricLimit(metric="tokens", limit=10, interval="month", least=1, most=20, per_key=True)


def test_own_limits_bump_the_revision_only_where_they_change(database: Database) -> None:
    declared(database, make_catalog())
    with database.write() as connection:
        row = existing_subscription(connection, SUBSCRIPTION)

        def revision() -> int:
            return existing_subscription(connection, SUBSCRIPTION).revision - row.revision

        put_own_limit(connection, row, SHARED, "5", NOW_MS)
        put_own_limit(connection, row, SHARED, "5", NOW_MS + 1)
        assert revision() == 1
        put_own_limit(connection, row, BY_KEY, "7", NOW_MS)
        put_own_limit(connection, row, SHARED, "6", NOW_MS + 2)
        assert revision() == 3
        found = own_limits(connection, list_subscriptions(connection))[SUBSCRIPTION]
        assert [(own.scope, own.units, own.set_ms) for own in found] == [
            ("key", "7", NOW_MS),
            ("subscription", "6", NOW_MS + 2),
        ]
        drop_own_limit(connection, row, SHARED)
        drop_own_limit(connection, row, SHARED)
        assert revision() == 4
        assert [own.scope for own in own_limits(connection, [row])[SUBSCRIPTION]] == ["key"]


def test_usage_by_key_follows_corrections_and_the_time_of_the_calls(database: Database) -> None:
    declared(database, make_catalog())
    large = str(9 * 10**11)
    record(
        database,
        make_event("a", "100", api_key="k1", quality="estimated", witness="hold"),
        make_event("b", large, api_key="k2"),
        make_event("c", large, api_key="k2", at_ms=NOW_MS + 1),
        make_event("d", "7"),
        make_event("before", "50", api_key="k1", at_ms=ANCHOR_MS - 1),
    )
    record(database, make_event("a", "60", api_key="k1"))
    with database.read() as connection:
        sums = key_sums(connection, SUBSCRIPTION, ANCHOR_MS, NOW_MS + 2)
        assert sums == {
            ("k1", "tokens"): 60 * 10**6,
            ("k1", "calls"): 10**6,
            ("k2", "tokens"): 18 * 10**17,
            ("k2", "calls"): 2 * 10**6,
        }
        assert key_sums(connection, SUBSCRIPTION, ANCHOR_MS - 1, ANCHOR_MS) == {
            ("k1", "tokens"): 50 * 10**6,
            ("k1", "calls"): 10**6,
        }


def test_a_fingerprint_that_is_too_long_is_no_event(database: Database) -> None:
    posted = record(database, make_event("a", api_key="k" * 41), make_event("b", api_key="k\0"))
    assert [letter.reason for letter in posted.letters] == ["apiKey must have at most 40 characters"] * 2
    with pytest.raises(KeyError), database.read() as connection:
        _ = key_sums(connection, SUBSCRIPTION, 0, 2**60)["k", "tokens"]
