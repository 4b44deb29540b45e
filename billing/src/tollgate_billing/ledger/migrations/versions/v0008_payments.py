"""Payments of statements, and what payment providers are asked for and say."""

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import refuse_changes

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing was recorded before."""
    _make_payments()
    _make_outbox()
    _make_invoices()
    _make_provider_customers()
    _make_inbox()
    _make_access()
    op.create_index("ix_payments_statement", "payments", ["statement"])
    op.create_index("ix_payments_subscription", "payments", ["subscription"])
    op.create_index("ix_outbox_due", "outbox", ["state", "due_ms"])
    op.create_index("ix_outbox_subscription", "outbox", ["subscription", "state", "created_ms"])
    op.create_index("ix_invoices_reference", "invoices", ["provider", "reference"])
    op.create_index("ix_invoices_subscription", "invoices", ["subscription"])
    op.create_index("ix_invoices_carried", "invoices", ["carried_by"])
    op.create_index("ix_inbox_due", "inbox", ["state", "due_ms"])
    op.create_index("ix_access_next", "access", ["next_ms"])
    refuse_changes("payments")


def _make_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("statement", sa.String(64), nullable=False),
        sa.Column("subscription", sa.String(400), nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("provider", sa.String(400), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("minor", sa.BigInteger, nullable=False),
        sa.Column("tax_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
    )


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(400), nullable=False),
        sa.Column("subscription", sa.String(400), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("attempted_ms", sa.BigInteger),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("leased_ms", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("done_ms", sa.BigInteger),
        sa.Column("problem", sa.Text, nullable=False),
    )


def _make_invoices() -> None:
    op.create_table(
        "invoices",
        sa.Column("statement", sa.String(64), primary_key=True),
        sa.Column("subscription", sa.String(400), nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("provider", sa.String(400), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("due_minor", sa.BigInteger, nullable=False),
        sa.Column("tax_minor", sa.BigInteger, nullable=False),
        sa.Column("paid_minor", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("refunded_minor", sa.BigInteger, nullable=False),
        sa.Column("disputed", sa.Boolean, nullable=False),
        sa.Column("carried_by", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
    )


def _make_provider_customers() -> None:
    op.create_table(
        "provider_customers",
        sa.Column("provider", sa.String(400), nullable=False),
        sa.Column("customer", sa.String(400), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("provider", "customer"),
    )


def _make_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("provider", sa.String(400), nullable=False),
        sa.Column("event_id", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("invoice", sa.String(128), nullable=False),
        sa.Column("payment", sa.String(128), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id"),
    )


def _make_access() -> None:
    op.create_table(
        "access",
        sa.Column("subscription", sa.String(400), primary_key=True),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("next_ms", sa.BigInteger),
        sa.Column("statement", sa.String(64), nullable=False),
    )
