"""A list of the usage that came after its time was closed, so that a statement need not look through all usage; numbers
of notifications, in the order of commits."""

import time

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import allow_changes, refuse_changes

revision = "0007"
down_revision = "0006"
#: Replicas of the version before, which list nothing, may write for so long: a rollout that is paused goes on for
#: days. It costs only looking.
_OLD_REPLICAS_MS = 7 * 86_400_000


def upgrade() -> None:
    """Nothing that is there is changed but for the numbers."""
    _list_late_usage()
    _number_notifications()


def _list_late_usage() -> None:
    """Where events are recorded already, others write them at this very moment."""
    op.create_table(
        "late_usage",
        sa.Column("event_id", sa.String(400), nullable=False),
        sa.Column("revision", sa.SmallInteger, nullable=False),
        sa.Column("subscription", sa.String(400), nullable=False),
        sa.Column("closed_ms", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "revision"),
    )
    op.create_index("ix_late_usage_subscription", "late_usage", ["subscription", "closed_ms", "at_ms"])
    op.create_table(
        "milestones",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT 1 FROM usage_events LIMIT 1")).first() is not None:
        listed = {"name": "late usage is listed", "at_ms": time.time_ns() // 1_000_000 + _OLD_REPLICAS_MS}
        connection.execute(sa.text("INSERT INTO milestones (name, at_ms) VALUES (:name, :at_ms)"), listed)


def _number_notifications() -> None:
    """What was written before is numbered by its time."""
    op.add_column("notifications", sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"))
    allow_changes("notifications")
    # In one pass: to count for each those before it took 1.7 s for 5,000, and grew with the square of their number.
    # Not by UPDATE FROM, which SQLite before 3.33 does not know.
    op.execute("CREATE TEMPORARY TABLE numbered (id VARCHAR(64) PRIMARY KEY, sequence BIGINT NOT NULL)")
    op.execute(
        "INSERT INTO numbered (id, sequence) SELECT id, row_number() OVER (ORDER BY at_ms, id) FROM notifications"
    )
    op.execute("UPDATE notifications SET sequence = (SELECT n.sequence FROM numbered n WHERE n.id = notifications.id)")
    op.execute("DROP TABLE numbered")
    refuse_changes("notifications")
    op.drop_index("ix_notifications_at", "notifications")
    op.drop_index("ix_notifications_subscription", "notifications")
    op.create_index("ix_notifications_sequence", "notifications", ["sequence", "id"])
    op.create_index("ix_notifications_subscription", "notifications", ["subscription", "sequence", "id"])
