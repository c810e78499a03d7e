"""Alembic's entry: it runs on the connection that `report_service.adapters.db.schema` hands it."""

from alembic import context

from report_service.adapters.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
context.run_migrations()
