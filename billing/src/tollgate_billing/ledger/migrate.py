"""Bringing a database to the newest schema, at every start. PostgreSQL: one process at a time."""

from alembic import command
from alembic.config import Config

from tollgate_billing.ledger.database import Database

_LOCK = 7466_0101


def migrate(database: Database) -> None:
    """Run what has not been run yet, in one transaction."""
    config = Config()
    config.set_main_option("script_location", "tollgate_billing:ledger/migrations")
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        database.alone(connection, _LOCK)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
