"""The URL of a database, as people write it."""

import pytest

from tollgate_billing.ledger.database import Database


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_spoken_with_the_driver_that_is_installed(scheme: str) -> None:
    database = Database(f"{scheme}://user:p%40ss@db.example.com:6432/ledger?sslmode=require")
    assert database.dialect == "postgresql"
    assert database.engine.dialect.driver == "psycopg"
    assert database.engine.url.password == "p@ss"
    assert database.engine.url.query == {"sslmode": "require"}
    database.close()
