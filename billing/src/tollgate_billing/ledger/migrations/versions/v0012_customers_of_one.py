"""Whom a provider knows by one name is one customer."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Where two share a name, it stays whoever had it first; the other is asked for a payment method again."""
    p = sa.table("provider_customers", *map(sa.column, ("provider", "customer", "reference", "created_ms")))
    first = p.alias("first")
    earlier = sa.or_(
        first.c.created_ms < p.c.created_ms,
        sa.and_(first.c.created_ms == p.c.created_ms, first.c.customer < p.c.customer),
    )
    same = sa.and_(first.c.provider == p.c.provider, first.c.reference == p.c.reference)
    op.execute(sa.delete(p).where(sa.exists().where(same, earlier)))
    with op.batch_alter_table("provider_customers") as batch:
        batch.create_unique_constraint("uq_provider_customers_reference", ["provider", "reference"])
