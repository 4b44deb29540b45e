"""Somebody who takes Paddle's webhooks."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from paddle_billing.Notifications import Secret, Verifier

from tests.unit.sandbox_payments.receiver import Receiver as Taking


@dataclass
class Receiver(Taking):
    """Keeps what came, and verifies it with the SDK."""

    secret: str = ""

    def verified(self) -> list[bool]:
        """What the SDK says to each signature."""
        requests = [SimpleNamespace(body=body, headers={"Paddle-Signature": header}) for header, body in self.got]
        return [Verifier().verify(cast(Any, one), Secret(self.secret)) for one in requests]

    def events(self) -> list[Any]:
        """What came, each verified."""
        assert all(self.verified())
        return [json.loads(body) for _, body in self.got]

    def types(self) -> list[str]:
        return [event["event_type"] for event in self.events()]
