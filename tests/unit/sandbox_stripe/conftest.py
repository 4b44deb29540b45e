"""A simulated Stripe in a process of its own, and the official SDK that talks to it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import stripe

from tests.unit.sandbox_stripe.receiver import Receiver, receiving
from tollgate_cli.laptop import loopback

KEY = "sk_test_tollgate"


@dataclass(frozen=True)
class Simulated:
    """A running simulator."""

    url: str

    def client(self, key: str = KEY) -> stripe.StripeClient:
        """The SDK pointed at it; it tries nothing again by itself, so that tests see each answer."""
        return stripe.StripeClient(
            key, base_addresses={"api": self.url, "meter_events": self.url}, max_network_retries=0
        )

    def control(self, order: str, /, **body: Any) -> Any:
        """An order to the simulator."""
        answer = loopback.post(f"{self.url}/sandbox/{order}", json=body).raise_for_status()
        return answer.json() if answer.content else None

    def see(self, path: str) -> Any:
        """What the simulator tells of itself."""
        return loopback.get(f"{self.url}/sandbox/{path}").raise_for_status().json()

    def pass_days(self, days: float) -> None:
        self.control("clock", advance_seconds=int(days * 24 * 3600))


@contextmanager
def run_stripe(*arguments: str) -> Iterator[Simulated]:
    command = [sys.executable, "-m", "tollgate_sandbox", "stripe", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        try:
            yield Simulated(line.removeprefix("listening on ").strip())
        finally:
            process.terminate()
            assert process.wait(5) == 0


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
    running.control("webhooks", mode="auto", duplicate=0, drop=0, drop_next=0, delay_ms=0, reorder=False)
    running.control("rates", account=0, endpoint=0)
    running.control("reset")
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
    with receiving() as running:
        yield running
