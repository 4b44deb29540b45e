"""From a request of the outbox to what the provider is asked: read in one transaction, sent after it."""

from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import find_subscription, lock_subscription
from tollgate_billing.payments.debts import top_up_of
from tollgate_billing.payments.invoices import invoice_lines
from tollgate_billing.payments.outbox import Request
from tollgate_billing.payments.port import InvoiceLine, InvoiceOrder, Payer, ProviderPort, RefundOrder, RefusedError
from tollgate_billing.payments.receivables import (
    Receivable,
    carried_with,
    carry,
    customer_reference,
    find_receivable,
    release_carried,
    take_carried,
)
from tollgate_billing.payments.received import paid_for
from tollgate_billing.payments.refunds import find_refund
from tollgate_billing.statements.store import StoredStatement, find_statement
from tollgate_billing.wallets.top_ups import find_top_up


def order_of(connection: Connection, request: Request, provider: ProviderPort, now_ms: int) -> InvoiceOrder | None:
    """None where there is nothing to be collected: it is paid by other means, or too small, and the next invoice
    carries it. The caller commits. Raises RefusedError where a part of it was paid by other means."""
    lock_subscription(connection, request.subscription)
    if request.kind == "top_up":
        return _order_of_top_up(connection, request, provider, now_ms)
    statement, receivable = find_statement(connection, request.subject), find_receivable(connection, request.subject)
    if statement is None or receivable is None:
        raise ValueError(f"there is no statement {request.subject} to be collected")
    if not receivable.reference and not _is_unpaid(connection, statement):
        release_carried(connection, statement.id)
        return None
    # What an invoice carries is decided before it is attempted: it may be out by the second time.
    first = request.attempted_ms is None
    carried = take_carried(connection, receivable) if first else carried_with(connection, statement.id)
    due = receivable.due_minor + sum(one.due_minor for one in carried)
    if due < provider.least_minor(receivable.currency) and not receivable.reference:
        carry(connection, receivable, now_ms)
        release_carried(connection, receivable.subject)
        return None
    order = _order(connection, request, provider, statement, carried)
    return replace(order, **_history(request, receivable, now_ms))


def _history(request: Request, receivable: Receivable, now_ms: int) -> dict[str, Any]:
    """What is known of earlier attempts."""
    return {
        "attempted": request.attempted_ms is not None,
        "age_ms": now_ms - (request.attempted_ms or 0),
        "asked_ms": request.created_ms,
        "reference": receivable.reference,
    }


def _is_unpaid(connection: Connection, statement: StoredStatement) -> bool:
    """An invoice is about all of a statement."""
    paid = paid_for(connection, [statement.id]).get(statement.id, 0)
    if 0 < paid < statement.due_minor:
        raise RefusedError("a part of it was paid by other means: have the rest paid so too, and drop this request")
    return not paid


def _order(
    connection: Connection,
    request: Request,
    provider: ProviderPort,
    statement: StoredStatement,
    carried: list[Receivable],
) -> InvoiceOrder:
    document = orjson.loads(statement.body)
    reference = customer_reference(connection, request.provider, statement.customer)
    order = InvoiceOrder(
        subject=statement.id,
        title=f"Statement {statement.sequence} of {statement.subscription}",
        subscription=statement.subscription,
        payer=Payer(statement.customer, document["customer_name"], reference),
        currency=statement.currency,
        lines=invoice_lines(document, provider.lines_at_most, [(one.subject, one.due_minor) for one in carried]),
        attempted=False,
    )
    due = statement.due_minor + sum(one.due_minor for one in carried)
    if order.total_minor != due:
        raise AssertionError(f"the lines of {statement.id} are {order.total_minor}, and {due} is due")
    return order


def _order_of_top_up(
    connection: Connection, request: Request, provider: ProviderPort, now_ms: int
) -> InvoiceOrder | None:
    """Nobody waits for an automatic one: where the first attempt fails it is given up."""
    top_up, receivable = (
        find_top_up(connection, top_up_of(request.subject)),
        find_receivable(connection, request.subject),
    )
    if top_up is None or receivable is None:
        raise ValueError(f"there is no {request.subject} to be collected")
    if top_up.state != "pending" and not receivable.reference and not request.attempted_ms:
        return None  # paid by other means, or cancelled; what was attempted before, if anything, charged nobody
    if top_up.minor < provider.least_minor(top_up.currency):
        raise RefusedError("it is less than the payment provider collects: raise topUps.min of the product")
    row = find_subscription(connection, top_up.subscription)
    return InvoiceOrder(
        subject=request.subject,
        title=f"Credit for {top_up.subscription}",
        subscription=top_up.subscription,
        payer=Payer(
            top_up.customer,
            row.customer_name if row and row.customer == top_up.customer else "",
            customer_reference(connection, request.provider, top_up.customer),
        ),
        currency=top_up.currency,
        lines=(InvoiceLine("credit", "Prepaid credit", top_up.minor, top_up.created_ms, top_up.created_ms),),
        collection="once" if top_up.reason == "automatic" else "attended",
        **_history(request, receivable, now_ms),
    )


def is_cancelled(connection: Connection, request: Request) -> bool:
    """Whether nobody wants the top-up any more, such as a customer who has left."""
    top_up = find_top_up(connection, top_up_of(request.subject))
    return top_up is not None and top_up.state == "cancelled"


def refund_order(connection: Connection, request: Request, now_ms: int) -> RefundOrder:
    """Raises RefusedError where there is no invoice to give anything back of."""
    refund = find_refund(connection, request.subject)
    receivable = find_receivable(connection, refund.subject) if refund else None
    if refund is None or receivable is None or not receivable.reference:
        raise RefusedError("no payment provider has collected it")
    return RefundOrder(
        id=refund.id,
        invoice=receivable.reference,
        minor=refund.minor,
        currency=refund.currency,
        reason=refund.reason,
        attempted=request.attempted_ms is not None,
        age_ms=now_ms - (request.attempted_ms or 0),
    )
