"""Prepaid money, and double entry."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from tollgate_billing.ledger.tables.base import metadata

wallet_grants = Table(
    "wallet_grants",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("granted_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("source", String(16), nullable=False),
    Column("comment", Text, nullable=False),
    Index("ix_wallet_grants_subscription", "subscription"),
    Index("ix_wallet_grants_expires", "expires_ms"),
)

#: A statement takes from a grant once; so do its expiry and its withdrawal.
wallet_burns = Table(
    "wallet_burns",
    metadata,
    Column("grant", String(128), nullable=False),
    Column("taken_by", String(128), nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("reason", String(16), nullable=False),
    PrimaryKeyConstraint("grant", "taken_by"),
)

#: Double entry in minor units; the lines of a transaction sum to zero in each currency.
money_postings = Table(
    "money_postings",
    metadata,
    Column("transaction", String(128), nullable=False),
    Column("line", Integer, nullable=False),
    Column("account", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("transaction", "line"),
    Index("ix_money_postings_account", "account", "at_ms"),
)

#: Money that is to be paid in; it becomes a grant of the same id when it is paid.
top_ups = Table(
    "top_ups",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("customer", Text, nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger),
    Index("ix_top_ups_subscription", "subscription", "created_ms"),
    Index("ix_top_ups_state", "state", "created_ms"),
)

#: What a customer wants to be paid in by itself.
automatic_top_ups = Table(
    "automatic_top_ups",
    metadata,
    Column("subscription", String(400), primary_key=True),
    Column("below_minor", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("month_minor", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
)
