"""What Tollgate wants of a payment provider. Adapters speak to one each; a provider's own types never leave them.

Nothing here can be done twice by accident: a request names itself (``InvoiceOrder.subject``), and whoever asks again
first looks for what an earlier attempt has left.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tollgate_core.payment_keys import Mode

InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible"]
CheckoutStatus = Literal["open", "complete", "expired"]
#: Where a first attempt fails: the provider tries again for days; the customer pays on the invoice's page; it is given
#: up.
Collection = Literal["retried", "attended", "once"]


class ProviderError(Exception):
    """Why a provider did not do it, without secrets."""


class AmbiguousError(ProviderError):
    """Nobody knows whether it had an effect: look before it is sent again."""


class UnseenError(AmbiguousError):
    """What an earlier attempt has left may not be shown yet. Nothing was sent now: look again after ``after_ms``."""

    def __init__(self, message: str, after_ms: int) -> None:
        super().__init__(message)
        self.after_ms = after_ms


class TryLaterError(ProviderError):
    """It had no effect and may work later."""

    def __init__(self, message: str, after_ms: int = 0) -> None:
        super().__init__(message)
        self.after_ms = after_ms


class UnauthorizedError(TryLaterError):
    """It does not take the key: as with every other call, until a person has replaced it."""


class RefusedError(ProviderError):
    """It had no effect and never will: a person has to decide."""


class NotAuthenticError(ProviderError):
    """What claims to be a provider's event is not, or is too old."""


def suspect_nobody(provider: str) -> None:
    """Where nobody checks keys."""
    del provider


@dataclass(frozen=True)
class Account:
    """Whom a key belongs to, as the provider says. ``id`` is empty where there is no account anywhere, or nothing by
    which it could be told yet."""

    id: str
    mode: Mode
    name: str = ""


@dataclass(frozen=True)
class Payer:
    """A customer of Tollgate; ``reference`` is what the provider calls him, empty where it does not know him yet."""

    customer: str
    name: str
    reference: str


@dataclass(frozen=True)
class InvoiceLine:
    """``key`` is unique in its invoice. Minor units; below zero: a credit."""

    key: str
    description: str
    minor: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class InvoiceOrder:
    """What is to be invoiced and collected. ``attempted`` says that an earlier attempt may have left something,
    ``age_ms`` how long ago the last such one began. Nothing was there before ``asked_ms``. ``reference`` is what the
    provider called it when it was seen last."""

    subject: str
    title: str
    subscription: str
    payer: Payer
    currency: str
    lines: tuple[InvoiceLine, ...]
    attempted: bool
    collection: Collection = "retried"
    age_ms: int = 0
    asked_ms: int = 0
    reference: str = ""

    @property
    def total_minor(self) -> int:
        """Before tax."""
        return sum(line.minor for line in self.lines)


@dataclass(frozen=True)
class ProviderInvoice:
    """The provider's truth. ``total_minor`` is with ``tax_minor``; ``paid_minor`` is what came in and no bank took back
    (``disputed``), ``refunded_minor`` what was given back, also of what a bank took back besides; ``credited_minor``
    need not be paid any more, by credit notes before the payment. ``balance_minor`` of what was paid is no money: the
    provider took it from a credit that the customer has there; below zero, a debt that he had there was added.
    ``payment`` is what the provider calls the newest payment, ``payment_ms`` when that was. ``underway``: a bank has
    not said yet whether it pays. ``failure``: why the last attempt failed. ``replaces``: the one that was withdrawn for
    it."""

    reference: str
    subject: str
    customer: str
    status: InvoiceStatus
    currency: str
    total_minor: int
    tax_minor: int
    paid_minor: int
    refunded_minor: int = 0
    credited_minor: int = 0
    balance_minor: int = 0
    disputed: bool = False
    payment: str = ""
    payment_ms: int = 0
    number: str = ""
    url: str = ""
    underway: bool = False
    failure: str = ""
    replaces: str = ""


@dataclass(frozen=True)
class Labelled:
    """An invoice that says to be of one of our subjects."""

    reference: str
    subject: str
    status: InvoiceStatus


