"""An account at a simulated Stripe: the official SDK talks to it, and tests drive it by its control endpoints."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import stripe

from tests.integration.billing.neighbours import wait_until
from tollgate_billing.payments.providers.stripe.port import StripePort, stripe_client

SECRET_KEY, WEBHOOK_SECRET = "sk_test_canary", "whsec_canary"


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


@contextmanager
def stripe_account(folder: Path, *options: str) -> Generator[StripeAccount]:
    """A simulator in a process of its own."""
    ready = folder / "stripe.url"
    command = [sys.executable, "-m", "tollgate_sandbox", "stripe", "--port", "0", "--ready-file", str(ready)]
    process = subprocess.Popen([*command, "--key", SECRET_KEY, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(ready.exists)
        account = StripeAccount(ready.read_text())
        yield account
        account.control.close()
    finally:
        process.terminate()
        process.wait(10)
