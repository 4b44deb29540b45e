"""The simulated account: its objects, clock, events and webhooks."""

from fnmatch import fnmatchcase
from typing import Any

import stripe

from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.payments.account import Account
from tollgate_sandbox.payments.deliveries import Target
from tollgate_sandbox.payments.policy import HOUR, Schedule
from tollgate_sandbox.payments.rates import Rates
from tollgate_sandbox.payments.settings import PaymentSettings
from tollgate_sandbox.stripe.idempotency import Idempotency
from tollgate_sandbox.stripe.rendering import render
from tollgate_sandbox.stripe.shapes import new_id, shaped
from tollgate_sandbox.stripe.store import Store

API_VERSION = stripe.api_version
RETRIES = Schedule((60, 300, HOUR // 2, 2 * HOUR, 5 * HOUR, 10 * HOUR))


class World(Account):
    """Everything that one simulated account is made of; operations change it, nothing else does."""

    brand = "Stripe"

    def __init__(self, settings: PaymentSettings) -> None:
        self.store = Store()
        self.idempotency = Idempotency()
        self.request: tuple[str | None, str | None] = (None, None)
        """Id and idempotency key of the request being carried out, for the events it makes."""
        super().__init__(settings, sign, Rates(100, 25) if settings.rate_limits else Rates(), RETRIES)

    def new(self, kind: str, prefix: str, fields: Json, *, hidden: Json | None = None) -> Json:
        """Make and keep an object."""
        thing = self.store.add(shaped(kind, new_id(prefix), self.now(), fields))
        if hidden is not None:
            self.store.hidden[thing["id"]] = hidden
        return thing

    def emit(self, type_: str, thing: Json, previous: Json | None = None) -> None:
        """Record an event and queue it for the endpoints that want it."""
        data: Json = {"object": render(self.store, thing)}
        if previous:
            data["previous_attributes"] = previous
        targets = self._targets(type_)
        id_, key = self.request
        event = self.new(
            "event",
            "evt",
            {
                "api_version": API_VERSION,
                "data": data,
                "pending_webhooks": len(targets),
                "request": {"id": id_, "idempotency_key": key},
                "type": type_,
            },
        )
        del event["metadata"]
        self.store.drop_oldest("event", self.settings.kept)
        self.deliveries.add(event["id"], type_, dumps(event).decode(), targets, self.now())

    def dump(self) -> Json:
        """Everything that survives a restart."""
        return {**super().dump(), **self.store.dump(), "idempotency": self.idempotency.dump()}

    def restore(self, state: Json) -> None:
        """Take up what was dumped."""
        super().restore(state)
        self.store.load(state)
        self.idempotency.load(state["idempotency"])

    def reset(self) -> None:
        """As new; the clock goes on."""
        self.store.clear()
        self.idempotency.clear()
        super().reset()

    def start(self) -> None:
        """The endpoint named on the command line; a restart with another address moves it."""
        url, secret = self.settings.webhook_url, self.settings.webhook_secret
        if url is None:
            return
        known: list[Any] = self.store.all(
            "webhook_endpoint", lambda endpoint: "first" in self.store.hidden[endpoint["id"]]
        )
        if known:
            known[0]["url"] = url
            self.store.hidden[known[0]["id"]]["secret"] = secret
            return
        fields: Json = {"api_version": None, "enabled_events": ["*"], "status": "enabled", "url": url}
        self.new("webhook_endpoint", "we", fields, hidden={"secret": secret, "first": True})

    def _targets(self, type_: str) -> list[Target]:
        return [
            Target(endpoint["id"], endpoint["url"], self.store.hidden[endpoint["id"]]["secret"])
            for endpoint in self.store.all("webhook_endpoint", lambda endpoint: endpoint["status"] == "enabled")
            if any(fnmatchcase(type_, wanted) for wanted in endpoint["enabled_events"])
        ]


def sign(body: str, secret: str, timestamp: int) -> dict[str, str]:
    """The header by which a receiver knows that Stripe sent this, made by the SDK itself."""
    header: str = stripe.WebhookSignature.generate_signature_header(  # pyright: ignore[reportUnknownMemberType]
        body, secret, timestamp
    )
    return {"stripe-signature": header, "user-agent": "Stripe/1.0 (simulated)"}
