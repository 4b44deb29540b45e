"""Nobody's account: the invoice is the statement itself, and whoever gets the money marks it as paid."""

from collections.abc import Iterator, Mapping, Sequence

from tollgate_billing.payments.port import (
    Account,
    CheckoutOrder,
    InvoiceLine,
    InvoiceOrder,
    Labelled,
    NotAuthenticError,
    PaymentMethod,
    ProviderCheckout,
    ProviderEvent,
    ProviderInvoice,
    RefundOrder,
    RefusedError,
)


class ManualPort:
    """A ``ProviderPort`` that asks nobody."""

    lines_at_most = 1_000_000
    keeps_books = False

    def check(self) -> Account:
        """There is nothing that could be wrong."""
        return Account("", "live")

    def least_minor(self, currency: str) -> int:
        """Every amount is worth a letter."""
        del currency
        return 1

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        """Open until somebody says that it is paid."""
        return ProviderInvoice(
            reference=f"manual.{order.subject}",
            subject=order.subject,
            customer="",
            status="open",
            currency=order.currency,
            total_minor=order.total_minor,
            tax_minor=0,
            paid_minor=0,
        )

    def read_invoice(self, reference: str) -> ProviderInvoice | None:
        """Nobody knows more than the ledger."""
        del reference
        return None

    def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
        """There are no events."""
        del event
        return None

    def lines_of(self, reference: str) -> Mapping[str, int]:
        """The statement's own."""
        del reference
        return {}

    def as_sent(self, lines: Sequence[InvoiceLine]) -> Sequence[InvoiceLine]:
        """Nobody is told of them."""
        del lines
        return ()

    def labelled_since(self, moment_ms: int) -> Iterator[Labelled]:
        """There are no books but ours."""
        del moment_ms
        yield from ()

    def void(self, reference: str) -> ProviderInvoice | None:
        """Nobody knows more than the ledger."""
        del reference
        return None

    def withdraw(self, order: InvoiceOrder) -> ProviderInvoice | None:
        """Nobody knows more than the ledger."""
        del order
        return None

    def refund(self, order: RefundOrder) -> ProviderInvoice:
        """Whoever gives money back says so with a payment below zero."""
        raise RefusedError(f"give the money of {order.invoice} back yourself, and record it as a negative payment")

    def check_out(self, order: CheckoutOrder) -> ProviderCheckout:
        """Nothing is asked of a customer who gets invoices."""
        return ProviderCheckout(f"manual.{order.id}", order.id, "", "complete", order.success_url)

    def read_checkout(self, reference: str) -> ProviderCheckout | None:
        """It was complete when it began."""
        return ProviderCheckout(reference, reference.removeprefix("manual."), "", "complete")

    def end_checkout(self, reference: str) -> ProviderCheckout | None:
        """It was complete when it began."""
        return self.read_checkout(reference)

    def portal_url(self, customer: str, return_url: str) -> str:
        """There is none."""
        del customer, return_url
        raise RefusedError("a manual payment provider has no pages for customers")

    def payment_method(self, customer: str) -> PaymentMethod | None:
        """Transfers come from anywhere."""
        del customer
        return None

    def read_event(self, body: bytes, headers: Mapping[str, str], now_ms: int) -> ProviderEvent:
        """There are no events."""
        del body, headers, now_ms
        raise NotAuthenticError("a manual payment provider sends no events")

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """There are no events."""
        del moment_ms
        yield from ()
