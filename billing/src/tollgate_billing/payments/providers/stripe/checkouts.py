"""Stripe's hosted page on which a customer gives a payment method: a Checkout Session in the mode ``setup``."""

from collections.abc import Mapping
from dataclasses import replace

import stripe

from tollgate_billing.payments.port import CheckoutOrder, CheckoutStatus, ProviderCheckout, RefusedError
from tollgate_billing.payments.providers.stripe.customers import Customers
from tollgate_billing.payments.providers.stripe.objects import CHECKOUT, PAGE, id_of, is_missing, label

_STATUSES: Mapping[str | None, CheckoutStatus] = {"open": "open", "complete": "complete", "expired": "expired"}


class Checkouts:
    """Of one account."""

    def __init__(self, v1: stripe.V1Services, customers: Customers, *, automatic_tax: bool) -> None:
        self._v1 = v1
        self._customers = customers
        self._with_address = automatic_tax

    def begin(self, order: CheckoutOrder) -> ProviderCheckout:
        """The one that is there, or a new one."""
        customer = self._customers.find_or_make(order.payer)
        found = self._find(order.id, customer) if order.attempted else None
        return self._view(found or self._make(order, customer))

    def read(self, reference: str) -> ProviderCheckout | None:
        """A complete one's card becomes the one that is charged. With its customer it is gone."""
        try:
            session = self._v1.checkout.sessions.retrieve(reference, {"expand": ["setup_intent"]})
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return None
            raise
        found = self._view(session)
        if found.status == "complete" and found.checkout and not self._take_card(session):
            return replace(found, status="expired", url="")
        return found

    def end(self, reference: str) -> ProviderCheckout | None:
        """One that is open expires."""
        found = self.read(reference)
        if found is not None and found.status == "open":
            return self._view(self._v1.checkout.sessions.expire(reference))
        return found

    def _find(self, checkout: str, customer: str) -> "stripe.checkout.Session | None":
        for session in self._v1.checkout.sessions.list({"customer": customer, "limit": PAGE}).auto_paging_iter():
            if label(session.metadata, CHECKOUT) == checkout:
                return session
        return None

    def _make(self, order: CheckoutOrder, customer: str) -> "stripe.checkout.Session":
        return self._v1.checkout.sessions.create(
            {
                "mode": "setup",
                "customer": customer,
                "currency": order.currency.lower(),
                "success_url": order.success_url,
                "cancel_url": order.cancel_url,
                "billing_address_collection": "required" if self._with_address else "auto",
                "metadata": {CHECKOUT: order.id, "tollgate_subscription": order.subscription},
            },
            {"idempotency_key": f"tollgate.checkout.{order.id}"},
        )

    def _take_card(self, session: "stripe.checkout.Session") -> bool:
        """False where there is nobody any more whose it could be."""
        intent, customer = session.setup_intent, id_of(session.customer)
        if isinstance(intent, str) or intent is None or not customer:
            raise RefusedError(f"the checkout {session.id} is complete, and has no payment method")
        known = self._customers.retrieve(customer)
        if known is None:
            return False
        current, method = known.invoice_settings, id_of(intent.payment_method)
        if current is None or id_of(current.default_payment_method) != method:
            self._customers.charge_to(customer, method, with_address=self._with_address)
        return True

    @staticmethod
    def _view(session: "stripe.checkout.Session") -> ProviderCheckout:
        return ProviderCheckout(
            reference=session.id,
            checkout=label(session.metadata, CHECKOUT),
            customer=id_of(session.customer),
            status=_STATUSES[session.status],
            url=session.url or "",
        )
