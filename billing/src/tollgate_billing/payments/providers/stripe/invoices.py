"""Invoices at Stripe.

One comes about in steps: a draft, its items, finalisation. Each has an idempotency key made of the subject, and where
an earlier attempt may have left something, that is found by its metadata first: keys are kept for a day only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import stripe
from stripe import params

from tollgate_billing.payments.port import (
    InvoiceLine,
    InvoiceOrder,
    InvoiceStatus,
    Labelled,
    ProviderInvoice,
    RefusedError,
)
from tollgate_billing.payments.providers.stripe.amounts import from_stripe, to_stripe
from tollgate_billing.payments.providers.stripe.objects import LINE, PAGE, SUBJECT, id_of, is_missing, label

_STATUSES: Mapping[str | None, InvoiceStatus] = {
    "draft": "draft",
    "open": "open",
    "paid": "paid",
    "void": "void",
    "uncollectible": "uncollectible",
}
#: Money is gone while a dispute is in one of these.
_LOST = frozenset({"needs_response", "under_review", "lost", "appeal_needs_response", "appeal_under_review"})


@dataclass
class _Money:
    """Of an invoice, in Stripe's units: what was given back, and what banks took back. The newest payment."""

    newest: str = ""
    newest_ms: int = 0
    refunded: int = 0
    taken_back: int = 0


