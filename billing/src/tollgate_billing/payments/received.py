"""Rows of payments: what came in for a statement or a top-up, what of it went back, and what was forgiven."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from tollgate_billing.ledger.money import SETTLING, post_money
from tollgate_billing.ledger.subscriptions import bump_revision
from tollgate_billing.ledger.tables import payments
from tollgate_billing.payments.debts import Debt
from tollgate_core.money import Money

#: Whoever collects without a payment provider: bank transfers, invoices by e-mail.
MANUAL = "manual"


Kind = Literal["payment", "credit", "surplus", "refund"]


class PaymentRefusedError(Exception):
    """Says why."""


@dataclass(frozen=True)
class Payment:
    """``subject`` is what it is for. ``minor`` is negative where money went back: what a bank took back is owed again,
    a refund is not. A ``credit`` is what the provider's invoice was lowered by before it was paid; a ``surplus`` what
    came in beyond what was owed, because it was paid by other means too. ``reference`` is what the provider calls it.
    ``tax_minor`` came with it, beyond what the subject says."""

    id: str
    subject: str
    subscription: str
    customer: str
    provider: str
    reference: str
    minor: int
    currency: str
    at_ms: int
    recorded_ms: int
    tax_minor: int = 0
    kind: Kind = "payment"


def payments_of(connection: Connection, subject: str) -> list[Payment]:
    """In the order in which they were recorded."""
    p = payments.c
    query = select(payments).where(p.subject == subject).order_by(p.recorded_ms, p.id)
    return [Payment(**row) for row in connection.execute(query).mappings()]


def paid_by(connection: Connection, subject: str, provider: str, kind: Kind) -> tuple[int, int]:
    """(minor units for the subject, tax beyond them) of one provider."""
    p = payments.c
    query = select(func.coalesce(func.sum(p.minor), 0), func.coalesce(func.sum(p.tax_minor), 0))
    row = connection.execute(query.where(p.subject == subject, p.provider == provider, p.kind == kind)).one()
    return int(row[0]), int(row[1])


def paid_for(connection: Connection, subjects: Iterable[str]) -> dict[str, int]:
    """Minor units by subject, whatever was refunded of them; those for which nothing was paid are absent."""
    p = payments.c
    mine = (p.subject.in_(list(subjects)), p.kind.in_(SETTLING))
    query = select(p.subject, func.sum(p.minor)).where(*mine).group_by(p.subject)
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def record_payment(connection: Connection, debt: Debt, payment: Payment) -> bool:
    """Once for each id; False where the same one is there already. The caller has locked the subscription. Raises
    PaymentRefusedError where more would be paid than is due, more would go back than was paid, or another payment has
    the id."""
    there = connection.execute(select(payments).where(payments.c.id == payment.id)).mappings().first()
    if there is not None:
        _require_same(Payment(**there), payment)
        return False
    _require_due(connection, debt, payment)
    sides = _sides(connection, debt, payment)
    connection.execute(insert(payments).values(vars(payment)))
    bump_revision(connection, payment.subscription)  # the gate must know what a prepaid subscription may spend now
    post_money(connection, f"payment:{payment.id}", sides, payment.currency, payment.at_ms)
    return True


def _sides(connection: Connection, debt: Debt, payment: Payment) -> list[tuple[str, int]]:
    if payment.kind == "credit":  # a tax that was never paid is nobody's
        return [(debt.account, -payment.minor), (f"credited:{payment.provider}", payment.minor)]
    surplus = _of_surplus(connection, payment)
    other = f"refunded:{payment.provider}" if payment.kind == "refund" else debt.account
    sides = [
        (f"surplus:{payment.subscription}", -surplus),
        (other, surplus - payment.minor),
        (f"cash:{payment.provider}", payment.minor + payment.tax_minor),
        (f"tax:{payment.provider}", -payment.tax_minor),
    ]
    return [side for side in sides if side[1]]


def _of_surplus(connection: Connection, payment: Payment) -> int:
    """How much of it is the customer's own money: what he has paid beyond what he owed is given back first."""
    if payment.kind != "refund":
        return payment.minor if payment.kind == "surplus" else 0
    kept = max(0, paid_by(connection, payment.subject, payment.provider, "surplus")[0])
    before = -paid_by(connection, payment.subject, payment.provider, "refund")[0]
    return min(kept, before) - min(kept, before - payment.minor)


def _require_same(there: Payment, wanted: Payment) -> None:
    same = ("subject", "provider", "minor", "currency")
    if any(getattr(there, name) != getattr(wanted, name) for name in same):
        raise PaymentRefusedError(f"the payment {wanted.id} is there already, with another content")


def _require_due(connection: Connection, debt: Debt, payment: Payment) -> None:
    if payment.kind in {"refund", "surplus"}:
        return  # the provider has done it: a bank may take back what was refunded before
    paid = paid_for(connection, [debt.subject]).get(debt.subject, 0)
    left = debt.due_minor - paid
    if payment.minor > left or not (payment.minor or payment.tax_minor):
        rest = f"{Money(left, debt.currency)} is left to be paid" if left else "nothing is left to be paid"
        raise PaymentRefusedError(f"of {debt.title} {rest}")
    if -payment.minor > paid:
        raise PaymentRefusedError(f"for {debt.title} only {Money(paid, debt.currency)} was paid")