@dataclass(frozen=True)
class CheckoutOrder:
    """A customer is asked for a payment method, which is used for whatever he owes from then on."""

    id: str
    subscription: str
    payer: Payer
    currency: str
    success_url: str
    cancel_url: str
    attempted: bool
    asked_ms: int = 0


@dataclass(frozen=True)
class ProviderCheckout:
    """``checkout`` is ours, ``reference`` the provider's name of it; ``customer`` is whom it made or found."""

    reference: str
    checkout: str
    customer: str
    status: CheckoutStatus
    url: str = ""


@dataclass(frozen=True)
class RefundOrder:
    """``minor`` with tax is given back of what was paid of an invoice; of what was not paid yet, nobody pays it."""

    id: str
    invoice: str
    minor: int
    currency: str
    reason: str
    attempted: bool
    age_ms: int = 0


@dataclass(frozen=True)
class PaymentMethod:
    """As its owner knows it, such as ``visa`` ending in 4242. Shown, and never stored."""

    kind: str
    brand: str = ""
    last4: str = ""
    expires: str = ""


@dataclass(frozen=True)
class ProviderEvent:
    """Something changed. What it says of it is not believed: the ``invoice``, or that of the ``payment``, or the
    ``checkout``, is read anew. ``customer``: his payment methods changed."""

    id: str
    kind: str
    at_ms: int
    invoice: str = ""
    payment: str = ""
    checkout: str = ""
    customer: str = ""


class ProviderPort(Protocol):
    """Raises ProviderError and nothing else where the provider does not do it."""

    @property
    def lines_at_most(self) -> int:
        """Of an invoice."""
        ...

    @property
    def keeps_books(self) -> bool:
        """Whether there are other books than ours, to be compared with them."""
        ...

    def check(self) -> Account:
        """After a round trip with the key that is used for everything else."""
        ...

    def least_minor(self, currency: str) -> int:
        """Minor units; less than that cannot be collected by itself."""
        ...

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        """Invoice it, and collect: what is missing is done, what is there already is not done again. Asked again, one
        that is open is tried once more now: the customer may have another payment method."""
        ...

    def read_invoice(self, reference: str) -> ProviderInvoice | None:
        """As it is now; None where there is none."""
        ...

    def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
        """The invoice that an event is about, as it is now; None where it is about none."""
        ...

    def read_event(self, body: bytes, headers: Mapping[str, str], now_ms: int) -> ProviderEvent:
        """Raises NotAuthenticError unless one of the webhook's secrets signed the body, and lately."""
        ...

    def lines_of(self, reference: str) -> Mapping[str, int]:
        """Minor units before tax by ``InvoiceLine.key``."""
        ...

    def as_sent(self, lines: Sequence[InvoiceLine]) -> Sequence[InvoiceLine]:
        """How this provider is told of them: not every one has lines below zero."""
        ...

    def labelled_since(self, moment_ms: int) -> Iterator[Labelled]:
        """All invoices that were made since then and have one of our labels."""
        ...

    def void(self, reference: str) -> ProviderInvoice | None:
        """Of an open one nothing is to be paid any more; None where there is none. One that is not open stays as it
        is."""
        ...

    def withdraw(self, order: InvoiceOrder) -> ProviderInvoice | None:
        """As ``void``, of whatever an attempt has left whose answer never came."""
        ...

    def refund(self, order: RefundOrder) -> ProviderInvoice:
        """Give back, and say how the invoice is then: what was given back already is not given back again."""
        ...

    def check_out(self, order: CheckoutOrder) -> ProviderCheckout:
        """A page on which the customer gives a payment method: the one that is there, or a new one."""
        ...

    def read_checkout(self, reference: str) -> ProviderCheckout | None:
        """As it is now, and where it is complete its payment method is the one that is charged. None where there is
        none."""
        ...

    def end_checkout(self, reference: str) -> ProviderCheckout | None:
        """Nobody can complete it any more, unless somebody has. None where there is none."""
        ...

    def portal_url(self, customer: str, return_url: str) -> str:
        """A page for a customer, named as the provider does: his invoices and payment methods. It works for a while."""
        ...

    def payment_method(self, customer: str) -> PaymentMethod | None:
        """What is charged; None where there is none."""
        ...

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """Whatever happened since then, for events that never came."""
        ...
