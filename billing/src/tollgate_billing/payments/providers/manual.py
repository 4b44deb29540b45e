"""Nobody's account: the invoice is the statement itself, and whoever gets the money marks it as paid."""

from collections.abc import Iterator, Mapping

from tollgate_billing.payments.port import (
    Account,
    InvoiceOrder,
    NotAuthenticError,
    ProviderEvent,
    ProviderInvoice,
)


class ManualPort:
    """A ``ProviderPort`` that asks nobody."""

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
            reference=f"manual.{order.statement}",
            statement=order.statement,
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

    def read_event(self, body: bytes, headers: Mapping[str, str], now_ms: int) -> ProviderEvent:
        """There are no events."""
        del body, headers, now_ms
        raise NotAuthenticError("a manual payment provider sends no events")

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """There are no events."""
        del moment_ms
        yield from ()
