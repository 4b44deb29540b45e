"""How a simulated Paddle is run."""

from dataclasses import dataclass

from tollgate_sandbox.payments.settings import PaymentSettings


@dataclass(frozen=True, slots=True)
class PaddleSettings(PaymentSettings):
    """What a seller sets in Paddle's dashboard."""

    after_retries: str = "pause"
    """What becomes of a subscription whose last payment attempt failed: pause or cancel."""
    adjustments: str = "approved"
    """Whether refunds are approved at once, or wait (pending) for the clock or a button."""
    tax_mode: str = "external"
    """Whether prices of the account's setting are before tax (external) or include it (internal)."""
