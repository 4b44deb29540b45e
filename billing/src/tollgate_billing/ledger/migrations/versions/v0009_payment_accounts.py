"""Which account at a payment provider a name stands for."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import refuse_changes

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Filled by the next round trip to each provider."""
    op.create_table(
        "payment_accounts",
        sa.Column("provider", sa.String(400), primary_key=True),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
    )
    refuse_changes("payment_accounts")
