"""Rows of ``invoices``: which statements and top-ups a provider collects, and what it said of each last."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from tollgate_billing.ledger.money import SETTLING
from tollgate_billing.ledger.tables import invoices, payments, provider_customers
from tollgate_billing.payments.debts import Debt
from tollgate_billing.payments.port import ProviderInvoice

#: Not sent yet; too small to be sent by itself; or as the provider says.
WAITING, CARRIED = "waiting", "carried"


@dataclass(frozen=True)
class Receivable:
    """``status`` is ``waiting``, ``carried`` or the provider's. ``paid_minor`` is with tax, ``due_minor`` without."""

    subject: str
    subscription: str
    customer: str
    provider: str
    reference: str
    status: str
    currency: str
    due_minor: int
    tax_minor: int
    paid_minor: int
    number: str
    url: str
    refunded_minor: int
    credited_minor: int
    disputed: bool
    carried_by: str
    changed_ms: int
    version: int
    compared_ms: int = 0


def add_receivable(connection: Connection, debt: Debt, provider: str, now_ms: int) -> None:
    """In the transaction that makes the debt."""
    made = Receivable(
        subject=debt.subject,
        subscription=debt.subscription,
        customer=debt.customer,
        provider=provider,
        reference="",
        status=WAITING,
        currency=debt.currency,
        due_minor=debt.due_minor,
        tax_minor=0,
        paid_minor=0,
        number="",
        url="",
        refunded_minor=0,
        credited_minor=0,
        disputed=False,
        carried_by="",
        changed_ms=now_ms,
        version=0,
    )
    connection.execute(insert(invoices).values(vars(made)))


def find_receivable(connection: Connection, subject: str) -> Receivable | None:
    """One, or None where no provider collects it."""
    row = connection.execute(select(invoices).where(invoices.c.subject == subject)).mappings().first()
    return None if row is None else Receivable(**row)


def last_provider(connection: Connection, subscription: str, customer: str) -> str:
    """Empty where nobody has collected from him."""
    i = invoices.c
    query = select(i.provider).where(i.subscription == subscription, i.customer == customer)
    return connection.execute(query.order_by(i.changed_ms.desc()).limit(1)).scalar() or ""


def carried_with(connection: Connection, statement: str) -> list[Receivable]:
    """Those that the statement's invoice collects as well."""
    i = invoices.c
    query = select(invoices).where(i.carried_by == statement).order_by(i.changed_ms, i.subject)
    return [Receivable(**row) for row in connection.execute(query).mappings()]


def carry(connection: Connection, receivable: Receivable, now_ms: int) -> None:
    """A later invoice collects it."""
    _change(connection, [receivable.subject], status=CARRIED, changed_ms=now_ms)


def take_carried(connection: Connection, receivable: Receivable) -> list[Receivable]:
    """What waits for a larger invoice of the same customer joins this one, for good: the same whenever it is asked.
    Somebody who has begun to pay a small one by other means is not asked for it again."""
    i = invoices.c
    same = ("subscription", "customer", "provider", "currency")
    alike = [getattr(i, name) == getattr(receivable, name) for name in same]
    paid = select(payments.c.id).where(payments.c.subject == i.subject).exists()
    query = select(i.subject).where(*alike, i.status == CARRIED, i.carried_by == "", ~paid)
    names = [name for name in connection.execute(query).scalars() if name != receivable.subject]
    _change(connection, names, carried_by=receivable.subject)
    return carried_with(connection, receivable.subject)


def unsettled(connection: Connection, provider: str) -> list[Receivable]:
    """Those at a provider that may still change without anybody here doing anything."""
    i = invoices.c
    query = select(invoices).where(i.provider == provider, i.reference != "", i.status == "open")
    return [Receivable(**row) for row in connection.execute(query.order_by(i.changed_ms)).mappings()]


def release_carried(connection: Connection, statement: str) -> None:
    """What it would have carried waits on by itself."""
    connection.execute(update(invoices).where(invoices.c.carried_by == statement).values(carried_by=""))


