"""From a request of the outbox to what the provider is asked: read in one transaction, sent after it."""

from collections.abc import Callable

import orjson
from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import lock_subscription
from tollgate_billing.payments.invoices import invoice_lines
from tollgate_billing.payments.outbox import Request
from tollgate_billing.payments.port import InvoiceOrder, Payer, RefusedError
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
from tollgate_billing.statements.store import StoredStatement, find_statement


def order_of(
    connection: Connection, request: Request, least_minor: Callable[[str], int], now_ms: int
) -> InvoiceOrder | None:
    """None where there is nothing to be collected: it is paid by other means, or too small, and the next invoice
    carries it. The caller commits. Raises RefusedError where a part of it was paid by other means."""
    lock_subscription(connection, request.subscription)
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
    if due < least_minor(receivable.currency) and not receivable.reference:
        carry(connection, receivable, now_ms)
        release_carried(connection, receivable.statement)
        return None
    return _order(connection, request, statement, carried)


def _is_unpaid(connection: Connection, statement: StoredStatement) -> bool:
    """An invoice is about all of a statement."""
    paid = paid_for(connection, [statement.id]).get(statement.id, 0)
    if 0 < paid < statement.due_minor:
        raise RefusedError("a part of it was paid by other means: have the rest paid so too, and drop this request")
    return not paid


def _order(
    connection: Connection, request: Request, statement: StoredStatement, carried: list[Receivable]
) -> InvoiceOrder:
    document = orjson.loads(statement.body)
    reference = customer_reference(connection, request.provider, statement.customer)
    order = InvoiceOrder(
        statement=statement.id,
        number=statement.sequence,
        subscription=statement.subscription,
        payer=Payer(statement.customer, document["customer_name"], reference),
        currency=statement.currency,
        lines=invoice_lines(document, [(one.statement, one.due_minor) for one in carried]),
        attempted=request.attempted_ms is not None,
    )
    due = statement.due_minor + sum(one.due_minor for one in carried)
    if order.total_minor != due:
        raise AssertionError(f"the lines of {statement.id} are {order.total_minor}, and {due} is due")
    return order
