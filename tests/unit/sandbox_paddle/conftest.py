"""A simulated Paddle in a process of its own, and the official SDK that talks to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from paddle_billing import Client, Options

from tests.unit.sandbox_paddle.receiver import Receiver
from tests.unit.sandbox_payments.receiver import receiving
from tests.unit.sandbox_payments.running import Running, run_provider

KEY = "pdl_sdbx_apikey_tollgate"


class Simulated(Running):
    """A running simulated Paddle."""

    def client(self, key: str = KEY) -> Client:
        """The SDK pointed at it; on plain HTTP it tries nothing again by itself."""
        return Client(key, options=Options(cast(Any, SimpleNamespace(base_url=self.url))))


@contextmanager
def run_paddle(*arguments: str) -> Iterator[Simulated]:
    with run_provider("paddle", *arguments) as url:
        yield Simulated(url)


@pytest.fixture(scope="session")
def running() -> Iterator[Simulated]:
    with run_paddle("--key", KEY, "--tax-percent", "19") as simulated:
        yield simulated


@pytest.fixture(scope="session")
def sdk(running: Simulated) -> Client:
    return running.client()


@pytest.fixture
def sim(running: Simulated) -> Simulated:
    """The shared process, emptied."""
    running.empty()
    return running


@pytest.fixture
def api(sim: Simulated, sdk: Client) -> Any:
    """The SDK, with an emptied account behind it."""
    return sdk


@pytest.fixture
def browser(sim: Simulated) -> Iterator[httpx.Client]:
    """Somebody without scripts."""
    with httpx.Client(base_url=sim.url, timeout=5) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver(signed_by="paddle-signature")) as running:
        yield running
