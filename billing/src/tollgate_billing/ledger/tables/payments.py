"""What was paid, what payment providers are asked for, and what they say."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tollgate_billing.ledger.tables.base import metadata

#: What came in for subjects, which are statements and top-ups; below zero: what was taken back, and is owed again, or,
#: as a refund, what was given back, and is not. ``reference`` is what the provider calls it; ``tax_minor`` came with it
#: and is not the subject's.
payments = Table(
    "payments",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("customer", Text, nullable=False),
    Column("provider", String(400), nullable=False),
    Column("reference", Text, nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("tax_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Index("ix_payments_subject", "subject"),
    Index("ix_payments_subscription", "subscription"),
)

#: What is to be asked of a provider. ``attempted_ms`` is when that was tried last in a way that may have had an effect:
#: written before it is.
outbox = Table(
    "outbox",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("provider", String(400), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempted_ms", BigInteger),
    Column("due_ms", BigInteger, nullable=False),
    Column("leased_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("done_ms", BigInteger),
    Column("problem", Text, nullable=False),
    Index("ix_outbox_due", "state", "due_ms"),
    Index("ix_outbox_subscription", "subscription", "state", "created_ms"),
)

#: The invoice of each statement or top-up at its provider, as that said last. ``carried_by`` is the later statement
#: whose invoice collects this one, which was too small by itself. ``version`` counts changes.
invoices = Table(
    "invoices",
    metadata,
    Column("subject", String(128), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("customer", Text, nullable=False),
    Column("provider", String(400), nullable=False),
    Column("reference", String(128), nullable=False),
    Column("status", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("due_minor", BigInteger, nullable=False),
    Column("tax_minor", BigInteger, nullable=False),
    Column("paid_minor", BigInteger, nullable=False),
    Column("number", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("credited_minor", BigInteger, nullable=False),
    Column("disputed", Boolean, nullable=False),
    Column("carried_by", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("compared_ms", BigInteger, nullable=False),
    Index("ix_invoices_reference", "provider", "reference"),
    Index("ix_invoices_subscription", "subscription"),
    Index("ix_invoices_carried", "carried_by"),
)

#: What a provider calls a customer.
provider_customers = Table(
    "provider_customers",
    metadata,
    Column("provider", String(400), nullable=False),
    Column("customer", String(400), nullable=False),
    Column("reference", String(128), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("provider", "customer"),
    UniqueConstraint("provider", "reference", name="uq_provider_customers_reference"),
)

#: What customers are asked to do on a provider's page before it can collect from them. ``attempted_ms`` is when the
#: page was asked for first; ``product`` is empty where the subscription is there already.
checkouts = Table(
    "checkouts",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("provider", String(400), nullable=False),
    Column("customer", String(400), nullable=False),
    Column("customer_name", Text, nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("product", String(400), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("success_url", Text, nullable=False),
    Column("cancel_url", Text, nullable=False),
    Column("reference", String(128), nullable=False),
    Column("url", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("problem", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("attempted_ms", BigInteger),
    Column("settled_ms", BigInteger),
    Index("ix_checkouts_reference", "provider", "reference"),
    Index("ix_checkouts_status", "status", "created_ms"),
)

#: Where our books and somebody else's do not agree, as the last comparison found. ``accepted_ms`` is when a person said
#: that this is right.
drifts = Table(
    "drifts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("provider", String(400), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("message", Text, nullable=False),
    Column("found_ms", BigInteger, nullable=False),
    Column("accepted_ms", BigInteger),
    Column("reason", Text, nullable=False),
    Index("ix_drifts_subscription", "subscription"),
)

#: What is to be given back of what was paid, with tax.
refunds = Table(
    "refunds",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("subject", String(128), nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_refunds_subject", "subject"),
)

#: Events of providers, as they came, once each.
inbox = Table(
    "inbox",
    metadata,
    Column("provider", String(400), nullable=False),
    Column("event_id", String(128), nullable=False),
    Column("kind", String(128), nullable=False),
    Column("invoice", String(128), nullable=False),
    Column("payment", String(128), nullable=False),
    Column("checkout", String(128), nullable=False),
    Column("customer", String(128), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
    PrimaryKeyConstraint("provider", "event_id"),
    Index("ix_inbox_due", "state", "due_ms"),
)

#: Subscriptions whose access is not simply good, by what they owe; ``next_ms`` is when that may become worse.
access = Table(
    "access",
    metadata,
    Column("subscription", String(400), primary_key=True),
    Column("customer", Text, nullable=False),
    Column("level", String(16), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger),
    Column("statement", String(128), nullable=False),
    Index("ix_access_next", "next_ms"),
)

#: The account that a provider's key belonged to when it was first asked. Invoices and customers are there: a key of
#: another one, or of the other mode, is not used under the same name.
payment_accounts = Table(
    "payment_accounts",
    metadata,
    Column("provider", String(400), primary_key=True),
    Column("account", String(255), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
)

#: What its account is called, where that could not be told when it was first asked.
payment_account_ids = Table(
    "payment_account_ids",
    metadata,
    Column("provider", String(400), primary_key=True),
    Column("account", String(255), nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
)
