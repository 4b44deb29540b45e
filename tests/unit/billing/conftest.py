"""Databases: every test of the ledger runs on SQLite and on PostgreSQL."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.postgresql import as_owner, server
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.migrate import migrate


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server that lives as long as the session."""
    with server() as url:
        yield url


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
def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Without any table."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/bare.db" if sqlite else fresh_postgresql(request.getfixturevalue("postgresql"))
    opened = Database(url)
    yield opened
    opened.close()


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


def fresh_postgresql(server_url: str, *, copied: bool = False) -> str:
    """The URL of a new database: an empty one, or a copy of ``server_url``'s own."""
    name = f"t{uuid.uuid4().hex}"
    given = make_url(server_url)
    template = given.database if copied else "template1"
    # A database that is copied may have no connection of anybody.
    as_owner(given.set(database="postgres"), f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return given.set(database=name).render_as_string(hide_password=False)


def _migrate(url: str) -> None:
    opened = Database(url)
    migrate(opened)
    opened.close()
