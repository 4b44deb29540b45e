"""Keys that their owner made: put once or often, they are there once, and a label's earlier keys run out."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.billing.builders import NOW_MS, SUBSCRIPTION, apply_catalog, make_catalog, make_event, record
from tests.unit.billing.test_ledger import make_key
from tollgate_billing.ledger.api_keys import (
    StoredKey,
    TooManyKeysError,
    add_key,
    list_keys,
    put_key,
    revoke_key,
)
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.statements.drafting import draft_now, terms_now
from tollgate_billing.subscriptions.declared import declare
from tollgate_core.catalog import Subscription

LABEL, OVERLAP_MS = "secret/s", 60_000
OTHER = "team/other"


@pytest.fixture
def database(database: Database) -> Database:
    """With two subscriptions."""
    other = Subscription(name=OTHER, product="pro", customer="other")
    apply_catalog(database, make_catalog(subscriptions=(*make_catalog().subscriptions, other)))
    return database


def own(number: int, label: str = LABEL, **fields: object) -> StoredKey:
    return make_key(number, label=label, **fields)


def put(database: Database, key: StoredKey, max_keys: int = 2, overlap_ms: int = OVERLAP_MS) -> StoredKey | None:
    with database.write() as connection:
        return put_key(connection, key, max_keys, key.created_ms + overlap_ms)


def stored(database: Database, subscription: str = SUBSCRIPTION) -> dict[str, int | None]:
    """When each key ends, by id."""
    with database.read() as connection:
        return {key.id: key.expires_ms for key in list_keys(connection, subscription)}


def revision(database: Database) -> int:
    with database.read() as connection:
        found = find_subscription(connection, SUBSCRIPTION)
    assert found
    return found.revision


def test_the_same_key_again_changes_nothing(database: Database) -> None:
    first = put(database, own(1))
    before = revision(database)
    again = put(database, own(2, hash="h1", created_ms=NOW_MS + 5))
    assert first == again == own(1)
    assert stored(database) == {"k1": None}
    assert revision(database) == before


def test_a_new_key_lets_the_label_s_earlier_ones_run_out(database: Database) -> None:
    put(database, own(1))
    put(database, own(9, label="by hand"))
    put(database, own(2, created_ms=NOW_MS + 1000))
    assert stored(database) == {"k1": NOW_MS + 1000 + OVERLAP_MS, "k9": None, "k2": None}


def test_a_second_rotation_never_lengthens_an_overlap(database: Database) -> None:
    put(database, own(1))
    put(database, own(2))
    put(database, own(3, created_ms=NOW_MS + 1000))
    put(database, own(4, created_ms=NOW_MS + 2000), overlap_ms=0)
    assert stored(database) == {"k1": NOW_MS + 2000, "k2": NOW_MS + 2000, "k3": NOW_MS + 2000, "k4": None}


def test_a_retry_of_an_earlier_put_does_not_bring_its_key_back(database: Database) -> None:
    put(database, own(1))
    put(database, own(2))
    assert put(database, own(1)) == own(1, expires_ms=NOW_MS + OVERLAP_MS)
    assert stored(database) == {"k1": NOW_MS + OVERLAP_MS, "k2": None}


def test_keys_of_its_own_label_do_not_count_and_others_do(database: Database) -> None:
    with database.write() as connection:
        add_key(connection, make_key(10), 2)
    for number in range(5):
        put(database, own(number))
    with pytest.raises(TooManyKeysError):
        put(database, own(20, label="another"), max_keys=1)
    assert len(stored(database)) == 6
    with database.write() as connection:
        add_key(connection, make_key(11, created_ms=NOW_MS + OVERLAP_MS), 3)  # the five but one have run out by then
    with pytest.raises(TooManyKeysError):
        put(database, own(21))
    assert "k21" not in stored(database)


def test_a_key_that_was_revoked_or_ran_out_cannot_be_had_again(database: Database) -> None:
    put(database, own(1))
    put(database, own(2))
    with database.write() as connection:
        assert revoke_key(connection, SUBSCRIPTION, "k2", NOW_MS)
    assert put(database, own(3, hash="h2")) is None
    assert put(database, own(3, hash="h1", created_ms=NOW_MS + OVERLAP_MS)) is None
    assert set(stored(database)) == {"k1", "k2"}


def test_a_key_of_another_subscription_cannot_be_had(database: Database) -> None:
    put(database, own(1))
    assert put(database, own(2, hash="h1", subscription=OTHER)) is None
    assert stored(database, OTHER) == {}
    assert stored(database) == {"k1": None}


def test_the_same_key_put_at_once_is_there_once(database: Database) -> None:
    def attempt(number: int) -> StoredKey | None:
        return put(database, own(number, hash="same"))

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(attempt, range(8)))
    assert len(found) == 1
    assert len(stored(database)) == 1


def test_of_different_keys_put_at_once_one_stays(database: Database) -> None:
    def attempt(number: int) -> StoredKey | None:
        return put(database, own(number), max_keys=1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(8)))
    assert list(stored(database).values()).count(None) == 1


def test_a_name_that_another_customer_takes_over_brings_neither_keys_nor_usage(database: Database) -> None:
    """A Subscription that is deleted and made again: its customer cannot be changed, but its name can be used again."""
    nobody = make_catalog(subscriptions=())
    put(database, own(1))
    record(database, make_event("of-acme", "5000000"))
    with database.write() as connection:
        declare(connection, nobody, NOW_MS + 1)
        declare(connection, make_catalog(), NOW_MS + 2)
    assert [key.is_valid(NOW_MS + 3) for key in keys_of(database)] == [True]  # the same customer, by the same name
    catalog = make_catalog(subscriptions=(Subscription(name=SUBSCRIPTION, product="pro", customer="globex"),))
    with database.write() as connection:
        declare(connection, nobody, NOW_MS + 4)
        declare(connection, catalog, NOW_MS + 60_000)
    assert [key.is_valid(NOW_MS + 60_001) for key in keys_of(database)] == [False]
    with database.read() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        lines = draft_now(connection, terms_now(connection, catalog), row, NOW_MS + 60_001).lines
    assert [line.due.price.metric for line in lines if line.due.price.metric] == []


def keys_of(database: Database) -> list[StoredKey]:
    with database.read() as connection:
        return list_keys(connection, SUBSCRIPTION)
