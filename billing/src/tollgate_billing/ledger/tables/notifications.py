"""What somebody is told."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from tollgate_billing.ledger.tables.base import metadata

#: What somebody wants to be told, once. ``sequence`` grows in the order of commits.
notifications = Table(
    "notifications",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("customer", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False, server_default="0"),
    Index("ix_notifications_sequence", "sequence", "id"),
    Index("ix_notifications_subscription", "subscription", "sequence", "id"),
)

#: How a prepaid subscription's credit was when that was last told.
credit_levels = Table(
    "credit_levels",
    metadata,
    Column("subscription", String(400), primary_key=True),
    Column("level", String(16), nullable=False),
    Column("sequence", Integer, nullable=False),
)
