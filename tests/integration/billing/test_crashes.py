"""Processes that die, and neighbours that go away and come back."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.billing.neighbours import ADMIN, BillingProcess, Valkey, wait_until
from tests.unit.billing.builders import SUBSCRIPTION, make_catalog, make_event
from tests.unit.billing.conftest import fresh_postgresql
from tollgate_billing.clock import system_clock
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.verification import verify
from tollgate_cli.laptop import loopback
from tollgate_core.catalog import Subscription
from tollgate_core.redis_contract import Keys, partition_of

DAY = 86_400_000
KEYS = "/v1/subscriptions/team%2Facme/keys"


def assert_sound(process: BillingProcess) -> None:
    database = Database(process.database_url)
    with database.read() as connection:
        assert verify(connection) == []
    database.close()


def _anywhere() -> Iterator[Any]:
    """All points on both databases; `make test` takes each point once."""
    short = {("after_read", "sqlite"), ("after_commit", "postgresql"), ("mid_confirm", "sqlite")}
    for point in ("after_read", "after_commit", "mid_confirm"):
        for dialect in ("sqlite", "postgresql"):
            yield pytest.param(point, dialect, marks=() if (point, dialect) in short else pytest.mark.slow)


@pytest.mark.parametrize(("point", "dialect"), list(_anywhere()))
def test_dying_at_any_point_counts_everything_once(
    process: BillingProcess, mortal_valkey: Valkey, point: str, dialect: str, request: pytest.FixtureRequest
) -> None:
    if dialect == "postgresql":
        process.database_url = fresh_postgresql(request.getfixturevalue("postgresql"))
    mortal_valkey.append(*(make_event(f"e{i}", str(i)) for i in range(100)))
    mortal_valkey.client.xadd(Keys.events(0), {"event": b"poison"})
    crashed = process.start(wait=False, TOLLGATE_CRASH_AT=point)
    assert crashed.wait(20) == 137
    assert mortal_valkey.unconfirmed() > 0
    process.start()
    wait_until(lambda: mortal_valkey.unconfirmed() == 0)
    assert process.quantity() == str(sum(range(100)))
    assert process.get("/v1/totals")["events_total"] == 100
    assert len(process.get("/v1/dead-letters")["dead_letters"]) == 1
    assert_sound(process)


def _everywhere() -> Iterator[Any]:
    """All points on both databases; `make test` takes some of them."""
    short = {("in-close", "sqlite"), ("after-commit-close", "sqlite"), ("before-commit-close", "postgresql")}
    for point in ("before-close", "in-close", "before-commit-close", "after-commit-close"):
        for dialect in ("sqlite", "postgresql"):
            yield pytest.param(point, dialect, marks=() if (point, dialect) in short else pytest.mark.slow)


@pytest.mark.parametrize(("point", "dialect"), list(_everywhere()))
def test_dying_while_closing_gives_the_same_statements(
    process: BillingProcess, mortal_valkey: Valkey, point: str, dialect: str, request: pytest.FixtureRequest
) -> None:
    """Every start closes one step more or none; in the end all is there once."""
    if dialect == "postgresql":
        process.database_url = fresh_postgresql(request.getfixturevalue("postgresql"))
    declared = Subscription(name=SUBSCRIPTION, product="pro", customer="acme", starts_at="2026-01-31T00:00:00Z")
    mortal_valkey.publish(make_catalog(subscriptions=(declared,)))
    january = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp() * 1000)
    mortal_valkey.append(make_event("a", "3500000", at_ms=january), make_event("b", "1", at_ms=january + 60 * DAY))
    process.start(TOLLGATE_CLOSE_DELAY_SECONDS="100000000")  # all is recorded before anything is closed
    wait_until(lambda: process.get("/v1/totals")["events_total"] == 2)
    process.stop_all()
    for _ in range(2):
        assert process.start(wait=False, TOLLGATE_CRASH_AT=point, TOLLGATE_CLOSE_DELAY_SECONDS="0").wait(20) == 137
    for consumer in ("billing-1", "billing-2")[: 2 if dialect == "postgresql" else 1]:
        process.start(TOLLGATE_CLOSE_DELAY_SECONDS="0", TOLLGATE_CONSUMER=consumer)
    months = (datetime.now(UTC).year - 2026) * 12 + datetime.now(UTC).month  # statements so far: opening and months
    path = "/v1/subscriptions/team%2Facme/statements"
    wait_until(lambda: len(process.get(path)["statements"]) >= months - 1)
    found = process.get(path)["statements"]
    assert [statement["sequence"] for statement in found] == list(range(1, len(found) + 1))
    assert [statement["total"]["minor"] for statement in found][:3] == [4900, 4900 + 750, 4900]
    assert {statement["total"]["minor"] for statement in found[3:]} == {4900}
    assert process.get("/v1/subscriptions/team%2Facme/verify")["changed"] == []
    assert_sound(process)


def test_sigterm_ends_it_cleanly(process: BillingProcess, mortal_valkey: Valkey) -> None:
    running = process.start()
    mortal_valkey.append(make_event("a"))
    running.terminate()
    assert running.wait(10) == 0
    assert '"event": "stopped"' in process.log()
    assert "Traceback" not in process.log()


def test_redis_away_then_empty(process: BillingProcess, mortal_valkey: Valkey) -> None:
    process.start()
    mortal_valkey.publish(make_catalog())
    wait_until(lambda: process.get("/v1/subscriptions")["subscriptions"])
    key = process.post(KEYS).json()
    now = system_clock()
    mortal_valkey.append(*(make_event(f"e{i}", "5", at_ms=now) for i in range(10)))
    wait_until(lambda: process.get("/v1/totals")["events_total"] == 10)
    mortal_valkey.stop()
    wait_until(lambda: loopback.get(f"{process.url}/readyz").status_code == 503)
    assert process.quantity() == "50"  # the ledger still answers
    answer = loopback.delete(f"{process.url}{KEYS}/{key['id']}", headers=ADMIN)
    assert answer.status_code == 503
    late = process.post(KEYS).json()
    assert late["pushed"] is False
    with process.paused():  # appended past the script that counts: only what is there before billing looks is counted
        mortal_valkey.start()
        mortal_valkey.append(make_event("e1", "5", at_ms=now), make_event("new", "7", at_ms=now))
    wait_until(mortal_valkey.is_ready)
    wait_until(lambda: loopback.get(f"{process.url}/readyz").status_code == 200)
    fields = mortal_valkey.client.hkeys(Keys.subscription(SUBSCRIPTION))
    assert len([name for name in fields if name.startswith(b"key:")]) == 1  # the late one, not the revoked one
    wait_until(lambda: process.quantity() == "57")
    (counter,) = mortal_valkey.client.keys("*:counter:*")
    assert float(mortal_valkey.client.hget(counter, "used")) == 57
    assert_sound(process)


def test_the_commands(process: BillingProcess, mortal_valkey: Valkey) -> None:
    process.start()
    mortal_valkey.client.xadd(Keys.events(partition_of(SUBSCRIPTION)), {"event": b"poison"})
    wait_until(lambda: process.get("/v1/dead-letters")["dead_letters"])
    command = [sys.executable, "-m", "tollgate_billing", "replay"]
    done = subprocess.run(command, env=process.environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "replayed 1\n"
    command[-1] = "verify"
    done = subprocess.run(command, env=process.environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "the ledger is sound\n"


def test_settings_that_are_missing_are_named(process: BillingProcess) -> None:
    environment = process.environment()
    del environment["TOLLGATE_ADMIN_TOKEN"]
    command = [sys.executable, "-m", "tollgate_billing"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "TOLLGATE_ADMIN_TOKEN" in done.stderr
    assert "pepper" not in done.stderr
