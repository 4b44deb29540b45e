"""What is to be collected is put into the outbox of its product's payment provider, in the transaction that makes it: a
statement that is closed, a top-up that is asked for."""

from collections.abc import Callable

from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.payments.debts import debt_of_statement, debt_of_top_up
from tollgate_billing.payments.outbox import enqueue, send_again
from tollgate_billing.payments.receivables import add_receivable, last_provider, open_invoices
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.wallets.topping_up import TopUp
from tollgate_core.catalog import Catalog


class Collecting:
    """By the current catalog: what is closed today is collected by today's provider; where the product is gone, by
    whoever collected before."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def __call__(self, connection: Connection, row: Subscription, statement: StoredStatement) -> None:
        """Nothing is to be collected where nothing is due, or nobody collects."""
        product = self._catalog().product(row.product)
        provider = product.payment_provider if product else last_provider(connection, row.name, row.customer)
        if provider and statement.due_minor:
            add_receivable(connection, debt_of_statement(statement), provider, statement.cut_ms)
            enqueue(connection, "invoice", provider, row.name, statement.id, statement.cut_ms)


def collect_again(connection: Connection, provider: str, customer: str, now_ms: int) -> None:
    """Whatever he owes, with the payment method that he has now."""
    for receivable in open_invoices(connection, provider, customer):
        send_again(connection, "invoice", receivable.subject, now_ms)


class PayingIn:
    """Top-ups of products whose provider can charge; others are settled by whoever collects them."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def __call__(self, connection: Connection, row: Subscription, top_up: TopUp) -> None:
        """The caller has just made the top-up."""
        catalog = self._catalog()
        product = catalog.product(row.product)
        if product is None or catalog.collects_by_hand(product.payment_provider):
            return
        debt = debt_of_top_up(top_up)
        add_receivable(connection, debt, product.payment_provider, top_up.created_ms)
        enqueue(connection, "top_up", product.payment_provider, row.name, debt.subject, top_up.created_ms)
