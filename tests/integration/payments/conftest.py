"""A simulated Stripe that lives as long as the session, empty for every test; databases of both kinds."""

from collections.abc import Iterator

import pytest

from tests.integration.payments.account import StripeAccount, stripe_account
from tests.unit.billing.conftest import database, migrated_postgresql, migrated_sqlite, postgresql

__all__ = ["database", "migrated_postgresql", "migrated_sqlite", "postgresql"]


@pytest.fixture(scope="session")
def shared_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeAccount]:
    with stripe_account(tmp_path_factory.mktemp("stripe")) as account:
        yield account


@pytest.fixture
def account(shared_account: StripeAccount) -> StripeAccount:
    shared_account.reset()
    return shared_account
