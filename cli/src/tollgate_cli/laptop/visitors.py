"""Checkouts that the user of ``tollgate up`` may pay himself, and a key for whoever has paid."""

from collections.abc import Sequence
from dataclasses import dataclass

from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.laptop.journey import Journey, checkout_page, free_name


@dataclass(frozen=True)
class Visitor:
    """A subscription that begins once its checkout is paid."""

    journey: Journey
    subscription: str
    url: str


class Visitors:
    """Those that were not there yet."""

    def __init__(self, billing: BillingClient, journeys: Sequence[Journey]) -> None:
        self._billing = billing
        taken = {row["name"] for row in billing.get("/v1/subscriptions")["subscriptions"]}
        self.waiting = [self._invite(journey, taken) for journey in journeys if journey.calls]

    def _invite(self, journey: Journey, taken: set[str]) -> Visitor:
        name = free_name(f"you-{journey.subscription.partition('-')[2]}"[:60], taken)
        return Visitor(journey, name, checkout_page(self._billing, journey, name, name, "You"))

    def arrived(self) -> list[tuple[Visitor, str]]:
        """Who has paid since the last look, each with a key."""
        done = [one for one in self.waiting if self._paid(one)]
        self.waiting = [one for one in self.waiting if one not in done]
        return [(one, self._billing.create_key(one.subscription)) for one in done]

    def _paid(self, visitor: Visitor) -> bool:
        found = self._billing.get(f"/v1/checkouts/checkout-{visitor.subscription}")
        return bool(found["status"] == "complete" and not found["problem"])
