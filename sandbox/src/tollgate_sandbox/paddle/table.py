"""Every endpoint of the simulated API."""

from tollgate_sandbox.paddle.calls import Operation
from tollgate_sandbox.paddle.operations import (
    adjustments,
    catalog,
    customers,
    events,
    payment_methods,
    subscriptions,
    transactions,
)

OPERATIONS: tuple[Operation, ...] = (
    *adjustments.OPERATIONS,
    *catalog.OPERATIONS,
    *customers.OPERATIONS,
    *events.OPERATIONS,
    *payment_methods.OPERATIONS,
    *subscriptions.OPERATIONS,
    *transactions.OPERATIONS,
)
