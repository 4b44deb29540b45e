"""Shops at real sandboxes. Nobody is there to fill in a page, so cards come from the providers' test data; and the
account is not empty, so every run has names of its own."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

import httpx
import pytest
import stripe

from tests.integration.payments.shops import GOOD, SAVED_AND_DECLINED, reference_of
from tests.unit.billing.desk import Desk
from tollgate_billing.payments.port import (
    CheckoutOrder,
    InvoiceOrder,
    Payer,
    ProviderCheckout,
    ProviderEvent,
    ProviderInvoice,
    ProviderPort,
    RefundOrder,
)
from tollgate_billing.payments.providers.paddle.port import PaddlePort, paddle_client
from tollgate_billing.payments.providers.stripe.objects import CUSTOMER, label
from tollgate_billing.payments.providers.stripe.port import StripePort, stripe_client

Kind = Literal["stripe", "paddle", "manual"]
_CARDS = {GOOD: "pm_card_visa", SAVED_AND_DECLINED: "pm_card_chargeCustomerFail"}
#: Of the sandbox and of this machine.
_CLOCKS_DIFFER_MS = 60_000


class ThisRun:
    """A port whose names are those of this run; ``customer`` is whom the provider knows
    already, once he has given a card."""

    def __init__(self, port: ProviderPort) -> None:
        self.port = port
        self.prefix = f"live-{uuid4().hex[:12]}."
        self.customer = ""
        self._begun_ms = int(time.time() * 1000) - _CLOCKS_DIFFER_MS

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        named = replace(order, subject=self.prefix + order.subject, payer=self._payer(order.payer))
        return self._ours(self.port.collect(replace(named, asked_ms=self._begun_ms)))

    def read_invoice(self, reference: str) -> ProviderInvoice | None:
        found = self.port.read_invoice(reference)
        return self._ours(found) if found else None

    def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
        found = self.port.affected_invoice(event)
        return self._ours(found) if found else None

    def void(self, reference: str) -> ProviderInvoice | None:
        found = self.port.void(reference)
        return self._ours(found) if found else None

    def refund(self, order: RefundOrder) -> ProviderInvoice:
        return self._ours(self.port.refund(replace(order, id=self.prefix + order.id)))

    def check_out(self, order: CheckoutOrder) -> ProviderCheckout:
        found = self.port.check_out(replace(order, id=self.prefix + order.id, payer=self._payer(order.payer)))
        return replace(found, checkout=found.checkout.removeprefix(self.prefix))

    def read_checkout(self, reference: str) -> ProviderCheckout | None:
        found = self.port.read_checkout(reference)
        return replace(found, checkout=found.checkout.removeprefix(self.prefix)) if found else None

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """What others have done in the account is not looked at."""
        return self.port.events_since(max(moment_ms, self._begun_ms))

    def _ours(self, found: ProviderInvoice) -> ProviderInvoice:
        return replace(found, subject=found.subject.removeprefix(self.prefix))

    def _payer(self, payer: Payer) -> Payer:
        return Payer(self.prefix + payer.customer, payer.name, self.customer or payer.reference)


class LiveShop:
    """What nobody can do without a browser or a bank is skipped."""

    kind: Kind
    port: ProviderPort

    def take_back(self, desk: Desk, subject: str) -> None:
        pytest.skip("a bank takes back what it likes, and nothing when it is asked to")

    def give_again(self, desk: Desk, subject: str) -> None:
        pytest.skip("a bank gives back what it likes")


class LiveStripe(LiveShop):
    """Cards are attached through the API."""

    kind: Kind = "stripe"

    def __init__(self, key: str, url: str) -> None:
        self._client = stripe_client(key, url).v1
        self._run = ThisRun(StripePort(stripe_client(key, url), ()))
        self.port: ProviderPort = self._run
        self._customers: list[str] = []

    def check_out(self, url: str, card: str = GOOD) -> None:
        """Instead of on the page ``url``, whose customer is the newest of this run."""
        del url
        newest = self._client.customers.list({"limit": 1}).data[0]
        assert label(newest.metadata, CUSTOMER).startswith(self._run.prefix)
        self._give_card(newest.id, _CARDS[card])

    def pay(self, desk: Desk, subject: str) -> None:
        invoice = self._client.invoices.retrieve(reference_of(desk, subject))
        assert isinstance(invoice.customer, str)
        method = self._give_card(invoice.customer, "pm_card_visa")
        self._client.invoices.pay(invoice.id, {"payment_method": method})

    def collected(self, desk: Desk) -> int:
        customer = desk.customer_reference()
        charges = self._client.charges.list({"customer": customer, "limit": 100}) if customer else None
        found: list[stripe.Charge] = list(charges.auto_paging_iter()) if charges else []
        return sum(charge.amount - charge.amount_refunded for charge in found if charge.paid)

    def _give_card(self, customer: str, card: str) -> str:
        method = self._client.payment_methods.attach(card, {"customer": customer}).id
        self._client.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})
        return method


class LivePaddle(LiveShop):
    """Its API takes no cards: a customer who has checked out by hand once is charged."""

    kind: Kind = "paddle"

    def __init__(self, key: str, url: str, customer: str) -> None:
        self._key, self._customer = key, customer
        self._url = url or "https://sandbox-api.paddle.com"
        self._run = ThisRun(PaddlePort(paddle_client(key, sandbox=True, api_url=url), ()))
        self.port: ProviderPort = self._run

    def check_out(self, url: str, card: str = GOOD) -> None:
        del url
        if not self._customer:
            pytest.skip("PADDLE_TEST_CUSTOMER is not set: the ctm_… of a customer with a saved card (see the docs)")
        if card != GOOD:
            pytest.skip("Paddle's API takes no cards: the saved one pays")
        self._run.customer = self._customer
        self._name_subscriptions()

    def pay(self, desk: Desk, subject: str) -> None:
        pytest.skip("Paddle's API pays nothing: somebody has to, on the transaction's page")

    def collected(self, desk: Desk) -> int:
        del desk
        query = f"customer_id={self._customer}&order_by=id[DESC]&per_page=30"
        found = self._ask("GET", f"/transactions?{query}")
        mine = [one for one in found if self._run.prefix in f"{one['items']}"]
        paid = (payment for one in mine for payment in one["payments"] if payment["status"] == "captured")
        return sum(int(payment["amount"]) for payment in paid)

    def _name_subscriptions(self) -> None:
        """They were begun by hand, or by an earlier run: only those of this run's customer are charged."""
        names = {CUSTOMER: f"{self._run.prefix}acme"}
        for subscription in self._ask("GET", f"/subscriptions?customer_id={self._customer}&status=active"):
            self._ask("PATCH", f"/subscriptions/{subscription['id']}", {"custom_data": names})

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = httpx.request(method, f"{self._url}{path}", json=body, headers=headers, timeout=30)
        return answer.raise_for_status().json()["data"]
