"""What was recorded when: pins, and corrections by subscription. A closing asks for both."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import allow_changes, refuse_changes

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Pins that are there were recorded when they began."""
    with op.batch_alter_table("subscription_prices") as table:
        table.add_column(sa.Column("recorded_ms", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE subscription_prices SET recorded_ms = since_ms")
    allow_changes("event_corrections")
    op.add_column("event_corrections", sa.Column("subscription", sa.String(400), nullable=False, server_default=""))
    op.execute(
        "UPDATE event_corrections SET subscription = "
        "(SELECT e.subscription FROM usage_events e WHERE e.id = event_corrections.event_id)"
    )
    refuse_changes("event_corrections")
    op.create_index("ix_event_corrections_subscription", "event_corrections", ["subscription", "recorded_ms"])
    op.create_index("ix_event_corrections_recorded", "event_corrections", ["recorded_ms"])
