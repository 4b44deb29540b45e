"""Writers of one process on SQLite take turns."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import QueuePool, text

from tollgate_billing.ledger.database import DATABASE_AWAY, Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    with made.write() as connection:
        connection.execute(text("CREATE TABLE taken (writer INTEGER)"))
    return made


def test_nobody_is_overtaken_for_long(database: Database) -> None:
    """Left to SQLite, a thread that waits is passed by dozens of others' writes."""
    writers, begin = 4, threading.Barrier(4)

    def write(writer: int) -> None:
        begin.wait()
        for _ in range(40):
            with database.write() as connection:
                connection.execute(text("INSERT INTO taken VALUES (:writer)"), {"writer": writer})
                threading.Event().wait(0.002)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    with database.read() as connection:
        order = list(connection.execute(text("SELECT writer FROM taken ORDER BY rowid")).scalars())
    database.close()
    assert {writer: order.count(writer) for writer in range(writers)} == dict.fromkeys(range(writers), 40)
    first_done = min(len(order) - order[::-1].index(writer) for writer in range(writers))
    assert first_done > 80, "they go on side by side until the end"


def test_a_write_that_fails_leaves_the_turn_to_the_next(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write():
        _ = 1 / 0
    with database.preview() as connection:
        connection.execute(text("INSERT INTO taken VALUES (1)"))
    with database.write() as connection:
        assert connection.execute(text("SELECT count(*) FROM taken")).scalar_one() == 0
    database.close()


def test_who_finds_all_connections_in_use_may_try_later(database: Database) -> None:
    assert isinstance(database.engine.pool, QueuePool)
    database.engine.pool._timeout = 0.01  # pyright: ignore[reportPrivateUsage]
    with ExitStack() as readers:
        for _ in range(15):
            readers.enter_context(database.read())
        with pytest.raises(DATABASE_AWAY), database.read():
            pass
    database.close()
