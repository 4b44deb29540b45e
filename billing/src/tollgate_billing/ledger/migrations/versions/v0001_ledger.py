"""The first schema: events, postings, catalogs, subscriptions, keys, dead letters."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import refuse_changes

revision = "0001"
down_revision = None

_APPEND_ONLY = ("usage_events", "event_corrections", "postings", "price_versions")


def upgrade() -> None:
    """Make everything."""
    _events()
    _postings()
    _catalogs()
    _subscriptions()
    _dead_letters()
    for table in _APPEND_ONLY:
        refuse_changes(table)


def _name(column: str, *, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(column, sa.String(400), nullable=False, primary_key=primary_key)


def _recorded() -> list["sa.Column[str]"]:
    return [
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("quality", sa.String(16), nullable=False),
        sa.Column("witness", sa.String(16), nullable=False),
    ]


def _big(column: str, *, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(column, sa.BigInteger, nullable=nullable)


def _small(column: str) -> "sa.Column[int]":
    return sa.Column(column, sa.SmallInteger, nullable=False)


def _text(column: str) -> "sa.Column[str]":
    return sa.Column(column, sa.Text, nullable=False)


def _events() -> None:
    op.create_table(
        "usage_events",
        _name("id", primary_key=True),
        _name("subscription"),
        _text("customer"),
        _text("product"),
        _text("endpoint"),
        _big("at_ms"),
        *_recorded(),
        sa.Column("unmetered", sa.Integer, nullable=False),
        _text("body"),
        sa.Column("payload_hash", sa.String(32), nullable=False),
        _big("recorded_ms"),
        _small("partition"),
    )
    op.create_index("ix_usage_events_recorded", "usage_events", ["recorded_ms", "id"])
    op.create_index("ix_usage_events_subscription", "usage_events", ["subscription", "recorded_ms", "id"])
    op.create_table(
        "event_corrections",
        _name("event_id"),
        _small("revision"),
        *_recorded(),
        sa.Column("unmetered", sa.Integer, nullable=False),
        _text("body"),
        sa.Column("payload_hash", sa.String(32), nullable=False),
        _big("recorded_ms"),
        sa.PrimaryKeyConstraint("event_id", "revision"),
    )


def _postings() -> None:
    op.create_table(
        "postings",
        _name("event_id"),
        _small("revision"),
        _small("line"),
        _text("account"),
        _text("commodity"),
        _big("amount_micros"),
        _small("weight"),
        sa.Column("quality", sa.String(16), nullable=False),
        sa.Column("subscription", sa.String(400)),
        _big("at_ms"),
        sa.PrimaryKeyConstraint("event_id", "revision", "line"),
        sqlite_with_rowid=False,
    )
    usage_lines = sa.text("subscription IS NOT NULL")
    op.create_index(
        "ix_postings_usage",
        "postings",
        ["subscription", "at_ms"],
        sqlite_where=usage_lines,
        postgresql_where=usage_lines,
    )


def _catalogs() -> None:
    op.create_table(
        "catalogs",
        sa.Column("hash", sa.String(64), primary_key=True),
        _text("json"),
        _big("first_seen_ms"),
        _big("current_since_ms"),
    )
    op.create_table(
        "price_versions",
        _name("name"),
        sa.Column("version", sa.String(64), nullable=False),
        _text("spec"),
        _big("first_seen_ms"),
        sa.PrimaryKeyConstraint("name", "version"),
    )


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        _name("name", primary_key=True),
        _text("product"),
        _text("customer"),
        _text("customer_name"),
        _big("anchor_ms"),
        sa.Column("state", sa.String(16), nullable=False),
        _big("revision"),
        sa.Column("origin", sa.String(16), nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        _name("subscription"),
        _text("label"),
        sa.Column("last4", sa.String(4), nullable=False),
        _big("created_ms"),
        _big("expires_ms", nullable=True),
        _big("revoked_ms", nullable=True),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
    )
    op.create_index("ix_api_keys_subscription", "api_keys", ["subscription"])


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("event_id", sa.Text),
        _small("partition"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _text("reason"),
        _big("recorded_ms"),
        _big("replayed_ms", nullable=True),
    )
    op.create_index("ix_dead_letters_recorded", "dead_letters", ["recorded_ms"])
