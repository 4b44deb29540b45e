"""Somebody who takes Stripe's webhooks."""

from dataclasses import dataclass
from typing import Any

import stripe

from tests.unit.sandbox_payments.receiver import Receiver as Taking


@dataclass
class Receiver(Taking):
    """Keeps what came, and reads it with the SDK."""

    secret: str = "whsec_of_the_test"

    def events(self) -> list[Any]:
        """What came, each verified by the SDK."""
        return [stripe.Webhook.construct_event(body, header, self.secret) for header, body in self.got]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]