def update_receivable(connection: Connection, receivable: Receivable, found: ProviderInvoice, now_ms: int) -> bool:
    """As the provider says now. False where it says what is known."""
    values: dict[str, str | int] = {
        "reference": found.reference,
        "status": found.status,
        "tax_minor": found.tax_minor,
        "paid_minor": found.paid_minor,
        "refunded_minor": found.refunded_minor,
        "credited_minor": found.credited_minor,
        "disputed": found.disputed,
        "number": found.number,
        "url": found.url,
    }
    if all(getattr(receivable, name) == value for name, value in values.items()):
        return False
    _change(connection, [receivable.subject], **values, changed_ms=now_ms)
    return True


def to_compare(connection: Connection, provider: str, since_ms: int) -> list[Receivable]:
    """Those that a provider has an invoice of, and that changed since then or were never compared with it."""
    i = invoices.c
    lately = (i.changed_ms >= since_ms) | (i.compared_ms == 0) | (i.status == "open")
    query = select(invoices).where(i.provider == provider, i.reference != "", lately).order_by(i.changed_ms, i.subject)
    return [Receivable(**row) for row in connection.execute(query).mappings()]


def mark_compared(connection: Connection, subject: str, now_ms: int) -> None:
    """Its lines were those of the provider."""
    _change(connection, [subject], compared_ms=now_ms)


def count_change(connection: Connection, subject: str) -> None:
    """Whoever has asked the provider before must ask again."""
    i = invoices.c
    connection.execute(update(invoices).where(i.subject == subject).values(version=i.version + 1))


def customer_reference(connection: Connection, provider: str, customer: str) -> str:
    """Empty where the provider does not know the customer."""
    p = provider_customers.c
    query = select(p.reference).where(p.provider == provider, p.customer == customer)
    return connection.execute(query).scalar() or ""


def known_customer(connection: Connection, provider: str, reference: str) -> str:
    """Ours by the provider's name of him; empty where he is nobody's."""
    p = provider_customers.c
    query = select(p.customer).where(p.provider == provider, p.reference == reference)
    return connection.execute(query).scalar() or ""


def open_invoices(connection: Connection, provider: str, customer: str) -> list[Receivable]:
    """What a customer has not paid in any way, the oldest first."""
    p, i = payments.c, invoices.c
    paid = select(func.coalesce(func.sum(p.minor), 0)).where(p.subject == i.subject, p.kind.in_(SETTLING))
    mine = (i.provider == provider, i.customer == customer, i.status == "open", i.reference != "")
    query = select(invoices).where(*mine, paid.scalar_subquery() < i.due_minor).order_by(i.changed_ms)
    return [Receivable(**row) for row in connection.execute(query).mappings()]


def remember_customer(connection: Connection, provider: str, customer: str, reference: str, now_ms: int) -> None:
    """What the provider calls him; the first name stays, also where two subscriptions of his bring one at once. A name
    that is another customer's already is not his."""
    if not reference or customer_reference(connection, provider, customer):
        return
    if known_customer(connection, provider, reference):
        return
    values = {"provider": provider, "customer": customer, "reference": reference, "created_ms": now_ms}
    with suppress(IntegrityError), connection.begin_nested():
        connection.execute(insert(provider_customers).values(values))


def replace_customer(connection: Connection, provider: str, customer: str, reference: str, now_ms: int) -> None:
    """Whom a checkout has just made or found: his payment method is there."""
    if not reference or customer_reference(connection, provider, customer) == reference:
        return
    p = provider_customers.c
    connection.execute(delete(provider_customers).where(p.provider == provider, p.customer == customer))
    remember_customer(connection, provider, customer, reference, now_ms)


def by_reference(connection: Connection, provider: str, reference: str) -> Receivable | None:
    """Of a provider's invoice."""
    i = invoices.c
    query = select(invoices).where(i.provider == provider, i.reference == reference)
    row = connection.execute(query).mappings().first()
    return None if row is None else Receivable(**row)


def _change(connection: Connection, subjects: Sequence[str], **values: str | int) -> None:
    if subjects:
        connection.execute(update(invoices).where(invoices.c.subject.in_(subjects)).values(values))
