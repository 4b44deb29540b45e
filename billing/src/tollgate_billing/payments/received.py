"""Rows of payments: what came in for a statement, and what of it went back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from tollgate_billing.ledger.money import post_money, receivable_account
from tollgate_billing.ledger.subscriptions import bump_revision
from tollgate_billing.ledger.tables import payments
from tollgate_billing.statements.store import StoredStatement
from tollgate_core.money import Money

#: Whoever collects without a payment provider: bank transfers, invoices by e-mail.
MANUAL = "manual"


Kind = Literal["payment", "refund"]


class PaymentRefusedError(Exception):
    """Says why."""


@dataclass(frozen=True)
class Payment:
    """``minor`` is negative where money went back: what a bank took back is owed again, a refund is not. ``reference``
    is what the provider calls it. ``tax_minor`` came with it, beyond what the statement says."""

    id: str
    statement: str
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


def payments_of(connection: Connection, statement: str) -> list[Payment]:
    """In the order in which they were recorded."""
    p = payments.c
    query = select(payments).where(p.statement == statement).order_by(p.recorded_ms, p.id)
    return [Payment(**row) for row in connection.execute(query).mappings()]


def paid_by(connection: Connection, statement: str, provider: str, kind: Kind) -> tuple[int, int]:
    """(minor units for the statement, tax beyond them) of one provider."""
    p = payments.c
    query = select(func.coalesce(func.sum(p.minor), 0), func.coalesce(func.sum(p.tax_minor), 0))
    row = connection.execute(query.where(p.statement == statement, p.provider == provider, p.kind == kind)).one()
    return int(row[0]), int(row[1])


def paid_for(connection: Connection, statements: Iterable[str]) -> dict[str, int]:
    """Minor units by statement, whatever was refunded of them; those for which nothing was paid are absent."""
    p = payments.c
    mine = (p.statement.in_(list(statements)), p.kind == "payment")
    query = select(p.statement, func.sum(p.minor)).where(*mine).group_by(p.statement)
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def record_payment(connection: Connection, statement: StoredStatement, payment: Payment) -> bool:
    """Once for each id; False where the same one is there already. The caller has locked the subscription. Raises
    PaymentRefusedError where more would be paid than is due, more would go back than was paid, or another payment has
    the id."""
    there = connection.execute(select(payments).where(payments.c.id == payment.id)).mappings().first()
    if there is not None:
        _require_same(Payment(**there), payment)
        return False
    _require_due(connection, statement, payment)
    connection.execute(insert(payments).values(vars(payment)))
    bump_revision(connection, payment.subscription)  # the gate must know what a prepaid subscription may spend now
    gross = payment.minor + payment.tax_minor
    refund = payment.kind == "refund"
    other = f"refunded:{payment.provider}" if refund else receivable_account(payment.subscription)
    sides = [(other, -payment.minor), (f"cash:{payment.provider}", gross)]
    sides += [(f"tax:{payment.provider}", -payment.tax_minor)] if payment.tax_minor else []
    post_money(connection, f"payment:{payment.id}", sides, payment.currency, payment.at_ms)
    return True


def _require_same(there: Payment, wanted: Payment) -> None:
    same = ("statement", "provider", "minor", "currency")
    if any(getattr(there, name) != getattr(wanted, name) for name in same):
        raise PaymentRefusedError(f"the payment {wanted.id} is there already, with another content")


def _require_due(connection: Connection, statement: StoredStatement, payment: Payment) -> None:
    paid = paid_for(connection, [statement.id]).get(statement.id, 0)
    left = statement.due_minor - paid
    if payment.kind == "refund":
        back = -sum(paid_by(connection, statement.id, payment.provider, "refund"))
        if back - payment.minor - payment.tax_minor > sum(
            paid_by(connection, statement.id, payment.provider, "payment")
        ):
            raise PaymentRefusedError(f"for the statement {statement.id} less was paid than would be refunded")
        return
    if payment.minor > left or not (payment.minor or payment.tax_minor):
        rest = f"{Money(left, statement.currency)} is left to be paid" if left else "nothing is left to be paid"
        raise PaymentRefusedError(f"of the statement {statement.id} {rest}")
    if -payment.minor > paid:
        raise PaymentRefusedError(f"for the statement {statement.id} only {Money(paid, statement.currency)} was paid")
