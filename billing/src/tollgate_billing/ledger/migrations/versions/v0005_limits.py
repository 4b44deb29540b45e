"""Limits of subscriptions' own, and which API key made a call."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Calls of before have no key: they count towards no key's own limit."""
    op.create_table(
        "subscription_limits",
        sa.Column("subscription", sa.String(400), nullable=False),
        sa.Column("metric", sa.String(400), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("units", sa.String(64), nullable=False),
        sa.Column("set_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "metric", "scope"),
    )
    op.add_column("usage_events", sa.Column("api_key", sa.String(40), nullable=False, server_default=""))
