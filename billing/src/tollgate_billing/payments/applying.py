"""A provider's truth about an invoice becomes ours: its state, and the payments that lead to what it says was paid.

Only differences are recorded, under the subscription's lock. So it does not matter which events came, how often, or in
which order: the last look decides.
"""

from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import lock_subscription
from tollgate_billing.payments.port import ProviderInvoice
from tollgate_billing.payments.receivables import (
    Receivable,
    carried_with,
    count_change,
    find_receivable,
    remember_customer,
    update_receivable,
)
from tollgate_billing.payments.received import Kind, Payment, paid_by, payments_of, record_payment
from tollgate_billing.payments.shares import Share, Step, allocate
from tollgate_billing.statements.store import find_statement

_log = structlog.get_logger("payments")


class StaleError(Exception):
    """Another look at the provider was applied since: look again."""


class DriftError(Exception):
    """What the provider says cannot be of the statement that was sent: a person has to look."""


#: Is told of subscriptions whose debts have changed, in the same transaction.
Judge = Callable[[Connection, str], object]


def judge_nobody(connection: Connection, subscription: str) -> None:
    """Debts have no consequences."""
    del connection, subscription


def apply_invoice(
    connection: Connection,
    provider: str,
    found: ProviderInvoice,
    now_ms: int,
    judge: Judge = judge_nobody,
    seen: int | None = None,
) -> bool:
    """False where nothing is new, or it is no statement's. ``seen`` is the version of the receivable before the
    provider was asked: where it has grown, somebody may know better. The caller commits. Raises DriftError, StaleError.
    """
    first = find_receivable(connection, found.statement)
    if first is None or first.provider != provider:
        return False
    lock_subscription(connection, first.subscription)
    receivable = find_receivable(connection, found.statement) or first
    if seen is not None and receivable.version != seen:
        raise StaleError
    if found.status == "draft":
        return False  # it may be deleted, and is nobody's debt yet
    if receivable.reference not in {"", found.reference} and receivable.status != "void":
        raise DriftError(f"{found.reference} is another invoice of {found.statement} than {receivable.reference}")
    together = [receivable, *carried_with(connection, receivable.statement)]
    _require_equal(together, found)
    changed = update_receivable(connection, receivable, found, now_ms)
    remember_customer(connection, provider, receivable.customer, found.customer, now_ms)
    changed = _record(connection, provider, found, together, now_ms) or changed
    if changed:
        count_change(connection, receivable.statement)
        judge(connection, receivable.subscription)
    return changed


def _require_equal(together: list[Receivable], found: ProviderInvoice) -> None:
    if found.status == "void":
        return
    due = sum(one.due_minor for one in together)
    if (found.currency, found.total_minor - found.tax_minor) != (together[0].currency, due):
        said = f"{found.total_minor - found.tax_minor} {found.currency}"
        raise DriftError(f"{found.reference} is about {said}, and {found.statement} about {due} {together[0].currency}")


def _record(
    connection: Connection, provider: str, found: ProviderInvoice, together: list[Receivable], now_ms: int
) -> bool:
    paid = _steps(connection, provider, found, together, "payment")
    for step in paid:
        _write(connection, provider, found, step, "payment", now_ms)
    refunded = _steps(connection, provider, found, together, "refund")
    for step in refunded:
        _write(connection, provider, found, step, "refund", now_ms)
    return bool(paid or refunded)


def _steps(
    connection: Connection, provider: str, found: ProviderInvoice, together: list[Receivable], kind: Kind
) -> list[Step]:
    sign, amount = (1, found.paid_minor) if kind == "payment" else (-1, found.refunded_minor)
    shares: list[Share] = []
    for one in together:
        minor, tax = paid_by(connection, one.statement, provider, kind)
        shares.append(Share(one.statement, one.due_minor, sign * minor, sign * tax))
    steps = allocate(shares, found.total_minor, found.tax_minor, amount)
    return [Step(step.statement, sign * step.minor, sign * step.tax_minor) for step in steps]


def _write(connection: Connection, provider: str, found: ProviderInvoice, step: Step, kind: Kind, now_ms: int) -> None:
    statement = find_statement(connection, step.statement)
    assert statement is not None  # noqa: S101
    payment = Payment(
        id=f"{found.reference}.{step.statement}.{len(payments_of(connection, step.statement)) + 1}",
        statement=step.statement,
        subscription=statement.subscription,
        customer=statement.customer,
        provider=provider,
        reference=found.payment,
        minor=step.minor,
        currency=found.currency,
        at_ms=found.payment_ms or now_ms,
        recorded_ms=now_ms,
        tax_minor=step.tax_minor,
        kind=kind,
    )
    record_payment(connection, statement, payment)
    _log.info("payment", statement=step.statement, provider=provider, reference=found.payment, minor=step.minor)
