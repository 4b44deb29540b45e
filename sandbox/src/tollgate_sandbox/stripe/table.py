"""Every endpoint of the simulated API."""

from tollgate_sandbox.stripe.calls import Operation
from tollgate_sandbox.stripe.operations import (
    catalog,
    credit_notes,
    customers,
    hooks,
    invoice_items,
    invoices,
    payment_intents,
    payment_methods,
    payments,
    sessions,
    setup_intents,
    subscriptions,
)

OPERATIONS: tuple[Operation, ...] = (
    *catalog.OPERATIONS,
    *credit_notes.OPERATIONS,
    *customers.OPERATIONS,
    *hooks.OPERATIONS,
    *invoice_items.OPERATIONS,
    *invoices.OPERATIONS,
    *payment_intents.OPERATIONS,
    *payment_methods.OPERATIONS,
    *payments.OPERATIONS,
    *sessions.OPERATIONS,
    *setup_intents.OPERATIONS,
    *subscriptions.OPERATIONS,
)
