"""Rows of refunds: what a person decided to give back. The provider does it, and what it did is read there."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from tollgate_billing.ledger.tables import refunds
from tollgate_billing.payments.outbox import Request, enqueue, find_request
from tollgate_billing.payments.receivables import Receivable, carried_with
from tollgate_core.money import Money


class RefundRefusedError(Exception):
    """Says why."""


@dataclass(frozen=True)
class Refund:
    """``subject`` is the statement or top-up whose invoice it is about. ``minor`` is with tax."""

    id: str
    subject: str
    minor: int
    currency: str
    reason: str
    created_ms: int


def find_refund(connection: Connection, refund_id: str) -> Refund | None:
    """One, or None."""
    row = connection.execute(select(refunds).where(refunds.c.id == refund_id)).mappings().first()
    return None if row is None else Refund(**row)


def refunds_of(connection: Connection, subject: str) -> list[Refund]:
    """In the order in which they were asked for."""
    r = refunds.c
    query = select(refunds).where(r.subject == subject).order_by(r.created_ms, r.id)
    return [Refund(**row) for row in connection.execute(query).mappings()]


def subject_of(connection: Connection, request: Request) -> str:
    """The statement or top-up whose invoice a request changes."""
    refund = find_refund(connection, request.subject) if request.kind == "refund" else None
    return refund.subject if refund else request.subject


def ask_for_refund(
    connection: Connection, receivable: Receivable, refund_id: str, minor: int | None, reason: str, now_ms: int
) -> Refund:
    """Once for each id. ``minor`` is with tax, all that is left if None. The caller has locked the subscription. Raises
    RefundRefusedError."""
    there = find_refund(connection, refund_id)
    if there is not None:
        if there.subject != receivable.subject or minor not in {None, there.minor}:
            raise RefundRefusedError(f"the refund {refund_id} is there already, with another content")
        return there
    left = _left(connection, receivable)
    amount = left if minor is None else minor
    if not 0 < amount <= left:
        most = f"at most {Money(left, receivable.currency)} can be given back" if left > 0 else "nothing is left"
        raise RefundRefusedError(f"of the invoice of {receivable.subject} {most}")
    made = Refund(refund_id, receivable.subject, amount, receivable.currency, reason, now_ms)
    connection.execute(insert(refunds).values(vars(made)))
    enqueue(connection, "refund", receivable.provider, receivable.subscription, refund_id, now_ms)
    return made


def _is_underway(connection: Connection, refund: Refund) -> bool:
    """Not given yet, and a person has not decided that it never is."""
    request = find_request(connection, f"refund.{refund.id}")
    return request is not None and request.state in {"pending", "stuck"}


def _left(connection: Connection, receivable: Receivable) -> int:
    """With tax. What was asked for before counts until it was done, and from then on what the provider says of it: a
    refund may be rejected, or come back."""
    if not receivable.reference or receivable.status not in {"open", "paid"} or receivable.disputed:
        raise RefundRefusedError(
            "there is no invoice at a payment provider that is open or paid and not disputed: nothing can be given back"
        )
    together = [receivable, *carried_with(connection, receivable.subject)]
    total = sum(one.due_minor for one in together) + receivable.tax_minor
    asked = sum(one.minor for one in refunds_of(connection, receivable.subject) if _is_underway(connection, one))
    return total - asked - receivable.refunded_minor - receivable.credited_minor
