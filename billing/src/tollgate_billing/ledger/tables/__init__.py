"""Tables, as the migrations make them (a test compares the two). Times are milliseconds since 1970, UTC."""

from tollgate_billing.ledger.tables.base import metadata
from tollgate_billing.ledger.tables.money import (
    automatic_top_ups,
    money_postings,
    top_ups,
    wallet_burns,
    wallet_grants,
)
from tollgate_billing.ledger.tables.notifications import credit_levels, notifications
from tollgate_billing.ledger.tables.payments import (
    access,
    checkouts,
    drifts,
    inbox,
    invoices,
    outbox,
    payment_account_ids,
    payment_accounts,
    payments,
    provider_customers,
    refunds,
)
from tollgate_billing.ledger.tables.statements import charges, credit_notes, statement_lines, statements
from tollgate_billing.ledger.tables.subscriptions import (
    api_keys,
    catalogs,
    price_versions,
    subscription_limits,
    subscription_prices,
    subscriptions,
)
from tollgate_billing.ledger.tables.usage import (
    dead_letters,
    event_corrections,
    late_usage,
    milestones,
    postings,
    usage_events,
    usage_hours,
)

__all__ = [
    "access",
    "api_keys",
    "automatic_top_ups",
    "catalogs",
    "charges",
    "checkouts",
    "credit_levels",
    "credit_notes",
    "dead_letters",
    "drifts",
    "event_corrections",
    "inbox",
    "invoices",
    "late_usage",
    "metadata",
    "milestones",
    "money_postings",
    "notifications",
    "outbox",
    "payment_account_ids",
    "payment_accounts",
    "payments",
    "postings",
    "price_versions",
    "provider_customers",
    "refunds",
    "statement_lines",
    "statements",
    "subscription_limits",
    "subscription_prices",
    "subscriptions",
    "top_ups",
    "usage_events",
    "usage_hours",
    "wallet_burns",
    "wallet_grants",
]
