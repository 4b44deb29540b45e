"""How a simulated payment provider is run."""

from dataclasses import dataclass
from pathlib import Path

from tollgate_sandbox.settings import Settings


@dataclass(frozen=True, slots=True)
class PaymentSettings(Settings):
    """Besides the address: who may call, where state is kept, and where webhooks go from the start."""

    keys: tuple[str, ...] = ()
    """Accepted API keys; none given means that any test key is."""
    state: Path | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = None
    public_url: str | None = None
    """How browsers reach the pages, where that differs from how the API is called."""
    kept: int = 100_000
    """How many events and deliveries are remembered."""
    tax_percent: str = "19"
    after_retries: str = "open"
    """What becomes of an invoice whose last payment attempt failed: open or uncollectible."""
    rate_limits: bool = False
    account: str = "acct_simulated"
    """Which account this is."""
