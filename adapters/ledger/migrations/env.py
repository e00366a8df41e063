"""Alembic's entry point. Runs on the connection that the ledger passes, inside its transaction."""

from alembic import context

from adapters.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
