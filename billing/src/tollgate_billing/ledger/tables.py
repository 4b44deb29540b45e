"""Tables, as the migrations make them (a test compares the two). Times are milliseconds since 1970, UTC."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

usage_events = Table(
    "usage_events",
    metadata,
    Column("id", String(400), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("customer", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("quality", String(16), nullable=False),
    Column("witness", String(16), nullable=False),
    Column("unmetered", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("payload_hash", String(32), nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    Index("ix_usage_events_recorded", "recorded_ms", "id"),
    Index("ix_usage_events_subscription", "subscription", "recorded_ms", "id"),
)

event_corrections = Table(
    "event_corrections",
    metadata,
    Column("event_id", String(400), nullable=False),
    Column("revision", SmallInteger, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("quality", String(16), nullable=False),
    Column("witness", String(16), nullable=False),
    Column("unmetered", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("payload_hash", String(32), nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("event_id", "revision"),
)

#: ``revision`` 0 is the event itself, others are its corrections; ``weight`` is -1 on the lines that reverse.
postings = Table(
    "postings",
    metadata,
    Column("event_id", String(400), nullable=False),
    Column("revision", SmallInteger, nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("weight", SmallInteger, nullable=False),
    Column("quality", String(16), nullable=False),
    Column("subscription", String(400)),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("event_id", "revision", "line"),
    sqlite_with_rowid=False,
)
_usage_lines = postings.c.subscription.is_not(None)
Index(
    "ix_postings_usage",
    postings.c.subscription,
    postings.c.at_ms,
    sqlite_where=_usage_lines,
    postgresql_where=_usage_lines,
)

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

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("event_id", Text),
    Column("partition", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("replayed_ms", BigInteger),
    Index("ix_dead_letters_recorded", "recorded_ms"),
)
