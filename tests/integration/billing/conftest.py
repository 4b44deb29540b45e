"""One Valkey for all tests that do not kill it, emptied before each; billing wired in process or as a process."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest
from fastapi.testclient import TestClient

from tests.integration.billing.neighbours import ADMIN_TOKEN, PEPPER, BillingProcess, Valkey
from tests.unit.billing.builders import NOW_MS, make_catalog
from tests.unit.billing.conftest import postgresql
from tollgate_billing.http.app import build_app
from tollgate_billing.main import Billing
from tollgate_billing.settings import Settings

__all__ = ["postgresql"]


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    yield valkey
    valkey.stop()


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Valkey:
    shared_valkey.client.flushall()
    return shared_valkey


@pytest.fixture
def mortal_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """One that a test may kill."""
    valkey = Valkey(tmp_path)
    yield valkey
    valkey.stop()


@dataclass
class Clock:
    """Stands still unless told otherwise."""

    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


def wire(valkey: Valkey, directory: Path, clock: Clock, consumer: str = "billing-1", database_url: str = "") -> Billing:
    """Everything but the loops, which a test drives step by step."""
    settings = Settings(
        redis_url=valkey.url,
        database_url=database_url or f"sqlite:///{directory / 'ledger.db'}",
        key_pepper=PEPPER.encode(),
        admin_token=ADMIN_TOKEN,
        consumer=consumer,
    )
    return Billing(settings, clock)


@pytest.fixture
def billing(valkey: Valkey, tmp_path: Path, clock: Clock) -> Iterator[Billing]:
    """Migrated, with the catalog taken over and Redis filled."""
    wired = wire(valkey, tmp_path, clock)
    prepare(wired)
    valkey.publish(make_catalog())
    assert wired.keeper.tick()
    assert wired.keeper.tick()
    yield wired
    wired.close()


def prepare(wired: Billing) -> None:
    """As at a process's start."""
    assert wired.prepare(Event())


@pytest.fixture
def http(billing: Billing) -> Iterator[TestClient]:
    """The application without a socket."""
    with TestClient(build_app(billing.services), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def process(mortal_valkey: Valkey, tmp_path: Path) -> Iterator[BillingProcess]:
    """Not started yet."""
    made = BillingProcess(mortal_valkey, f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    yield made
    made.stop_all()
