"""Simulated providers that live as long as the session, empty for every test; databases of both kinds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.payments.account import PaddleAccount, StripeAccount, paddle_account, stripe_account
from tests.unit.billing.conftest import database, migrated_postgresql, migrated_sqlite, postgresql
from tollgate_billing.ledger.database import Database

__all__ = ["database", "migrated_postgresql", "migrated_sqlite", "postgresql"]


@pytest.fixture(scope="session")
def shared_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeAccount]:
    with stripe_account(tmp_path_factory.mktemp("stripe")) as account:
        yield account


@pytest.fixture(scope="session")
def shared_paddle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleAccount]:
    with paddle_account(tmp_path_factory.mktemp("paddle")) as account:
        yield account


@pytest.fixture
def paddle(shared_paddle: PaddleAccount) -> PaddleAccount:
    shared_paddle.reset()
    return shared_paddle


@pytest.fixture
def account(shared_account: StripeAccount) -> StripeAccount:
    shared_account.reset()
    return shared_account


@pytest.fixture
def sqlite(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database in a file."""
    shutil.copy(migrated_sqlite, tmp_path / "ledger.db")
    opened = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The contract is with providers: with both databases only where it takes longer. What a database can do to it is
    tried by killing workers."""
    for item in items:
        if item.path.name == "test_contract.py" and "postgresql" in item.name:
            item.add_marker(pytest.mark.slow)
