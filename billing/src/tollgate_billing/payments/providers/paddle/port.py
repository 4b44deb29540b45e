"""Paddle Billing as a ``ProviderPort``."""

# The SDK is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paddle_billing import Client, Environment, Options
from paddle_billing.Entities.DateTime import DateTime
from paddle_billing.Resources.CustomerPortalSessions.Operations import CreateCustomerPortalSession
from paddle_billing.Resources.Events.Operations import ListEvents
from paddle_billing.Resources.PaymentMethods.Operations import ListPaymentMethods
from paddle_billing.Resources.Shared.Operations import Pager
from paddle_billing.Resources.Shared.Operations.List.OrderBy import OrderBy
from paddle_billing.Resources.Transactions.Operations import ListTransactions
from paddle_billing.ResponseParser import ResponseParser

from tollgate_billing.clock import to_datetime
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
)
from tollgate_billing.payments.providers.paddle.amounts import LINES_AT_MOST, least_minor, without_credits
from tollgate_billing.payments.providers.paddle.checkouts import Checkouts
from tollgate_billing.payments.providers.paddle.errors import having_sent, looking, speaking
from tollgate_billing.payments.providers.paddle.events import authentic_event, event_of
from tollgate_billing.payments.providers.paddle.objects import PAGE, require_settled
from tollgate_billing.payments.providers.paddle.refunds import has_refund, write_refund
from tollgate_billing.payments.providers.paddle.transactions import Transactions
from tollgate_core.payment_keys import Mode

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class _Address:
    """What the SDK takes for an environment: it has no option for another address."""

    base_url: str


def paddle_client(secret_key: str, *, sandbox: bool = False, api_url: str = "") -> Client:
    """Tries nothing twice by itself: whether that is right is decided here."""
    environment: Any = _Address(api_url) if api_url else Environment.SANDBOX if sandbox else Environment.PRODUCTION
    silent = logging.Logger("paddle", logging.CRITICAL + 1)  # it would write down addresses and answers
    return Client(secret_key, Options(environment), logger=silent, retry_count=0, timeout=_TIMEOUT_SECONDS)


class PaddlePort:
    """One account. ``webhook_secrets``: all that are valid now."""

    lines_at_most = LINES_AT_MOST
    keeps_books = True

    def __init__(self, client: Client, webhook_secrets: Sequence[str], *, mode: Mode = "test") -> None:
        self._client = client
        self._secrets = webhook_secrets
        self._mode: Mode = mode
        self._transactions = Transactions(client)
        self._checkouts = Checkouts(client, self._transactions)

    def check(self) -> Account:
        """See ``ProviderPort``. Paddle does not say whose key it is, but an account's oldest transaction stays what it
        is: nobody can delete one."""
        with speaking():
            found = self._client.transactions.list(ListTransactions(Pager(order_by=OrderBy.id_ascending(), per_page=1)))
            oldest = next(iter(found), None)
        return Account(oldest.id if oldest else "", self._mode)

    def least_minor(self, currency: str) -> int:
        """See ``ProviderPort``."""
        return least_minor(currency)

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        """See ``ProviderPort``."""
        with speaking():
            return self._transactions.collect(order)

    def read_invoice(self, reference: str) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._transactions.read(reference)

    def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        return self.read_invoice(event.invoice) if event.invoice else None

    def lines_of(self, reference: str) -> Mapping[str, int]:
        """See ``ProviderPort``."""
        with speaking():
            return self._transactions.lines(reference)

    def as_sent(self, lines: Sequence[InvoiceLine]) -> Sequence[InvoiceLine]:
        """See ``ProviderPort``."""
        return without_credits(lines)

    def labelled_since(self, moment_ms: int) -> Iterator[Labelled]:
        """See ``ProviderPort``."""
        with speaking():
            yield from self._transactions.labelled_since(moment_ms)

    def void(self, reference: str) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._transactions.void(reference)

    def withdraw(self, order: InvoiceOrder) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            return self._transactions.withdraw(order)

    def refund(self, order: RefundOrder) -> ProviderInvoice:
        """See ``ProviderPort``."""
        with speaking():
            with looking():
                found = self._transactions.get(order.invoice)
            if found is None:
                raise RefusedError(f"Paddle has no transaction {order.invoice} any more")
            made = found.adjustments or []
            if order.attempted and has_refund(made, order):
                return self._transactions.view(found)
            require_settled(order.attempted, order.age_ms, f"the refund {order.id}")
            write_refund(self._client, found, made, order)
            with having_sent():
                return self._transactions.read(order.invoice) or self._transactions.view(found)

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
        """See ``ProviderPort``. Paddle's pages do not lead back."""
        del return_url
        with speaking():
            made = self._client.customer_portal_sessions.create(customer, CreateCustomerPortalSession())
            return made.urls.general.overview

    def payment_method(self, customer: str) -> PaymentMethod | None:
        """See ``ProviderPort``."""
        with speaking():
            found = list(self._client.payment_methods.list(customer, ListPaymentMethods()))
        newest = max(found, key=lambda one: one.saved_at, default=None)
        if newest is None:
            return None
        card = newest.card
        if card is None:
            return PaymentMethod(newest.type.value)
        return PaymentMethod("card", card.type.value, card.last4, f"{card.expiry_year}-{card.expiry_month:02d}")

    def read_event(self, body: bytes, headers: Mapping[str, str], now_ms: int) -> ProviderEvent:
        """See ``ProviderPort``."""
        return authentic_event(body, headers, self._secrets, now_ms)

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """See ``ProviderPort``. As JSON: the SDK cannot read events of kinds that are newer than it is."""
        since = DateTime(to_datetime(moment_ms).isoformat())
        wanted: Any = ListEvents(pager=Pager(per_page=PAGE), start=since)
        url = Client.format_uri_parameters("/events", wanted)
        with speaking():
            while url:
                answer = ResponseParser(self._client.get_raw(url))
                documents: list[Mapping[str, Any]] = answer.get_list()
                yield from (event_of(document) for document in documents if _is_ours(document))
                pages = answer.get_pagination()
                url = pages.next if pages.has_more else ""


def _is_ours(document: Mapping[str, Any]) -> bool:
    return str(document.get("event_type", "")).startswith(("transaction.", "adjustment."))
