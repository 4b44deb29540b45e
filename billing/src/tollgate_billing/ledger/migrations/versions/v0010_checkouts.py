"""Checkouts, refunds, top-ups that are paid as statements are, and comparisons of books."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import allow_changes, refuse_changes

revision = "0010"
down_revision = "0009"
_SHORT, _LONG = sa.String(64), sa.String(128)


def upgrade() -> None:
    """What was collected before were statements only."""
    _name_subjects()
    for name in ("checkout", "customer"):
        op.add_column("inbox", _text(name, 128, server_default=""))
    _make_checkouts()
    op.create_index("ix_checkouts_reference", "checkouts", ["provider", "reference"])
    op.create_index("ix_checkouts_status", "checkouts", ["status", "created_ms"])
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(100), primary_key=True),
        _text("subject", 128),
        sa.Column("minor", sa.BigInteger, nullable=False),
        _text("currency", 3),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_refunds_subject", "refunds", ["subject"])
    op.create_table(
        "drifts",
        sa.Column("id", _SHORT, primary_key=True),
        _text("kind", 16),
        *(_text(name, 400) for name in ("provider", "subscription", "subject")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("message", "reason")),
        sa.Column("found_ms", sa.BigInteger, nullable=False),
        sa.Column("accepted_ms", sa.BigInteger),
    )
    op.create_index("ix_drifts_subscription", "drifts", ["subscription"])


def _name_subjects() -> None:
    op.drop_index("ix_payments_statement", "payments")
    allow_changes("payments")
    for name in ("payments", "invoices"):
        with op.batch_alter_table(name) as table:
            table.alter_column("statement", new_column_name="subject", type_=_LONG, existing_type=_SHORT)
    refuse_changes("payments")
    op.create_index("ix_payments_subject", "payments", ["subject"])
    for name in ("credited_minor", "compared_ms"):
        op.add_column("invoices", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    with op.batch_alter_table("access") as table:
        table.alter_column("statement", type_=_LONG, existing_type=_SHORT)


def _make_checkouts() -> None:
    op.create_table(
        "checkouts",
        sa.Column("id", _LONG, primary_key=True),
        *(_text(name, 400) for name in ("provider", "customer", "subscription", "product")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("customer_name", "success_url", "cancel_url")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("url", "problem")),
        _text("currency", 3),
        _text("reference", 128),
        _text("status", 16),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("attempted_ms", sa.BigInteger),
        sa.Column("settled_ms", sa.BigInteger),
    )


def _text(name: str, length: int, **more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, **more)
