"""Whatever happens to a subscription: when it is quiet, Redis holds of its credit what SQL knows."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.integration.billing.conftest import Clock, wire
from tests.integration.billing.neighbours import Valkey
from tests.unit.billing.lives import NAME
from tests.unit.billing.test_life_of_a_subscription import Life, lives_settings, sqlite_databases
from tollgate_billing.hydration.keeper import Keeper
from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import existing_subscription
from tollgate_billing.main import Billing
from tollgate_billing.statements.credit import credit_of
from tollgate_billing.statements.drafting import terms_now
from tollgate_billing.wallets.standing import billed_usage, standing
from tollgate_core.money import minor_unit_exponent
from tollgate_core.redis_contract import Keys


class Follower:
    """Billing's keeper, on the database and the clock of a life."""

    def __init__(self, valkey: Valkey, database: Database, folder: Path) -> None:
        valkey.client.flushall()
        self._valkey = valkey
        self._database = database
        self._clock = Clock()
        self._billing: Billing = wire(valkey, folder, self._clock, database_url=str(database.engine.url))

    @property
    def _keeper(self) -> Keeper:
        return self._billing.keeper

    def close(self) -> None:
        """Its connections."""
        self._billing.close()

    def compare(self, life: Life) -> None:
        """After it had time to look."""
        books = life.books
        self._billing.catalog.current = books.catalog
        for _ in range(2):
            self._clock.now_ms = books.now = books.now + 2_001
            assert self._keeper.tick()
        with self._database.read() as connection:
            row = existing_subscription(connection, NAME)
            told = standing(connection, row, stored_prices(connection), books.now)
            credit = credit_of(connection, terms_now(connection, books.catalog), row, books.now)
            billed = billed_usage(connection, row)
        record = json.loads(self._valkey.client.hget(Keys.subscription(NAME), "record") or "{}")
        assert ("wallet" in record) == (told is not None) == bool(row.overdraft)
        if told is None:
            return
        assert record["wallet"]["limit"] == told.limit
        scale = 10 ** minor_unit_exponent(row.currency)
        used = float(self._valkey.client.hget(Keys.wallet(NAME), "used") or 0)
        assert used == pytest.approx(float(Fraction(billed + credit.pending, scale)))
        left = told.limit - used
        assert left == pytest.approx(float(Fraction(row.overdraft) + Fraction(credit.available, scale)), abs=1e-6)


def test_credit_in_redis_is_credit_in_sql(shared_valkey: Valkey, tmp_path: Path) -> None:
    with sqlite_databases() as fresh:

        class Machine(Life):
            """Each life has a keeper of its own."""

            def fresh_database(self) -> Database:
                database = fresh()
                self.follower = Follower(shared_valkey, database, tmp_path)
                return database

            def teardown(self) -> None:
                if hasattr(self, "follower"):
                    self.follower.close()
                super().teardown()

            @invariant()
            def redis_says_what_sql_says(self) -> None:
                if hasattr(self, "books"):
                    self.follower.compare(self)

        run_state_machine_as_test(Machine, settings=lives_settings(lives=8, events=15, repeatable=True))
