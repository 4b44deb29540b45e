"""Stripe as a ``ProviderPort``.

An invoice comes about in steps: a draft, its items, finalisation. Each has an idempotency key made of the statement,
and where an earlier attempt may have left something, that is found by its metadata first: keys are kept for a day
only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import stripe
from stripe import params

from tollgate_billing.payments.port import (
    Account,
    InvoiceLine,
    InvoiceOrder,
    InvoiceStatus,
    Payer,
    ProviderEvent,
    ProviderInvoice,
    RefusedError,
)
from tollgate_billing.payments.providers.stripe.amounts import from_stripe, least_minor, to_stripe
from tollgate_billing.payments.providers.stripe.errors import speaking
from tollgate_billing.payments.providers.stripe.events import TYPES, authentic_event, event_of
from tollgate_core.payment_keys import Mode

_STATEMENT, _LINE, _CUSTOMER = "tollgate_statement", "tollgate_line", "tollgate_customer"
_TIMEOUT_SECONDS = 30
_PAGE = 100
_STATUSES: Mapping[str | None, InvoiceStatus] = {
    "draft": "draft",
    "open": "open",
    "paid": "paid",
    "void": "void",
    "uncollectible": "uncollectible",
}
#: Money is gone while a dispute is in one of these.
_LOST = frozenset({"needs_response", "under_review", "lost", "appeal_needs_response", "appeal_under_review"})


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
        http_client=http or stripe.RequestsClient(timeout=_TIMEOUT_SECONDS),
    )


@dataclass
class _Money:
    """Of an invoice, in Stripe's units: what was given back, and what banks took back. The newest payment."""

    newest: str = ""
    newest_ms: int = 0
    refunded: int = 0
    taken_back: int = 0


