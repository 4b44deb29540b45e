"""What Tollgate wants of a payment provider. Adapters speak to one each; a provider's own types never leave them.

Nothing here can be done twice by accident: a request names itself (``InvoiceOrder.statement``), and whoever asks again
first looks for what an earlier attempt has left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from tollgate_core.payment_keys import Mode

InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible"]


class ProviderError(Exception):
    """Why a provider did not do it, without secrets."""


class AmbiguousError(ProviderError):
    """Nobody knows whether it had an effect: look before it is sent again."""


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
    """Whom a key belongs to, as the provider says. ``id`` is empty where there is no account anywhere."""

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
    """What is to be invoiced and collected. ``attempted`` says that an earlier attempt may have left something."""

    statement: str
    number: int
    subscription: str
    payer: Payer
    currency: str
    lines: tuple[InvoiceLine, ...]
    attempted: bool

    @property
    def total_minor(self) -> int:
        """Before tax."""
        return sum(line.minor for line in self.lines)


@dataclass(frozen=True)
class ProviderInvoice:
    """The provider's truth. ``total_minor`` is with ``tax_minor``; ``paid_minor`` is what came in and no bank took back
    (``disputed``), ``refunded_minor`` what of that was given back. ``payment`` is what the provider calls the newest
    payment, ``payment_ms`` when that was."""

    reference: str
    statement: str
    customer: str
    status: InvoiceStatus
    currency: str
    total_minor: int
    tax_minor: int
    paid_minor: int
    refunded_minor: int = 0
    disputed: bool = False
    payment: str = ""
    payment_ms: int = 0
    number: str = ""
    url: str = ""


@dataclass(frozen=True)
class ProviderEvent:
    """Something changed. What it says of it is not believed: the ``invoice``, or that of the ``payment``, is read
    anew."""

    id: str
    kind: str
    at_ms: int
    invoice: str = ""
    payment: str = ""


class ProviderPort(Protocol):
    """Raises ProviderError and nothing else where the provider does not do it."""

    def check(self) -> Account:
        """After a round trip with the key that is used for everything else."""
        ...

    def least_minor(self, currency: str) -> int:
        """Minor units; less than that cannot be collected by itself."""
        ...

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        """Invoice it, and collect: what is missing is done, what is there already is not done again."""
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

    def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
        """Whatever happened since then, for events that never came."""
        ...
