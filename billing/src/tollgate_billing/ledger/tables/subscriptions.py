"""Who may use what, since when, and by which prices."""

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

catalogs = Table(
    "catalogs",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("json", Text, nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("current_since_ms", BigInteger, nullable=False),
)

price_versions = Table(
    "price_versions",
    metadata,
    Column("name", String(400), nullable=False),
    Column("version", String(64), nullable=False),
    Column("spec", Text, nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", "version"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("product", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("customer_name", Text, nullable=False),
    Column("anchor_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("follow_prices", Boolean, nullable=False),
    Column("overdraft", String(64), nullable=False),
    Column("closed_ms", BigInteger, nullable=False),
    Column("cut_ms", BigInteger, nullable=False),
)

#: Which price versions a subscription has, and when: half-open times. ``recorded_ms``: when that was decided.
subscription_prices = Table(
    "subscription_prices",
    metadata,
    Column("subscription", String(400), nullable=False),
    Column("price", String(400), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("version", String(64), nullable=False),
    Column("seats", Integer, nullable=False),
    Column("until_ms", BigInteger),
    Column("recorded_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("subscription", "price", "since_ms"),
)

#: A subscription's own limits, in units as decimal texts. They are the customer's: who takes a name over has none.
subscription_limits = Table(
    "subscription_limits",
    metadata,
    Column("subscription", String(400), nullable=False),
    Column("metric", String(400), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("customer", Text, nullable=False),
    Column("units", String(64), nullable=False),
    Column("set_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("subscription", "metric", "scope"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("label", Text, nullable=False),
    Column("last4", String(4), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    UniqueConstraint("hash", name="uq_api_keys_hash"),
    Index("ix_api_keys_subscription", "subscription"),
)
