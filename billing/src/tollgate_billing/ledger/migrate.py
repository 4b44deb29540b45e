"""Bringing a database to the newest schema, at every start. PostgreSQL: one process at a time."""

from alembic import command
from alembic.config import Config

from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.locks import MIGRATING, alone


def migrate(database: Database, revision: str = "head") -> None:
    """Run what has not been run yet, in one transaction; up to an older ``revision`` only in tests."""
    config = Config()
    config.set_main_option("script_location", "tollgate_billing:ledger/migrations")
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        alone(connection, MIGRATING)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
