"""A simulated Stripe in a process of its own, and the official SDK that talks to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import stripe

from tests.unit.sandbox_payments.receiver import receiving
from tests.unit.sandbox_payments.running import Running, run_provider
from tests.unit.sandbox_stripe.receiver import Receiver

KEY = "sk_test_tollgate"


class Simulated(Running):
    """A running simulated Stripe."""

    def client(self, key: str = KEY) -> stripe.StripeClient:
        """The SDK pointed at it; it tries nothing again by itself, so that tests see each answer."""
        return stripe.StripeClient(
            key, base_addresses={"api": self.url, "meter_events": self.url}, max_network_retries=0
        )


@contextmanager
def run_stripe(*arguments: str) -> Iterator[Simulated]:
    with run_provider("stripe", *arguments) as url:
        yield Simulated(url)


@pytest.fixture(scope="session")
def running() -> Iterator[Simulated]:
    with run_stripe("--key", KEY, "--after-retries", "uncollectible") as simulated:
        yield simulated


@pytest.fixture(scope="session")
def sdk(running: Simulated) -> stripe.StripeClient:
    return running.client()


@pytest.fixture
def sim(running: Simulated) -> Simulated:
    """The shared process, emptied."""
    running.empty()
    return running


@pytest.fixture
def api(sim: Simulated, sdk: stripe.StripeClient) -> Any:
    """The SDK's services, with an emptied account behind them."""
    return sdk.v1


@pytest.fixture
def browser(sim: Simulated) -> Iterator[httpx.Client]:
    """Somebody without scripts."""
    with httpx.Client(base_url=sim.url, timeout=5) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as running:
        yield running
