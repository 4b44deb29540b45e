"""Billing as processes, a simulated Stripe as another one that sends webhooks: killed at any commit point of closing,
sending and following, every statement is paid once, and access is as it should be."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, update

from tests.integration.billing.neighbours import BillingProcess, Valkey, wait_until
from tests.integration.payments.account import SECRET_KEY, WEBHOOK_SECRET, StripeAccount, simulator
from tests.integration.payments.test_killed import POINTS
from tests.unit.billing.builders import SUBSCRIPTION, make_fee
from tests.unit.billing.conftest import fresh_postgresql
from tests.unit.billing.desk import PROVIDER, collected_catalog
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.tables import inbox, outbox
from tollgate_billing.ledger.verification import verify
from tollgate_core.catalog import Catalog, Dunning, PaymentProvider, Subscription
from tollgate_core.payment_keys import PaymentKeys, keys_file

POLICY = Dunning(grace_days=3, throttle_days=3, requests_per_minute=6)
CREWS = {"sqlite": ("billing-1",), "postgresql": ("billing-1", "billing-2")}


#: ``test_killed.py`` does the same in one process; CI takes one of these.
pytestmark = pytest.mark.slow


def _catalog(url: str) -> Catalog:
    provider = PaymentProvider(name=PROVIDER, kind="stripe", api_url=url)
    made = collected_catalog(make_fee(in_arrears=True), provider=provider, dunning=POLICY)
    begun = datetime.now(UTC).replace(day=1, month=max(1, datetime.now(UTC).month - 3)).strftime("%Y-%m-%dT00:00:00Z")
    declared = Subscription(name=SUBSCRIPTION, product=made.products[0].name, customer="acme", starts_at=begun)
    return replace(made, subscriptions=(declared,))


def _let_leases_run_out(database: Database) -> None:
    """As if the time of whoever was killed had passed."""
    o = outbox.c
    with database.write() as connection:
        connection.execute(update(outbox).where(o.state == "pending").values(leased_ms=0, due_ms=0))


def _waiting(database: Database) -> int:
    """Requests and events that are not done with."""
    with database.read() as connection:
        sent = connection.execute(select(func.count()).where(outbox.c.state != "done")).scalar_one()
        return int(sent + connection.execute(select(func.count()).where(inbox.c.state != "done")).scalar_one())


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def stripe_of_this_test(tmp_path: Path, port: int) -> Iterator[StripeAccount]:
    hook = ("--webhook-url", f"http://127.0.0.1:{port}/v1/webhooks/{PROVIDER}", "--webhook-secret", WEBHOOK_SECRET)
    with simulator(tmp_path, "stripe", SECRET_KEY, *hook) as url:
        account = StripeAccount(url)
        account.customer()
        yield account
        account.control.close()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    started = Valkey(tmp_path)
    yield started
    started.stop()


@pytest.mark.parametrize(("point", "dialect"), list(product(POINTS, CREWS)))
def test_killed_anywhere_between_closing_and_access_the_money_comes_in_once(
    point: str,
    dialect: str,
    port: int,
    stripe_of_this_test: StripeAccount,
    valkey: Valkey,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    account = stripe_of_this_test
    url = f"sqlite:///{tmp_path}/ledger.db"
    if dialect == "postgresql":
        url = fresh_postgresql(request.getfixturevalue("postgresql"))
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / keys_file(PROVIDER)).write_text(PaymentKeys(SECRET_KEY, (WEBHOOK_SECRET,)).encode())
    process = BillingProcess(valkey, url, tmp_path)
    settings: dict[str, Any] = {"TOLLGATE_PAYMENT_KEYS_DIR": str(keys), "TOLLGATE_CLOSE_DELAY_SECONDS": "0"}
    listening = {**settings, "TOLLGATE_BILLING_LISTEN": f"127.0.0.1:{port}"}
    valkey.publish(_catalog(account.url))
    database = Database(url)
    try:
        for _ in range(2):
            assert process.start(wait=False, TOLLGATE_CRASH_AT=point, **listening).wait(30) == 137
            _let_leases_run_out(database)
        process.start(**listening)
        for consumer in CREWS[dialect][1:]:
            process.start(**settings, TOLLGATE_CONSUMER=consumer)
        path = "/v1/subscriptions/team%2Facme/statements"
        wait_until(lambda: len(process.get(path)["statements"]) >= 3)
        account.control.post("/sandbox/webhooks/deliver").raise_for_status()
        wait_until(lambda: _waiting(database) == 0, 40)
        found = process.get(path)["statements"]
        paid = [process.get(f"/v1/statements/{one['id']}/payments") for one in found]
        due = sum(one["total"]["minor"] for one in found)
        assert due >= 3 * 4900
        assert {one["remaining"] for one in paid} == {"0.00"}
        assert sorted(invoice.total for invoice in account.invoices()) == sorted(
            one["total"]["minor"] for one in found if one["total"]["minor"]
        )
        assert account.collected() == due
        with database.read() as connection:
            assert verify(connection) == []
    finally:
        process.stop_all()
        database.close()
