"""What is billed."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from tollgate_billing.ledger.tables.base import metadata

statements = Table(
    "statements",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("customer", Text, nullable=False),
    Column("closed_ms", BigInteger, nullable=False),
    Column("cut_ms", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("brought_minor", BigInteger, nullable=False),
    Column("applied_minor", BigInteger, nullable=False),
    Column("due_minor", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("subscription", "sequence", name="uq_statements_sequence"),
    Index("ix_statements_closed", "closed_ms", "id"),
)

#: ``exact`` and ``quantity`` are fractions as texts: differences to the lines of earlier statements.
statement_lines = Table(
    "statement_lines",
    metadata,
    Column("statement", String(64), nullable=False),
    Column("line", Integer, nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("price", String(400), nullable=False),
    Column("version", String(64), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("exact", Text, nullable=False),
    Column("minor", BigInteger, nullable=False),
    PrimaryKeyConstraint("statement", "line"),
    Index("ix_statement_lines_subscription", "subscription", "price", "start_ms"),
)

#: What the provider charges or credits by hand.
charges = Table(
    "charges",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("subscription", String(400), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("comment", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Index("ix_charges_subscription", "subscription", "at_ms"),
)

#: Credits for lines of statements; each line of one becomes a charge below zero.
credit_notes = Table(
    "credit_notes",
    metadata,
    Column("id", String(128), nullable=False),
    Column("line", Integer, nullable=False),
    Column("statement", String(64), nullable=False),
    Column("subscription", String(400), nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("id", "line"),
    Index("ix_credit_notes_statement", "statement"),
)
