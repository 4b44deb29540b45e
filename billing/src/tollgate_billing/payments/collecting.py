"""A statement that is closed is put into the outbox of its product's payment provider, in the same transaction."""

from collections.abc import Callable

from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.payments.debts import debt_of_statement
from tollgate_billing.payments.outbox import enqueue
from tollgate_billing.payments.receivables import add_receivable, last_provider
from tollgate_billing.statements.store import StoredStatement
from tollgate_core.catalog import Catalog


class Collecting:
    """By the current catalog: what is closed today is collected by today's provider; where the product is gone, by
    whoever collected before."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def __call__(self, connection: Connection, row: Subscription, statement: StoredStatement) -> None:
        """Nothing is to be collected where nothing is due, or nobody collects."""
        product = next((p for p in self._catalog().products if p.name == row.product), None)
        provider = product.payment_provider if product else last_provider(connection, row.name, row.customer)
        if provider and statement.due_minor:
            add_receivable(connection, debt_of_statement(statement), provider, statement.cut_ms)
            enqueue(connection, "invoice", provider, row.name, statement.id, statement.cut_ms)
