"""Stripe as a ``ProviderPort``."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

import stripe
from requests import Session
from stripe import params

from tollgate_billing.payments.port import (
    Account,
    CheckoutOrder,
    InvoiceLine,
    InvoiceOrder,
    Labelled,
    PaymentMethod,
    ProviderCheckout,
    ProviderEvent,
    ProviderInvoice,
    RefundOrder,
    RefusedError,
    UnseenError,
)
from tollgate_billing.payments.providers.stripe.amounts import least_minor, to_stripe
from tollgate_billing.payments.providers.stripe.checkouts import Checkouts
from tollgate_billing.payments.providers.stripe.customers import Customers
from tollgate_billing.payments.providers.stripe.errors import speaking
from tollgate_billing.payments.providers.stripe.events import TYPES, authentic_event, event_of
from tollgate_billing.payments.providers.stripe.invoices import Invoices
from tollgate_billing.payments.providers.stripe.objects import PAGE, REFUND, label
from tollgate_core.payment_keys import Mode

_TIMEOUT_SECONDS = 30
#: Within a minute as a rule, says Stripe, what is new can be searched for; during an outage, later.
_SEARCHABLE_MS = 600_000


def stripe_http(session: Session) -> stripe.HTTPClient:
    """The SDK's own client on a session."""
    return stripe.RequestsClient(timeout=_TIMEOUT_SECONDS, session=session)


def stripe_client(
    secret_key: str, api_url: str = "", account: str = "", http: stripe.HTTPClient | None = None
) -> stripe.StripeClient:
    """Tries nothing twice by itself: whether that is right is decided here."""
    base = {"api": api_url} if api_url else {}
    return stripe.StripeClient(
        secret_key,
        stripe_account=account or None,
        base_addresses=base,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        max_network_retries=0,
        http_client=http or stripe_http(Session()),
    )


class StripePort:
    """One account. ``webhook_secrets``: all that are valid now. ``mode`` is the key's, which Stripe has put into it: to
    ask for it would need a right that a restricted key may lack."""

    #: Stripe takes 250; some are left for credits and for what earlier statements carried.
    lines_at_most = 240
    keeps_books = True

    def __init__(
        self,
        client: stripe.StripeClient,
        webhook_secrets: Sequence[str],
        *,
        automatic_tax: bool = False,
        mode: Mode = "test",
    ) -> None:
        self._v1 = client.v1
        self._mode: Mode = mode
        self._secrets = webhook_secrets
        self._invoices = Invoices(client.v1, automatic_tax=automatic_tax)
        self._customers = Customers(client.v1)
        self._checkouts = Checkouts(client.v1, self._customers, automatic_tax=automatic_tax)

    def check(self) -> Account:
        """See ``ProviderPort``."""
        with speaking():
            found = self._v1.accounts.retrieve_current()
        profile = getattr(found, "business_profile", None)
        return Account(found.id, self._mode, getattr(profile, "name", None) or "")

    def least_minor(self, currency: str) -> int:
        """See ``ProviderPort``."""
        return least_minor(currency)

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        """See ``ProviderPort``."""
        with speaking():
            return self._invoices.collect(order, self._customers.find_or_make(order.payer))

    def read_invoice(self, reference: str) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._invoices.read(reference)

    def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            invoice = event.invoice or (self._invoices.of_payment(event.payment) if event.payment else "")
            return self._invoices.read(invoice) if invoice else None

    def lines_of(self, reference: str) -> Mapping[str, int]:
        """See ``ProviderPort``."""
        with speaking():
            return self._invoices.lines(reference)

    def as_sent(self, lines: Sequence[InvoiceLine]) -> Sequence[InvoiceLine]:
        """See ``ProviderPort``."""
        return lines

    def labelled_since(self, moment_ms: int) -> Iterator[Labelled]:
        """See ``ProviderPort``."""
        with speaking():
            yield from self._invoices.labelled_since(moment_ms)

    def void(self, reference: str) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._invoices.void(reference)

    def withdraw(self, order: InvoiceOrder) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            customer = self._customers.find(order.payer)
            if customer:
                return self._invoices.withdraw(order, customer)
        left = _SEARCHABLE_MS - order.age_ms
        if left > 0:
            raise UnseenError(f"Stripe may not show the customer of {order.subject} yet", left)
        return None

    def refund(self, order: RefundOrder) -> ProviderInvoice:
        """See ``ProviderPort``. A credit note, so that the tax is right too."""
        with speaking(), _gone(order.invoice):
            notes = self._v1.credit_notes.list({"invoice": order.invoice, "limit": PAGE}) if order.attempted else None
            done = {label(note.metadata, REFUND) for note in notes.auto_paging_iter()} if notes else set[str]()
            if order.id not in done:
                self._write_credit_note(order)
            return self._invoices.view(self._v1.invoices.retrieve(order.invoice))

    def check_out(self, order: CheckoutOrder) -> ProviderCheckout:
        """See ``ProviderPort``."""
        with speaking():
            return self._checkouts.begin(order)

    def read_checkout(self, reference: str) -> ProviderCheckout | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._checkouts.read(reference)

    def end_checkout(self, reference: str) -> ProviderCheckout | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._checkouts.end(reference)

    def portal_url(self, customer: str, return_url: str) -> str:
        """See ``ProviderPort``."""
        with speaking():
            return self._customers.portal_url(customer, return_url)

    def payment_method(self, customer: str) -> PaymentMethod | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._customers.payment_method(customer)

    def read_event(self, body: bytes, headers: Mapping[str, str], now_ms: int) -> ProviderEvent:
        """See ``ProviderPort``."""
        return authentic_event(body, headers, self._secrets, now_ms, self._mode)

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """See ``ProviderPort``. The newest first, as Stripe gives them."""
        wanted: params.EventListParams = {
            "created": {"gte": moment_ms // 1000},
            "types": list(TYPES),
            "limit": PAGE,
        }
        with speaking():
            for event in self._v1.events.list(wanted).auto_paging_iter():
                yield event_of(event.to_dict())

    def _write_credit_note(self, order: RefundOrder) -> None:
        amount = to_stripe(order.minor, order.currency)
        invoice = self._v1.invoices.retrieve(order.invoice)
        wanted: params.CreditNoteCreateParams = {
            "invoice": order.invoice,
            "amount": amount,
            "memo": order.reason,
            "metadata": {REFUND: order.id},
        }
        paid_already = max(0, amount - invoice.amount_remaining)
        if paid_already:
            wanted["refund_amount"] = paid_already
        self._v1.credit_notes.create(wanted, {"idempotency_key": f"tollgate.refund.{order.id}"})


@contextmanager
def _gone(invoice: str) -> Generator[None]:
    try:
        yield
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            raise RefusedError(f"Stripe has no invoice {invoice} any more") from None
        raise