class StripePort:
    """One account. ``webhook_secrets``: all that are valid now. ``mode`` is the key's, which Stripe has put into it: to
    ask for it would need a right that a restricted key may lack."""

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
        self._automatic_tax = automatic_tax

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
            customer = order.payer.reference or self._customer(order.payer)
            found = self._find(order, customer) if order.attempted else None
            if found is None:
                found = self._begin(order, customer)
            if found.status == "draft":
                self._add_lines(order, found.id, customer)
                found = self._finalize(order, found.id)
            return self._view(found)

    def read_invoice(self, reference: str) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        with speaking():
            try:
                return self._view(self._v1.invoices.retrieve(reference))
            except stripe.InvalidRequestError as error:
                if error.code == "resource_missing":
                    return None
                raise

    def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
        """See ``ProviderPort``."""
        if event.invoice:
            return self.read_invoice(event.invoice)
        if not event.payment:
            return None
        with speaking():
            payment: params.InvoicePaymentListParams = {
                "payment": {"type": "payment_intent", "payment_intent": event.payment}
            }
            paid = self._v1.invoice_payments.list(payment).data
        return self.read_invoice(_id(paid[0].invoice)) if paid else None

    def read_event(self, body: bytes, headers: Mapping[str, str], now_ms: int) -> ProviderEvent:
        """See ``ProviderPort``."""
        return authentic_event(body, headers, self._secrets, now_ms, self._mode)

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """See ``ProviderPort``. The newest first, as Stripe gives them."""
        wanted: params.EventListParams = {
            "created": {"gte": moment_ms // 1000},
            "types": list(TYPES),
            "limit": _PAGE,
        }
        with speaking():
            for event in self._v1.events.list(wanted).auto_paging_iter():
                yield event_of(event.to_dict())

    def _customer(self, payer: Payer) -> str:
        """Who is there already is found by his metadata; a search lags by a minute, within which the key holds."""
        text = payer.customer.replace("\\", "\\\\").replace("'", "\\'")
        there = self._v1.customers.search({"query": f"metadata['{_CUSTOMER}']:'{text}'", "limit": 1}).data
        if there:
            return there[0].id
        # Subscriptions of one customer may have several names of him: what is sent under one key must be the same.
        made = self._v1.customers.create(
            {"name": payer.customer, "metadata": {_CUSTOMER: payer.customer}},
            {"idempotency_key": f"tollgate.customer.{payer.customer}"},
        )
        if payer.name:
            self._v1.customers.update(made.id, {"name": payer.name})
        return made.id

    def _find(self, order: InvoiceOrder, customer: str) -> stripe.Invoice | None:
        """Lists know at once what was made; searches do not."""
        mine = self._v1.invoices.list({"customer": customer, "limit": _PAGE})
        for invoice in mine.auto_paging_iter():
            if _label(invoice.metadata, _STATEMENT) == order.statement:
                return invoice
        return None

    def _begin(self, order: InvoiceOrder, customer: str) -> stripe.Invoice:
        return self._v1.invoices.create(
            {
                "customer": customer,
                "currency": order.currency.lower(),
                "auto_advance": False,
                "collection_method": "charge_automatically",
                "pending_invoice_items_behavior": "exclude",
                "automatic_tax": {"enabled": self._automatic_tax},
                "description": f"Statement {order.number} of {order.subscription}",
                "metadata": {_STATEMENT: order.statement, "tollgate_subscription": order.subscription},
            },
            {"idempotency_key": f"tollgate.{order.statement}"},
        )

    def _add_lines(self, order: InvoiceOrder, invoice: str, customer: str) -> None:
        there = (
            self._v1.invoice_items.list({"invoice": invoice, "limit": _PAGE}).auto_paging_iter()
            if order.attempted
            else ()
        )
        done = {_label(item.metadata, _LINE) for item in there}
        for line in order.lines:
            if line.key not in done:
                self._add_line(order, line, invoice, customer)

    def _add_line(self, order: InvoiceOrder, line: InvoiceLine, invoice: str, customer: str) -> None:
        self._v1.invoice_items.create(
            {
                "customer": customer,
                "invoice": invoice,
                "currency": order.currency.lower(),
                "amount": to_stripe(line.minor, order.currency),
                "description": line.description,
                "tax_behavior": "exclusive",
                "period": {"start": line.start_ms // 1000, "end": line.end_ms // 1000},
                "metadata": {_LINE: line.key},
            },
            {"idempotency_key": f"tollgate.{order.statement}.{line.key}"},
        )

    def _finalize(self, order: InvoiceOrder, invoice: str) -> stripe.Invoice:
        """Only an invoice with the statement's sum goes out."""
        draft = self._v1.invoices.retrieve(invoice)
        if draft.status != "draft":
            return draft
        before_tax = draft.total - sum(tax.amount for tax in draft.total_taxes or ())
        if before_tax != to_stripe(order.total_minor, order.currency):
            raise RefusedError(f"the draft {invoice} is about another sum than the statement {order.statement}")
        # Without a key: an invoice is finalised once anyway, and a key would repeat an error that was mended.
        return self._v1.invoices.finalize_invoice(invoice, {"auto_advance": True})

    def _view(self, invoice: stripe.Invoice) -> ProviderInvoice:
        currency = invoice.currency.upper()
        money = self._money(invoice)
        paid = invoice.total if invoice.status == "paid" else invoice.amount_paid
        return ProviderInvoice(
            reference=invoice.id,
            statement=_label(invoice.metadata, _STATEMENT),
            customer=_id(invoice.customer),
            status=_STATUSES[invoice.status],
            currency=currency,
            total_minor=from_stripe(invoice.total, currency),
            tax_minor=from_stripe(sum(tax.amount for tax in invoice.total_taxes or ()), currency),
            paid_minor=from_stripe(max(0, paid - money.taken_back), currency),
            refunded_minor=from_stripe(min(money.refunded, max(0, paid - money.taken_back)), currency),
            disputed=money.taken_back > 0,
            payment=money.newest,
            payment_ms=money.newest_ms,
            number=invoice.number or "",
            url=invoice.hosted_invoice_url or "",
        )

    def _money(self, invoice: stripe.Invoice) -> _Money:
        money = _Money()
        if not invoice.amount_paid:
            return money
        for payment in self._v1.invoice_payments.list({"invoice": invoice.id, "status": "paid"}).auto_paging_iter():
            intent = _id(getattr(payment.payment, "payment_intent", None))
            paid_ms = (payment.status_transitions.paid_at or payment.created) * 1000
            if paid_ms >= money.newest_ms:
                money.newest, money.newest_ms = intent or payment.id, paid_ms
            if intent:
                self._add_what_went_back(money, intent)
        return money

    def _add_what_went_back(self, money: _Money, intent: str) -> None:
        refunds = self._v1.refunds.list({"payment_intent": intent, "limit": _PAGE}).auto_paging_iter()
        disputes = self._v1.disputes.list({"payment_intent": intent, "limit": _PAGE}).auto_paging_iter()
        money.refunded += sum(refund.amount for refund in refunds if refund.status in {"succeeded", "pending"})
        money.taken_back += sum(dispute.amount for dispute in disputes if dispute.status in _LOST)


def _label(metadata: Any, name: str) -> str:
    """The SDK does not export the type of metadata."""
    return str(metadata[name]) if metadata is not None and name in metadata else ""


def _id(value: "str | stripe.StripeObject | None") -> str:
    """Of what may be expanded."""
    if value is None or isinstance(value, str):
        return value or ""
    return str(getattr(value, "id", ""))
