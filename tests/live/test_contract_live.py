"""The contract suite against real sandboxes: those of its tests that need neither a browser nor a bank."""

import inspect
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.payments import test_contract as contract
from tests.live.shops import LivePaddle, LiveShop, LiveStripe
from tests.unit.billing.conftest import migrated_sqlite
from tollgate_billing.ledger.database import Database

__all__ = ["migrated_sqlite"]
pytestmark = pytest.mark.live
CASES: tuple[Callable[..., None], ...] = (
    contract.test_a_round_trip_names_the_account,
    contract.test_a_statement_is_collected_to_the_minor_unit,
    contract.test_looked_at_again_nothing_is_collected_again,
    contract.test_an_open_invoice_is_owed_until_it_is_paid,
    contract.test_what_is_not_there_any_more_is_refused,
    contract.test_a_top_up_with_a_declined_card_is_paid_on_its_page,
    contract.test_an_automatic_top_up_that_is_declined_fails_for_good,
)


@pytest.fixture(params=["stripe", "paddle"])
def shop(request: pytest.FixtureRequest) -> LiveShop:
    name = f"{request.param.upper()}_API_KEY"
    key, url = os.environ.get(name, ""), os.environ.get(f"{request.param.upper()}_API_URL", "")
    if not key:
        pytest.skip(f"{name} is not set")
    if request.param == "stripe":
        return LiveStripe(key, url)
    return LivePaddle(key, url, os.environ.get("PADDLE_TEST_CUSTOMER", ""))


@pytest.fixture
def database(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(migrated_sqlite, tmp_path / "ledger.db")
    opened = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


@pytest.mark.parametrize("case", CASES, ids=[case.__name__.removeprefix("test_") for case in CASES])
def test_contract(case: Callable[..., None], shop: LiveShop, database: Database) -> None:
    given: dict[str, Any] = {"shop": shop, "card_shop": shop, "database": database}
    case(**{name: given[name] for name in inspect.signature(case).parameters})
