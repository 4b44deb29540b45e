"""From what a provider says of an invoice to rows of payments: the differences to what is recorded."""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from tollgate_billing.ledger.money import post_money, posted
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.notifications.store import notify
from tollgate_billing.payments.debts import Debt, find_debt
from tollgate_billing.payments.port import ProviderInvoice
from tollgate_billing.payments.receivables import Receivable
from tollgate_billing.payments.received import Kind, Payment, paid_by, paid_for, payments_of, record_payment
from tollgate_billing.payments.shares import Share, Step, allocate
from tollgate_core.money import Money

_log = structlog.get_logger("payments")


def record_differences(
    connection: Connection, provider: str, found: ProviderInvoice, together: Sequence[Receivable], now_ms: int
) -> bool:
    """False where all of it is recorded. ``together``: what the invoice is about. Credits come first, because the
    invoice is about less after them."""
    credits_ = _steps(connection, provider, found, together, "credit")
    for step in credits_:
        _write(connection, provider, found, step, "credit", now_ms)
    paid = _steps(connection, provider, found, together, "payment")
    for step in paid:
        _write_paid(connection, provider, found, step, now_ms)
    refunded = _steps(connection, provider, found, together, "refund")
    for step in refunded:
        _write(connection, provider, found, step, "refund", now_ms)
    if found.balance_minor:
        _post_balance(connection, provider, found, now_ms)
    return bool(credits_ or paid or refunded)


def _post_balance(connection: Connection, provider: str, found: ProviderInvoice, now_ms: int) -> None:
    """Payments are posted as cash: what of it the provider took from its customer's balance never came."""
    account = f"balance:{provider}:{found.reference}"
    minor, count = posted(connection, account)
    step = found.balance_minor - minor
    if step:
        sides = [(f"cash:{provider}", -step), (account, step)]
        at_ms = found.payment_ms or now_ms
        post_money(connection, f"{account}.{count + 1}"[-128:], sides, found.currency, at_ms)


def _steps(
    connection: Connection, provider: str, found: ProviderInvoice, together: Sequence[Receivable], kind: Kind
) -> list[Step]:
    amounts = {"payment": found.paid_minor, "refund": found.refunded_minor, "credit": found.credited_minor}
    sign = -1 if kind == "refund" else 1
    shares: list[Share] = []
    tax_left = found.tax_minor
    for one in together:
        minor, tax = paid_by(connection, one.subject, provider, kind)
        due = one.due_minor
        if kind == "payment":
            extra, extra_tax = paid_by(connection, one.subject, provider, "surplus")
            credited, credited_tax = paid_by(connection, one.subject, provider, "credit")
            minor, tax, due = minor + extra, tax + extra_tax, due - credited
            tax_left -= credited_tax
        shares.append(Share(one.subject, due, sign * minor, sign * tax))
    total = found.total_minor - (found.credited_minor if kind == "payment" else 0)
    steps = allocate(shares, total, tax_left, amounts[kind])
    return [Step(step.subject, sign * step.minor, sign * step.tax_minor) for step in steps]


def _write_paid(connection: Connection, provider: str, found: ProviderInvoice, step: Step, now_ms: int) -> None:
    """What is more than is left to be paid, because it was paid by other means too, is kept apart: it is the
    customer's."""
    debt = find_debt(connection, step.subject)
    assert debt is not None  # noqa: S101
    left = debt.due_minor - paid_for(connection, [step.subject]).get(step.subject, 0)
    surplus = paid_by(connection, step.subject, provider, "surplus")[0]
    beyond = max(step.minor - left, 0) if step.minor > 0 else max(step.minor, -surplus)
    if beyond:
        _write(connection, provider, found, Step(step.subject, beyond, 0), "surplus", now_ms)
        _tell_surplus(connection, debt, provider, found, beyond, now_ms)
    if step.minor - beyond or step.tax_minor:
        _write(connection, provider, found, Step(step.subject, step.minor - beyond, step.tax_minor), "payment", now_ms)


def _tell_surplus(
    connection: Connection, debt: Debt, provider: str, found: ProviderInvoice, minor: int, now_ms: int
) -> None:
    row = find_subscription(connection, debt.subscription)
    if row is None or row.customer != debt.customer:
        return
    amount = {"amount": Money(minor, debt.currency).amount, "currency": debt.currency}
    body = {**amount, "subject": debt.subject, "provider": provider, "invoice": found.reference}
    notify(connection, row, "payment.surplus", f"{found.reference} {found.paid_minor} {now_ms}", now_ms, body)


def _write(connection: Connection, provider: str, found: ProviderInvoice, step: Step, kind: Kind, now_ms: int) -> None:
    debt = find_debt(connection, step.subject)
    assert debt is not None  # noqa: S101
    payment = Payment(
        id=f"{found.reference}.{step.subject}.{len(payments_of(connection, step.subject)) + 1}"[-128:],
        subject=step.subject,
        subscription=debt.subscription,
        customer=debt.customer,
        provider=provider,
        reference=found.payment,
        minor=step.minor,
        currency=found.currency,
        at_ms=found.payment_ms or now_ms,
        recorded_ms=now_ms,
        tax_minor=step.tax_minor,
        kind=kind,
    )
    record_payment(connection, debt, payment)
    _log.info(kind, subject=step.subject, provider=provider, reference=found.payment, minor=step.minor)
