"""What was used: events, their postings, and sums of them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
)

from tollgate_billing.ledger.tables.base import metadata

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
    Column("api_key", String(40), nullable=False, server_default=""),
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
    Column("subscription", String(400), nullable=False),
    PrimaryKeyConstraint("event_id", "revision"),
    Index("ix_event_corrections_subscription", "subscription", "recorded_ms"),
    Index("ix_event_corrections_recorded", "recorded_ms"),
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

#: Sums of usage postings by the hour: a projection, kept in the transaction that writes the postings. The amount is
#: ``high * 10^9 + low``, so that no sum leaves 64 bits.
usage_hours = Table(
    "usage_hours",
    metadata,
    Column("subscription", String(400), nullable=False),
    Column("hour_ms", BigInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("quality", String(16), nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("weight", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("subscription", "hour_ms", "account", "commodity", "quality"),
)

#: Usage that was recorded or corrected after its time was closed; ``closed_ms``: which closing it came after.
late_usage = Table(
    "late_usage",
    metadata,
    Column("event_id", String(400), nullable=False),
    Column("revision", SmallInteger, nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("closed_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("event_id", "revision"),
    Index("ix_late_usage_subscription", "subscription", "closed_ms", "at_ms"),
)

#: Since when something is so with every row that is written.
milestones = Table(
    "milestones",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
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
