"""One database, SQLite or PostgreSQL, from one URL. A unit of work is one transaction: ``write`` or ``read``."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeftError

#: What SQLAlchemy raises when the database is away, locked or full, or all connections are in use for long: trying
#: again later may help.
DATABASE_AWAY = (OperationalError, InterfaceError, NoConnectionLeftError)
_READ_ONLY = "tollgate_read_only"
_BUSY_SECONDS = 10


class Database:
    """Connections are pooled and safe to use from many threads, one transaction each."""

    def __init__(self, url: str) -> None:
        parsed = _with_our_driver(make_url(url))
        self.dialect = parsed.get_backend_name()
        self.engine = _sqlite_engine(parsed) if self.dialect == "sqlite" else _postgresql_engine(parsed)
        self._writer = threading.Lock()

    @contextmanager
    def write(self) -> Generator[Connection]:
        """Commits at the end, rolls back on an exception."""
        with self._turn(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def preview(self) -> Generator[Connection]:
        """Like ``write``, but nothing of it stays: what is shown is what would happen."""
        with self._turn(), self.engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """One consistent view; on SQLite it waits for no writer."""
        with self.engine.connect() as connection:
            isolation = {} if self.dialect == "sqlite" else {"isolation_level": "REPEATABLE READ"}
            yield connection.execution_options(**{_READ_ONLY: True}, **isolation)

    @contextmanager
    def _turn(self) -> Generator[None]:
        """SQLite has one writer, and whoever comes second asks again after ever longer pauses, of 100 ms in the end,
        while others go first: threads of this process hand the turn over at once. SQLite has the last word, and whoever
        waited too long is told by it."""
        mine = self.dialect == "sqlite" and self._writer.acquire(timeout=_BUSY_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._writer.release()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _with_our_driver(url: URL) -> URL:
    """``postgresql://`` and ``postgres://``, as everybody writes it, would mean a driver that is not installed."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in {"postgres", "postgresql"} else url


def _postgresql_engine(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True, hide_parameters=True)


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    del record
    connection.isolation_level = None  # we say BEGIN ourselves: the driver would start too late for a consistent view
    busy = f"busy_timeout={_BUSY_SECONDS * 1000}"
    for pragma in ("journal_mode=WAL", "synchronous=FULL", busy, "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that began by reading could not get it later and would have to fail.
    reads = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