class Invoices:
    """Of one account."""

    def __init__(self, v1: stripe.V1Services, *, automatic_tax: bool) -> None:
        self._v1 = v1
        self._automatic_tax = automatic_tax

    def collect(self, order: InvoiceOrder, customer: str) -> ProviderInvoice:
        """See ``ProviderPort.collect``."""
        found = self._find(order, customer) if order.attempted else None
        if found is None:
            found = self._begin(order, customer)
        if found.status == "draft":
            self._add_lines(order, found.id, customer)
            found = self._finalize(order, found.id)
        if found.status == "open" and (order.attempted or order.collection != "retried"):
            return self._charge_now(order, found)
        return self.view(found)

    def read(self, reference: str) -> ProviderInvoice | None:
        """None where there is none."""
        try:
            return self.view(self._v1.invoices.retrieve(reference))
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return None
            raise

    def void(self, reference: str) -> ProviderInvoice | None:
        """See ``ProviderPort.void``."""
        found = self.read(reference)
        if found is not None and found.status == "open":
            self._v1.invoices.void_invoice(reference)
            return self.read(reference)
        return found

    def withdraw(self, order: InvoiceOrder, customer: str) -> ProviderInvoice | None:
        """See ``ProviderPort.withdraw``. A draft is as if it had never been."""
        found = self._find(order, customer)
        if found is None or found.status != "draft":
            return None if found is None else self.void(found.id)
        self._v1.invoices.delete(found.id)
        return None

    def of_payment(self, payment: str) -> str:
        """The invoice that a PaymentIntent paid; empty where it is none's."""
        wanted: params.InvoicePaymentListParams = {"payment": {"type": "payment_intent", "payment_intent": payment}}
        paid = self._v1.invoice_payments.list(wanted).data
        return id_of(paid[0].invoice) if paid else ""

    def lines(self, reference: str) -> dict[str, int]:
        """Minor units before tax by key; what somebody added by hand has none, and its own id instead."""
        found: dict[str, int] = {}
        for item in self._v1.invoice_items.list({"invoice": reference, "limit": PAGE}).auto_paging_iter():
            found[label(item.metadata, LINE) or item.id] = from_stripe(item.amount, item.currency.upper())
        return found

    def labelled_since(self, moment_ms: int) -> Iterator[Labelled]:
        """The newest first."""
        wanted: params.InvoiceListParams = {"created": {"gte": moment_ms // 1000}, "limit": PAGE}
        for invoice in self._v1.invoices.list(wanted).auto_paging_iter():
            subject = label(invoice.metadata, SUBJECT)
            if subject:
                yield Labelled(invoice.id, subject, _STATUSES[invoice.status])

    def pay(self, reference: str) -> stripe.Invoice:
        """With the customer's payment method; raises what Stripe says where that fails."""
        return self._v1.invoices.pay(reference, {"off_session": True})

    def view(self, invoice: stripe.Invoice) -> ProviderInvoice:
        """With what was paid, given back, and is under way."""
        currency, money = invoice.currency.upper(), self._money(invoice)
        credited = invoice.pre_payment_credit_notes_amount
        paid = invoice.total - credited if invoice.status == "paid" else invoice.amount_paid
        kept = max(0, paid - money.taken_back)
        underway, failure = self._last_attempt(invoice) if invoice.status == "open" else (False, "")
        return ProviderInvoice(
            reference=invoice.id,
            subject=label(invoice.metadata, SUBJECT),
            customer=id_of(invoice.customer),
            status=_STATUSES[invoice.status],
            currency=currency,
            total_minor=from_stripe(invoice.total, currency),
            tax_minor=from_stripe(sum(tax.amount for tax in invoice.total_taxes or ()), currency),
            paid_minor=from_stripe(kept, currency),
            refunded_minor=from_stripe(money.refunded, currency),
            credited_minor=from_stripe(credited, currency),
            balance_minor=from_stripe(_drawn(invoice), currency),
            disputed=money.taken_back > 0,
            payment=money.newest,
            payment_ms=money.newest_ms,
            number=invoice.number or "",
            url=invoice.hosted_invoice_url or "",
            underway=underway,
            failure=failure,
        )

    def _charge_now(self, order: InvoiceOrder, invoice: stripe.Invoice) -> ProviderInvoice:
        """What is not paid with that is paid on the invoice's page, tried again by Stripe, or given up."""
        failure = ""
        try:
            invoice = self.pay(invoice.id)
        except stripe.CardError as error:
            failure = error.code or "card_error"
        except stripe.InvalidRequestError as error:  # he has no payment method, or has paid a moment ago
            failure = error.code or "no_payment_method"
        found = self.read(invoice.id)
        if found is None:
            raise RefusedError(f"the invoice {invoice.id} of {order.subject} is gone")
        if found.status == "open" and order.collection == "once" and not found.underway:
            found = self.view(self._v1.invoices.void_invoice(invoice.id))
        return replace(found, failure=failure or found.failure)

    def _find(self, order: InvoiceOrder, customer: str) -> stripe.Invoice | None:
        """Lists know at once what was made; searches do not."""
        mine = self._v1.invoices.list({"customer": customer, "limit": PAGE})
        for invoice in mine.auto_paging_iter():
            if label(invoice.metadata, SUBJECT) == order.subject:
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
                "description": order.title,
                "metadata": {SUBJECT: order.subject, "tollgate_subscription": order.subscription},
            },
            {"idempotency_key": f"tollgate.{order.subject}.{customer}"},
        )

    def _add_lines(self, order: InvoiceOrder, invoice: str, customer: str) -> None:
        there = (
            self._v1.invoice_items.list({"invoice": invoice, "limit": PAGE}).auto_paging_iter()
            if order.attempted
            else ()
        )
        done = {label(item.metadata, LINE) for item in there}
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
                "metadata": {LINE: line.key},
            },
            {"idempotency_key": f"tollgate.{invoice}.{line.key}"},
        )

    def _finalize(self, order: InvoiceOrder, invoice: str) -> stripe.Invoice:
        """Only an invoice with the subject's sum goes out."""
        draft = self._v1.invoices.retrieve(invoice)
        if draft.status != "draft":
            return draft
        before_tax = draft.total - sum(tax.amount for tax in draft.total_taxes or ())
        if before_tax != to_stripe(order.total_minor, order.currency):
            raise RefusedError(f"the draft {invoice} is about another sum than {order.subject}")
        # Without a key: an invoice is finalised once anyway, and a key would repeat an error that was mended.
        return self._v1.invoices.finalize_invoice(invoice, {"auto_advance": order.collection == "retried"})

    def _last_attempt(self, invoice: stripe.Invoice) -> tuple[bool, str]:
        """Whether a bank is at it, and what it said before."""
        wanted: params.InvoicePaymentListParams = {
            "invoice": invoice.id,
            "expand": ["data.payment.payment_intent"],
        }
        for payment in self._v1.invoice_payments.list(wanted).data:
            intent = getattr(payment.payment, "payment_intent", None)
            if intent is None or isinstance(intent, str):
                continue
            error = intent.last_payment_error
            needs = "authentication_required" if intent.status == "requires_action" else ""
            return intent.status == "processing", needs or (error.decline_code or error.code or "" if error else "")
        return False, ""

    def _money(self, invoice: stripe.Invoice) -> _Money:
        money = _Money()
        if not invoice.amount_paid:
            return money
        for payment in self._v1.invoice_payments.list({"invoice": invoice.id, "status": "paid"}).auto_paging_iter():
            intent = id_of(getattr(payment.payment, "payment_intent", None))
            paid_ms = (payment.status_transitions.paid_at or payment.created) * 1000
            if paid_ms >= money.newest_ms:
                money.newest, money.newest_ms = intent or payment.id, paid_ms
            if intent:
                self._add_what_went_back(money, intent)
        return money

    def _add_what_went_back(self, money: _Money, intent: str) -> None:
        refunds = self._v1.refunds.list({"payment_intent": intent, "limit": PAGE}).auto_paging_iter()
        disputes = self._v1.disputes.list({"payment_intent": intent, "limit": PAGE}).auto_paging_iter()
        money.refunded += sum(refund.amount for refund in refunds if refund.status in {"succeeded", "pending"})
        money.taken_back += sum(dispute.amount for dispute in disputes if dispute.status in _LOST)


def _drawn(invoice: stripe.Invoice) -> int:
    """What a paid one took from the customer's balance, which is below zero where he has credit."""
    return (invoice.ending_balance or 0) - invoice.starting_balance if invoice.status == "paid" else 0
