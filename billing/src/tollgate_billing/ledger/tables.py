"""Tables, as the migrations make them (a test compares the two). Times are milliseconds since 1970, UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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

statements = Table(
    "statements",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("customer", Text, nullable=False),
    Column("closed_ms", BigInteger, nullable=False),
    Column("cut_ms", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("brought_minor", BigInteger, nullable=False),
    Column("applied_minor", BigInteger, nullable=False),
    Column("due_minor", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("subscription", "sequence", name="uq_statements_sequence"),
    Index("ix_statements_closed", "closed_ms", "id"),
)

#: ``exact`` and ``quantity`` are fractions as texts: differences to the lines of earlier statements.
statement_lines = Table(
    "statement_lines",
    metadata,
    Column("statement", String(64), nullable=False),
    Column("line", Integer, nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("price", String(400), nullable=False),
    Column("version", String(64), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("exact", Text, nullable=False),
    Column("minor", BigInteger, nullable=False),
    PrimaryKeyConstraint("statement", "line"),
    Index("ix_statement_lines_subscription", "subscription", "price", "start_ms"),
)

#: What the provider charges or credits by hand.
charges = Table(
    "charges",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("comment", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Index("ix_charges_subscription", "subscription", "at_ms"),
)

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

#: What somebody wants to be told, once.
notifications = Table(
    "notifications",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("customer", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_notifications_at", "at_ms", "id"),
    Index("ix_notifications_subscription", "subscription", "at_ms", "id"),
)

#: How a prepaid subscription's credit was when that was last told.
credit_levels = Table(
    "credit_levels",
    metadata,
    Column("subscription", String(400), primary_key=True),
    Column("level", String(16), nullable=False),
    Column("sequence", Integer, nullable=False),
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

#: Credits for lines of statements; each line of one becomes a charge below zero.
credit_notes = Table(
    "credit_notes",
    metadata,
    Column("id", String(128), nullable=False),
    Column("line", Integer, nullable=False),
    Column("statement", String(64), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("id", "line"),
    Index("ix_credit_notes_statement", "statement"),
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
