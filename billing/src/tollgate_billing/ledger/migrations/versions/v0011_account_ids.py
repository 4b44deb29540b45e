"""Accounts at payment providers that could not be told at first."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import refuse_changes

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Filled by the next round trip to each provider."""
    op.create_table(
        "payment_account_ids",
        sa.Column("provider", sa.String(400), primary_key=True),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
    )
    refuse_changes("payment_account_ids")
