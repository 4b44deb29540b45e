"""Statements: pinned price versions, closings, statement lines, charges, postings of money."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import refuse_changes

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; subscriptions that are there keep their anchor as their start."""
    _subscriptions()
    _pins()
    _hours()
    _statements()
    _money()
    _wallets()
    for table in ("statements", "statement_lines", "charges", "money_postings", "wallet_grants", "wallet_burns"):
        refuse_changes(table)


def _big(column: str, *, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(column, sa.BigInteger, nullable=nullable)


def _string(column: str, length: int) -> "sa.Column[str]":
    return sa.Column(column, sa.String(length), nullable=False)


def _text(column: str) -> "sa.Column[str]":
    return sa.Column(column, sa.Text, nullable=False)


def _subscriptions() -> None:
    with op.batch_alter_table("subscriptions") as table:
        table.add_column(sa.Column("time_zone", sa.String(64), nullable=False, server_default="UTC"))
        table.add_column(sa.Column("currency", sa.String(3), nullable=False, server_default=""))
        table.add_column(sa.Column("overdraft", sa.String(64), nullable=False, server_default=""))
        for name in ("created_ms", "started_ms", "closed_ms", "cut_ms"):
            table.add_column(sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
        table.add_column(_big("ended_ms", nullable=True))
        table.add_column(sa.Column("follow_prices", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE subscriptions SET created_ms = anchor_ms, started_ms = anchor_ms, closed_ms = anchor_ms - 1")


def _pins() -> None:
    op.create_table(
        "subscription_prices",
        _string("subscription", 400),
        _string("price", 400),
        _big("since_ms"),
        _string("version", 64),
        sa.Column("seats", sa.Integer, nullable=False),
        _big("until_ms", nullable=True),
        sa.PrimaryKeyConstraint("subscription", "price", "since_ms"),
    )


def _hours() -> None:
    op.create_table(
        "usage_hours",
        _string("subscription", 400),
        _big("hour_ms"),
        _text("account"),
        _text("commodity"),
        _string("quality", 16),
        _big("high"),
        _big("low"),
        _big("weight"),
        _big("first_ms"),
        sa.PrimaryKeyConstraint("subscription", "hour_ms", "account", "commodity", "quality"),
    )
    op.execute(
        "INSERT INTO usage_hours (subscription, hour_ms, account, commodity, quality, high, low, weight, first_ms) "
        "SELECT subscription, at_ms - at_ms % 3600000, account, commodity, quality, SUM(amount_micros / 1000000000), "
        "SUM(amount_micros % 1000000000), SUM(weight), MIN(at_ms) FROM postings WHERE subscription IS NOT NULL "
        "GROUP BY subscription, at_ms - at_ms % 3600000, account, commodity, quality"
    )


def _statements() -> None:
    op.create_table(
        "statements",
        sa.Column("id", sa.String(64), primary_key=True),
        _string("subscription", 400),
        sa.Column("sequence", sa.Integer, nullable=False),
        _text("customer"),
        _big("closed_ms"),
        _big("cut_ms"),
        _string("currency", 3),
        _big("total_minor"),
        _big("brought_minor"),
        _big("applied_minor"),
        _big("due_minor"),
        _text("body"),
        _string("previous_hash", 64),
        _string("hash", 64),
        sa.UniqueConstraint("subscription", "sequence", name="uq_statements_sequence"),
    )
    op.create_index("ix_statements_closed", "statements", ["closed_ms", "id"])
    op.create_table(
        "statement_lines",
        _string("statement", 64),
        sa.Column("line", sa.Integer, nullable=False),
        _string("subscription", 400),
        _string("kind", 16),
        _string("price", 400),
        _string("version", 64),
        _big("start_ms"),
        _big("end_ms"),
        _text("quantity"),
        _text("exact"),
        _big("minor"),
        sa.PrimaryKeyConstraint("statement", "line"),
    )
    op.create_index("ix_statement_lines_subscription", "statement_lines", ["subscription", "price", "start_ms"])


def _money() -> None:
    op.create_table(
        "charges",
        sa.Column("id", sa.String(128), primary_key=True),
        _string("subscription", 400),
        _big("at_ms"),
        _big("minor"),
        _string("currency", 3),
        _text("comment"),
        _big("recorded_ms"),
    )
    op.create_index("ix_charges_subscription", "charges", ["subscription", "at_ms"])
    op.create_table(
        "money_postings",
        _string("transaction", 128),
        sa.Column("line", sa.Integer, nullable=False),
        _text("account"),
        _string("currency", 3),
        _big("minor"),
        _big("at_ms"),
        sa.PrimaryKeyConstraint("transaction", "line"),
    )
    op.create_index("ix_money_postings_account", "money_postings", ["account", "at_ms"])


def _wallets() -> None:
    op.create_table(
        "wallet_grants",
        sa.Column("id", sa.String(128), primary_key=True),
        _string("subscription", 400),
        _big("minor"),
        _string("currency", 3),
        sa.Column("priority", sa.Integer, nullable=False),
        _big("granted_ms"),
        _big("expires_ms", nullable=True),
        _string("source", 16),
        _text("comment"),
    )
    op.create_index("ix_wallet_grants_subscription", "wallet_grants", ["subscription"])
    op.create_index("ix_wallet_grants_expires", "wallet_grants", ["expires_ms"])
    op.create_table(
        "wallet_burns",
        _string("grant", 128),
        _string("taken_by", 128),
        _big("minor"),
        _string("reason", 16),
        sa.PrimaryKeyConstraint("grant", "taken_by"),
    )
