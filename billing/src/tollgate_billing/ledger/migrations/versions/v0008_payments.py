"""Payments of statements."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import refuse_changes

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing was recorded before."""
    op.create_table(
        "payments",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("statement", sa.String(64), nullable=False),
        sa.Column("subscription", sa.String(400), nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_payments_statement", "payments", ["statement"])
    op.create_index("ix_payments_subscription", "payments", ["subscription"])
    refuse_changes("payments")
