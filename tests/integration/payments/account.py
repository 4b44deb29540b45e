"""Accounts at simulated providers: the official SDKs talk to them, and tests drive them by their control endpoints."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import stripe

from tests.integration.billing.neighbours import wait_until
from tollgate_billing.payments.providers.paddle.port import PaddlePort, paddle_client
from tollgate_billing.payments.providers.stripe.port import StripePort, stripe_client

SECRET_KEY, WEBHOOK_SECRET = "sk_test_canary", "whsec_canary"
PADDLE_KEY, PADDLE_SECRET = "pdl_sdbx_apikey_canary", "pdl_ntfset_canary"


class StripeAccount:
    """One account; ``port`` is what billing uses, ``client`` what its owner could use."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = httpx.Client(base_url=url, timeout=20)
        self.client = stripe_client(SECRET_KEY, url).v1
        self.port = StripePort(stripe_client(SECRET_KEY, url), (WEBHOOK_SECRET,))

    def fault(self, kind: str, path: str = "*", method: str = "*", **more: Any) -> None:
        """The next request to ``path`` meets it."""
        order = {"kind": kind, "path": path, "method": method, **more}
        self.control.post("/sandbox/faults", json=order).raise_for_status()

    def faults_left(self) -> int:
        return len(self.control.get("/sandbox/faults").json())

    def state(self) -> Any:
        return self.control.get("/sandbox/state").json()

    def reset(self) -> None:
        self.control.post("/sandbox/reset").raise_for_status()
        self.control.delete("/sandbox/faults")
        self.webhooks(mode="manual", duplicate=0, drop=0, reorder=False)

    def pass_time(self, seconds: int) -> None:
        self.control.post("/sandbox/clock", json={"advance_seconds": seconds}).raise_for_status()

    def webhooks(self, **policy: Any) -> Any:
        return self.control.post("/sandbox/webhooks", json=policy).json()

    def invoices(self) -> list[stripe.Invoice]:
        return list(self.client.invoices.list({"limit": 100}).auto_paging_iter())

    def collected(self) -> int:
        """Minor units that came in and stayed, over all invoices."""
        charges = self.client.charges.list({"limit": 100}).auto_paging_iter()
        return sum(charge.amount - charge.amount_refunded for charge in charges if charge.paid)

    def customer(self, name: str = "acme", card: str = "pm_card_visa") -> str:
        """One whom Tollgate knows by name, with a card."""
        made = self.client.customers.create({"name": name, "metadata": {"tollgate_customer": name}})
        method = self.client.payment_methods.attach(card, {"customer": made.id})
        self.client.customers.update(made.id, {"invoice_settings": {"default_payment_method": method.id}})
        return made.id


class PaddleAccount:
    """One account at the simulated Paddle."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = httpx.Client(base_url=url, timeout=20)
        self.client = paddle_client(PADDLE_KEY, api_url=url)
        self.port = PaddlePort(paddle_client(PADDLE_KEY, api_url=url), (PADDLE_SECRET,))

    def reset(self) -> None:
        self.control.post("/sandbox/reset").raise_for_status()
        self.control.delete("/sandbox/faults")
        self.control.post("/sandbox/rates", json={"account": 0}).raise_for_status()
        self.control.post("/sandbox/webhooks", json={"mode": "manual"}).raise_for_status()

    def fault(self, kind: str, path: str = "*", method: str = "*", **more: Any) -> None:
        """The next request to ``path`` meets it."""
        order = {"kind": kind, "path": path, "method": method, **more}
        self.control.post("/sandbox/faults", json=order).raise_for_status()

    def faults_left(self) -> int:
        return len(self.control.get("/sandbox/faults").json())

    def pass_time(self, seconds: int) -> None:
        self.control.post("/sandbox/clock", json={"advance_seconds": seconds}).raise_for_status()

    def state(self) -> Any:
        return self.control.get("/sandbox/state").json()

    def lag(self, seconds: int) -> None:
        """Lists do not show what is younger."""
        self.control.post("/sandbox/lag", json={"seconds": seconds}).raise_for_status()

    def raw(self, path: str) -> Any:
        """JSON of the API, as its owner may read it."""
        answer = self.control.get(path, headers={"Authorization": f"Bearer {PADDLE_KEY}"})
        return answer.raise_for_status().json()["data"]


@contextmanager
def paddle_account(folder: Path) -> Generator[PaddleAccount]:
    """A simulator in a process of its own."""
    with simulator(folder, "paddle", PADDLE_KEY) as url:
        account = PaddleAccount(url)
        yield account
        account.control.close()


@contextmanager
def stripe_account(folder: Path, *options: str) -> Generator[StripeAccount]:
    """A simulator in a process of its own."""
    with simulator(folder, "stripe", SECRET_KEY, *options) as url:
        account = StripeAccount(url)
        yield account
        account.control.close()


@contextmanager
def simulator(folder: Path, kind: str, key: str, *options: str) -> Generator[str]:
    """Its address."""
    ready = folder / f"{kind}.url"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tollgate_sandbox", kind, "--port", "0", "--ready-file", str(ready)]
    process = subprocess.Popen([*command, "--key", key, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(ready.exists)
        yield ready.read_text()
    finally:
        process.terminate()
        process.wait(10)
