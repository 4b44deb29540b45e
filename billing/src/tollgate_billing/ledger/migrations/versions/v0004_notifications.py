"""Notifications, top-ups and credit notes."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import refuse_changes

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    _notifications()
    _top_ups()
    _credit_notes()
    for table in ("notifications", "credit_notes"):
        refuse_changes(table)


def _big(column: str, *, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(column, sa.BigInteger, nullable=nullable)


def _string(column: str, length: int) -> "sa.Column[str]":
    return sa.Column(column, sa.String(length), nullable=False)


def _text(column: str) -> "sa.Column[str]":
    return sa.Column(column, sa.Text, nullable=False)


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(64), primary_key=True),
        _string("kind", 64),
        _string("subscription", 400),
        _text("customer"),
        _big("at_ms"),
        _text("body"),
    )
    op.create_index("ix_notifications_at", "notifications", ["at_ms", "id"])
    op.create_index("ix_notifications_subscription", "notifications", ["subscription", "at_ms", "id"])
    op.create_table(
        "credit_levels",
        sa.Column("subscription", sa.String(400), primary_key=True),
        _string("level", 16),
        sa.Column("sequence", sa.Integer, nullable=False),
    )


def _top_ups() -> None:
    op.create_table(
        "top_ups",
        sa.Column("id", sa.String(128), primary_key=True),
        _string("subscription", 400),
        _text("customer"),
        _big("minor"),
        _string("currency", 3),
        _string("reason", 16),
        _string("state", 16),
        _text("note"),
        _big("created_ms"),
        _big("settled_ms", nullable=True),
    )
    op.create_index("ix_top_ups_subscription", "top_ups", ["subscription", "created_ms"])
    op.create_index("ix_top_ups_state", "top_ups", ["state", "created_ms"])
    op.create_table(
        "automatic_top_ups",
        sa.Column("subscription", sa.String(400), primary_key=True),
        _big("below_minor"),
        _big("amount_minor"),
        _big("month_minor"),
        _string("state", 16),
        _big("since_ms"),
    )


def _credit_notes() -> None:
    op.create_table(
        "credit_notes",
        _string("id", 128),
        sa.Column("line", sa.Integer, nullable=False),
        _string("statement", 64),
        _string("subscription", 400),
        _big("minor"),
        _string("currency", 3),
        _text("reason"),
        _big("recorded_ms"),
        sa.PrimaryKeyConstraint("id", "line"),
    )
    op.create_index("ix_credit_notes_statement", "credit_notes", ["statement"])
