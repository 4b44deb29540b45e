"""From the streams to the ledger: exactly once, whatever is delivered, and nothing blocks the rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.integration.billing.conftest import Clock, prepare, wire
from tests.integration.billing.neighbours import Valkey
from tests.unit.billing.builders import SUBSCRIPTION, make_event
from tests.unit.billing.conftest import fresh_postgresql
from tollgate_billing.ingest.streams import GROUP
from tollgate_billing.ledger.letters import list_letters
from tollgate_billing.ledger.totals import metric_sums
from tollgate_billing.ledger.verification import verify
from tollgate_billing.main import Billing
from tollgate_core.redis_contract import PARTITIONS, Keys, partition_of

PARTITION = partition_of(SUBSCRIPTION)


def tokens(billing: Billing) -> int:
    with billing.database.read() as connection:
        assert verify(connection) == []
        return metric_sums(connection, SUBSCRIPTION, 0, 10**15).get("tokens", 0) // 10**6


def drain(billing: Billing) -> None:
    billing.consumer.recover()
    while billing.consumer.step():
        pass


def test_events_are_recorded_and_confirmed(billing: Billing, valkey: Valkey) -> None:
    drain(billing)
    valkey.append(make_event("a", "5"), make_event("b", "6"), make_event("a", "5"))
    drain(billing)
    assert tokens(billing) == 11
    assert valkey.unconfirmed() == 0
    assert valkey.client.get(Keys.settled(PARTITION, "a")) == b"confirmed"
    assert 0 < valkey.client.pttl(Keys.settled(PARTITION, "b")) <= 24 * 3_600_000
    assert valkey.client.xpending(Keys.events(PARTITION), GROUP)["pending"] == 0


def test_all_partitions_are_read(billing: Billing, valkey: Valkey) -> None:
    names = [f"s{i}" for i in range(64)]
    assert {partition_of(name) for name in names} == set(range(PARTITIONS))
    valkey.append(*(make_event(name, subscription=name) for name in names))
    drain(billing)
    with billing.database.read() as connection:
        assert sum(metric_sums(connection, name, 0, 10**15)["calls"] for name in names) == 64 * 10**6
    assert valkey.unconfirmed() == 0


def test_poison_blocks_nothing_and_can_be_replayed(billing: Billing, valkey: Valkey) -> None:
    valkey.append(make_event("good", "5"))
    stream = Keys.events(PARTITION)
    for body in (b"not json", b'{"id":"half"}', b"\xff\xfe", make_event("huge", "9" * 25).encode()):
        valkey.client.xadd(stream, {"event": body})
    valkey.client.xadd(stream, {"other": b"no event at all"})
    valkey.append(make_event("after", "6"), make_event("unknown", "7", subscription="nobody"))
    drain(billing)
    assert tokens(billing) == 11
    assert valkey.unconfirmed() == 0
    with billing.database.read() as connection:
        letters = list_letters(connection)
    assert {letter.event_id for letter in letters} == {None, "half", "huge"}
    assert len(letters) == 4
    shown = valkey.client.xrange(Keys.dead_letters(PARTITION))
    assert [fields[b"id"] for _, fields in shown] == [b"", b"half", b"", b"huge"]
    assert all(fields[b"reason"] and fields[b"event"] for _, fields in shown)
    assert billing.services.replay("huge") == 1
    assert billing.services.replay(None) == 3
    assert billing.services.replay(None) == 0
    assert valkey.unconfirmed() == 4
    drain(billing)
    with billing.database.read() as connection:
        assert len(list_letters(connection, open_only=True)) == 4


def test_a_conflict_is_a_dead_letter_and_confirmed(billing: Billing, valkey: Valkey) -> None:
    valkey.append(make_event("a", "5"), make_event("a", "6"))
    drain(billing)
    assert tokens(billing) == 5
    assert valkey.unconfirmed() == 0
    (entry,) = valkey.client.xrange(Keys.dead_letters(PARTITION))
    assert entry[1][b"reason"] == b"conflicts with the recorded event of this id"


def test_an_event_that_only_the_database_refuses(billing: Billing, valkey: Valkey) -> None:
    """The batch is refused as a whole, then posted one by one."""
    with billing.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER picky BEFORE INSERT ON usage_events WHEN NEW.id = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    valkey.append(make_event("a", "5"), make_event("bad", "6"), make_event("c", "7"))
    drain(billing)
    assert tokens(billing) == 12
    assert valkey.unconfirmed() == 0
    with billing.database.read() as connection:
        (letter,) = list_letters(connection)
    assert letter.event_id == "bad"
    assert "refused" in letter.reason


def test_what_a_dead_consumer_read_is_taken_over(
    billing: Billing, valkey: Valkey, tmp_path: Path, clock: Clock
) -> None:
    drain(billing)
    valkey.append(make_event("a", "5"), make_event("b", "6"))
    dead = wire(valkey, tmp_path, clock, "dead")
    assert len(dead.streams.read_new(10)) == 2
    dead.close()
    drain(billing)
    assert tokens(billing) == 0
    assert len(billing.streams.take_over(0, 10)) == 2
    drain(billing)  # what was taken over is now this consumer's own
    assert tokens(billing) == 11
    assert valkey.unconfirmed() == 0


def test_own_entries_are_finished_after_a_restart(
    billing: Billing, valkey: Valkey, tmp_path: Path, clock: Clock
) -> None:
    drain(billing)
    valkey.append(make_event("a", "5"))
    assert len(billing.streams.read_new(10)) == 1
    again = wire(valkey, tmp_path, clock)
    prepare(again)
    drain(again)
    assert tokens(again) == 5
    again.close()


def test_an_entry_that_was_dropped_from_the_stream_is_let_go(billing: Billing, valkey: Valkey) -> None:
    drain(billing)
    valkey.append(make_event("a", "5"))
    (message,) = billing.streams.read_new(10)
    valkey.client.xdel(Keys.events(PARTITION), message.entry)
    drain(billing)
    assert valkey.client.xpending(Keys.events(PARTITION), GROUP)["pending"] == 0


def test_a_redis_that_came_back_empty_gets_its_groups_again(billing: Billing, valkey: Valkey) -> None:
    valkey.append(make_event("a", "5"))
    drain(billing)
    valkey.client.flushall()
    valkey.append(make_event("a", "5"), make_event("b", "6"))  # published again, and anew
    billing.consumer.step()
    drain(billing)
    assert tokens(billing) == 11
    assert valkey.unconfirmed() == 0


def test_a_database_that_is_away_loses_nothing(postgresql: str, valkey: Valkey, clock: Clock, tmp_path: Path) -> None:
    url = fresh_postgresql(postgresql)
    billing = wire(valkey, tmp_path, clock, database_url=url)
    prepare(billing)
    drain(billing)
    valkey.append(make_event("a", "5"))
    with cut_off(postgresql, url), pytest.raises(OperationalError):
        billing.consumer.step()
    assert valkey.unconfirmed() == 1
    drain(billing)
    assert tokens(billing) == 5
    assert valkey.unconfirmed() == 0
    billing.close()


@contextmanager
def cut_off(server: str, url: str) -> Iterator[None]:
    """A database that accepts nobody, and throws out who is in."""
    name = make_url(url).database
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        yield
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    engine.dispose()


def test_no_label_names_a_customer(billing: Billing, valkey: Valkey, http: TestClient) -> None:
    valkey.append(*(make_event(f"e{number}", served_model=f"model-{number}") for number in range(3)))
    drain(billing)
    said = http.get("/metrics").text
    assert "tollgate_billing_events_recorded_total" in said
    assert not any(name in said for name in ("acme", "team", "model-", "pro"))


def test_metrics_and_lag(billing: Billing, valkey: Valkey) -> None:
    valkey.append(make_event("a", "5", unmetered={"seconds": "no such header"}), make_event("a", "5"))
    drain(billing)
    sample = billing.metrics.registry.get_sample_value
    labels = {"outcome": "completed", "quality": "exact"}
    assert sample("tollgate_billing_events_recorded_total", labels) == 1
    assert sample("tollgate_billing_events_duplicate_total") == 1
    assert sample("tollgate_billing_unmetered_total") == 1
    assert billing.metrics.lag_seconds() == 0
