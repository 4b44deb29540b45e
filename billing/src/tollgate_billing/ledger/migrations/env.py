"""How Alembic runs here: on the connection, and in the transaction, that ``migrate`` passes."""

from alembic import context

from tollgate_billing.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
