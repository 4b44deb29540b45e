"""Customers at Stripe: who is there already is found by his metadata."""

import stripe
from stripe import params

from tollgate_billing.payments.port import Payer, PaymentMethod, RefusedError
from tollgate_billing.payments.providers.stripe.objects import CUSTOMER, id_of, is_missing


class Customers:
    """Of one account."""

    def __init__(self, v1: stripe.V1Services) -> None:
        self._v1 = v1

    def find_or_make(self, payer: Payer) -> str:
        """Stripe's name of him. One who was deleted there is made anew: what he owes is owed all the same."""
        return self.find(payer) or self._make(payer)

    def find(self, payer: Payer) -> str:
        """Stripe's name of him; empty where it knows him no more, or not yet."""
        if payer.reference and self.retrieve(payer.reference) is not None:
            return payer.reference
        # A search lags by a minute, within which the key of whoever makes him holds.
        text = payer.customer.replace("\\", "\\\\").replace("'", "\\'")
        there = self._v1.customers.search({"query": f"metadata['{CUSTOMER}']:'{text}'", "limit": 1}).data
        return there[0].id if there else ""

    def portal_url(self, customer: str, return_url: str) -> str:
        """A page that works for some minutes."""
        if self.retrieve(customer) is None:
            raise RefusedError("Stripe does not know this customer any more: he has to check out again")
        return self._v1.billing_portal.sessions.create({"customer": customer, "return_url": return_url}).url

    def payment_method(self, customer: str) -> PaymentMethod | None:
        """The one that invoices are charged to."""
        found = self.retrieve(customer)
        chosen = id_of(found.invoice_settings.default_payment_method) if found and found.invoice_settings else ""
        if not chosen:
            return None
        method = self._v1.payment_methods.retrieve(chosen)
        card = method.card
        if card is None:
            return PaymentMethod(str(method.type))
        return PaymentMethod("card", card.brand, card.last4 or "", f"{card.exp_year}-{card.exp_month:02d}")

    def charge_to(self, customer: str, payment_method: str, *, with_address: bool) -> None:
        """From now on. Taxes follow from where its owner lives."""
        self._v1.customers.update(customer, {"invoice_settings": {"default_payment_method": payment_method}})
        if with_address:
            address = self._v1.payment_methods.retrieve(payment_method).billing_details.address
            if address is not None and address.country:
                parts: params.CustomerUpdateParamsAddress = {"country": address.country}
                parts["postal_code"] = address.postal_code or ""
                parts["state"] = address.state or ""
                self._v1.customers.update(customer, {"address": parts})

    def retrieve(self, customer: str) -> stripe.Customer | None:
        """None where he was deleted, or never was."""
        try:
            found = self._v1.customers.retrieve(customer)
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return None
            raise
        return None if getattr(found, "deleted", False) else found

    def _make(self, payer: Payer) -> str:
        # Subscriptions of one customer may have several names of him: what is sent under one key must be the same.
        # One who was deleted had the same key: whom it names then is gone.
        made = self._v1.customers.create(
            {"name": payer.customer, "metadata": {CUSTOMER: payer.customer}},
            {"idempotency_key": f"tollgate.customer.{payer.customer}.{payer.reference}".rstrip(".")},
        )
        if payer.name:
            self._v1.customers.update(made.id, {"name": payer.name})
        return made.id
