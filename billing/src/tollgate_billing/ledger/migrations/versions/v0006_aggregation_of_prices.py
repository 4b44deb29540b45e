"""How a metric adds up becomes a term of the price versions that were stored before it was one."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from tollgate_billing.ledger.migrations.append_only import allow_changes, refuse_changes

revision = "0006"
down_revision = "0005"
_APPEND_ONLY = "price_versions"


def upgrade() -> None:
    """By the first catalog that had the version."""
    connection = op.get_bind()
    known = _aggregations(connection)
    found = [row for row in _stored(connection) if known.get((row["name"], row["version"]), "sum") != "sum"]
    found = [row for row in found if "aggregation" not in json.loads(row["spec"])]
    if not found:
        return
    allow_changes(_APPEND_ONLY)
    for row in found:
        spec = {**json.loads(row["spec"]), "aggregation": known[row["name"], row["version"]]}
        values = {"spec": json.dumps(spec, sort_keys=True), "name": row["name"], "version": row["version"]}
        statement = "UPDATE price_versions SET spec = :spec WHERE name = :name AND version = :version"
        connection.execute(sa.text(statement), values)
    refuse_changes(_APPEND_ONLY)


def _stored(connection: sa.Connection) -> list[dict[str, Any]]:
    rows = connection.execute(sa.text("SELECT name, version, spec FROM price_versions")).mappings()
    return [dict(row) for row in rows]


def _aggregations(connection: sa.Connection) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    catalogs = connection.execute(sa.text("SELECT json FROM catalogs ORDER BY first_seen_ms")).scalars()
    for catalog in map(json.loads, catalogs):
        metrics = {metric["name"]: metric.get("aggregation", "sum") for metric in catalog.get("metrics", ())}
        for price in catalog.get("prices", ()):
            found.setdefault((price["name"], price["version"]), metrics.get(price.get("metric"), "sum"))
    return found
